"""Cases of the core layers."""

from __future__ import annotations

from tests.harness import Case

CASES = [
    Case({"type": "Dense", "units": 5}, (4,)),
    Case({"type": "Dense", "units": 5, "use_bias": False, "activation": "relu"}, (3, 4)),
    Case({"type": "Dense", "units": 5, "activation": "softmax"}, (4, 5, 3)),
    Case([{"type": "Flatten"}, {"type": "Dense", "units": 5}], (4, 5, 3)),
]
