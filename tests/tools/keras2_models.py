"""Models of our own in real Keras 2: every layer, every graph form, operations of TensorFlow."""

from __future__ import annotations

from typing import Any

SINGLE: dict[str, tuple[tuple[int | None, ...], list[tuple[str, dict[str, Any]]]]] = {
    "dense": (
        (4,),
        [
            ("Dense", {"units": 3, "activation": "swish", "kernel_regularizer": "l2"}),
            ("Dense", {"units": 3, "activation": "hard_sigmoid", "use_bias": False}),
            ("Dense", {"units": 2, "activation": "gelu", "kernel_constraint": "max_norm"}),
            ("Dense", {"units": 2, "activation": "mish", "kernel_initializer": "he_normal"}),
            ("Dense", {"units": 2, "activation": "exponential", "bias_initializer": "ones"}),
        ],
    ),
    "einsums": (
        (5, 4),
        [
            ("EinsumDense", {"equation": "abc,cd->abd", "output_shape": (None, 3)}),
            (
                "EinsumDense",
                {
                    "equation": "...x,xyz->...yz",
                    "output_shape": (2, 5),
                    "bias_axes": "z",
                    "activation": "relu",
                },
            ),
        ],
    ),
    "activations": (
        (4,),
        [
            ("ReLU", {"max_value": 3.0, "negative_slope": 0.1, "threshold": 0.5}),
            ("LeakyReLU", {"alpha": 0.2}),
            ("ELU", {"alpha": 0.7}),
            ("PReLU", {"alpha_initializer": "uniform"}),
            ("Activation", {"activation": "softsign"}),
            ("Softmax", {}),
        ],
    ),
    "thresholded": ((4,), [("ThresholdedReLU", {"theta": 0.4}), ("Dense", {"units": 2})]),
    "convolutions_1": (
        (9, 4),
        [
            ("Conv1D", {"filters": 6, "kernel_size": 3, "padding": "causal", "dilation_rate": 2}),
            ("Conv1D", {"filters": 6, "kernel_size": 3, "padding": "same", "groups": 3}),
            ("SeparableConv1D", {"filters": 5, "kernel_size": 3, "depth_multiplier": 2}),
            ("DepthwiseConv1D", {"kernel_size": 2, "strides": 2}),
            ("Conv1DTranspose", {"filters": 3, "kernel_size": 3, "strides": 2}),
            ("ZeroPadding1D", {"padding": (1, 2)}),
            ("Cropping1D", {"cropping": (1, 0)}),
            ("UpSampling1D", {"size": 2}),
            ("MaxPooling1D", {"pool_size": 2}),
            ("AveragePooling1D", {"pool_size": 2, "strides": 1, "padding": "same"}),
            ("GlobalAveragePooling1D", {}),
        ],
    ),
    "convolutions_2": (
        (9, 8, 3),
        [
            ("Conv2D", {"filters": 6, "kernel_size": (3, 2), "padding": "same", "strides": 2}),
            ("BatchNormalization", {}),
            ("DepthwiseConv2D", {"kernel_size": 3, "padding": "same", "depth_multiplier": 2}),
            ("SeparableConv2D", {"filters": 5, "kernel_size": 3, "padding": "same"}),
            ("Conv2DTranspose", {"filters": 4, "kernel_size": 3, "strides": 2}),
            ("ZeroPadding2D", {"padding": ((1, 0), (2, 1))}),
            ("Cropping2D", {"cropping": ((0, 1), (1, 0))}),
            ("UpSampling2D", {"size": (2, 1), "interpolation": "bilinear"}),
            ("MaxPooling2D", {"pool_size": (2, 3), "padding": "same"}),
            ("AveragePooling2D", {"pool_size": 2, "strides": 1}),
            ("SpatialDropout2D", {"rate": 0.3}),
            ("PReLU", {"shared_axes": [1, 2]}),
            ("GlobalMaxPooling2D", {"keepdims": True}),
            ("Flatten", {}),
        ],
    ),
    "convolutions_3": (
        (5, 6, 4, 2),
        [
            ("Conv3D", {"filters": 3, "kernel_size": 2}),
            ("Conv3DTranspose", {"filters": 2, "kernel_size": 2, "strides": 2}),
            ("ZeroPadding3D", {"padding": 1}),
            ("Cropping3D", {"cropping": ((1, 0), (0, 1), (1, 1))}),
            ("UpSampling3D", {"size": (1, 2, 1)}),
            ("AveragePooling3D", {"pool_size": 2}),
            ("MaxPooling3D", {"pool_size": 2}),
            ("SpatialDropout3D", {"rate": 0.3}),
            ("GlobalAveragePooling3D", {}),
        ],
    ),
    "global_pooling": ((6, 3), [("GlobalMaxPooling1D", {"keepdims": True}), ("Flatten", {})]),
    "normalizations": (
        (5, 6),
        [
            ("BatchNormalization", {"momentum": 0.9, "epsilon": 1e-5, "center": False}),
            ("LayerNormalization", {"axis": [1, 2], "epsilon": 1e-4}),
            ("GroupNormalization", {"groups": 3}),
            ("UnitNormalization", {"axis": -1}),
            ("Rescaling", {"scale": 0.5, "offset": 1.0}),
            ("Normalization", {"axis": -1, "mean": [1.0] * 6, "variance": [2.0] * 6}),
            ("Identity", {}),
        ],
    ),
    "synchronized": ((5,), [("BatchNormalization", {"synchronized": True})]),
    "recurrent": (
        (6, 3),
        [
            ("LSTM", {"units": 4, "return_sequences": True, "unit_forget_bias": False}),
            ("GRU", {"units": 3, "return_sequences": True, "reset_after": False}),
            ("GRU", {"units": 3, "return_sequences": True, "recurrent_activation": "hard_sigmoid"}),
            ("SimpleRNN", {"units": 4, "go_backwards": True, "return_sequences": True}),
            ("LSTM", {"units": 3, "unroll": True, "dropout": 0.2, "recurrent_dropout": 0.1}),
        ],
    ),
    "noise": (
        (6, 3),
        [
            ("Dropout", {"rate": 0.3, "noise_shape": (None, 1, 3), "seed": 3}),
            ("SpatialDropout1D", {"rate": 0.2}),
            ("GaussianNoise", {"stddev": 0.2}),
            ("GaussianDropout", {"rate": 0.2}),
            ("AlphaDropout", {"rate": 0.2}),
            ("ActivityRegularization", {"l2": 0.01}),
            ("Dense", {"units": 2, "activity_regularizer": "l1"}),
        ],
    ),
    "shapes": (
        (6, 4),
        [
            ("Permute", {"dims": (2, 1)}),
            ("Reshape", {"target_shape": (3, -1)}),
            ("Flatten", {}),
            ("RepeatVector", {"n": 2}),
        ],
    ),
    "convolutional_recurrent": (
        (3, 6, 5, 2),
        [
            ("ConvLSTM2D", {"filters": 3, "kernel_size": 3, "return_sequences": True}),
            (
                "ConvLSTM2D",
                {"filters": 2, "kernel_size": (2, 3), "recurrent_activation": "sigmoid"},
            ),
        ],
    ),
    "convolutional_recurrent_1": (
        (3, 6, 2),
        [("ConvLSTM1D", {"filters": 3, "kernel_size": 3, "padding": "same"})],
    ),
    "convolutional_recurrent_3": (
        (2, 4, 3, 3, 1),
        [("ConvLSTM3D", {"filters": 2, "kernel_size": 2})],
    ),
}
"""Chains of layers by name: the shape of the input, and (class, arguments)."""


