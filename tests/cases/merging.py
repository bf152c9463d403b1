"""Cases of the layers that make one tensor of several."""

from __future__ import annotations

from tests.tools.harness import Case

CONV = {"type": "Conv2D", "filters": 6, "kernel_size": 3, "padding": "same"}
POOL = {"type": "GlobalAveragePooling1D"}
ELEMENTWISE = ("Add", "Multiply", "Average", "Maximum", "Minimum")
DENSE = {"type": "Dense", "units": 4}
STEPS = [[[1.0, 2.0], [0.0, 0.0], [0.0, 3.0], [-1.5, 1.5], [0.0, 0.0]]] * 2
OTHER = [[[0.5, -2.0], [3.0, 1.0], [0.0, 0.0], [1.5, -1.5], [0.0, 0.0]]] * 2


def trunk(layer: dict[str, object], count: int = 2, *, after: bool = True) -> Case:
    """Branches of convolutions that meet in ``layer`` and go on; nothing may be permuted."""
    branches = [
        {**CONV, "name": f"branch{i}", "inputs": "in0", "kernel_size": 1 + 2 * i}
        for i in range(count)
    ]
    merge = {**layer, "inputs": [f"branch{i}" for i in range(count)]}
    options = ",".join(f"{key}={value}" for key, value in layer.items() if key != "type")
    return Case(
        [*branches, merge, *([CONV] if after else [])],
        (6, 6, 3),
        permutes=0,
        name=f"{layer['type']}({options})-trunk",
    )


def masked(layer: dict[str, object], *unmasked: int) -> Case:
    """Inputs with masks of their own, but those at the places ``unmasked``."""
    masks = [
        {"type": "Masking", "name": f"mask{i}", "inputs": f"in{i}"}
        for i in range(3)
        if i not in unmasked
    ]
    inputs = [f"in{i}" if i in unmasked else f"mask{i}" for i in range(3)]
    return Case(
        [*masks, {**layer, "name": "merged", "inputs": inputs}, {**POOL, "name": "pooled"}],
        [(5, 2)] * 3,
        inputs=(STEPS, OTHER, [[[-1.0, 4.0]] * 4 + [[0.0, 0.0]]] * 2),
        outputs=["merged", "pooled"],
        name=f"{layer['type']}-masked-but-{unmasked}",
    )


CASES = [
    *(Case({"type": name}, [(5, 4)] * 3) for name in ELEMENTWISE),
    *(Case({"type": name}, [(4,), (5, 1, 4)]) for name in ELEMENTWISE),
    *(trunk({"type": name}, 3) for name in ELEMENTWISE),
    *(masked({"type": name}) for name in ELEMENTWISE),
    *(masked({"type": name}, 1) for name in ("Multiply", "Maximum", "Minimum", "Add")),
    masked({"type": "Maximum"}, 0),
    Case({"type": "Subtract"}, [(4,), (4,)]),
    Case({"type": "Subtract"}, [(None, 1), (5, 4)], sizes=(5,)),
    trunk({"type": "Subtract"}),
    Case({"type": "Add"}, [(4,), (3, 5, 4), (5, 1)]),
    Case({"type": "Add"}, [(None, None, 3), (4, 5, 1)], sizes=(4, 5)),
    Case({"type": "Add", "inputs": ["in0", "in0"]}, (4,)),
    Case({"type": "Add", "inputs": ["in0"]}, (4,)),
    Case(
        [
            {**CONV, "name": "conv"},
            {"type": "GlobalAveragePooling2D"},
            {"type": "Dense", "units": 6, "activation": "sigmoid", "name": "gate"},
            {"type": "Multiply", "inputs": ["conv", "gate"]},
            CONV,
        ],
        (5, 6, 3),
        permutes=0,
        name="Multiply-squeeze-and-excite",
    ),
    Case(
        [
            {**CONV, "name": "conv"},
            {"type": "Flatten", "name": "a"},
            {"type": "Flatten", "name": "b", "inputs": "conv"},
            {"type": "Add", "inputs": ["a", "b"]},
            DENSE,
        ],
        (5, 6, 3),
        permutes=0,
        name="Add-of-two-flattened",
    ),
    Case(
        [
            {**CONV, "name": "conv"},
            {"type": "Flatten", "name": "a"},
            {"type": "Dense", "units": 180, "name": "b"},
            {"type": "Add", "inputs": ["a", "b"]},
            {"type": "Concatenate", "inputs": ["add", "a"]},
            DENSE,
        ],
        (5, 6, 3),
        name="Add-of-flattened-and-plain",
    ),
    Case({"type": "Concatenate"}, [(4,), (2,), (1,)]),
    Case({"type": "Concatenate", "axis": 1}, [(3, 4), (None, 4)]),
    Case({"type": "Concatenate", "axis": 0}, [(3, 4), (3, 4)]),
    Case({"type": "Concatenate", "axis": -2}, [(3, 4, 2), (3, 1, 2)]),
    Case({"type": "Concatenate", "inputs": ["in0"]}, (4,)),
    trunk({"type": "Concatenate"}),
    trunk({"type": "Concatenate", "axis": 1}, 3),
    trunk({"type": "Concatenate", "axis": 2}),
    masked({"type": "Concatenate"}),
    masked({"type": "Concatenate"}, 1),
    masked({"type": "Concatenate", "axis": 1}),
    masked({"type": "Concatenate", "axis": 1}, 0, 2),
    Case({"type": "Dot", "axes": 1}, [(4,), (4,)]),
    Case({"type": "Dot", "axes": -1, "normalize": True}, [(4,), (4,)]),
    Case({"type": "Dot", "axes": [2, 2]}, [(5, 4), (3, 4)]),
    Case({"type": "Dot", "axes": (2, 1), "normalize": True}, [(5, 4), (4, 3)]),
    Case({"type": "Dot", "axes": 1}, [(None, 4), (None, 3)], sizes=(5, 5)),
    Case({"type": "Dot", "axes": [1, 2]}, [(4,), (3, 4)]),
    Case({"type": "Dot", "axes": [2, 1]}, [(3, 4), (4,)]),
    Case({"type": "Dot", "axes": [3, 1]}, [(2, 3, 4), (4, 5, 2)]),
    Case({"type": "Dot", "axes": [1, 3]}, [(4, 2, 3), (2, 2, 4)]),
    trunk({"type": "Dot", "axes": 3}, after=False),
    trunk({"type": "Dot", "axes": [2, 1], "normalize": True}, after=False),
]
