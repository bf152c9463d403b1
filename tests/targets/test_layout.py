"""The layout pass: how many permutes generated code has, and that its numbers are right."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import pytest

from tests.cases import convolutional, pooling, reshaping
from tests.tools.harness import (
    Case,
    build_graph,
    channels_first,
    check_case,
    execute,
    random_inputs,
)

PERMUTE = re.compile(r"\.(?:permute|transpose)\(|\.mT\b|movedim\(")


@dataclass(frozen=True)
class Layout:
    """A model and the number of permutes that its forward needs.

    Attributes:
        permutes: The exact count; more is slow, fewer would be wrong.
        contains: Source that must stand in the generated file.
    """

    name: str
    case: Case
    permutes: int
    contains: tuple[str, ...] = ()


def conv(filters: int, kernel: int = 3, **options: Any) -> dict[str, Any]:
    return {
        "type": "Conv2D",
        "filters": filters,
        "kernel_size": kernel,
        "padding": "same",
        **options,
    }


def conv1(filters: int, **options: Any) -> dict[str, Any]:
    return {"type": "Conv1D", "filters": filters, "kernel_size": 3, "padding": "same", **options}


def dense(units: int, **options: Any) -> dict[str, Any]:
    return {"type": "Dense", "units": units, **options}


def layer(type_: str, **options: Any) -> dict[str, Any]:
    return {"type": type_, **options}


def reshape(*target: int, **options: Any) -> dict[str, Any]:
    return layer("Reshape", target_shape=list(target), **options)


IMAGE = (8, 9, 3)
RESIDUAL = [
    conv(4, name="stem"),
    layer("BatchNormalization"),
    layer("ReLU", name="start"),
    conv(4, strides=2, name="a"),
    layer("BatchNormalization"),
    conv(4, 1, strides=2, name="skip", inputs="start"),
    layer("Add", inputs=["batch_normalization_1", "skip"]),
    layer("ReLU"),
]
SQUEEZE = [
    conv(4, name="trunk", activation="relu"),
    layer("GlobalAveragePooling2D"),
    reshape(1, 1, 4),
    conv(2, 1, activation="relu"),
    conv(4, 1, activation="sigmoid", name="scale"),
    layer("Multiply", inputs=["trunk", "scale"]),
    conv(5),
]

LAYOUTS = [
    Layout(
        "residual-trunk",
        Case([*RESIDUAL, layer("GlobalAveragePooling2D"), dense(3)], IMAGE),
        0,
        ("x.mean(dim=(2, 3))",),
    ),
    Layout("residual-to-flatten", Case([*RESIDUAL, layer("Flatten"), dense(3)], IMAGE), 0),
    Layout("residual-alone", Case(RESIDUAL, IMAGE), 0),
    Layout("squeeze-and-excite", Case(SQUEEZE, IMAGE), 0, ("mean(dim=(2, 3), keepdim=True)",)),
    Layout(
        "squeeze-with-dense",
        Case(
            [
                conv(4, name="trunk"),
                layer("GlobalAveragePooling2D"),
                dense(2, activation="relu"),
                dense(4, activation="sigmoid"),
                reshape(1, 1, 4, name="scale"),
                layer("Multiply", inputs=["trunk", "scale"]),
                conv(2),
            ],
            IMAGE,
        ),
        0,
        ("[:, :, None, None]",),
    ),
    Layout(
        "squeeze-with-keepdims",
        Case(
            [
                conv(4, name="trunk"),
                layer("GlobalAveragePooling2D", keepdims=True),
                conv(4, 1, name="scale"),
                layer("Multiply", inputs=["trunk", "scale"]),
            ],
            IMAGE,
        ),
        0,
        ("mean(dim=(2, 3), keepdim=True)",),
    ),
    Layout(
        "concatenated-branches",
        Case(
            [
                conv(4, name="stem"),
                conv(3, name="a"),
                layer(
                    "MaxPooling2D", pool_size=3, strides=1, padding="same", name="b", inputs="stem"
                ),
                layer("Concatenate", inputs=["a", "b", "stem"]),
                conv(2, 1),
            ],
            IMAGE,
        ),
        0,
        ("dim=1",),
    ),
    Layout(
        "concatenate-over-width",
        Case(
            [
                conv(4, name="a"),
                conv(4, name="b", inputs="in0"),
                layer("Concatenate", axis=2, inputs=["a", "b"]),
                conv(2),
            ],
            IMAGE,
        ),
        0,
        ("dim=3",),
    ),
    Layout(
        "softmax-over-channels-inside",
        Case([conv(4), layer("Softmax"), conv(2), layer("Softmax", axis=2)], IMAGE),
        0,
        ("softmax(dim=1)", "softmax(dim=3)"),
    ),
    Layout(
        "mobile-head",
        Case(
            [
                conv(4),
                layer("GlobalAveragePooling2D", keepdims=True),
                conv(5, 1),
                reshape(5),
                layer("Softmax"),
            ],
            IMAGE,
        ),
        0,
        ("flatten(1)",),
    ),
    Layout("dense-inside", Case([conv(4), dense(5, activation="relu"), conv(2)], IMAGE), 2),
    Layout(
        "two-readers-in-keras-order",
        Case(
            [
                conv(4, name="trunk"),
                dense(5, name="a"),
                dense(5, name="b", inputs="trunk"),
                layer("Add", inputs=["a", "b"]),
                conv(2),
            ],
            IMAGE,
        ),
        2,
    ),
    Layout("only-padding-and-flatten", Case([layer("ZeroPadding2D"), layer("Flatten")], IMAGE), 1),
    Layout(
        "image-without-channels",
        Case([reshape(6, 8, 1), conv(2), layer("Flatten"), dense(2)], (6, 8)),
        0,
    ),
    # The weights of a Dense are put in the order of the image that its features become.
    Layout(
        "vector-to-image",
        Case([dense(12), layer("ReLU"), reshape(2, 2, 3), conv(2)], (5,)),
        0,
        ("x.reshape(-1, 3, 2, 2)",),
    ),
    Layout(
        "image-to-vector-to-image",
        Case([conv(2), layer("Flatten"), dense(24), reshape(4, 3, 2), conv(2)], (4, 3, 2)),
        0,
    ),
    Layout(
        "vector-to-image-to-other-image",
        Case([dense(24), reshape(4, 3, 2), reshape(6, 2, 2), conv(2)], (5,)),
        0,
    ),
    Layout(
        "vector-to-image-in-order",
        Case([dense(24), {"op": "cumsum", "axis": 1}, reshape(4, 3, 2), conv(2)], (5,)),
        1,
    ),
    Layout(
        "vector-to-image-and-more",
        Case(
            [
                dense(12, name="vector"),
                reshape(2, 2, 3),
                conv(2),
                layer("Flatten", name="image"),
                dense(3, inputs="vector", name="other"),
                layer("Concatenate", inputs=["image", "other"]),
            ],
            (5,),
        ),
        2,
    ),
    Layout(
        "vector-to-image-shared",
        Case(
            [
                dense(12, name="vector", inputs="in0"),
                reshape(2, 2, 3, name="image"),
                {"reuse": "vector", "name": "again", "inputs": "in1"},
                layer("Dense", units=8, inputs="again", name="other"),
                conv(2, inputs="image"),
                layer("Flatten"),
                layer("Concatenate", inputs=["flatten", "other"]),
            ],
            ((5,), (5,)),
        ),
        2,
    ),
    Layout("image-of-one-channel", Case([dense(4), reshape(2, 2, 1), conv(2)], (5,)), 0),
    # A sequence of three axes stands in Keras's order outside, channels-first for Conv1D.
    Layout("conv1d-alone", Case([conv1(4), conv1(5)], (7, 3)), 2),
    Layout("conv1d-to-pool", Case([conv1(4), layer("GlobalMaxPooling1D"), dense(2)], (7, 3)), 1),
    Layout("conv1d-to-flatten", Case([conv1(4), layer("Flatten"), dense(2)], (7, 3)), 1),
    Layout(
        "between-recurrent",
        Case(
            [
                layer("LSTM", units=4, return_sequences=True),
                conv1(5),
                layer("ReLU"),
                conv1(4),
                layer("LSTM", units=3),
            ],
            (7, 3),
        ),
        2,
    ),
    Layout(
        "residual-between-recurrent",
        Case(
            [
                layer("LSTM", units=4, return_sequences=True, name="first"),
                conv1(4, name="a"),
                conv1(4, name="b"),
                layer("Add", inputs=["first", "b"]),
                layer("LSTM", units=3),
            ],
            (7, 3),
        ),
        2,
    ),
    Layout(
        "swapped-before-conv1d",
        Case([layer("Permute", dims=[2, 1]), conv1(4), layer("GlobalAveragePooling1D")], (3, 7)),
        0,
    ),
    Layout(
        "swapped-after-conv1d",
        Case([conv1(4), layer("Permute", dims=[2, 1]), layer("LSTM", units=2)], (7, 3)),
        1,
    ),
    Layout(
        "swapped-twice",
        Case([layer("Permute", dims=[2, 1]), dense(4), layer("Permute", dims=[2, 1])], (3, 7)),
        2,
    ),
    Layout(
        "rows-to-sequence",
        Case(
            [conv(4), layer("Permute", dims=[2, 1, 3]), reshape(9, 32), layer("LSTM", units=2)],
            IMAGE,
        ),
        1,
    ),
    Layout(
        "channels-first-spec",
        Case(
            [
                layer("Conv2D", filters=5, kernel_size=3, data_format="channels_first"),
                layer("MaxPooling2D", data_format="channels_first"),
                layer("Flatten", data_format="channels_first"),
                dense(2),
            ],
            (3, 8, 9),
        ),
        0,
    ),
    Layout(
        "channels-first-flattened-plainly",
        Case(
            [
                layer("Conv2D", filters=5, kernel_size=3, data_format="channels_first"),
                layer("Flatten"),
                dense(2),
            ],
            (3, 8, 9),
        ),
        0,
    ),
    Layout(
        "shared-trunk",
        Case(
            [
                conv(4, name="shared", inputs="in0"),
                {"reuse": "shared", "name": "again", "inputs": "in1"},
                layer("Subtract", inputs=["shared", "again"]),
                layer("Flatten"),
                dense(2),
            ],
            (IMAGE, IMAGE),
        ),
        0,
    ),
    Layout(
        "two-outputs",
        Case(
            [conv(4, name="trunk"), layer("Flatten"), dense(2, name="label")],
            IMAGE,
            outputs=["trunk", "label"],
        ),
        0,
    ),
    Layout(
        "flat-branches-of-two-trunks",
        Case(
            [
                conv(4, name="a"),
                layer("Flatten", name="fa"),
                conv(3, name="b", inputs="in0"),
                layer("Flatten", name="fb"),
                layer("Concatenate", inputs=["fa", "fb"]),
                dense(2),
            ],
            IMAGE,
        ),
        2,
    ),
]


FAMILIES = (convolutional, pooling, reshaping)


def test_sequential_computes_what_the_class_does() -> None:
    """Every chain of the three families that can be an `nn.Sequential`."""
    import torch

    from specfmt.targets import torch as torch_target

    torch.set_num_threads(1)
    compared = 0
    for case in (case for family in FAMILIES for case in family.CASES):
        graph = build_graph(case.document())
        source = torch_target.generate_model(graph)
        if "nn.Sequential" not in source or case.dtypes:
            continue
        module = execute(source).eval()
        state = {
            key: torch.rand_like(value) if value.is_floating_point() else value
            for key, value in module.state_dict().items()
        }
        other = execute(torch_target.generate_model(graph, style="subclass")).eval()
        module.load_state_dict(state)
        other.load_state_dict(state)
        (data,) = random_inputs(case)
        stays = any("channels_first" in entry.values() for entry in case.entries)
        x = torch.tensor(channels_first(data, stays).copy())
        torch.testing.assert_close(module(x), other(x))
        compared += 1
    assert compared > 80


def forward_source(case: Case) -> str:
    from specfmt.targets import torch as torch_target

    return torch_target.generate_model(build_graph(case.document()), style="subclass")


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
def test_permutes(layout: Layout) -> None:
    source = forward_source(layout.case)
    assert len(PERMUTE.findall(source)) == layout.permutes, source
    for text in layout.contains:
        assert text in source, source


@pytest.mark.slow
@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
def test_numbers(layout: Layout) -> None:
    check_case(layout.case)


def test_axes_keras_keeps_keras_order_outside() -> None:
    from specfmt.targets import torch as torch_target
    from specfmt.targets.torch.program import Options

    graph = build_graph(Case([conv(4), conv(5)], IMAGE).document())
    source = torch_target.generate_model(graph, options=Options(axes="keras"))
    assert len(PERMUTE.findall(source)) == 2, source
    assert "(N, 8, 9, 3)" in source
