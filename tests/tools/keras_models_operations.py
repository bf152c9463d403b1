"""Models of our own in real Keras that use tensor operations in every way they are written."""

from __future__ import annotations

from typing import Any


def operation_models(keras: Any) -> dict[str, Any]:
    """Name -> function that builds a model."""
    import numpy as np

    layers, ops = keras.layers, keras.ops
    found: dict[str, Any] = {}

    def model(build: Any) -> Any:
        found[build.__name__] = build
        return build

    def inp(*shape: Any, **options: Any) -> Any:
        return keras.Input(shape, **options)

    @model
    def arithmetic() -> Any:
        a, b = inp(4), inp(4)
        return keras.Model([a, b], (a + b) * 2.0 - a / 3.0)

    @model
    def arithmetic_reversed() -> Any:
        a = inp(4)
        return keras.Model(a, 1.0 - (2.0 * a) ** 2)

    @model
    def array_constant() -> Any:
        a = inp(3)
        return keras.Model(a, a * np.array([1.0, 2.0, 3.0], "float32"))

    @model
    def slicing() -> Any:
        a = inp(8, 6)
        return keras.Model(a, [a[:, 1:5], a[:, -1], a[..., None], a[:, ::2, 1]])

    @model
    def operations() -> Any:
        a = inp(6, 4)
        x = ops.relu(ops.transpose(a, (0, 2, 1)))
        x = ops.concatenate([x, ops.exp(x)], axis=-1)
        return keras.Model(a, ops.mean(x, axis=1, keepdims=True))

    @model
    def operation_reshapes() -> Any:
        a = inp(6, 4)
        return keras.Model(a, ops.expand_dims(ops.reshape(a, (-1, 24)), 1))

    @model
    def operation_splits() -> Any:
        a = inp(6)
        p, q = ops.split(a, 2, axis=-1)
        return keras.Model(a, ops.maximum(p, q))

    @model
    def operation_where() -> Any:
        a = inp(6)
        return keras.Model(a, ops.where(a > 0, a, a * 0.1))

    @model
    def operation_matmul() -> Any:
        a, b = inp(3, 4), inp(4, 5)
        return keras.Model([a, b], ops.softmax(ops.matmul(a, b), axis=-1))

    @model
    def operation_called_twice() -> Any:
        a = inp(4)
        return keras.Model(a, ops.sqrt(ops.sqrt(ops.absolute(a))))

    @model
    def functions_of_one_tensor() -> Any:
        a = inp(6)
        names = (
            "negative square exp expm1 log1p sin cos tanh arcsin arctan floor ceil sign erf relu6 "
            "sigmoid silu selu softplus softsign log_sigmoid hard_silu hard_sigmoid hard_tanh "
            "hard_shrink soft_shrink tanh_shrink sinh cosh tan reciprocal arccos log log2 log10 rsqrt"
        )
        return keras.Model(a, [getattr(ops, name)(a) for name in names.split()])

    @model
    def functions_with_options() -> Any:
        a = inp(6, 4)
        return keras.Model(
            a,
            [
                ops.clip(a, -0.5, 0.5),
                ops.round(a, decimals=1),
                ops.gelu(a, approximate=False),
                ops.leaky_relu(a, negative_slope=0.1),
                ops.elu(a, alpha=0.5),
                ops.celu(a, alpha=0.5),
                ops.log_softmax(a, axis=1),
                ops.cumsum(a, axis=1),
                ops.norm(a, ord=2, axis=-1),
                ops.logsumexp(a, axis=1, keepdims=True),
                ops.std(a, axis=(1, 2)),
                ops.var(a, axis=-1),
                ops.prod(a, axis=1),
                ops.argmax(a, axis=-1),
                ops.argmin(a, axis=1, keepdims=True),
                ops.max(a, axis=1),
                ops.min(a, axis=-1, keepdims=True),
                ops.sum(a, axis=(1, 2)),
                ops.all(a > 0, axis=1),
                ops.cast(a, "float16"),
                ops.one_hot(ops.cast(a, "int32"), 4),
            ],
        )

    @model
    def functions_that_move() -> Any:
        a = inp(6, 4)
        return keras.Model(
            a,
            [
                ops.flip(a, axis=1),
                ops.roll(a, 2, axis=1),
                ops.repeat(a, 2, axis=-1),
                ops.tile(a, (1, 2, 1)),
                ops.moveaxis(a, 1, 2),
                ops.swapaxes(a, 1, 2),
                ops.squeeze(ops.expand_dims(a, (1, 3)), 1),
                ops.stack([a, a], axis=1),
                ops.pad(a, ((0, 0), (1, 2), (0, 0)), constant_values=1.0),
                ops.take(a, [0, 2], axis=1),
                ops.broadcast_to(ops.expand_dims(a, 1), (2, 3, 6, 4)),
                ops.einsum("bij,bkj->bik", a, a),
                ops.dot(a, ops.ones_like(ops.transpose(a[0]))),
                *ops.split(a, [1, 3], axis=1),
            ],
        )

    @model
    def functions_of_two_tensors() -> Any:
        a, b = inp(4), inp(4)
        names = (
            "add subtract multiply divide true_divide floor_divide mod power maximum minimum "
            "arctan2 equal not_equal greater greater_equal less less_equal logical_and logical_or "
            "logical_xor"
        )
        return keras.Model([a, b], [getattr(ops, name)(a, b) for name in names.split()])

    @model
    def operation_beside_heads() -> Any:
        a = inp(5, 4)
        return keras.Model(a, ops.softmax(layers.MultiHeadAttention(2, 3)(a, a), axis=-1))

    @model
    def comparisons_as_operators() -> Any:
        a = inp(4)
        return keras.Model(a, [a > 0.5, a <= 1.0, ~(a > 0.0), (a > 0) | (a < -1), abs(-a), a // 2])

    @model
    def nested_with_operations() -> Any:
        i = inp(4)
        inner = keras.Model(i, ops.relu(i * 2.0 + 1.0), name="inner")
        a = inp(4)
        return keras.Model(a, inner(a + 1.0) * 2.0)

    @model
    def functions_of_one_tensor_more() -> Any:
        a = inp(4)
        names = (
            "arcsinh arccosh arctanh exp2 cbrt trunc erfinv isnan isinf isfinite nan_to_num copy "
            "stop_gradient glu sparsemax sparse_plus sparse_sigmoid squareplus"
        )
        return keras.Model(
            a,
            [
                *(getattr(ops, name)(a) for name in names.split()),
                ops.threshold(a, 0.1, 2.0),
                ops.full_like(a, 3.0),
            ],
        )

    @model
    def functions_of_two_more() -> Any:
        a, b = inp(6), inp(6)
        i, j = inp(3, dtype="int32"), inp(3, dtype="int32")
        return keras.Model(
            [a, b, i, j],
            [
                *(getattr(ops, name)(a, b) for name in ("logaddexp", "hypot", "divide_no_nan")),
                *(getattr(ops, f"bitwise_{name}")(i, j) for name in ("and", "or", "xor")),
                ops.take_along_axis(a, i, axis=1),
            ],
        )

    @model
    def functions_that_order() -> Any:
        a = inp(6, 4)
        return keras.Model(
            a,
            [
                ops.amax(a, axis=1),
                ops.amin(a, axis=(1, 2), keepdims=True),
                *ops.moments(a, axes=(1,)),
                ops.count_nonzero(a, axis=1),
                ops.median(a, axis=1),
                ops.ptp(a, axis=2),
                ops.normalize(a, axis=-1, order=2),
                ops.cumprod(a, axis=1),
                ops.sort(a, axis=1),
                ops.argsort(a, axis=1),
                *ops.top_k(a, 2),
                *ops.unstack(a, axis=2),
            ],
        )

    @model
    def functions_of_matrices() -> Any:
        a = inp(4, 4)
        return keras.Model(
            a,
            [
                ops.tril(a, -1),
                ops.triu(a, 1),
                ops.diagonal(a, axis1=1, axis2=2),
                ops.trace(a, axis1=1, axis2=2),
                ops.diff(a, axis=1),
                ops.ravel(a),
                ops.tensordot(a, a, axes=[[2], [1]]),
            ],
        )

    @model
    def functions_of_images() -> Any:
        a = inp(8, 8, 4)
        heads = inp(5, 2, 3)
        return keras.Model(
            [a, heads],
            [
                ops.nn.depth_to_space(a, 2),
                ops.nn.space_to_depth(a, 2),
                ops.image.resize(a, (4, 6), interpolation="nearest"),
                ops.image.rgb_to_grayscale(a[..., :3]),
                ops.image.extract_patches(a, (2, 3)),
                ops.max_pool(a, 2),
                ops.average_pool(a, 2, padding="same"),
                ops.nn.dot_product_attention(heads, heads, heads),
            ],
        )

    @model
    def rare_functions() -> Any:
        a, b, n = inp(4, 3), inp(4, 3), inp(4, dtype="int32")
        names = "fabs sinc erfc angle deg2rad rad2deg i0 real imag conj conjugate"
        tests = "signbit isneginf isposinf isreal"
        pairs = "fmax fmin fmod heaviside logaddexp2 isclose"
        bits = "bitwise_left_shift bitwise_right_shift left_shift right_shift gcd lcm ldexp"
        return keras.Model(
            [a, b, n],
            [
                *(getattr(ops, name)(a) for name in (names + " " + tests).split()),
                *(getattr(ops, name)(a, b) for name in pairs.split()),
                *(getattr(ops, name)(n, n) for name in bits.split()),
                ops.bitwise_invert(n),
                ops.bitwise_not(n),
                ops.isclose(a, 2.0, atol=0.5, equal_nan=True),
                ops.digitize(a, np.array([0.0, 1.0], "float32")),
                ops.saturate_cast(a, "int8"),
            ],
        )

    @model
    def fourier_functions() -> Any:
        a, b = inp(4, 8), inp(4, 8)
        return keras.Model(
            [a, b],
            [
                *ops.fft((a, b)),
                *ops.fft2((a, b)),
                *ops.ifft2((a, b)),
                *ops.rfft(a, fft_length=6),
                ops.irfft((a, b)),
                *ops.stft(a, 4, 2, 6),
                ops.istft(ops.stft(a, 4, 2, 6), 4, 2, 6, length=7),
                ops.extract_sequences(a, 3, 2),
            ],
        )

    @model
    def functions_of_nan() -> Any:
        a = inp(4, 3)
        names = "max min sum prod mean std var argmax argmin cumsum cumprod median".split()
        return keras.Model(
            a,
            [
                *(getattr(ops, f"nan{name}")(a, axis=1) for name in names),
                ops.quantile(a, 0.3, axis=1),
                ops.quantile(a, [0.3, 0.6], axis=-1, keepdims=True),
                ops.percentile(a, 30, axis=1, method="nearest"),
                ops.nanquantile(a, 0.3, axis=1),
                ops.nanpercentile(a, 30, axis=1),
            ],
        )

    @model
    def linear_algebra() -> Any:
        a, b = inp(3, 3), inp(3, 2)
        c = ops.matmul(a, ops.transpose(a, (0, 2, 1))) + 3.0 * np.eye(3, dtype="float32")
        factor = ops.cholesky(c)
        return keras.Model(
            [a, b],
            [
                ops.det(a),
                ops.logdet(c),
                ops.slogdet(c)[1],
                ops.inv(c),
                factor,
                ops.cholesky_inverse(factor),
                ops.eigh(c)[0],
                ops.matmul(*ops.qr(b)),
                ops.svd(b, compute_uv=False),
                ops.pinv(b),
                ops.matrix_rank(b),
                ops.solve(c, b),
                ops.solve_triangular(factor, b, lower=True),
            ],
        )

    @model
    def arrangements() -> Any:
        a, b = inp(4, 3), inp(4, 3)
        return keras.Model(
            [a, b],
            [
                ops.hstack([a, b]),
                ops.vstack([a, b]),
                ops.dstack([a, b]),
                ops.append(a, b, axis=1),
                *ops.hsplit(a, 2),
                *ops.dsplit(a, [1]),
                *ops.array_split(a, 3, axis=1),
                *ops.vsplit(a, 2),
                ops.fliplr(a),
                ops.flipud(a),
                ops.rot90(a, axes=(1, 2)),
                ops.outer(a, b),
                ops.inner(a, b),
                ops.vdot(a, b),
                ops.cross(a, b, axisc=1),
                ops.slice(a, [0, 1, 0], (-1, 2, 3)),
                ops.slice_update(a, [0, 1, 0], b[:, :2]),
            ],
        )

    @model
    def functions_of_kernels() -> Any:
        a = inp(8, 9, 4)
        k = np.arange(3 * 2 * 4 * 2, dtype="float32").reshape(3, 2, 4, 2)
        return keras.Model(
            a,
            [
                ops.conv(a, k),
                ops.conv(a, ops.convert_to_tensor(k), strides=(2, 2), padding="SAME"),
                ops.depthwise_conv(a, k, padding="same"),
                ops.separable_conv(a, k, np.ones((1, 1, 8, 3), "float32"), dilation_rate=2),
                ops.unfold(a, 2, padding=1, stride=(1, 2)),
                ops.fold(ops.unfold(a, 2), (9, 4), 2),
            ],
        )

    @model
    def functions_that_normalize() -> Any:
        a = inp(5, 3)
        v = np.array([1.0, 2.0, 0.5], "float32")
        return keras.Model(
            a,
            [
                ops.batch_normalization(a, v, v, -1),
                ops.batch_normalization(a, v, v, axis=-1, offset=v, scale=v, epsilon=0.1),
                ops.layer_normalization(a),
                ops.layer_normalization(a, v, axis=-1, epsilon=0.1),
                ops.rms_normalization(a, axis=(1, 2)),
                ops.rms_normalization(a, v),
            ],
        )

    @model
    def functions_of_labels() -> Any:
        a, b, c = inp(5), inp(5), inp(3, dtype="int32")
        d, e = inp(8, 5), inp(8, 5)
        lengths = c[:, 0]
        return keras.Model(
            [a, b, c, d, e],
            [
                ops.binary_crossentropy(a, b, from_logits=True),
                ops.categorical_crossentropy(a, b),
                ops.sparse_categorical_crossentropy(lengths, a, from_logits=True),
                ops.ctc_loss(c, d, lengths, lengths, mask_index=1),
                *ops.ctc_decode(d, lengths, merge_repeated=False),
                ops.psnr(d, e, 2.0),
                ops.in_top_k(lengths, a, 2),
                ops.multi_hot(c, 6),
                ops.multi_hot(c, 6, dtype="int32"),
            ],
        )

    @model
    def functions_of_vectors() -> Any:
        a, b = inp(4), inp(4, 3)
        v, w = a[0], b[0]
        return keras.Model(
            [a, b],
            [
                ops.diag(v, k=1),
                ops.diag(w),
                ops.diagflat(w),
                ops.kron(w, np.ones((2, 2), "float32")),
                ops.vander(v, N=3, increasing=True),
                ops.corrcoef(a),
                ops.correlate(v, np.array([1.0, 2.0], "float32"), mode="same"),
                ops.trapezoid(b, dx=0.5, axis=1),
                ops.trapezoid(b, x=[0.0, 1.0, 3.0]),
                *ops.meshgrid(v, v, indexing="ij"),
                ops.cdist(b, b),
                ops.allclose(a, a, atol=0.1),
                ops.nextafter(a, 1.0),
                ops.lstsq(w, v),
                *ops.lu_factor(ops.matmul(w, ops.transpose(w))),
                *ops.eig(ops.matmul(b, ops.transpose(b, (0, 2, 1)))),
                ops.view_as_real(ops.polar(a, a)),
                ops.view(a, "int32"),
                ops.linspace(a, 2.0, num=3, axis=1),
                ops.logspace(a, a + 1.0, num=3, base=2.0, endpoint=False),
                ops.geomspace(ops.exp(a), 2.0, num=3),
                ops.full((2, 4), v),
                ops.empty_like(a, dtype="int32"),
                ops.array(a, dtype="float16"),
            ],
        )

    @model
    def functions_with_indices() -> Any:
        a, i = inp(4), inp(4, dtype="int32")
        ids, places = np.array([2, 0], "int32"), np.array([[0, 1], [1, 2]], "int32")
        return keras.Model(
            [a, i],
            [
                ops.searchsorted(np.array([0.0, 1.0], "float32"), a[0], side="right"),
                ops.isin(i, [1, 2], invert=True),
                ops.bincount(i, minlength=12),
                ops.bincount(i[0], weights=[1.0, 0.5, 2.0, 1.0]),
                *(
                    getattr(ops, f"segment_{kind}")(a, ids, num_segments=4)
                    for kind in ("sum", "max", "min", "prod")
                ),
                ops.scatter(np.array([[1], [1]], "int32"), a, (5, 4)),
                ops.scatter_update(a, places, np.array([1.0, 2.0], "float32")),
                ops.scatter_update(a, places, np.ones(2, "float32"), reduction="add"),
                ops.select([a > 0.5, a > 0.1], [a, a * 2.0], -1.0),
                *ops.unravel_index(i[0], (3, 4)),
            ],
        )

    return found
