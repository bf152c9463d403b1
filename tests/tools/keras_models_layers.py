"""Models of our own in real Keras that between them hold every layer and many options."""

from __future__ import annotations

from typing import Any


def layer_models(keras: Any) -> dict[str, Any]:
    """Name -> function that builds a model."""
    layers = keras.layers
    found: dict[str, Any] = {}

    def model(build: Any) -> Any:
        found[build.__name__] = build
        return build

    def inp(*shape: Any, **options: Any) -> Any:
        return keras.Input(shape, **options)

    def chain(source: Any, *parts: Any) -> Any:
        x = source
        for part in parts:
            x = part(x)
        return keras.Model(source, x)

    @model
    def unknown_sizes() -> Any:
        a = inp(None, None, 3)
        return keras.Model(a, layers.GlobalAveragePooling2D()(layers.Conv2D(2, 3)(a)))

    @model
    def transposed_convolutions() -> Any:
        a = inp(5, 6, 4, 3)
        x = layers.Conv3DTranspose(2, (2, 1, 3), strides=2, padding="same")(a)
        b = inp(9, 4)
        y = layers.Conv1DTranspose(3, 3, strides=2, output_padding=1, use_bias=False)(b)
        y = layers.Conv1DTranspose(2, 3, dilation_rate=2)(y)
        return keras.Model([a, b], [x, y])

    @model
    def convolutions_in_one_dimension() -> Any:
        return chain(
            inp(21, 4),
            layers.SeparableConv1D(6, 3, depth_multiplier=2, pointwise_regularizer="l2"),
            layers.DepthwiseConv1D(3, depth_multiplier=2, activation="relu"),
            layers.Conv1D(6, 3, dilation_rate=2, groups=3, kernel_initializer="he_uniform"),
            layers.AveragePooling1D(2, strides=1, padding="same"),
            layers.GlobalAveragePooling1D(),
        )

    @model
    def volumes() -> Any:
        return chain(
            inp(9, 8, 7, 3),
            layers.Cropping3D(((1, 0), (0, 1), (1, 1))),
            layers.UpSampling3D((1, 2, 1)),
            layers.AveragePooling3D((2, 2, 1), strides=1),
            layers.BatchNormalization(momentum=0.9, center=False),
            layers.SpatialDropout3D(0.2),
            layers.GlobalMaxPooling3D(keepdims=True),
        )

    @model
    def pictures() -> Any:
        return chain(
            inp(11, 13, 4),
            layers.Rescaling([1.0, 2.0, 3.0, 4.0], offset=[0.0, 1.0, 0.5, 0.25]),
            layers.SpatialDropout2D(0.2),
            layers.Conv2D(5, 3, strides=(2, 1), padding="same", kernel_constraint="max_norm"),
            layers.UpSampling2D(2),
            layers.MaxPooling2D((3, 2), strides=2, padding="same"),
            layers.GlobalMaxPooling2D(),
        )

    @model
    def channels_first() -> Any:
        return chain(
            inp(4, 9, 11),
            layers.ZeroPadding2D(((1, 0), (2, 1)), data_format="channels_first"),
            layers.MaxPooling2D(2, data_format="channels_first"),
            layers.GlobalAveragePooling2D(data_format="channels_first"),
        )

    @model
    def penalties_and_noise() -> Any:
        return chain(
            inp(6, 4),
            layers.ActivityRegularization(l1=0.01, l2=0.02),
            layers.AlphaDropout(0.2, seed=3),
            layers.GaussianNoise(0.1, seed=5),
            layers.Identity(),
            layers.Dense(3, kernel_regularizer=keras.regularizers.OrthogonalRegularizer()),
        )

    @model
    def images_over_time() -> Any:
        return chain(
            inp(4, 7, 6, 2),
            layers.ConvLSTM2D(3, 3, padding="same", return_sequences=True, dropout=0.1),
            layers.TimeDistributed(layers.MaxPooling2D(2)),
            layers.ConvLSTM2D(2, (2, 1), strides=2, go_backwards=True),
        )

    @model
    def lines_and_volumes_over_time() -> Any:
        a, b = inp(4, 9, 2), inp(3, 5, 4, 5, 2)
        x = layers.ConvLSTM1D(3, 3, dilation_rate=2, unit_forget_bias=False)(a)
        y, *states = layers.ConvLSTM3D(2, 2, return_state=True)(b)
        return keras.Model([a, b], [x, y, *states])

    @model
    def recurrent_options() -> Any:
        return chain(
            inp(6, 3),
            layers.SimpleRNN(4, activation="relu", return_sequences=True, unroll=True),
            layers.GRU(4, reset_after=False, return_sequences=True, recurrent_dropout=0.2),
            layers.LSTM(4, return_sequences=True, unit_forget_bias=False, dropout=0.1),
            layers.Bidirectional(layers.SimpleRNN(2), merge_mode="mul"),
        )

    @model
    def bidirectional_apart() -> Any:
        a = inp(5, 3)
        x, y = layers.Bidirectional(layers.GRU(4), merge_mode=None)(a)
        return keras.Model(a, [x, y])

    @model
    def rnn_over_cells() -> Any:
        a = inp(5, 3)
        pair = [layers.LSTMCell(4), layers.GRUCell(3, reset_after=False)]
        x, states, h = layers.RNN(pair, return_sequences=True, return_state=True)(a)
        again = [layers.LSTMCell(4), layers.GRUCell(3, dropout=0.2)]
        x = layers.RNN(again, return_sequences=True)(x, initial_state=[states, h])
        y = layers.Bidirectional(layers.RNN(layers.SimpleRNNCell(2)))(x)
        return keras.Model(a, [x, y])

    def bidirectional_states() -> Any:
        a = inp(5, 3)
        x, *states = layers.Bidirectional(layers.LSTM(2, return_state=True))(a)
        return keras.Model(a, [x, *states])

    @model
    def attentions() -> Any:
        a, b, c = inp(5, 4), inp(6, 4), inp(6, 4)
        x = layers.Attention(use_scale=True, score_mode="concat")([a, b, c])
        y = layers.AdditiveAttention(use_scale=False)([a, b])
        z = layers.Attention(dropout=0.1)([a, b], use_causal_mask=True)
        return keras.Model([a, b, c], [x, y, z])

    @model
    def attention_with_scores() -> Any:
        a = inp(5, 4)
        x, scores = layers.Attention()([a, a], return_attention_scores=True)
        return keras.Model(a, [x, scores])

    @model
    def attention_with_masks() -> Any:
        a, b = inp(5, 4), inp(6, 4)
        p, q = inp(5, dtype="bool"), inp(6, dtype="bool")
        return keras.Model([a, b, p, q], layers.Attention()([a, b], mask=[p, q]))

    @model
    def grouped_attention() -> Any:
        a, b = inp(5, 8), inp(6, 8)
        x = layers.GroupQueryAttention(4, 6, 3, use_bias=False)(a, b)
        return keras.Model([a, b], layers.GroupQueryAttention(4, 2, 1, dropout=0.1)(x, b, b))

    @model
    def heads_over_pictures() -> Any:
        a = inp(4, 3, 8)
        x = layers.MultiHeadAttention(2, 3, value_dim=5, output_shape=6, attention_axes=(1, 2))(
            a, a
        )
        return keras.Model(a, x)

    @model
    def heads_with_attention_mask() -> Any:
        a, b, m = inp(5, 4), inp(6, 4), inp(5, 6, dtype="bool")
        x = layers.MultiHeadAttention(2, 3)(a, b, attention_mask=m)
        return keras.Model([a, b, m], x)

    @model
    def normalization_options() -> Any:
        return chain(
            inp(5, 6),
            layers.Normalization(mean=[0.0] * 6, variance=[1.0] * 6),
            layers.RMSNormalization(),
            layers.LayerNormalization(epsilon=1e-5, scale=False),
            layers.BatchNormalization(renorm=True),
            layers.GroupNormalization(groups=-1, center=False),
            layers.UnitNormalization(axis=1),
        )

    @model
    def normalization_to_be_adapted() -> Any:
        return chain(inp(5, 6), layers.Normalization(axis=-1), layers.Normalization(axis=None))

    @model
    def low_rank() -> Any:
        a = inp(5, dtype="int32")
        x = layers.Embedding(9, 6, lora_rank=2)(a)
        return keras.Model(a, layers.Dense(4, lora_rank=2)(x))

    @model
    def reversible_embeddings() -> Any:
        a = inp(5, dtype="int32")
        tied = layers.ReversibleEmbedding(9, 6, mask_zero=True, logit_soft_cap=3.0)
        own = layers.ReversibleEmbedding(9, 4, tie_weights=False, embeddings_initializer="ones")
        x = tied(layers.Dense(6)(tied(a)), reverse=True)
        return keras.Model(a, [x, own(own(a), reverse=True)])

    @model
    def spectral_normalization() -> Any:
        return chain(
            inp(6, 5, 3),
            layers.SpectralNormalization(layers.Conv2D(4, 3), power_iterations=2),
            layers.SpectralNormalization(layers.Dense(3, activation="relu")),
        )

    @model
    def spectrograms() -> Any:
        a = inp(40)
        options = {"fft_length": 16, "sequence_stride": 5, "num_mel_bins": 6}
        x = layers.MelSpectrogram(**options, sampling_rate=100)(a)
        y = layers.MelSpectrogram(**options, sequence_length=12, max_freq=40.0, window=None)(a)
        b = inp(40, 2)
        z = layers.STFTSpectrogram(frame_length=8, expand_dims=True, padding="same")(b)
        window = [1.0, 2.0, 3.0, 3.0, 2.0, 1.0]
        w = layers.STFTSpectrogram("stft", 6, 2, 8, window, scaling=None)(b)
        return keras.Model([a, b], [x, y, z, w])

    @model
    def einsums() -> Any:
        a = inp(5, 6)
        x = layers.EinsumDense("abc,cde->abde", (5, 2, 3), bias_axes="de", activation="relu")(a)
        x = layers.EinsumDense("abcd,cde->abe", (None, 4), kernel_regularizer="l2")(x)
        x = layers.EinsumDense("...x,xy->...y", 4, bias_axes="y", bias_constraint="non_neg")(x)
        y = layers.EinsumDense(
            "ab...,bc->ac...",
            7,
            lora_rank=2,
            lora_alpha=3.0,
            kernel_initializer=keras.initializers.HeNormal(seed=3),
        )(a)
        return keras.Model(a, [x, y])

    @model
    def activations_as_layers() -> Any:
        return chain(
            inp(6),
            layers.Dense(5, activation=layers.ReLU(max_value=6.0)),
            layers.Dense(4, activation=layers.LeakyReLU(negative_slope=0.2)),
            layers.Dense(3, activation=layers.ELU(name="bent")),
            layers.Dense(2, activation=layers.Softmax()),
        )

    @model
    def activation_names() -> Any:
        names = (
            "elu selu softplus softsign relu6 silu gelu tanh sigmoid exponential hard_sigmoid "
            "hard_silu hard_tanh hard_shrink soft_shrink tanh_shrink log_sigmoid mish celu glu "
            "log_softmax leaky_relu squareplus sparse_plus sparse_sigmoid linear softmax"
        )
        return chain(inp(64), *(layers.Activation(name) for name in names.split()))

    @model
    def initializers_and_constraints() -> Any:
        of = keras.initializers
        starts = [
            of.GlorotNormal(seed=1),
            of.HeUniform(),
            of.LecunNormal(),
            of.LecunUniform(seed=2),
            of.VarianceScaling(2.0, "fan_avg", "uniform"),
            of.TruncatedNormal(0.0, 0.1),
            of.RandomNormal(stddev=0.2),
            of.RandomUniform(-0.1, 0.1),
            of.Orthogonal(gain=0.5),
            of.Identity(gain=2.0),
            of.Ones(),
            of.Zeros(),
        ]
        limits = ["non_neg", "unit_norm", keras.constraints.MinMaxNorm(0.1, 2.0, rate=0.9)]
        return chain(
            inp(4),
            *(layers.Dense(4, kernel_initializer=start) for start in starts),
            *(layers.Dense(4, kernel_constraint=limit, bias_constraint=limit) for limit in limits),
        )

    @model
    def picture_models_of_applications() -> Any:
        from keras.src.applications.convnext import LayerScale
        from keras.src.applications.inception_resnet_v2 import CustomScaleLayer

        a = inp(4, 5, 6)
        x = LayerScale(1e-6, 6, name="gamma")(a)
        return keras.Model(a, CustomScaleLayer(0.2, name="mix")([a, x]))

    @model
    def categories() -> Any:
        a, b = keras.Input((1,), dtype="string"), keras.Input((1,), dtype="int64")
        text = layers.TextVectorization(vocabulary=["a", "b"], output_sequence_length=4)(a)
        word = layers.StringLookup(vocabulary=["a", "b"], mask_token="", num_oov_indices=2)(a)
        number = layers.IntegerLookup(vocabulary=[3, 5], output_mode="one_hot")(b)
        hashed = layers.Hashing(5, salt=3)(a)
        crossed = layers.HashedCrossing(5, output_mode="one_hot")([a, b])
        return keras.Model([a, b], [text, word, number, hashed, crossed])

    @model
    def random_images() -> Any:
        a = inp(9, 8, 3)
        x = layers.RandomRotation(0.1, fill_mode="constant", seed=1)(a)
        x = layers.RandomTranslation((-0.2, 0.3), 0.1, seed=2)(x)
        x = layers.RandomZoom(0.2, seed=3)(x)
        x = layers.RandomBrightness(0.2, value_range=(0, 1), seed=4)(x)
        return keras.Model(a, x)

    @model
    def random_colors() -> Any:
        a = inp(9, 8, 3)
        x = layers.RandomSaturation(0.2, seed=1)(a)
        x = layers.RandomHue((0.1, 0.3), value_range=(0, 1), seed=2)(x)
        x = layers.RandomSharpness(0.2, seed=3)(x)
        x = layers.RandomColorJitter(brightness_factor=0.1, hue_factor=(0.1, 0.2), seed=4)(x)
        x = layers.RandomColorDegeneration(0.4, seed=5)(x)
        x = layers.RandomGrayscale(0.3)(x)
        x = layers.RandomInvert(0.2, seed=6)(x)
        x = layers.RandomPosterization(4, seed=7)(x)
        x = layers.Solarization(0.1, (0.2, 0.4), seed=8)(x)
        x = layers.AutoContrast(value_range=(0, 1))(x)
        x = layers.ContrastLimitedAdaptiveHistogramEqualization(tile_grid_size=(2, 3))(x)
        return keras.Model(a, x)

    @model
    def random_distortions() -> Any:
        a = inp(9, 8, 3)
        x = layers.RandomShear((0.1, 0.2), (0.0, 0.3), fill_mode="wrap", seed=1)(a)
        x = layers.RandomPerspective(0.4, scale=0.5, fill_value=0.1, seed=2)(x)
        x = layers.RandomErasing(0.4, scale=0.2, value_range=(0, 1), seed=3)(x)
        x = layers.RandomErasing((0.2, 0.4), fill_value=(0.1, 0.2, 0.3), seed=3)(x)
        x = layers.RandomGaussianBlur(0.5, kernel_size=(3, 5), sigma=(0.2, 0.8), seed=4)(x)
        x = layers.RandomElasticTransform(0.5, scale=0.7, fill_mode="nearest", seed=5)(x)
        x = layers.RandomCrop(9, 8, seed=6)(x)
        return keras.Model(a, x)

    @model
    def augmentation() -> Any:
        a = inp(9, 8, 3)
        x = layers.CutMix(0.4, seed=1)(a)
        x = layers.MixUp(0.3, seed=2)(x)
        x = layers.AugMix(value_range=(0, 1), chain_depth=2, all_ops=False, seed=3)(x)
        x = layers.RandAugment(num_ops=1, factor=(0.1, 0.3), seed=4)(x)
        x = layers.MaxNumBoundingBoxes(5)(x)
        parts = [layers.RandomFlip(seed=5), layers.Equalization(bins=9), layers.Resizing(6, 7)]
        return keras.Model(a, layers.Pipeline([*parts, layers.RandomFlip(seed=6)])(x))

    @model
    def pipeline_with_weights() -> Any:
        a = inp(9, 8, 3)
        parts = [layers.Rescaling(0.1), layers.Conv2D(2, 3), layers.BatchNormalization()]
        return keras.Model(a, layers.Pipeline([*parts, layers.Conv2D(3, 2)])(a))

    @model
    def images_and_bins() -> Any:
        a, b = inp(9, 8, 3), inp(6)
        x = layers.RandomFlip("horizontal", seed=1)(layers.Resizing(10, 12)(a))
        x = layers.CenterCrop(8, 8)(layers.RandomContrast(0.1, seed=2)(x))
        y = layers.CategoryEncoding(4)(layers.Discretization([-0.5, 0.0, 0.5])(b))
        return keras.Model([a, b], [layers.Conv2D(2, 3)(x), layers.Dense(2)(y)])

    @model
    def layers_of_the_users_own() -> Any:
        from tests.tools.keras_custom import Shift

        a = inp(6)
        shift = Shift(0.25)
        return keras.Model(a, layers.Dense(2)(shift(layers.Dense(6)(Shift()(shift(a))))))

    @model
    def sums_of_several() -> Any:
        a, b, c = inp(4, 3), inp(4, 3), inp(4, 1)
        x = layers.Subtract()([layers.Average()([a, b, c]), layers.Minimum()([b, c])])
        return keras.Model([a, b, c], layers.Dot(axes=(1, 1), normalize=True)([x, a]))

    @model
    def one_input_unused() -> Any:
        a, b = inp(4, name="a"), inp(3, name="b")
        return keras.Model([a, b], layers.Dense(2)(a))

    @model
    def layers_of_many_dtypes() -> Any:
        a = inp(4, dtype="float16")
        x = layers.Dense(3, dtype="mixed_bfloat16")(a)
        x = layers.Dropout(0.1, dtype="float64")(x)
        return keras.Model(a, layers.BatchNormalization(dtype="mixed_float16")(x))

    @model
    def nested_called_three_times() -> Any:
        i = inp(4)
        inner = keras.Model(i, layers.Dense(4)(i), name="inner")
        a = inp(4)
        return keras.Model(a, layers.Add()([inner(a), inner(inner(a))]))

    @model
    def nested_in_training() -> Any:
        i = inp(4)
        inner = keras.Model(i, layers.Dropout(0.5)(i), name="inner")
        a = inp(4)
        return keras.Model(a, [inner(a, training=True), inner(a, training=False)])

    @model
    def nested_mapping_of_outputs() -> Any:
        i = inp(4)
        two, three = layers.Dense(2)(i), layers.Dense(3)(i)
        inner = keras.Model(i, {"z": two, "a": three}, name="inner")
        a = inp(4)
        found = inner(a)
        return keras.Model(a, [layers.Dense(1)(found["a"]), found["z"]])

    @model
    def nested_mapping_of_one() -> Any:
        i = inp(4)
        inner = keras.Model(i, {"only": layers.Dense(2)(i)}, name="inner")
        a = inp(4)
        return keras.Model(a, inner(a)["only"])

    @model
    def nested_nest_of_outputs() -> Any:
        i = inp(4)
        x, y = layers.Dense(2)(i), layers.Dense(3)(i)
        inner = keras.Model(i, [x, {"b": y, "a": [x]}], name="inner")
        a = inp(4)
        p, q = inner(a)
        return keras.Model(a, [q["b"], p, q["a"][0]])

    @model
    def nested_list_of_one() -> Any:
        i = inp(4)
        inner = keras.Model([i], [layers.Dense(2)(i)], name="inner")
        a = inp(4)
        return keras.Model(a, inner([a])[0])

    @model
    def nested_of_other_shape() -> Any:
        i = inp(None, 3)
        inner = keras.Model(i, layers.Conv1D(2, 3)(i), name="inner")
        a = inp(9, 3)
        return keras.Model(a, layers.Flatten()(inner(a)))

    @model
    def sequential_in_sequential() -> Any:
        inner = keras.Sequential([inp(4), layers.Dense(3), layers.Dropout(0.1)], name="inner")
        return keras.Sequential([inp(4), layers.Dense(4), inner, layers.Dense(1)])

    @model
    def training_flags() -> Any:
        x = a = inp(5, 4)
        x = layers.Dropout(0.1)(x, training=False)
        x = layers.GaussianNoise(0.1)(x)
        x = layers.BatchNormalization()(x, training=False)
        return keras.Model(a, layers.LSTM(2)(x, training=True))

    @model
    def residual_transformer() -> Any:
        x = a = inp(9, 8)
        for _ in range(2):
            y = layers.MultiHeadAttention(2, 4, dropout=0.1)(x, x, use_causal_mask=True)
            x = layers.LayerNormalization()(x + y)
            y = layers.Dense(8)(layers.Dense(16, activation="gelu")(x))
            x = layers.LayerNormalization()(x + layers.Dropout(0.1)(y))
        return keras.Model(a, layers.Dense(3)(x[:, -1]))

    return found
