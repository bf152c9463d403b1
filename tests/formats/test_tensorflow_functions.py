"""TensorFlow functions in the graphs of real Keras 2 models: imported, PyTorch computes the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.tools.harness import (
    Case,
    as_list,
    build_graph,
    channels_first,
    execute,
    random_inputs,
    relative_error,
)

IMAGE = (6, 5, 3)


def functions(tf: Any, backend: Any) -> list[tuple[str, Any, Case]]:
    """A name, a function of tensors, and what it is called with."""
    ramp = np.arange(6, dtype="float32")
    plain, image, deep = Case({}, (4, 6)), Case({}, IMAGE), Case({}, (4, 6, 8))
    pair = Case({}, [(3, 6), (4, 6)])
    whole = Case({}, (4,), dtypes=("int32",), low=-1, high=7)
    found: list[tuple[str, Any, Case]] = [
        ("crelu", tf.nn.crelu, plain),
        ("depth_to_space", lambda x: tf.nn.depth_to_space(x, 2), deep),
        ("space_to_depth", lambda x: tf.nn.space_to_depth(x, 2), deep),
        ("einsum", lambda x: tf.einsum("bij,bkj->bik", x, x), plain),
        ("einsum of two", lambda x, y: tf.einsum("bij,bkj->bik", x, y), pair),
        ("l2_normalize", lambda x: tf.math.l2_normalize(x, axis=1), plain),
        ("l2_normalize of all", tf.math.l2_normalize, plain),
        ("top_k of one", lambda x: list(tf.math.top_k(x)), plain),
        ("l2_normalize epsilon", lambda x: tf.nn.l2_normalize(x, -1, epsilon=1.0), plain),
        ("logsumexp", lambda x: tf.reduce_logsumexp(x, axis=1), plain),
        ("moments", lambda x: list(tf.nn.moments(x, axes=[1])), plain),
        ("reverse", lambda x: tf.reverse(x, axis=[1]), plain),
        ("rgb_to_grayscale", tf.image.rgb_to_grayscale, image),
        ("slice", lambda x: tf.slice(x, [0, 1, 0], [-1, 2, 3]), plain),
        ("stop_gradient", lambda x: tf.stop_gradient(x) + x, plain),
        ("strided_slice", lambda x: tf.strided_slice(x, [0, 3, 0], [3, 0, 6], [1, -1, 2]), plain),
        (
            "strided_slice masks",
            lambda x: tf.strided_slice(
                x, [0, 1, 0], [3, 2, 6], begin_mask=1, end_mask=5, shrink_axis_mask=2
            ),
            plain,
        ),
        ("top_k", lambda x: list(tf.math.top_k(x, 2)), plain),
        ("unstack", lambda x: tf.unstack(x, axis=1), plain),
        ("unstack one", lambda x: tf.unstack(x, axis=-1)[1], plain),
        ("sort", lambda x: tf.sort(x, direction="DESCENDING"), plain),
        ("argsort", lambda x: tf.argsort(x, axis=1, direction="DESCENDING"), plain),
        ("band_part", lambda x: tf.linalg.band_part(x, 1, 2), plain),
        ("cumsum", lambda x: tf.cumsum(x, axis=1, reverse=True, exclusive=True), plain),
        ("cumprod", lambda x: tf.math.cumprod(x, axis=-1), plain),
        ("one_hot", lambda x: tf.one_hot(x, 5), whole),
        ("one_hot values", lambda x: tf.one_hot(x, 5, on_value=2.0, off_value=-1.0), whole),
        ("silu beta", lambda x: tf.nn.silu(x, beta=1.5), plain),
        ("max_pool", lambda x: tf.nn.max_pool2d(x, 3, 2, "SAME"), image),
        ("avg_pool", lambda x: tf.nn.avg_pool(x, (3, 2), 2, "SAME"), image),
        ("pool2d", lambda x: backend.pool2d(x, (2, 2), (2, 2)), image),
        ("resize_images", lambda x: backend.resize_images(x, 2, 2, "channels_last"), image),
        ("norm", lambda x: tf.norm(x, ord=1, axis=-1), plain),
        ("matvec", tf.linalg.matvec, Case({}, [(4, 6), (6,)])),
        ("tensordot", lambda x: tf.tensordot(x, np.ones((6, 2), "float32"), axes=1), plain),
        ("diag_part", tf.linalg.diag_part, Case({}, (4, 4))),
        ("divide_no_nan", lambda x: tf.math.divide_no_nan(x, tf.nn.relu(x)), plain),
        ("bias_add", lambda x: tf.nn.bias_add(x, ramp), plain),
        ("range", lambda x: x + tf.range(6, dtype="float32"), plain),
        ("arrays", lambda x: (x - ramp) / (ramp + 1), plain),
        ("batch_normalization", lambda x: tf.nn.batch_normalization(
            x, ramp, ramp + 1, None, None, 1e-3), plain),
        ("gather", lambda x: tf.gather(x, [0, 2], axis=1), plain),
        ("flip_left_right", tf.image.flip_left_right, image),
        ("rot90", tf.image.rot90, image),
        ("grayscale_to_rgb", tf.image.grayscale_to_rgb, Case({}, (4, 5, 1))),
        ("crop", lambda x: tf.image.crop_to_bounding_box(x, 1, 1, 3, 3), image),
        ("adjust_contrast", lambda x: tf.image.adjust_contrast(x, 0.5), image),
        ("extract_patches", lambda x: tf.image.extract_patches(
            x, [1, 3, 3, 1], [1, 2, 2, 1], [1, 1, 1, 1], "SAME"), image),
    ]  # fmt: skip
    for mode in ("REFLECT", "SYMMETRIC", "CONSTANT"):
        widths = [[0, 0], [1, 1], [2, 1], [1, 2]]
        found.append((f"pad {mode}", lambda x, m=mode, w=widths: tf.pad(x, w, m), image))
    for method in ("bilinear", "nearest", "bicubic", "lanczos3", "lanczos5", "area"):
        for smooth in (False, True):
            found.append(
                (
                    f"resize {method} {smooth}",
                    lambda x, m=method, s=smooth: [
                        tf.image.resize(x, size, method=m, antialias=s)
                        for size in ((8, 9), (3, 2), (4, 13))
                    ],
                    image,
                )
            )
    return found


def array_functions(tf: Any, backend: Any) -> list[tuple[str, Any, Case]]:
    """Functions of kernels, indices, matrices and labels."""
    plain, image, row, square = Case({}, (4, 6)), Case({}, IMAGE), Case({}, (6,)), Case({}, (3, 3))
    whole, two = Case({}, (4,), dtypes=("int32",), high=6), Case({}, [(6,), (6,)])
    labels = Case({}, [(6,), (1,)], dtypes=("float32", "int32"), high=6)
    rng = np.random.default_rng(0)
    kernel, small, depthwise, pointwise = (
        rng.standard_normal(shape).astype("float32")
        for shape in ((3, 3, 3, 4), (3, 6, 4), (3, 3, 3, 2), (1, 1, 6, 4))
    )
    ids, places, updates = np.array([0, 0, 2], "int32"), [[0, 1], [2, 3]], [1.0, 2.0]

    def definite(x: Any) -> Any:
        return tf.matmul(x, x, transpose_b=True) + 4 * tf.eye(3)

    return [
        ("conv2d", lambda x: tf.nn.conv2d(x, kernel, [1, 2, 2, 1], "SAME"), image),
        ("conv2d of one number", lambda x: tf.nn.conv2d(x, kernel, 1, "VALID"), image),
        ("conv2d dilated", lambda x: tf.nn.conv2d(x, kernel, 1, "SAME", dilations=2), image),
        ("conv1d", lambda x: tf.nn.conv1d(x, small, 1, "SAME"), plain),
        ("K.conv2d", lambda x: backend.conv2d(x, kernel, (2, 2), "same"), image),
        ("depthwise_conv2d", lambda x: tf.nn.depthwise_conv2d(
            x, depthwise, [1, 1, 1, 1], "SAME"), image),
        ("K.depthwise_conv2d", lambda x: backend.depthwise_conv2d(
            x, depthwise, padding="same"), image),
        ("separable_conv2d", lambda x: tf.nn.separable_conv2d(
            x, depthwise, pointwise, [1, 1, 1, 1], "SAME"), image),
        ("searchsorted", lambda x: tf.searchsorted([0.0, 0.5, 1.0], x[0], side="right"), row),
        *(
            (f"segment_{kind}", lambda x, kind=kind: [
                getattr(tf.math, f"segment_{kind}")(x, ids),
                getattr(tf.math, f"unsorted_segment_{kind}")(x, ids, 4)], plain)
            for kind in ("sum", "max", "min", "prod")
        ),
        ("scatter_nd", lambda x: tf.scatter_nd([[0], [2], [2]], x, [5, 6]), row),
        *(
            (f"tensor_scatter_nd_{kind}", lambda x, kind=kind: getattr(
                tf, f"tensor_scatter_nd_{kind}")(x, places, updates), row)
            for kind in ("update", "add", "max", "min")
        ),
        ("bincount", lambda x: tf.math.bincount(x, minlength=9, axis=-1), whole),
        ("in_top_k", lambda x, y: tf.math.in_top_k(y[:, 0], x, 2), labels),
        ("inverses", lambda x: [tf.linalg.det(x), tf.linalg.inv(x), tf.linalg.pinv(x)], square),
        ("cholesky", lambda x: tf.linalg.cholesky(definite(x)), square),
        ("solve", lambda x: tf.linalg.solve(definite(x), x), square),
        ("triangular_solve", lambda x: tf.linalg.triangular_solve(
            tf.linalg.cholesky(definite(x)), x), square),
        ("eigh", lambda x: tf.linalg.eigh(definite(x))[0], square),
        ("qr", lambda x: tf.linalg.qr(x)[1] ** 2, square),
        ("cross", lambda x: tf.linalg.cross(x, x * 2.0 + 1.0), square),
        ("numbers", lambda x: [tf.math.erfc(x), tf.math.bessel_i0(x), tf.math.rint(x),
            tf.math.angle(x), tf.ensure_shape(x, [None, 6]), tf.bitcast(x, tf.int32)], row),
        ("bits", lambda x: [tf.bitwise.left_shift(x, 1), tf.bitwise.right_shift(x, 1),
            tf.bitwise.invert(x)], whole),
        ("linspace", lambda x: tf.linspace(x, x + 1.0, 4, axis=1), row),
        ("frame", lambda x: tf.signal.frame(x, 3, 2), row),
        ("softmax_cross_entropy_with_logits", lambda x, y:
            tf.nn.softmax_cross_entropy_with_logits(y, x), two),
        ("sparse_softmax_cross_entropy_with_logits", lambda x, y:
            tf.nn.sparse_softmax_cross_entropy_with_logits(y[:, 0], x), labels),
        ("K.categorical_crossentropy", lambda x, y: [
            backend.categorical_crossentropy(tf.nn.softmax(y), tf.nn.softmax(x)),
            backend.categorical_crossentropy(tf.nn.softmax(y), x, from_logits=True)], two),
        ("K.binary_crossentropy", lambda x, y: [
            backend.binary_crossentropy(tf.nn.sigmoid(y), tf.nn.sigmoid(x)),
            backend.binary_crossentropy(tf.nn.sigmoid(y), x, from_logits=True)], two),
        ("K.sparse_categorical_crossentropy", lambda x, y:
            backend.sparse_categorical_crossentropy(y[:, 0], x, from_logits=True), labels),
    ]  # fmt: skip


def exceptional_functions(tf: Any, backend: Any) -> list[tuple[str, Any, Case]]:
    """Arithmetic with exceptions at zero, lookups, losses, color spaces and conversions."""
    plain, image = Case({}, (4, 6)), Case({}, IMAGE)
    two, rows = Case({}, [(4, 6), (4, 6)]), Case({}, [(6,), (6,)])
    whole = Case({}, (4,), dtypes=("int32",), high=5)
    pixels = Case({}, (4, 4, 3), dtypes=("uint8",), high=255)
    rng = np.random.default_rng(1)
    table, positive = rng.standard_normal((5, 3)).astype("float32"), np.arange(6.0) / 2 + 0.5
    kernel = rng.standard_normal((3, 3, 3, 4)).astype("float32")
    deep = rng.standard_normal((2, 2, 2, 2, 3)).astype("float32")
    weights, ramp = rng.standard_normal((6, 2)).astype("float32"), np.arange(6, dtype="float32")
    volume, square = Case({}, (4, 5, 4, 2)), Case({}, (3, 3))
    spectrum = Case({}, (4, 3))

    def definite(x: Any) -> Any:
        return tf.matmul(x, x, transpose_b=True) + 4 * tf.eye(3)

    found: list[tuple[str, Any, Case]] = [
        ("xlogy", lambda x, y: tf.math.xlogy(tf.nn.relu(x), tf.abs(y) + 0.1), two),
        ("xlogy of constants", lambda x: [
            tf.math.xlogy(x, 2.5), tf.math.xlogy(2.5, tf.abs(x)), tf.math.xlogy(0.0, tf.abs(x)),
            tf.math.xlogy(x, positive.astype("float32")), tf.math.xlogy(ramp, tf.abs(x))], plain),
        ("xlog1py", lambda x: [
            tf.math.xlog1py(tf.nn.relu(x), tf.abs(x)), tf.math.xlog1py(x, 1.5)], plain),
        ("xdivy", lambda x, y: [tf.math.xdivy(tf.nn.relu(x), tf.nn.relu(x)),
            tf.math.xdivy(x, y), tf.math.xdivy(x, 2.0)], two),
        ("no nan", lambda x: [tf.math.multiply_no_nan(x, tf.nn.relu(x)),
            tf.math.reciprocal_no_nan(tf.nn.relu(x))], plain),
        ("truncated", lambda x, y: [tf.truncatediv(x, y), tf.truncatemod(x, y),
            tf.truncatediv(x, 0.7), tf.truncatemod(x, 0.7)], two),
        ("l2_loss", lambda x: tf.nn.l2_loss(x) + x, plain),
        ("euclidean", lambda x: [tf.math.reduce_euclidean_norm(x), tf.math.reduce_euclidean_norm(
            x, axis=1), tf.math.reduce_euclidean_norm(x, axis=[1, 2], keepdims=True), tf.norm(x),
            tf.norm(x[:, 0, 0])], plain),
        ("saturate_cast", lambda x: tf.saturate_cast(x * 100, tf.int8), plain),
        ("clip of tensors", lambda x, y: [tf.clip_by_value(x, -tf.abs(y), tf.abs(y)),
            tf.clip_by_value(x, y, 1.0), tf.clip_by_value(x, -1.0, 1.0)], two),
        ("embedding_lookup", lambda x: tf.nn.embedding_lookup(table, x), whole),
        ("adjoint", lambda x, y: [tf.matmul(x, y, adjoint_b=True), tf.linalg.adjoint(x)], two),
        ("spectra", lambda x: [tf.linalg.eigvalsh(definite(x)),
            tf.linalg.svd(x, compute_uv=False)], square),
        ("xw_plus_b", lambda x: [tf.compat.v1.nn.xw_plus_b(x, weights, [1.0, 2.0]),
            tf.compat.v1.nn.relu_layer(x, weights, [1.0, 2.0])], Case({}, (6,))),
        ("weighted cross entropy", lambda x, y: tf.nn.weighted_cross_entropy_with_logits(
            tf.nn.sigmoid(y), x, 2.5), rows),
        ("adjust_gamma", lambda x: tf.image.adjust_gamma(tf.abs(x), 0.5, 2.0), image),
        ("convert_image_dtype", lambda x: tf.image.convert_image_dtype(x, tf.float32), pixels),
        ("psnr", lambda x, y: tf.image.psnr(x, y, 2.0), Case({}, [IMAGE, IMAGE])),
        ("nn.pool", lambda x: [tf.nn.pool(x, [2, 2], "MAX", padding="SAME"),
            tf.nn.pool(x, [2, 3], "AVG", strides=[2, 1])], image),
        ("conv3d", lambda x: tf.nn.conv3d(x, deep, [1, 1, 2, 1, 1], "SAME"), volume),
        ("conv2d with own padding", lambda x: tf.nn.conv2d(
            x, kernel, 1, [[0, 0], [1, 1], [2, 0], [0, 0]]), image),
        ("resize of pixels", lambda x: [tf.image.resize(x, (8, 7)), tf.image.resize(
            x, (8, 7), method="nearest")], pixels),
        ("resize keeping the ratio", lambda x: tf.image.resize(
            x, (9, 9), preserve_aspect_ratio=True), image),
        ("resize_with_pad", lambda x: [tf.image.resize_with_pad(x, 8, 8),
            tf.image.resize_with_pad(x, 3, 9)], image),
    ]  # fmt: skip
    for name in ("rgb_to_yiq", "yiq_to_rgb", "rgb_to_yuv", "yuv_to_rgb"):
        found.append((name, getattr(tf.image, name), spectrum))
    return found


def sized_functions(tf: Any, backend: Any) -> list[tuple[str, Any, Case]]:
    """Functions that take sizes from the graph."""
    steps, plain = Case({}, (None, 8), sizes=(5,)), Case({}, (4, 8))
    image, open_image = Case({}, IMAGE), Case({}, (None, None, 8), sizes=(3, 5))
    two = Case({}, [(None, 8), (None, 8)], sizes=(5,))

    def tokens(x: Any, groups: int) -> Any:
        size = tf.shape(x)
        return tf.reshape(x, [size[0], size[1], groups, 8 // groups])

    def shuffle(x: Any) -> Any:
        n, h, w, c = tf.unstack(tf.shape(x))
        x = tf.reshape(x, tf.stack([n, h, w, 2, c // 2]))
        return tf.reshape(tf.transpose(x, [0, 1, 2, 4, 3]), [n, h, w, c])

    def positions(x: Any, start: float = 0) -> Any:
        length = tf.cast(tf.shape(x)[1], "float32" if isinstance(start, float) else "int32")
        return x + tf.cast(tf.range(start, length)[:, tf.newaxis], "float32")

    return [
        ("batch and the rest", lambda x: tf.reshape(x, [tf.shape(x)[0], -1, 4]), steps),
        ("batch and all", lambda x: tf.reshape(x, (tf.shape(x)[0], x.shape[1] * 8)), plain),
        ("heads", lambda x: tf.transpose(tokens(x, 2), [0, 2, 1, 3]), steps),
        ("heads of fixed length", lambda x: tokens(x, 4), plain),
        ("batch times heads", lambda x: tf.reshape(
            tf.transpose(tokens(x, 2), [0, 2, 1, 3]), [-1, tf.shape(x)[1], 4]), plain),
        ("batch times steps", lambda x: tf.reshape(
            tf.reshape(x, [tf.shape(x)[0] * tf.shape(x)[1], 8]) * 2.0,
            [tf.shape(x)[0], tf.shape(x)[1], 8]), plain),
        ("shape of another", lambda x, y: tf.reshape(x, tf.shape(y)),
            Case({}, [(4, 6), (8, 3)])),
        ("parts of a shape", lambda x: tf.reshape(x, tf.concat([tf.shape(x)[:1], [4, 8]], 0)),
            Case({}, (8, 4))),
        ("channel shuffle", shuffle, open_image),
        ("product", lambda x: tf.reshape(
            x, [tf.shape(x)[0], tf.reduce_prod(tf.shape(x)[1:])]), image),
        ("K.shape", lambda x: backend.reshape(x, (backend.shape(x)[0], -1)), plain),
        ("K.batch_flatten", backend.batch_flatten, image),
        ("K.dot", lambda x: backend.dot(x, tf.ones((8, 3))), plain),
        ("K.dot of steps", lambda x: backend.dot(x, tf.ones((8, 3))), steps),
        ("K.dot of two", lambda x, y: backend.dot(x, backend.transpose(y)[:, :2]),
            Case({}, [(4, 3), (3,)])),
        ("K.batch_dot", lambda x: backend.batch_dot(x, x, axes=[2, 2]), plain),
        ("K.batch_dot of rows", lambda x, y: backend.batch_dot(x, y, axes=1),
            Case({}, [(3,), (3,)])),
        ("K.switch", lambda x: backend.switch(x > 0, x, -x), plain),
        ("K.repeat", lambda x: backend.repeat(x, 3), Case({}, (4,))),
        ("K.repeat_elements", lambda x: backend.repeat_elements(x, 3, 1), Case({}, (4,))),
        ("zeros", lambda x: tf.concat([x, tf.zeros([tf.shape(x)[0], 2, 8])], 1), plain),
        ("zeros of steps", lambda x: tf.concat(
            [x, tf.zeros([tf.shape(x)[0], tf.shape(x)[1], 2])], -1), steps),
        ("ones", lambda x: x + tf.ones(tf.shape(x)), steps),
        ("fill", lambda x: tf.concat([x, tf.fill([tf.shape(x)[0], 1], 2.5)], -1), Case({}, (4,))),
        ("tile a constant", lambda x: x + tf.tile(
            tf.constant([[1.0, 2.0, 3.0]]), [tf.shape(x)[0], 1]), Case({}, (3,))),
        ("tile a tensor", lambda x: tf.tile(x[:1], [tf.shape(x)[0], 2, 1]), steps),
        ("broadcast_to", lambda x: tf.broadcast_to(x[:1], tf.shape(x)), steps),
        ("broadcast_to sizes", lambda x: tf.broadcast_to(
            x[:, :1], [tf.shape(x)[0], 3, 8]), steps),
        ("positions", positions, steps),
        ("positions of fixed length", positions, plain),
        ("positions as floats", lambda x: positions(x, 0.0), steps),
        ("position ids", lambda x: tf.gather(
            tf.reshape(tf.range(32.0), [4, 8]), tf.range(tf.shape(x)[1])) + x, plain),
        ("last step", lambda x: x[:, tf.shape(x)[1] - 1], plain),
        ("half", lambda x: x[:, : tf.shape(x)[1] // 2], plain),
        ("resize", lambda x: tf.image.resize(x, tf.shape(x)[1:3] * 2), image),
        ("larger by a factor", lambda x: tf.image.resize(
            x, [tf.shape(x)[1] * 2, tf.shape(x)[2] * 3]), open_image),
        ("split the rest", lambda x: tf.split(x, [2, -1, 1], axis=2), plain),
        ("gather in a batch", lambda x: tf.gather(
            x, tf.argmax(x, axis=2, output_type="int32") % 4, batch_dims=1), plain),
        ("gather in rows", lambda x: tf.gather(
            x[:, 0], tf.cast(x[:, 1] > 0, "int32"), batch_dims=1), plain),
        ("sequence_mask", lambda x: tf.sequence_mask(x[:, 0], 5, dtype="float32"),
            Case({}, (2,), dtypes=("int32",), high=6)),
        ("diag", tf.linalg.diag, Case({}, (4,))),
        ("eye", lambda x: x + tf.eye(tf.shape(x)[1]), Case({}, (4, 4))),
        ("clip_by_norm", lambda x: tf.clip_by_norm(x, 1.5, axes=[1, 2]), plain),
        ("cross entropy", lambda x, y: tf.nn.sigmoid_cross_entropy_with_logits(x, y),
            Case({}, [(4,), (4,)])),
        ("scaled by a size", lambda x: tf.matmul(x, x, transpose_b=True) / tf.math.sqrt(
            tf.cast(tf.shape(x)[-1], "float32")), steps),
        ("pad_to_bounding_box", lambda x: tf.image.pad_to_bounding_box(x, 1, 2, 9, 8), image),
        ("crop or pad", lambda x: tf.image.resize_with_crop_or_pad(x, 3, 8), image),
        ("central_crop", lambda x: tf.image.central_crop(x, 0.5), image),
        ("standardization", tf.image.per_image_standardization, image),
        ("lrn", lambda x: tf.nn.local_response_normalization(x, 2, 1.0, 1e-2, 0.75),
            Case({}, (3, 4, 8))),
        ("sizes of the second", lambda x, y: tf.concat([x, tf.ones(tf.shape(y))], 1), two),
    ]  # fmt: skip


def compare(found: list[tuple[str, Any, Case]], *, with_keras: bool = False) -> dict[str, Any]:
    """What of the functions is not imported, or computes something else."""
    tf = pytest.importorskip("tensorflow")
    tf_keras = pytest.importorskip("tf_keras")
    import torch

    from specfmt.formats.keras_json import document_from_keras_json
    from specfmt.targets import keras as keras_target
    from specfmt.targets import torch as torch_target
    from specfmt.targets.torch.program import is_channels_first

    assert tf is not None
    wrong: dict[str, Any] = {}
    for name, function, case in found:
        tf_keras.backend.clear_session()
        shapes = case.input_shapes()
        dtypes = (*case.dtypes, *("float32",) * len(shapes))
        inputs = [tf_keras.Input(s, dtype=d) for s, d in zip(shapes, dtypes, strict=False)]
        model = tf_keras.Model(inputs, function(*inputs))
        data = random_inputs(case)
        expected = [np.asarray(y) for y in as_list(model(data if len(data) > 1 else data[0]))]
        document, problems = document_from_keras_json(model.to_json())
        if [p for p in problems if "einsum" not in name]:
            wrong[name] = [p.message for p in problems]
            continue
        graph = build_graph(document)
        stays = is_channels_first(graph)
        module = execute(torch_target.generate_model(graph, style="subclass")).eval()
        tensors = [torch.tensor(np.ascontiguousarray(channels_first(x, stays))) for x in data]
        with torch.no_grad():
            results = as_list(module(*tensors))
        errors = [
            relative_error(channels_first(y, stays), result.numpy())
            for y, result in zip(expected, results, strict=True)
        ]
        if with_keras:
            again = execute(keras_target.generate_model(graph, flavor="keras"))
            results = as_list(again(data if len(data) > 1 else data[0]))
            pairs = zip(expected, results, strict=True)
            errors += [relative_error(y, np.asarray(result)) for y, result in pairs]
        if max(errors) > 1e-5:
            wrong[name] = errors
    return wrong


@pytest.mark.slow
def test_functions_mean_the_same() -> None:
    """Every function is an operation of `keras.ops`, and PyTorch gives what tf_keras gives."""
    tf = pytest.importorskip("tensorflow")
    tf_keras = pytest.importorskip("tf_keras")
    assert not compare(functions(tf, tf_keras.backend))


@pytest.mark.slow
def test_functions_of_arrays_mean_the_same() -> None:
    """Kernels, indices, matrices and labels: both programs give what tf_keras gives."""
    tf = pytest.importorskip("tensorflow")
    tf_keras = pytest.importorskip("tf_keras")
    assert not compare(array_functions(tf, tf_keras.backend), with_keras=True)


@pytest.mark.slow
def test_exceptional_functions_mean_the_same() -> None:
    """Functions that become several operations: both programs give what tf_keras gives."""
    tf = pytest.importorskip("tensorflow")
    tf_keras = pytest.importorskip("tf_keras")
    assert not compare(exceptional_functions(tf, tf_keras.backend), with_keras=True)


@pytest.mark.slow
def test_sizes_in_the_graph_mean_the_same() -> None:
    """Sizes that TensorFlow takes at run time: both programs do, for any batch and length."""
    tf = pytest.importorskip("tensorflow")
    tf_keras = pytest.importorskip("tf_keras")
    assert not compare(sized_functions(tf, tf_keras.backend), with_keras=True)


def test_lost_operands_are_asked_for() -> None:
    """An equation whose operands cannot be told is refused, with what to do."""
    from specfmt.diagnostics import SpecError
    from specfmt.formats.keras_json import document_from_keras_json

    def layer(name: str, shape: list[Any]) -> dict[str, Any]:
        config = {"batch_input_shape": shape, "dtype": "float32", "name": name}
        return {"class_name": "InputLayer", "config": config, "name": name, "inbound_nodes": []}

    einsum = {
        "class_name": "TFOpLambda",
        "config": {"name": "tf.einsum", "dtype": "float32", "function": "einsum"},
        "name": "tf.einsum",
        "inbound_nodes": [["_CONSTANT_VALUE", -1, "bij,bkj->bik", {}]],
    }

    def model(*names: str) -> dict[str, Any]:
        layers = [*(layer(name, [None, 3, 4]) for name in names), einsum]
        config = {
            "name": "m",
            "layers": layers,
            "input_layers": [[name, 0, 0] for name in names],
            "output_layers": [["tf.einsum", 0, 0]],
        }
        return {"class_name": "Functional", "config": config, "keras_version": "2.15.0"}

    import json

    document, warnings = document_from_keras_json(json.dumps(model("a", "b")))
    assert document["layers"][-1]["inputs"] == ["a", "b"]
    assert [w.code for w in warnings] == ["SF433"]
    with pytest.raises(SpecError) as caught:
        document_from_keras_json(json.dumps(model("a", "b", "c")))
    assert [d.code for d in caught.value.diagnostics] == ["SF423"]


def test_an_unknown_function_may_have_arguments_of_any_name() -> None:
    """`output` and `b` are names that the code around a layer uses too."""
    from specfmt.targets import keras as keras_target
    from specfmt.targets import torch as torch_target

    entry = {
        "type": "Custom",
        "class": "TFOpLambda",
        "config": {"function": "unknown"},
        "inputs": {"target": "in0", "output": "in0", "b": "in0"},
        "shape": [4],
    }
    graph = build_graph(Case(entry, (4,)).document())
    for target in (keras_target, torch_target):
        compile(target.generate_model(graph, style="subclass"), "generated.py", "exec")