def models(k2: Any, tf: Any) -> dict[str, Any]:
    """Name -> function that builds a model."""
    layers = k2.layers
    found: dict[str, Any] = {}

    def model(build: Any) -> Any:
        found[build.__name__] = build
        return build

    def inp(*shape: Any, **options: Any) -> Any:
        return k2.Input(shape, **options)

    def words(name: str | None = None) -> Any:
        return inp(6, dtype="int32", name=name)

    for name, (shape, chain) in SINGLE.items():

        def sequential(shape: Any = shape, chain: Any = chain) -> Any:
            made = [getattr(layers, kind)(**options) for kind, options in chain]
            return k2.Sequential([k2.Input(shape), *made])

        found[name] = sequential

    @model
    def mixed_precision() -> Any:
        policy = k2.mixed_precision.Policy("mixed_float16")
        return k2.Sequential(
            [inp(4), layers.Dense(3, dtype=policy), layers.Dense(2, dtype="float32")]
        )

    @model
    def double() -> Any:
        return k2.Sequential(
            [
                inp(4, dtype="float64"),
                layers.Dense(3, dtype="float64"),
                layers.ReLU(dtype="float64"),
            ]
        )

    @model
    def frozen_layer() -> Any:
        return k2.Sequential([inp(4), layers.Dense(3, trainable=False), layers.Dense(2)])

    @model
    def frozen_model() -> Any:
        inner = k2.Sequential([inp(4), layers.Dense(3), layers.BatchNormalization()], name="base")
        inner.trainable = False
        return k2.Sequential([inp(4), inner, layers.Dense(2)])

    @model
    def activation_layers() -> Any:
        return k2.Sequential(
            [
                inp(4),
                layers.Dense(3, activation=layers.LeakyReLU(0.1)),
                layers.Dense(3, activation=layers.ReLU(6.0)),
                layers.Dense(3, activation=layers.ELU(0.5)),
                layers.Dense(3, activation=layers.Softmax(axis=-1)),
            ]
        )

    @model
    def penalties() -> Any:
        dense = layers.Dense(
            3,
            kernel_regularizer=k2.regularizers.L1L2(0.1, 0.2),
            bias_regularizer=k2.regularizers.L1(0.1),
            kernel_constraint=k2.constraints.MinMaxNorm(0.1, 2.0, axis=[0]),
            bias_constraint=k2.constraints.NonNeg(),
            kernel_initializer=k2.initializers.VarianceScaling(3.0, "fan_out", "uniform"),
        )
        second = layers.Dense(
            2,
            kernel_initializer=k2.initializers.TruncatedNormal(0.1, 0.2, seed=3),
            kernel_regularizer=k2.regularizers.OrthogonalRegularizer(0.1),
            kernel_constraint=k2.constraints.UnitNorm(),
        )
        return k2.Sequential([inp(4), dense, second])

    @model
    def shared_layer() -> Any:
        a, b = inp(4, name="left"), inp(4, name="right")
        dense = layers.Dense(3, name="both")
        return k2.Model([a, b], layers.Subtract()([dense(a), dense(b)]))

    @model
    def layer_called_in_turn() -> Any:
        a = inp(4)
        dense = layers.Dense(4)
        return k2.Model(a, dense(dense(dense(a))))

    @model
    def merges() -> Any:
        a, b = inp(4, name="a"), inp(4, name="b")
        joined = [
            kind()([a, b]) for kind in (layers.Add, layers.Multiply, layers.Average, layers.Maximum)
        ]
        joined += [layers.Minimum()([a, b]), layers.Subtract()([a, b])]
        together = layers.Concatenate(axis=-1)(joined)
        return k2.Model([a, b], [together, layers.Dot(axes=1, normalize=True)([a, b])])

    @model
    def dict_inputs_and_outputs() -> Any:
        a, b = inp(4, name="a"), inp(4, name="b")
        total = layers.Add()([a, b])
        return k2.Model({"x": a, "y": b}, {"sum": total, "out": layers.Dense(1)(total)})

    @model
    def list_of_one() -> Any:
        a = inp(4)
        return k2.Model([a], [layers.Dense(2)(a)])

    @model
    def input_as_output() -> Any:
        a = inp(4)
        return k2.Model(a, [a, layers.Dense(2)(a)])

    @model
    def nested_three_deep() -> Any:
        x = inp(4)
        innermost = k2.Sequential([inp(4), layers.Dense(3)], name="innermost")
        middle = k2.Model(x, layers.Dense(4)(innermost(x)), name="middle")
        y = inp(4)
        outer = k2.Model(y, middle(middle(y)), name="outer")
        z = inp(4)
        return k2.Model(z, layers.Dense(2)(outer(z)))

    @model
    def nested_without_input() -> Any:
        x = inp(4)
        inner = k2.Sequential([layers.Dense(4), layers.Dense(4)], name="inner")
        return k2.Model(x, inner(inner(x)))

    @model
    def nested_several_in_and_out() -> Any:
        a, b = inp(4, name="p"), inp(3, name="q")
        sides = [layers.Dense(3)(a), layers.Dense(3)(b)]
        inner = k2.Model([a, b], [layers.Add()(sides), sides[0]], name="inner")
        c, d = inp(4), inp(3)
        first, second = inner([c, d])
        again, _ = inner([c, second])
        return k2.Model([c, d], layers.Concatenate()([first, again]))

    @model
    def nested_dicts() -> Any:
        a, b = inp(4, name="a"), inp(4, name="b")
        inner = k2.Model({"l": a, "r": b}, {"s": layers.Add()([a, b]), "d": layers.Dense(2)(b)})
        c, d = inp(4), inp(4)
        out = inner({"l": c, "r": d})
        return k2.Model([c, d], [out["s"], out["d"]])

    @model
    def initial_states() -> Any:
        x, h, c = inp(5, 3, name="x"), inp(4, name="h"), inp(4, name="c")
        lstm = layers.LSTM(4, return_sequences=True, return_state=True)
        y, *states = lstm(x, initial_state=[h, c])
        z = layers.GRU(4)(y, initial_state=states[0])
        return k2.Model([x, h, c], [z, *states])

    @model
    def bidirectional() -> Any:
        x = inp(5, 3)
        y = layers.Bidirectional(layers.LSTM(3, return_sequences=True), merge_mode="sum")(x)
        y = layers.Bidirectional(
            layers.GRU(3, return_sequences=True),
            backward_layer=layers.GRU(3, return_sequences=True, go_backwards=True, name="back"),
        )(y)
        return k2.Model(x, layers.Bidirectional(layers.SimpleRNN(2), merge_mode=None)(y))

    @model
    def bidirectional_states() -> Any:
        x = inp(5, 3)
        y, *states = layers.Bidirectional(layers.LSTM(3, return_sequences=True, return_state=True))(
            x
        )
        return k2.Model(x, layers.Bidirectional(layers.LSTM(3))(y, initial_state=states))

    @model
    def time_distributed() -> Any:
        x = inp(3, 8, 8, 2)
        y = layers.TimeDistributed(layers.Conv2D(4, 3, activation="relu"))(x)
        y = layers.TimeDistributed(layers.MaxPooling2D())(y)
        return k2.Model(x, layers.TimeDistributed(layers.Flatten())(y))

    @model
    def masked_words() -> Any:
        x = words()
        y = layers.Embedding(5, 4, mask_zero=True)(x)
        y = layers.Dropout(0.2)(y)
        y = layers.Bidirectional(layers.LSTM(3, return_sequences=True))(y)
        y = layers.TimeDistributed(layers.Dense(3))(y)
        return k2.Model(x, [layers.GRU(3)(y), layers.GlobalAveragePooling1D()(y)])

    @model
    def masked_numbers() -> Any:
        x = inp(6, 3)
        y = layers.Masking(0.5)(x)
        return k2.Model(x, layers.LSTM(3)(layers.LayerNormalization()(layers.Dense(4)(y))))

    @model
    def masked_sum() -> Any:
        x = words()
        y = layers.Embedding(5, 4, mask_zero=True)(x)
        return k2.Model(x, layers.LSTM(3)(layers.Add()([y, layers.Dense(4)(y)])))

    @model
    def given_masks() -> Any:
        x, m = inp(6, 3, name="x"), inp(6, dtype="bool", name="m")
        return k2.Model([x, m], layers.LSTM(3)(layers.GRU(3, return_sequences=True)(x), mask=m))

    @model
    def list_attention() -> Any:
        a, b = inp(5, 4, name="a"), inp(7, 4, name="b")
        y, scores = layers.Attention(use_scale=True)([a, b], return_attention_scores=True)
        z = layers.AdditiveAttention()([y, b, b], use_causal_mask=True)
        return k2.Model([a, b], [z, scores])

    @model
    def masked_list_attention() -> Any:
        a, b = words("a"), words("b")
        table = layers.Embedding(5, 4, mask_zero=True)
        return k2.Model([a, b], layers.Attention(score_mode="concat")([table(a), table(b)]))

    @model
    def heads() -> Any:
        a, b = inp(5, 4, name="a"), inp(7, 3, name="b")
        y, scores = layers.MultiHeadAttention(2, 3, value_dim=4, output_shape=5, dropout=0.1)(
            a, b, key=b, return_attention_scores=True
        )
        z = layers.MultiHeadAttention(2, 3)(y, y, use_causal_mask=True)
        return k2.Model([a, b], [z, scores])

    @model
    def heads_over_axes() -> Any:
        a = inp(3, 4, 5)
        return k2.Model(a, layers.MultiHeadAttention(2, 3, attention_axes=[2])(a, a))

    @model
    def masked_heads() -> Any:
        x = words()
        y = layers.Embedding(5, 4, mask_zero=True)(x)
        return k2.Model(x, layers.MultiHeadAttention(2, 3)(y, y))

    @model
    def attention_mask() -> Any:
        x, m = inp(6, 4, name="x"), inp(6, 6, dtype="bool", name="m")
        return k2.Model([x, m], layers.MultiHeadAttention(2, 3)(x, x, attention_mask=m))

    @model
    def training_argument() -> Any:
        x = inp(4)
        return k2.Model(x, layers.BatchNormalization()(layers.Dropout(0.5)(x, training=False)))

    @model
    def arithmetic() -> Any:
        a, b = inp(4, name="a"), inp(4, name="b")
        y = (2.0 - a * 3.0) / (b * b + 1.0)
        y = -y + abs(a) ** 2.0 - tf.math.squared_difference(a, b)
        y = tf.math.add_n([y, a, b])
        return k2.Model(
            [a, b], [y, tf.maximum(a, b), tf.minimum(1.0, a), a + tf.constant([1.0] * 4)]
        )

    @model
    def elementary() -> Any:
        a = inp(4)
        p = tf.square(a) + 0.5
        return k2.Model(
            a,
            [
                tf.exp(a), tf.math.log(p), tf.sqrt(p), tf.math.rsqrt(p), tf.sin(a), tf.tanh(a),
                tf.sigmoid(a), tf.math.softplus(a), tf.sign(a), tf.floor(a), tf.round(a),
                tf.math.erf(a), tf.math.reciprocal(p), tf.atan2(a, p), tf.math.log_sigmoid(a),
            ],
        )  # fmt: skip

    @model
    def reductions() -> Any:
        a = inp(5, 4)
        return k2.Model(
            a,
            [
                tf.reduce_mean(a, axis=1), tf.reduce_sum(a, axis=[1, 2]),
                tf.reduce_max(a, axis=-1, keepdims=True), tf.reduce_min(a, 1),
                tf.reduce_prod(a, axis=2), tf.reduce_logsumexp(a, axis=1),
                tf.math.reduce_std(a, axis=1), tf.math.reduce_variance(a, axis=2),
                tf.math.cumsum(a, axis=1), tf.norm(a, axis=-1),
                tf.argmax(a, axis=-1, output_type=tf.int32), tf.argmin(a, 1, output_type="int32"),
            ],
        )  # fmt: skip

    @model
    def reshaping() -> Any:
        a, b = inp(6, 4, name="a"), inp(6, 4, name="b")
        first, second = tf.split(a, 2, axis=1)
        parts = tf.split(b, [1, 3, 2], axis=1)
        return k2.Model(
            [a, b],
            [
                tf.reshape(a, [-1, 24]), tf.transpose(a, [0, 2, 1]), tf.concat([a, b], axis=-1),
                tf.stack([a, b], axis=1), tf.expand_dims(a, 1), tf.squeeze(a[:, :1], axis=1),
                tf.tile(a, [1, 2, 1]), tf.pad(a, [[0, 0], [1, 1], [0, 2]]),
                tf.repeat(a, 2, axis=1), tf.reverse(a, [1]), tf.roll(a, 1, 1),
                first + second, parts[1], tf.cast(tf.cast(a, tf.int32), "float32"),
                tf.zeros_like(a), tf.ones_like(a), tf.gather(a, [2, 0], axis=1),
            ],
        )  # fmt: skip

    @model
    def slices() -> Any:
        a = inp(6, 4)
        return k2.Model(
            a, [a[:, 0], a[:, 1:-1], a[..., 2], a[:, ::2, 1:], a[:, tf.newaxis], a[:, -1, :2]]
        )

    @model
    def network_functions() -> Any:
        a = inp(6, 4)
        return k2.Model(
            a,
            [
                tf.nn.relu(a), tf.nn.relu6(a), tf.nn.elu(a), tf.nn.selu(a), tf.nn.silu(a),
                tf.nn.leaky_relu(a), tf.nn.leaky_relu(a, 0.3), tf.nn.gelu(a),
                tf.nn.gelu(a, approximate=True), tf.nn.softmax(a), tf.nn.log_softmax(a, axis=1),
                tf.nn.softplus(a), tf.nn.softsign(a), tf.clip_by_value(a, -0.5, 1.0),
            ],
        )  # fmt: skip

    @model
    def products() -> Any:
        a, b = inp(5, 4, name="a"), inp(5, 4, name="b")
        scores = tf.matmul(a, b, transpose_b=True)
        return k2.Model([a, b], tf.matmul(tf.nn.softmax(scores, axis=-1), b) @ tf.ones((4, 2)))

    @model
    def logic() -> Any:
        a, b = inp(4, name="a"), inp(4, name="b")
        both = tf.logical_and(a > 0.0, b <= 0.5)
        return k2.Model(
            [a, b],
            [
                tf.where(both, a, b), tf.reduce_any(both, axis=1), tf.reduce_all(a < b, axis=1),
                tf.logical_not(both), tf.cast(tf.equal(a, b), tf.float32),
                tf.where(tf.not_equal(a, b), a, 0.0),
            ],
        )  # fmt: skip

    @model
    def one_hot_words() -> Any:
        x = words()
        return k2.Model(x, layers.Dense(2)(tf.one_hot(x, 5)))

    @model
    def several_calls_of_an_operation() -> Any:
        x = inp(4)
        y = layers.Dense(4, name="twice")
        return k2.Model(x, tf.nn.relu(y(tf.nn.relu(y(x)))) + 1.0)

    return found


