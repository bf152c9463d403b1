"""What both worker processes share: answering jobs, naming arrays, weighting outputs."""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Thread
from time import sleep
from typing import Any, Final

import numpy as np

from specfmt.weights.arrays import Array

LEARNING_RATE: Final = 0.1
"""Of the one training step."""

LOSS_SEED: Final = 20

LONGEST: Final = 300
"""Characters of an error's message that are shown."""

POLL: Final = 0.5
"""Seconds between looks at the process that started this one."""

Job = dict[str, Any]
Work = Callable[[Job], dict[str, Any]]


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


def plain(value: Any) -> Array:
    """A tensor as an array of numbers that NumPy has."""
    array = np.asarray(value)
    return array.astype("float32") if array.dtype.name == "bfloat16" else array


def perturbed(array: Array, size: float, seed: int) -> Array:
    """Every number made larger or smaller by a part of itself."""
    signs = np.random.default_rng(seed).choice(np.array([-1.0, 1.0]), array.shape)
    return np.asarray(array * (1.0 + size * signs), array.dtype)


def load_module(path: str, user_folder: str = "") -> dict[str, Any]:
    """Run a generated file; modules of the user's folder come after all that is installed."""
    if user_folder and user_folder not in sys.path:
        sys.path.append(user_folder)
    source = Path(path).read_text(encoding="utf-8")
    namespace: dict[str, Any] = {"__name__": "generated"}
    exec(compile(source, path, "exec"), namespace)  # noqa: S102 (specfmt generated it)
    return namespace


def serve(start: Callable[[], None], work: Work) -> None:
    """Answer jobs until standard input ends: a path on each line, an answer on each line.

    Args:
        start: Imports the framework; what it raises is the answer to every job.
        work: Does a job.
    """
    Thread(target=end_with_parent, args=(os.getppid(),), daemon=True).start()
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what the programs print is no answer
    failed = ""
    try:
        start()
    except Exception as error:  # noqa: BLE001, RUF100 (whatever it is, it is the answer)
        failed = described(error)
    for line in sys.stdin:
        answer = {"error": failed} if failed else attempt(work, Path(line.rstrip("\n")))
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def end_with_parent(parent: int) -> None:
    """End this process when the one that started it has ended, however that came."""
    while os.getppid() == parent:
        sleep(POLL)
    os._exit(1)


def attempt(work: Work, path: Path) -> dict[str, Any]:
    """The answer to the job in a file: ``result``, or ``error`` in one line."""
    try:
        return {"result": work(json.loads(path.read_text(encoding="utf-8")))}
    except Exception as error:  # noqa: BLE001, RUF100 (whatever it is, it is the answer)
        traceback.print_exc()
        return {"error": described(error)}


def described(error: Exception) -> str:
    """An error in one line: its class and what it says."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:LONGEST]}{'...' * (len(text) > LONGEST)}"
