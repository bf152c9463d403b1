"""Models of our own in real Keras in which masks travel: what Keras notes of them is compared."""

from __future__ import annotations

from typing import Any


def mask_models(keras: Any) -> dict[str, Any]:
    """Name -> function that builds a model."""
    layers, ops = keras.layers, keras.ops
    found: dict[str, Any] = {}

    def model(build: Any) -> Any:
        found[build.__name__] = build
        return build

    def inp(*shape: Any, **options: Any) -> Any:
        return keras.Input(shape, **options)

    def tokens(name: str, length: int | None = 7) -> Any:
        return inp(length, dtype="int32", name=name)

    def embedded(source: Any, size: int = 4) -> Any:
        return layers.Embedding(10, size, mask_zero=True)(source)

    @model
    def masked() -> Any:
        a = tokens("a")
        return keras.Model(a, layers.LSTM(3)(embedded(a)))

    @model
    def masked_sequential() -> Any:
        return keras.Sequential(
            [inp(7, 3), layers.Masking(), layers.LSTM(3, return_sequences=True), layers.GRU(2)]
        )

    @model
    def masking_value() -> Any:
        a = inp(7, 3)
        return keras.Model(a, layers.SimpleRNN(3)(layers.Masking(0.5)(a)))

    @model
    def masking_float16() -> Any:
        a = inp(7, 3)
        x = layers.Masking(0.5, dtype="mixed_float16")(a)
        return keras.Model(a, layers.LSTM(3, dtype="mixed_float16")(x))

    @model
    def masks_of_two_policies() -> Any:
        a = inp(7, 3)
        return keras.Model(a, layers.LSTM(3, dtype="float64")(layers.Masking()(a)))

    @model
    def masked_sum() -> Any:
        a, b = tokens("a"), tokens("b")
        x = layers.Add()([embedded(a), embedded(b)])
        return keras.Model([a, b], layers.LSTM(3)(x))

    @model
    def masked_sum_of_three() -> Any:
        a, b = tokens("a"), tokens("b")
        x, y = embedded(a), embedded(b)
        return keras.Model([a, b], layers.GRU(3)(layers.Multiply()([x, y, layers.Dropout(0.1)(x)])))

    @model
    def half_masked_sum() -> Any:
        a, b = tokens("a"), inp(7, 4, name="b")
        return keras.Model([a, b], layers.GRU(3)(layers.Maximum()([embedded(a), b])))

    @model
    def masked_concatenation() -> Any:
        a, b = tokens("a"), inp(7, 4, name="b")
        return keras.Model([a, b], layers.LSTM(3)(layers.Concatenate()([embedded(a), b])))

    @model
    def masked_concatenation_in_time() -> Any:
        a, b = tokens("a"), inp(5, 4, name="b")
        x = layers.Concatenate(axis=1)([embedded(a), layers.Masking()(b)])
        return keras.Model([a, b], layers.LSTM(3)(x))

    @model
    def two_masked_concatenations() -> Any:
        a, b = tokens("a"), tokens("b")
        x, y = embedded(a), embedded(b)
        p = layers.Concatenate()([x, y])
        q = layers.Concatenate()([y, x, p])
        return keras.Model([a, b], [layers.LSTM(3)(p), layers.LSTM(2)(q)])

    @model
    def masked_attention() -> Any:
        a, b = tokens("a"), inp(5, 4, name="b")
        x = layers.Attention()([embedded(a), layers.Masking()(b)])
        return keras.Model([a, b], layers.LSTM(3)(x))

    @model
    def masked_additive_attention() -> Any:
        a = tokens("a")
        x = embedded(a)
        return keras.Model(a, layers.GRU(3)(layers.AdditiveAttention()([x, x])))

    @model
    def masked_heads() -> Any:
        a = tokens("a")
        x = embedded(a)
        x = layers.MultiHeadAttention(2, 3, dropout=0.1)(x, x)
        return keras.Model(a, layers.GlobalAveragePooling1D()(layers.LayerNormalization()(x)))

    @model
    def masked_transformer() -> Any:
        a = tokens("a")
        x = embedded(a, 8)
        for _ in range(2):
            y = layers.MultiHeadAttention(2, 4)(x, x)
            x = layers.LayerNormalization()(layers.Add()([x, layers.Dropout(0.1)(y)]))
            y = layers.Dense(8)(layers.Dense(16, activation="gelu")(x))
            x = layers.LayerNormalization()(layers.Add()([x, y]))
        return keras.Model(a, layers.Dense(2)(layers.GlobalAveragePooling1D()(x)))

    @model
    def masked_long_way() -> Any:
        a = tokens("a")
        x = embedded(a)
        x = layers.TimeDistributed(layers.Dense(3))(x)
        x = layers.GaussianNoise(0.1)(layers.BatchNormalization()(layers.ReLU()(x)))
        x = layers.Bidirectional(layers.LSTM(3, return_sequences=True))(x)
        x = layers.SpatialDropout1D(0.1)(layers.Activation("relu")(x))
        return keras.Model(a, layers.GlobalAveragePooling1D()(x))

    @model
    def masked_states() -> Any:
        a = tokens("a")
        x, h, c = layers.LSTM(3, return_sequences=True, return_state=True)(embedded(a))
        x = layers.LSTM(3, return_sequences=True)(x, initial_state=[h, c])
        x, *_ = layers.Bidirectional(layers.GRU(2, return_sequences=True, return_state=True))(x)
        return keras.Model(a, layers.GRU(2)(x))

    @model
    def masked_encoder_decoder() -> Any:
        a, b = tokens("a", None), tokens("b", None)
        _, h, c = layers.LSTM(4, return_state=True)(embedded(a))
        x = layers.LSTM(4, return_sequences=True)(embedded(b), initial_state=[h, c])
        return keras.Model([a, b], layers.Dense(9, activation="softmax")(x))

    @model
    def masked_then_lost() -> Any:
        a = tokens("a")
        x = layers.Conv1D(3, 3)(embedded(a))
        return keras.Model(a, layers.GRU(2)(x))

    @model
    def masked_dot() -> Any:
        a, b = tokens("a"), tokens("b")
        return keras.Model([a, b], layers.Dense(2)(layers.Dot(-1)([embedded(a), embedded(b)])))

    @model
    def masks_shared_layer() -> Any:
        a, b = tokens("a"), tokens("b")
        table, reader = layers.Embedding(9, 4, mask_zero=True), layers.LSTM(3)
        return keras.Model([a, b], layers.Subtract()([reader(table(a)), reader(table(b))]))

    @model
    def explicit_mask() -> Any:
        a, m = inp(7, 3), inp(7, dtype="bool")
        return keras.Model([a, m], layers.LSTM(3)(a, mask=m))

    @model
    def explicit_mask_goes_on() -> Any:
        a, m = inp(7, 3), inp(7, dtype="bool")
        x = layers.LSTM(3, return_sequences=True)(a, mask=m)
        return keras.Model([a, m], layers.GRU(2)(layers.Dropout(0.1)(x)))

    @model
    def explicit_beside_computed() -> Any:
        a = tokens("a")
        x = embedded(a)
        mask = ops.not_equal(a, 3)
        return keras.Model(
            a, [layers.LSTM(3)(x), layers.TimeDistributed(layers.Dense(2))(x, mask=mask)]
        )

    @model
    def mask_beside_operation() -> Any:
        a = tokens("a")
        x = layers.GRU(2)(embedded(a))
        return keras.Model(a, [x, ops.not_equal(a, 3), ops.cast(ops.not_equal(a, 4), "float32")])

    @model
    def operation_before_mask() -> Any:
        a = tokens("a")
        b = ops.any(ops.not_equal(a, 3), axis=-1)
        return keras.Model(a, [layers.GRU(2)(embedded(a)), b])

    @model
    def operations_between_masks() -> Any:
        a, b = tokens("a"), tokens("b")
        x = embedded(a)
        wide = ops.expand_dims(ops.concatenate([a, b], axis=-1), -1)
        y = layers.Concatenate(axis=1)([x, embedded(b)])
        return keras.Model([a, b], [layers.LSTM(2)(y), ops.expand_dims(wide, 0)])

    @model
    def nested_reads_mask() -> Any:
        i = inp(7, 4, name="i")
        inner = keras.Model(i, layers.LSTM(3, return_sequences=True)(i), name="inner")
        a = tokens("a")
        return keras.Model(a, layers.LSTM(2)(inner(embedded(a))))

    @model
    def nested_makes_mask() -> Any:
        i = tokens("i")
        inner = keras.Model(i, layers.LSTM(3, return_sequences=True)(embedded(i)), name="inner")
        a = tokens("a")
        x, y = layers.LSTM(2)(inner(a)), layers.LSTM(2)(embedded(a))
        return keras.Model(a, layers.Concatenate()([x, y]))

    @model
    def nested_after_mask() -> Any:
        a = tokens("a")
        x = layers.LSTM(3)(embedded(a))
        i = tokens("i")
        inner = keras.Model(i, layers.LSTM(3)(embedded(i)), name="inner")
        return keras.Model(a, layers.Add()([x, inner(a)]))

    @model
    def nested_two_masks() -> Any:
        p, q = inp(7, 4, name="p"), inp(7, 4, name="q")
        inner = keras.Model([p, q], [layers.Dense(3)(q), layers.Dense(3)(p)], name="inner")
        a, b = tokens("a"), inp(7, 4, name="b")
        r, s = inner([b, embedded(a)])
        return keras.Model([a, b], [layers.LSTM(2)(r), layers.LSTM(2)(s)])

    @model
    def nested_sequential_masks() -> Any:
        inner = keras.Sequential(
            [inp(7, 4), layers.Masking(), layers.LSTM(3, return_sequences=True)], name="inner"
        )
        a = tokens("a")
        return keras.Model(a, layers.LSTM(2)(inner(embedded(a))))

    @model
    def nested_sequential_of_tokens() -> Any:
        inner = keras.Sequential(
            [tokens("t"), layers.Embedding(9, 4, mask_zero=True), layers.LSTM(3)], name="inner"
        )
        a = tokens("a")
        return keras.Model(a, layers.Concatenate()([inner(a), layers.GRU(3)(embedded(a))]))

    @model
    def nested_called_twice_with_masks() -> Any:
        i = inp(7, 4, name="i")
        inner = keras.Model(i, layers.GRU(3)(i), name="inner")
        a, b = tokens("a"), tokens("b")
        return keras.Model([a, b], layers.Add()([inner(embedded(a)), inner(embedded(b))]))

    @model
    def branches_in_reverse() -> Any:
        a, b = tokens("a"), tokens("b")
        y = layers.GRU(3)(embedded(b))
        x = layers.GRU(3)(embedded(a))
        return keras.Model([a, b], layers.Add()([x, y]))

    @model
    def masked_through_a_custom_layer() -> Any:
        from tests.tools.keras_custom import Shift

        a = tokens("a")
        x = Shift()(embedded(a))
        return keras.Model(a, layers.GRU(2)(layers.LSTM(3, return_sequences=True)(x)))

    @model
    def masked_many_ways() -> Any:
        a, b, c = tokens("a"), tokens("b"), inp(7, 4, name="c")
        x, y, z = embedded(a), embedded(b), layers.Masking(-1.0)(c)
        p = layers.Add()([x, y, z])
        q = layers.Concatenate()([p, x, c])
        r = layers.Attention()([q, q])
        s = layers.Concatenate(axis=1)([r, q])
        m = layers.Average()([layers.LSTM(4)(s), layers.GRU(4)(p)])
        return keras.Model(
            [a, b, c], [m, layers.GlobalAveragePooling1D()(layers.Maximum()([x, y]))]
        )

    @model
    def masked_words_and_places() -> Any:
        a, b = tokens("a"), tokens("b")
        x = layers.Add()([embedded(a), layers.Embedding(7, 4)(b)])
        return keras.Model([a, b], layers.GRU(3)(x))

    return found