def refused(k2: Any, tf: Any) -> dict[str, Any]:
    """Models that Keras 3 computes in another way: they import, and do not go back."""
    layers = k2.layers

    def masked_and_not(x: Any, y: Any) -> Any:
        return layers.Add()([y, layers.Reshape((6, 4))(layers.Flatten()(y))])

    def softmax(x: Any, y: Any) -> Any:
        return layers.Softmax(axis=1)(y, mask=tf.not_equal(x, 0)[:, :, tf.newaxis])

    def heads_with_dropout(x: Any, y: Any) -> Any:
        return layers.MultiHeadAttention(2, 3, dropout=0.1)(y, y)

    def identity(x: Any, y: Any) -> Any:
        return layers.LSTM(3)(layers.Rescaling(2.0)(y))

    def product(x: Any, y: Any) -> Any:
        return layers.LSTM(3)(layers.Multiply()([y, y]))

    def joined(x: Any, y: Any) -> Any:
        return layers.LSTM(3)(layers.Add()([y, layers.Reshape((6, 4))(layers.Flatten()(y))]))

    def build(middle: Any) -> Any:
        def made() -> Any:
            x = k2.Input((6,), dtype="int32")
            return k2.Model(x, middle(x, layers.Embedding(5, 4, mask_zero=True)(x)))

        return made

    return {
        middle.__name__: build(middle)
        for middle in (
            masked_and_not,
            softmax,
            heads_with_dropout,
            identity,
            product,
            joined,
        )
    }
