"""TensorFlow functions in the graphs of real Keras 2 models: imported, PyTorch computes the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.harness import (
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


@pytest.mark.slow
def test_functions_mean_the_same() -> None:
    """Every function is an operation of `keras.ops`, and PyTorch gives what tf_keras gives."""
    tf = pytest.importorskip("tensorflow")
    tf_keras = pytest.importorskip("tf_keras")
    import torch

    from specfmt.formats.keras_json import document_from_keras_json
    from specfmt.targets import torch as torch_target
    from specfmt.targets.torch.program import _is_channels_first

    wrong = {}
    for name, function, case in functions(tf, tf_keras.backend):
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
        stays = _is_channels_first(graph)
        module = execute(torch_target.generate_model(graph, style="subclass")).eval()
        tensors = [torch.tensor(np.ascontiguousarray(channels_first(x, stays))) for x in data]
        with torch.no_grad():
            results = as_list(module(*tensors))
        errors = [
            relative_error(channels_first(y, stays), result.numpy())
            for y, result in zip(expected, results, strict=True)
        ]
        if max(errors) > 1e-5:
            wrong[name] = errors
    assert not wrong


def test_lost_operands_are_asked_for() -> None:
    """An equation whose operands cannot be told is refused, with what to do."""
    from specfmt.formats.keras_json import document_from_keras_json
    from specfmt.spec.diagnostics import SpecError

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
