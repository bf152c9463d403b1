"""Code of both worker processes: answering jobs, reading and writing arrays, the training loss."""

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
"""The learning rate of the training step."""

LOSS_SEED: Final = 20

LONGEST: Final = 300
"""The most characters of an error message that are shown."""

POLL: Final = 0.5
"""Seconds between checks whether the parent process is alive."""

Job = dict[str, Any]
Work = Callable[[Job], dict[str, Any]]


def cotangent(shape: Sequence[int], index: int, dtype: Any) -> Array:
    """The factors by which an output is multiplied in the loss; a plain sum of a softmax is constant."""
    rng = np.random.default_rng((LOSS_SEED, index))
    return rng.standard_normal(tuple(shape)).astype(dtype)


def load_npz(path: str) -> dict[str, Array]:
    """The arrays of a file, whose names may contain any characters."""
    with np.load(path) as file:
        names = json.loads(str(file["names"]))
        return {name: file[f"a{i}"] for i, name in enumerate(names)}


def save_npz(path: str | Path, arrays: dict[str, Array]) -> None:
    """Write arrays for `load_npz`."""
    numbered = {f"a{i}": array for i, array in enumerate(arrays.values())}
    np.savez(path, names=np.array(json.dumps(list(arrays))), **numbered)  # type: ignore[arg-type]


def plain(value: Any) -> Array:
    """A tensor as an array of a dtype that NumPy has."""
    array = np.asarray(value)
    return array.astype("float32") if array.dtype.name == "bfloat16" else array


def perturbed(array: Array, size: float, seed: int) -> Array:
    """The array with every number changed by the relative amount ``size``, up or down at random."""
    signs = np.random.default_rng(seed).choice(np.array([-1.0, 1.0]), array.shape)
    return np.asarray(array * (1.0 + size * signs), array.dtype)


def load_module(path: str, user_folder: str = "") -> dict[str, Any]:
    """Run a generated file; the user's folder is searched for modules after the installed ones."""
    if user_folder and user_folder not in sys.path:
        sys.path.append(user_folder)
    source = Path(path).read_text(encoding="utf-8")
    namespace: dict[str, Any] = {"__name__": "generated"}
    exec(compile(source, path, "exec"), namespace)  # noqa: S102 (specfmt generated it)
    return namespace


def serve(start: Callable[[], None], work: Work) -> None:
    """Answer jobs until standard input ends: a path per line in, an answer per line out.

    Args:
        start: Imports the framework; an error that it raises is the answer to every job.
        work: Executes a job.
    """
    Thread(target=end_with_parent, args=(os.getppid(),), daemon=True).start()
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # output of the programs must not mix with the answers
    failed = ""
    try:
        start()
    except Exception as error:  # noqa: BLE001, RUF100 (any error is the answer)
        failed = described(error)
    for line in sys.stdin:
        answer = {"error": failed} if failed else attempt(work, Path(line.rstrip("\n")))
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def end_with_parent(parent: int) -> None:
    """End this process when its parent process has ended, for whatever reason."""
    while os.getppid() == parent:
        sleep(POLL)
    os._exit(1)


def attempt(work: Work, path: Path) -> dict[str, Any]:
    """The answer to the job in a file: ``result``, or ``error`` as one line."""
    try:
        return {"result": work(json.loads(path.read_text(encoding="utf-8")))}
    except Exception as error:  # noqa: BLE001, RUF100 (any error is the answer)
        traceback.print_exc()
        return {"error": described(error)}


def described(error: Exception) -> str:
    """An error as one line: its class and message."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:LONGEST]}{'...' * (len(text) > LONGEST)}"
