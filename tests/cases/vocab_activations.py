"""Every activation, with every argument, in trunks and at the end."""

from __future__ import annotations

from typing import Any

from tests.tools.harness import Case

SHAPE = (4, 5, 6)


def of(activation: Any, shape: tuple[Any, ...] = (6,), **options: Any) -> Case:
    name = (
        activation
        if isinstance(activation, str)
        else ",".join(f"{k}={v}" for k, v in activation.items())
    )
    layer = {"type": "Activation", "activation": activation}
    return Case(layer, shape, name=f"activation-{name}-{'x'.join(map(str, shape))}", **options)


PLAIN = (
    "linear relu leaky_relu relu6 elu celu selu sigmoid hard_sigmoid log_sigmoid sparse_sigmoid "
    "tanh hard_tanh tanh_shrink silu swish hard_silu hard_swish gelu mish softplus squareplus "
    "sparse_plus softsign soft_shrink hard_shrink exponential"
)

CASES = [
    *(of(name) for name in PLAIN.split()),
    *(
        of({"type": "relu", **arguments})
        for arguments in (
            {"negative_slope": 0.1},
            {"max_value": 6},
            {"max_value": 1.5},
            {"threshold": 0.5},
            {"threshold": -0.5},
            {"max_value": 1, "threshold": 0.5},
            {"negative_slope": 0.25, "max_value": 1},
            {"negative_slope": 0.25, "max_value": 6},
            {"negative_slope": 0.25, "threshold": 0.5},
            {"negative_slope": 0.25, "max_value": 1, "threshold": -0.5},
        )
    ),
    of({"type": "leaky_relu", "negative_slope": 0.01}),
    of({"type": "leaky_relu", "negative_slope": 0.3}, SHAPE),
    of({"type": "elu", "alpha": 0.5}),
    of({"type": "celu", "alpha": 2}),
    of({"type": "gelu", "approximate": True}),
    of({"type": "hard_sigmoid", "slope": 0.2}),
    of({"type": "squareplus", "b": 1}),
    of({"type": "soft_shrink", "threshold": 1}),
    of({"type": "hard_shrink", "threshold": 1}),
    of({"type": "threshold", "threshold": 0.2, "default_value": -1}),
    *(
        of({"type": name, "axis": axis}, shape)
        for name in ("softmax", "log_softmax", "sparsemax")
        for axis, shape in ((-1, (6,)), (1, SHAPE), (-1, (5, 6)))
    ),
    *(of({"type": "glu", "axis": axis}, shape) for axis, shape in ((-1, (6,)), (1, SHAPE))),
    # Channels last in a convolutional trunk are axis 1 in PyTorch.
    *(
        Case(
            [
                {"type": "Activation", "activation": {"type": name, "axis": axis}},
                {"type": "Flatten"},
                {"type": "Dense", "units": 3, "activation": "softmax"},
            ],
            SHAPE,
            name=f"trunk-{name}-{axis}",
        )
        for name, axis in (("softmax", -1), ("softmax", 2), ("sparsemax", -1))
    ),
    Case(
        [{"type": "Flatten"}, {"type": "Activation", "activation": "softmax"}],
        SHAPE,
        name="flatten-softmax",
    ),
    Case(
        [
            {"type": "Dense", "units": 4, "activation": {"type": "relu", "max_value": 6}},
            {"type": "Dense", "units": 4, "activation": {"type": "gelu", "approximate": True}},
        ],
        (5,),
        name="dense-activations-with-arguments",
    ),
]
