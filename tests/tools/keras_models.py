"""Models of our own in real Keras: every graph form, and how they may be compiled."""

from __future__ import annotations

from typing import Any

from tests.tools.keras_models_layers import layer_models
from tests.tools.keras_models_masks import mask_models
from tests.tools.keras_models_operations import operation_models


def models(keras: Any) -> dict[str, Any]:
    """Name -> function that builds a model."""
    layers = keras.layers
    found: dict[str, Any] = {}

    def model(build: Any) -> Any:
        found[build.__name__] = build
        return build

    def inp(*shape: Any, **options: Any) -> Any:
        return keras.Input(shape, **options)

    @model
    def sequential() -> Any:
        return keras.Sequential([inp(4), layers.Dense(3, activation="relu"), layers.Dense(1)])

    @model
    def sequential_unbuilt() -> Any:
        return keras.Sequential([layers.Dense(3), layers.Dropout(0.2), layers.Dense(1)], name="raw")

    @model
    def functional_chain() -> Any:
        x = a = inp(4)
        for units in (3, 2):
            x = layers.Dense(units)(x)
        return keras.Model(a, x)

    @model
    def two_inputs_two_outputs() -> Any:
        a, b = inp(4, name="left"), inp(3, name="right")
        c = layers.Concatenate()([a, b])
        return keras.Model([a, b], [layers.Dense(1, name="p")(c), layers.Dense(2, name="q")(c)])

    @model
    def list_of_one() -> Any:
        a = inp(4)
        return keras.Model([a], [layers.Dense(2)(a)])

    @model
    def dict_inputs_and_outputs() -> Any:
        a, b = inp(4, name="a"), inp(4, name="b")
        s = layers.Add()([a, b])
        return keras.Model({"x": a, "y": b}, {"sum": s, "out": layers.Dense(1)(s)})

    @model
    def nested_inputs() -> Any:
        a, b, c = inp(4, name="a"), inp(4, name="b"), inp(4, name="c")
        s = layers.Add()([a, b, c])
        return keras.Model([a, [b, c]], [s, {"d": layers.Dense(1)(s)}])

    @model
    def shared_layer() -> Any:
        a, b = inp(4), inp(4)
        d = layers.Dense(3)
        return keras.Model([a, b], layers.Subtract()([d(a), d(b)]))

    @model
    def layer_called_in_turn() -> Any:
        a = inp(4)
        d = layers.Dense(4)
        return keras.Model(a, d(d(d(a))))

    @model
    def nested_sequential() -> Any:
        a = inp(4)
        inner = keras.Sequential([layers.Dense(3), layers.Dense(2)], name="inner")
        return keras.Model(a, layers.Dense(1)(inner(a)))

    @model
    def nested_functional() -> Any:
        b = inp(4)
        inner = keras.Model(b, layers.Dense(3)(b), name="inner")
        a = inp(4)
        return keras.Model(a, layers.Dense(1)(inner(a)))

    @model
    def nested_as_output() -> Any:
        b = inp(4)
        inner = keras.Model(b, layers.Dense(3)(b), name="inner")
        a = inp(4)
        return keras.Model(a, inner(layers.Dense(4)(a)))

    @model
    def siamese() -> Any:
        b = inp(4)
        inner = keras.Model(b, layers.Dense(3)(b), name="tower")
        x, y = inp(4), inp(4)
        return keras.Model([x, y], [inner(x), inner(y)])

    @model
    def nested_three_deep() -> Any:
        c = inp(4)
        deep = keras.Model(c, layers.Dense(4)(c), name="deep")
        b = inp(4)
        middle = keras.Model(b, deep(layers.Dense(4)(b)), name="middle")
        return keras.Sequential([inp(4), middle, layers.Dense(1)])

    @model
    def nested_two_inputs() -> Any:
        b, c = inp(4), inp(4)
        inner = keras.Model([b, c], layers.Add()([b, c]), name="inner")
        x, y = inp(4), inp(4)
        return keras.Model([x, y], inner([y, x]))

    @model
    def nested_dict_inputs() -> Any:
        b, c = inp(4, name="b"), inp(4, name="c")
        inner = keras.Model({"b": b, "c": c}, layers.Add()([b, c]), name="inner")
        x, y = inp(4), inp(4)
        return keras.Model([x, y], inner({"b": y, "c": x}))

    @model
    def nested_two_outputs() -> Any:
        b = inp(4)
        inner = keras.Model(b, [layers.Dense(2)(b), layers.Dense(3)(b)], name="inner")
        x = inp(4)
        p, q = inner(x)
        return keras.Model(x, layers.Concatenate()([q, p]))

    @model
    def frozen_layer() -> Any:
        return keras.Sequential([inp(4), layers.Dense(3, trainable=False), layers.Dense(1)])

    @model
    def frozen_model() -> Any:
        b = inp(4)
        inner = keras.Model(b, layers.Dense(3)(b), name="inner")
        inner.trainable = False
        a = inp(4)
        return keras.Model(a, layers.Dense(1)(inner(a)))

    @model
    def frozen_whole() -> Any:
        m = keras.Sequential([inp(4), layers.Dense(3), layers.Dense(1)])
        m.trainable = False
        return m

    @model
    def mixed_precision() -> Any:
        a = inp(4)
        x = layers.Dense(3, dtype="mixed_float16")(a)
        return keras.Model(a, layers.Dense(1, dtype="float32")(x))

    @model
    def float64_layers() -> Any:
        a = inp(4, dtype="float64")
        return keras.Model(a, layers.Dense(3, dtype="float64")(a))

    @model
    def batch_size() -> Any:
        return keras.Sequential([inp(5, 3, batch_size=2), layers.LSTM(4, stateful=True)])

    @model
    def optional_input() -> Any:
        a, b = inp(4, name="a"), inp(4, name="b", optional=True)
        return keras.Model([a, b], layers.Dense(2)(a) + layers.Dense(2)(b))

    @model
    def encoder_decoder() -> Any:
        a, b = inp(None, 3), inp(None, 2)
        _, h, c = layers.LSTM(4, return_state=True)(a)
        return keras.Model([a, b], layers.LSTM(4, return_sequences=True)(b, initial_state=[h, c]))

    @model
    def recurrent_states() -> Any:
        a = inp(5, 3)
        x, h = layers.GRU(4, return_sequences=True, return_state=True)(a)
        return keras.Model(a, [x, h])

    @model
    def bidirectional() -> Any:
        a = inp(5, 3)
        x = layers.Bidirectional(layers.LSTM(4, return_sequences=True))(a)
        return keras.Model(a, layers.Bidirectional(layers.GRU(2), merge_mode="sum")(x))

    @model
    def bidirectional_two_layers() -> Any:
        forward = layers.LSTM(4, name="ahead")
        backward = layers.GRU(4, go_backwards=True, name="behind")
        return keras.Sequential([inp(5, 3), layers.Bidirectional(forward, backward_layer=backward)])

    @model
    def time_distributed() -> Any:
        return keras.Sequential(
            [inp(5, 8, 8, 3), layers.TimeDistributed(layers.Conv2D(2, 3)), layers.Flatten()]
        )

    @model
    def attention_positional() -> Any:
        a, b = inp(5, 4), inp(6, 4)
        return keras.Model([a, b], layers.MultiHeadAttention(2, 3)(a, b))

    @model
    def attention_keywords() -> Any:
        a, b = inp(5, 4), inp(6, 4)
        return keras.Model([a, b], layers.MultiHeadAttention(2, 3)(query=a, value=b))

    @model
    def attention_self() -> Any:
        a = inp(5, 4)
        return keras.Model(a, layers.MultiHeadAttention(2, 3)(a, value=a, use_causal_mask=True))

    @model
    def attention_scores() -> Any:
        a = inp(5, 4)
        x, s = layers.MultiHeadAttention(2, 3)(a, a, return_attention_scores=True)
        return keras.Model(a, [x, s])

    @model
    def attention_lists() -> Any:
        a, b = inp(5, 4), inp(6, 4)
        return keras.Model([a, b], layers.Attention()([a, b]))

    @model
    def training_argument() -> Any:
        a = inp(4)
        return keras.Model(a, layers.BatchNormalization()(layers.Dropout(0.5)(a, training=True)))

    @model
    def words() -> Any:
        return keras.Sequential(
            [
                inp(4),
                layers.Dense(
                    3,
                    activation="gelu",
                    kernel_initializer=keras.initializers.HeNormal(seed=3),
                    bias_initializer=keras.initializers.Constant(0.1),
                    kernel_regularizer=keras.regularizers.L2(0.01),
                    bias_regularizer="l1",
                    kernel_constraint=keras.constraints.MaxNorm(2),
                    activity_regularizer=keras.regularizers.L1L2(0.1, 0.2),
                ),
                layers.Dense(2, kernel_initializer="orthogonal", activation=keras.ops.tanh),
            ]
        )

    @model
    def convolutions() -> Any:
        x = a = inp(16, 16, 4)
        x = layers.Conv2D(8, (3, 5), strides=2, padding="same", dilation_rate=1, groups=2)(x)
        x = layers.SeparableConv2D(6, 3, depth_multiplier=2)(x)
        x = layers.Conv2DTranspose(4, 3, strides=(2, 1), output_padding=0)(x)
        x = layers.DepthwiseConv2D(3)(x)
        x = layers.UpSampling2D((2, 3), interpolation="bilinear")(x)
        x = layers.ZeroPadding2D(((1, 2), (0, 1)))(x)
        x = layers.Cropping2D((1, 2))(x)
        x = layers.MaxPooling2D(2)(x)
        return keras.Model(a, layers.AveragePooling2D((2, 1), strides=1, padding="same")(x))

    @model
    def one_dimension() -> Any:
        x = a = inp(20, 3)
        x = layers.Conv1D(4, 3, padding="causal")(x)
        x = layers.ZeroPadding1D((1, 2))(layers.Cropping1D(1)(x))
        x = layers.UpSampling1D(2)(layers.MaxPooling1D(2)(x))
        return keras.Model(a, layers.GlobalMaxPooling1D(keepdims=True)(x))

    @model
    def three_dimensions() -> Any:
        x = a = inp(8, 8, 8, 2)
        x = layers.Conv3D(2, 3)(layers.ZeroPadding3D(1)(x))
        return keras.Model(a, layers.GlobalAveragePooling3D()(layers.MaxPooling3D(2)(x)))

    @model
    def shapes() -> Any:
        x = a = inp(4, 6)
        x = layers.Permute((2, 1))(layers.Reshape((6, -1))(x))
        return keras.Model(a, layers.RepeatVector(3)(layers.Flatten()(x)))

    @model
    def normalizations() -> Any:
        x = a = inp(4, 6)
        x = layers.LayerNormalization(axis=[1, 2])(layers.GroupNormalization(2)(x))
        x = layers.BatchNormalization(axis=1, scale=False)(layers.UnitNormalization()(x))
        return keras.Model(a, layers.Rescaling(0.5, offset=-1)(x))

    @model
    def merges() -> Any:
        a, b = inp(4), inp(4)
        parts = [layer()([a, b]) for layer in (layers.Add, layers.Multiply, layers.Maximum)]
        parts += [layers.Average()([a, b]), layers.Minimum()([a, b]), layers.Dot(1)([a, b])]
        return keras.Model([a, b], layers.Concatenate(axis=1)(parts))

    @model
    def regularized() -> Any:
        x = a = inp(5, 4)
        x = layers.SpatialDropout1D(0.2)(layers.GaussianNoise(0.1)(x))
        return keras.Model(
            a, layers.GaussianDropout(0.3)(layers.Dropout(0.1, noise_shape=(None, 1, 4))(x))
        )

    @model
    def activation_layers() -> Any:
        x = a = inp(5, 4)
        for layer in (
            layers.ReLU(6.0),
            layers.LeakyReLU(0.1),
            layers.PReLU(shared_axes=[1]),
            layers.ELU(),
        ):
            x = layer(x)
        return keras.Model(a, layers.Softmax()(layers.Activation("swish")(x)))

    @model
    def unused_branch() -> Any:
        a = inp(4)
        layers.Dense(9)(a)
        return keras.Model(a, layers.Dense(2)(a))

    @model
    def input_as_output() -> Any:
        a = inp(4, name="a")
        return keras.Model(a, [a, layers.Dense(2)(a)])

    @model
    def same_output_twice() -> Any:
        a = inp(4)
        x = layers.Dense(2)(a)
        return keras.Model(a, [x, x])

    @model
    def residual() -> Any:
        x = a = inp(8, 8, 4)
        for _ in range(3):
            y = layers.Conv2D(4, 3, padding="same", use_bias=False)(x)
            y = layers.ReLU()(layers.BatchNormalization()(y))
            x = layers.Add()([x, y])
        return keras.Model(a, layers.Dense(3)(layers.GlobalAveragePooling2D()(x)))

    @model
    def odd_names() -> Any:
        a = inp(4, name="in-put")
        return keras.Model(a, layers.Dense(2, name="out put.1")(a), name="Größe")

    @model
    def compiled_by_names() -> Any:
        m = sequential()
        m.compile("adam", "mse", metrics=["mae", "accuracy"])
        return m

    @model
    def compiled_by_objects() -> Any:
        m = sequential()
        m.compile(
            keras.optimizers.SGD(0.1, momentum=0.9, nesterov=True),
            keras.losses.MeanSquaredError(),
            metrics=[keras.metrics.MeanAbsoluteError(name="error")],
        )
        return m

    @model
    def compiled_with_schedule() -> Any:
        m = sequential()
        rate = keras.optimizers.schedules.ExponentialDecay(0.1, 100, 0.9, staircase=True)
        m.compile(keras.optimizers.AdamW(rate), keras.losses.Huber(delta=0.5), jit_compile=False)
        return m

    @model
    def compiled_per_output() -> Any:
        m = two_inputs_two_outputs()
        m.compile(
            "rmsprop",
            {
                "p": "binary_crossentropy",
                "q": keras.losses.CategoricalCrossentropy(from_logits=True),
            },
            loss_weights={"p": 1.0, "q": 0.5},
            metrics={"p": ["accuracy"], "q": "mse"},
        )
        return m

    @model
    def compiled_with_lists() -> Any:
        m = two_inputs_two_outputs()
        m.compile(
            "adam",
            ["mse", "mae"],
            loss_weights=[1.0, 2.0],
            metrics=[["mae"], ["mse"]],
            run_eagerly=True,
        )
        return m

    return found | layer_models(keras) | mask_models(keras) | operation_models(keras)
