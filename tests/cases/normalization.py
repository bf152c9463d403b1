"""Cases of the normalization layers."""

from __future__ import annotations

from tests.tools.harness import Case

BN = {"type": "BatchNormalization"}
LN = {"type": "LayerNormalization"}
GN = {"type": "GroupNormalization"}
RMS = {"type": "RMSNormalization"}
UNIT = {"type": "UnitNormalization"}
FLATTEN = {"type": "Flatten"}
DENSE = {"type": "Dense", "units": 4}
CONV = {"type": "Conv2D", "filters": 6, "kernel_size": 3, "padding": "same"}
EMBEDDING = {"type": "Embedding", "input_dim": 8, "output_dim": 5, "mask_zero": True}
IDS = [[3, 1, 2, 0, 0, 0], [5, 7, 1, 4, 0, 0], [0, 0, 0, 0, 0, 0]]

CASES = [
    Case(BN, (4,)),
    Case(BN | {"momentum": 0.9, "epsilon": 1e-5}, (7, 4)),
    Case(BN | {"center": False}, (5, 6, 3)),
    Case(BN | {"scale": False, "trainable": False}, (4, 3, 2, 5)),
    Case(BN | {"center": False, "scale": False}, (None, 4)),
    Case(BN | {"axis": 1}, (3, 5)),
    Case(BN | {"axis": 1, "scale": False}, (3, 4, 5)),
    Case(BN | {"axis": 2}, (4, 3, 5)),
    Case(BN | {"axis": -2}, (2, 3, 4, 5)),
    Case(BN, (2, 3, 2, 3, 4)),
    Case(BN | {"trainable": False}, (4, 5, 3)),
    Case(BN | {"renorm": True, "renorm_clipping": {"rmax": 2.0, "dmax": 1.0}}, (4, 3)),
    Case(BN | {"synchronized": True}, (4, 4, 3)),
    Case(BN, (4,), dtypes=("int32",)),
    Case([CONV, BN, {"type": "Activation", "activation": "relu"}, CONV], (5, 6, 3)),
    Case([FLATTEN, BN, DENSE], (3, 4, 2)),
    Case([FLATTEN, BN | {"center": False, "renorm": True}, DENSE], (3, 4, 2)),
    Case([FLATTEN, LN, DENSE], (3, 4, 2)),
    Case([FLATTEN, LN | {"scale": False}, GN | {"groups": 3}, DENSE], (3, 4, 2)),
    Case([FLATTEN, LN | {"rms_scaling": True}, RMS, UNIT, DENSE], (3, 4, 2)),
    Case([EMBEDDING, BN], (6,), inputs=(IDS,), dtypes=("int32",)),
    Case([EMBEDDING, BN | {"renorm": True, "axis": 1}], (6,), inputs=(IDS,), dtypes=("int32",)),
    Case(
        BN | {"inputs": {"inputs": "in0", "mask": "in1"}},
        ((4, 5, 3), (4, 5)),
        dtypes=("float32", "bool"),
    ),
    Case(BN | {"inputs": {"inputs": "in0", "training": False}}, (7, 4)),
    Case(LN, (4,)),
    Case(LN | {"epsilon": 1e-6, "center": False}, (7, 4)),
    Case(LN | {"scale": False}, (None, 5, 3)),
    Case(LN | {"center": False, "scale": False}, (5, 6, 3)),
    Case(LN | {"axis": [1, 2, 3]}, (4, 5, 3)),
    Case(LN | {"axis": [-1, -2]}, (4, 5, 3)),
    Case(LN | {"axis": 1}, (4, 5)),
    Case(LN | {"axis": [1, 3]}, (4, 5, 3)),
    Case(LN | {"axis": [1, -1]}, (4, 5, 3)),
    Case(LN | {"axis": [1, 2], "scale": False}, (4, 5, 3)),
    Case(LN | {"axis": 1, "center": False, "scale": False}, (None, 3)),
    Case(LN | {"rms_scaling": True}, (5, 6, 3)),
    Case(LN | {"rms_scaling": True, "axis": [1, 3]}, (5, 6, 3)),
    Case([CONV, LN, CONV], (5, 6, 3)),
    Case([CONV, LN | {"rms_scaling": True}, CONV], (5, 6, 3)),
    Case(LN, (4,), dtypes=("int32",), torch=False),
    Case(GN | {"groups": 2}, (8,)),
    Case(GN | {"groups": 3, "center": False}, (5, 6)),
    Case(GN | {"groups": -1, "scale": False}, (5, 4, 6)),
    Case(GN | {"groups": 1, "center": False, "scale": False}, (3, 4, 2, 6)),
    Case(GN | {"groups": 2, "axis": 1, "epsilon": 1e-5}, (4, 5, 3)),
    Case(GN | {"groups": 3, "axis": -2}, (4, 6, 3)),
    Case([CONV, GN | {"groups": 3}, CONV], (5, 6, 3)),
    Case(RMS, (4,)),
    Case(RMS | {"axis": 1, "epsilon": 1e-3}, (4, 4)),
    Case([CONV, RMS | {"axis": [1, 2]}, CONV], (1, 6, 3)),
    Case(RMS | {"axis": [1, 2, 3]}, (4, 5, 3)),
    Case(RMS, (4, 5, 3)),
    Case(UNIT, (4,)),
    Case(UNIT | {"axis": [1, 2]}, (4, 5, 3)),
    Case([CONV, UNIT | {"axis": [-1, 1]}, CONV], (5, 6, 3)),
    # One value per group in a batch of one: PyTorch's own module refuses it.
    Case({**GN, "groups": 4}, (1, 1, 4), inputs=([[[[1.0, -2.0, 3.0, 0.5]]]],)),
    Case({**GN, "groups": -1}, (None, None, 2), inputs=([[[[1.0, -2.0]]]],)),
    Case({**GN, "groups": 3}, (3,), inputs=([[1.0, -2.0, 0.5]],)),
]
