"""The model that a spec was imported from: loading it with the right Keras, and running it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from specfmt.diagnostics import Diagnostic, SpecError
from specfmt.extras import install, is_installed
from specfmt.formats.config.context import KERAS_3
from specfmt.formats.source.folders import VARIABLES, saved_model
from specfmt.formats.source.generation import detect_generation
from specfmt.formats.source.sources import holds_weights, read_source
from specfmt.graph.model import Graph
from specfmt.parity.pair import Pair, Result
from specfmt.parity.shared import load_npz, save_npz
from specfmt.parity.trust import refusal, uncompiled, without_words
from specfmt.weights.arrays import Array

PACKAGES: Final = {"keras": "tensorflow", "tf_keras": "tf_keras"}
WRITERS: Final = {"keras": "Keras 3", "tf_keras": "Keras 2 or older"}


class Original:
    """A saved model that is loaded by Keras in the worker process.

    Args:
        file: A ``.keras`` archive, an ``.h5`` file with a whole model, the folder of a SavedModel, or
            architecture JSON.
        folder: A folder for temporary files.
        seed: The seed of random weights, for a file that has none.

    Attributes:
        drawn: The file has no weights, so random ones are drawn.
        why: Why it cannot be loaded; empty unless there is a reason.
        by: The framework that loaded it, with its version.
    """

    def __init__(self, file: Path, folder: Path, seed: int) -> None:
        self.file, self.folder, self.seed = file, folder, seed
        tensors = saved_model(file)
        self.by = ""
        self.architecture = ""
        self.drawn = False
        self.framework = "keras"
        try:
            located = read_source(file)
        except SpecError as error:
            self.why = error.diagnostics[0].message
            return
        if detect_generation(located) < KERAS_3:
            self.framework = "tf_keras"
        whole = uncompiled(located.topology)
        topology = without_words(whole)
        self.why = refusal(topology) or self._missing()
        self.drawn = not holds_weights(file)
        if tensors is not None:
            # Only weights are loaded: a SavedModel's graphs of operations could do anything.
            self.file = tensors / VARIABLES
        if self.drawn or topology != whole or tensors is not None:
            self.architecture = str(self._architecture(topology))

    def _missing(self) -> str:
        package = PACKAGES[self.framework]
        missing = [
            name for name in dict.fromkeys((package, "tensorflow")) if not is_installed(name)
        ]
        if not missing:
            return ""
        writer, verb = WRITERS[self.framework], "are" if len(missing) > 1 else "is"
        names = " and ".join(missing)
        return f"{writer} saved it and {names} {verb} not installed: {install(missing)}"

    def _architecture(self, topology: Any) -> Path:
        path = self.folder / "architecture.json"
        path.write_text(json.dumps(topology), encoding="utf-8")
        return path

    def draw_weights(self, pair: Pair) -> Path | None:
        """A Keras file with random weights for an architecture without any; None if it has its own.

        The programs load this file like weights that a user gives.
        """
        if not self.drawn or self.why:
            return None
        answer = self._send(pair, [], save=str(self.folder / "original"))()
        return None if answer is None else Path(answer["weights"])

    def send(
        self,
        pair: Pair,
        *,
        cases: Sequence[int] | None = None,
        layers: bool = False,
        double: bool = False,
    ) -> Callable[[], Result | None]:
        """Start to run it on the inputs of a pair.

        Returns:
            A function that waits for the outputs; it returns None if running failed and sets `why`.
        """
        if self.why:
            return lambda: None
        return self._send(pair, pair.chosen(cases), layers=layers, double=double)

    def _send(
        self,
        pair: Pair,
        inputs: list[str],
        *,
        layers: bool = False,
        double: bool = False,
        save: str = "",
    ) -> Callable[[], Result | None]:
        pair.say("the original" + " in float64" * double)
        stem = f"{self.folder}/original{'64' * double}{'layers' * layers}"
        job: dict[str, Any] = {
            "kind": "original",
            "framework": self.framework,
            "file": "" if self.drawn else str(self.file),
            "architecture": self.architecture,
            "seed": self.seed,
            "save": save,
            "double": double,
            "outputs": list(pair.graph.outputs),
            "layers": calls(pair.graph) if layers else None,
            "cases": [
                {"inputs": path, "out": f"{stem}_out{i}.npz"} for i, path in enumerate(inputs)
            ],
        }
        path = Path(f"{stem}{len(inputs)}.json")
        path.write_text(json.dumps(job), encoding="utf-8")
        pair.workers.send("keras", path)

        def receive() -> Result | None:
            answer = pair.workers.answer("keras")
            if "error" in answer:
                self.why = f"{WRITERS[self.framework]} cannot load or run it: {answer['error']}"
                return None
            result: Result = answer["result"]
            self.by = result["framework"]
            result["outputs"] = [load_npz(case["out"]) for case in job["cases"]]
            return result

        return receive


def calls(graph: Graph) -> list[tuple[list[str], str, int]]:
    """Every call: the names of its outputs, the name of its layer, and its index among the layer's calls."""
    return [
        ([value.name for value in node.outputs], node.unit.name, node.call_index)
        for node in graph.nodes
    ]


class Reference:
    """Inputs and outputs of the original that a user recorded.

    Args:
        file: An ``.npz`` file with ``x0``, ``x1``, ... and ``y0``, ``y1``, ... in the order of the
            model's inputs and outputs, or with arrays under their names.
        pair: The programs; the inputs are appended to theirs.

    Raises:
        SpecError: SF520 if the file does not have this form.
    """

    def __init__(self, file: Path, pair: Pair) -> None:
        self.file = file
        graph = pair.graph
        arrays = self._read()
        inputs = self._named(arrays, list(graph.inputs), "x", "input")
        self.outputs = self._named(arrays, list(graph.outputs), "y", "output")
        for name, value in graph.inputs.items():
            if value.dtype != "string" and not value.dtype.startswith("bfloat"):
                inputs[name] = inputs[name].astype(value.dtype)
        path = pair.folder / "reference.npz"
        save_npz(path, inputs)
        self.index = len(pair.inputs)
        pair.inputs.append(str(path))
        pair.batches.append(0)  # no training step reads it
        pair.samples.append(())

    def _read(self) -> dict[str, Array]:
        try:
            with np.load(self.file, allow_pickle=False) as file:
                return {name: file[name] for name in file.files}
        except (OSError, ValueError, EOFError, AttributeError) as error:
            self._fail(f"received a file that cannot be read: {error}")
            raise AssertionError from error

    def _named(
        self, arrays: dict[str, Array], names: list[str], letter: str, what: str
    ) -> dict[str, Array]:
        numbered = [f"{letter}{index}" for index in range(len(names))]
        keys = names if all(name in arrays for name in names) else numbered
        missing = [key for key in keys if key not in arrays]
        if missing:
            self._fail(
                f"received a file without {missing[0]} ({what} {names[keys.index(missing[0])]})"
            )
        return {name: arrays[key] for name, key in zip(names, keys, strict=True)}

    def _fail(self, received: str) -> None:
        message = f"expected an .npz file with inputs and outputs of the original, {received}"
        hint = "np.savez(file, x0=first_input, y0=first_output)"
        raise SpecError([Diagnostic("SF520", message, hint=hint, file=str(self.file))])
