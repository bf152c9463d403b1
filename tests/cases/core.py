"""Cases of the core layers."""

from __future__ import annotations

from tests.tools.harness import Case

DENSE = {"type": "Dense", "units": 5}
CONV = {"type": "Conv2D", "filters": 6, "kernel_size": 3, "padding": "same"}
LORA = {"lora_rank": 2, "lora_alpha": 3.0}
EMBEDDING = {"type": "Embedding", "input_dim": 8, "output_dim": 5}
REVERSIBLE = {"type": "ReversibleEmbedding", "name": "e", "input_dim": 8, "output_dim": 5}
REVERSE = {"reuse": "e", "inputs": {"inputs": "e", "reverse": True}}
STEPS = [[[1.0, 2.0], [0.0, 0.0], [0.0, 3.0], [1.5, 1.5], [0.0, 0.0]]] * 2
POOL = {"type": "GlobalAveragePooling1D"}

CASES = [
    Case(DENSE, (4,), dtypes=("int32",)),
    Case([{"type": "Flatten"}, DENSE], (3, 2, 4), dtypes=("uint8",)),
    Case(DENSE, (4,)),
    Case(DENSE | {"use_bias": False, "activation": "relu"}, (3, 4)),
    Case(DENSE | {"activation": "softmax"}, (4, 5, 3)),
    Case([{"type": "Flatten"}, DENSE], (4, 5, 3)),
    Case([{"type": "Flatten"}, DENSE | LORA], (4, 5, 3)),
    Case(DENSE | LORA | {"use_bias": False}, (None, 4)),
    Case(DENSE | {"lora_rank": 2, "activation": "tanh"}, (4, 5, 3)),
    Case([CONV, DENSE, CONV | {"strides": 2}], (5, 6, 3), name="Dense-between-convolutions"),
    Case(DENSE | {"trainable": False}, (4,)),
    Case(EMBEDDING, (6,), dtypes=("int32",)),
    Case(EMBEDDING | {"mask_zero": True}, (None,), dtypes=("int64",)),
    Case(EMBEDDING, (6,), inputs=([[0.0, 1.0, 7.9, 2.5, 3.0, 3.0]],), name="Embedding-float"),
    Case(EMBEDDING, (3, 4, 2), dtypes=("uint8",)),
    Case(EMBEDDING | LORA, (4, 3), dtypes=("int32",)),
    Case([EMBEDDING | {"mask_zero": True}, POOL], (6,), dtypes=("int32",), high=3),
    Case(REVERSIBLE, (6,), dtypes=("int32",)),
    Case(REVERSIBLE | {"tie_weights": False}, (6,), dtypes=("int32",)),
    Case([REVERSIBLE | {"mask_zero": True}, POOL], (6,), dtypes=("int32",), high=3),
    *(
        Case([REVERSIBLE | options, REVERSE], (None,), dtypes=("int32",), name=f"reverse-{options}")
        for options in (
            {},
            {"tie_weights": False},
            {"logit_soft_cap": 0.5},
            {"tie_weights": False, "logit_soft_cap": 2.0, "mask_zero": True},
            {"lora_rank": 2},
            {"trainable": False},
        )
    ),
    Case({"type": "Masking"}, (5, 2), inputs=(STEPS,)),
    Case({"type": "Masking", "mask_value": 1.5}, (5, 2), inputs=(STEPS,)),
    Case([{"type": "Masking"}, POOL], (5, 2), inputs=(STEPS,)),
    Case([{"type": "Masking", "mask_value": 1.5}, DENSE, POOL], (None, 2), inputs=(STEPS,)),
    Case({"type": "Masking"}, (4,)),
    Case(
        [
            {"type": "Masking", "name": "m", "inputs": "in0"},
            {**POOL, "name": "without", "inputs": "in0"},
            {**POOL, "name": "with", "inputs": "m"},
        ],
        (5, 2),
        inputs=(STEPS,),
        outputs=["without", "with", "m"],
        name="Masking-beside-an-unmasked-branch",
    ),
    Case([{"type": "Identity"}, DENSE], (4,)),
    Case([{"type": "Masking"}, {"type": "Identity"}, POOL], (5, 2), inputs=(STEPS,)),
    Case([CONV, {"type": "Identity"}, CONV], (5, 6, 3)),
    Case([CONV, {"type": "Activation", "activation": "softmax"}, CONV], (5, 6, 3)),
    Case({"type": "Activation", "activation": "relu"}, (4,)),
    Case(
        [{"type": "Masking"}, {"type": "Activation", "activation": "tanh"}, POOL],
        (5, 2),
        inputs=(STEPS,),
    ),
    # A class of the user's own: in PyTorch it is to be written.
    Case(
        {
            "type": "Custom",
            "class": "keras.layers.ReLU",
            "config": {"max_value": 1.0},
            "shape": [4],
        },
        (4,),
        torch=False,
    ),
    # A list of names means arguments by position; a list as one argument is named.
    Case(
        {
            "type": "Custom",
            "class": "keras.layers.Add",
            "shape": [4],
            "inputs": {"inputs": ["in0", "in1"]},
        },
        [(4,), (4,)],
        torch=False,
    ),
    Case(
        {
            "type": "Custom",
            "class": "keras.layers.Reshape",
            "config": {"target_shape": [2, 2]},
            "shape": [2, 2],
        },
        (4,),
        torch=False,
    ),
]
