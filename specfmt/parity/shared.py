"""What both worker processes do alike: read the job, name arrays, weigh outputs."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from specfmt.weights.arrays import Array

LEARNING_RATE: Final = 0.1
"""Of the one training step."""

LOSS_SEED: Final = 20


def cotangent(shape: Sequence[int], index: int, dtype: Any) -> Array:
    """What an output is multiplied by in the loss; a plain sum of a softmax has no gradient."""
    rng = np.random.default_rng((LOSS_SEED, index))
    return rng.standard_normal(tuple(shape)).astype(dtype)


def load_npz(path: str) -> dict[str, Array]:
    """The arrays of a file, under names that may hold anything."""
    with np.load(path) as file:
        names = json.loads(str(file["names"]))
        return {name: file[f"a{i}"] for i, name in enumerate(names)}


def save_npz(path: str | Path, arrays: dict[str, Array]) -> None:
    """Write arrays for `load_npz`."""
    numbered = {f"a{i}": array for i, array in enumerate(arrays.values())}
    np.savez(path, names=np.array(json.dumps(list(arrays))), **numbered)  # type: ignore[arg-type]


def load_module(path: str) -> dict[str, Any]:
    """Run a generated file."""
    source = Path(path).read_text(encoding="utf-8")
    namespace: dict[str, Any] = {"__name__": "generated"}
    exec(compile(source, path, "exec"), namespace)  # noqa: S102 (specfmt generated it)
    return namespace


def run(work: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Do the job whose file is the first argument; the answer goes beside it."""
    path = Path(sys.argv[1])
    job = json.loads(path.read_text(encoding="utf-8"))
    result = work(job)
    path.with_suffix(".result").write_text(json.dumps(result), encoding="utf-8")
