"""Cases of SpectralNormalization at inference; in training see test_spectral_normalization."""

from __future__ import annotations

from typing import Any

from tests.tools.harness import Case


def normalized(type_name: str, iterations: int = 1, **fields: Any) -> dict[str, Any]:
    """A SpectralNormalization of a layer."""
    more = {"power_iterations": iterations} if iterations > 1 else {}
    return {"type": "SpectralNormalization", "layer": {"type": type_name, **fields}, **more}


CONV = {"filters": 4, "kernel_size": 3}

CASES = [
    Case(normalized("Dense", units=3, activation="relu"), (4,)),
    Case(normalized("Dense", 2, units=3, use_bias=False), (5, 4)),
    Case(normalized("Dense", units=3, trainable=False), (4,)),
    Case([{"type": "Flatten"}, normalized("Dense", units=3)], (4, 5, 3)),
    Case(normalized("Conv1D", **CONV, padding="causal"), (7, 2)),
    Case([normalized("Conv2D", 3, **CONV, padding="same", strides=2)] * 2, (8, 7, 3)),
    Case(normalized("Conv2DTranspose", **CONV, strides=2), (4, 5, 3)),
    Case(normalized("DepthwiseConv2D", kernel_size=3, depth_multiplier=2), (6, 5, 3)),
    Case(normalized("EinsumDense", equation="...x,yx->...y", output_shape=4), (5, 3)),
    Case(normalized("Embedding", input_dim=8, output_dim=3), (5,), dtypes=("int32",)),
    Case({"type": "TimeDistributed", "layer": normalized("Conv1D", **CONV)}, (3, 6, 2)),
]
