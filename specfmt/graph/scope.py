"""The names of one model: resolving references, and reporting unknown names."""

from __future__ import annotations

from collections.abc import Iterable

from specfmt.diagnostics import Diagnostic, Path
from specfmt.fields.errors import did_you_mean, show
from specfmt.graph.arguments import some_of
from specfmt.graph.model import Value
from specfmt.layers.blocks import BlockCall, Expanded, place_of
from specfmt.layers.entries import Model, naming
from specfmt.layers.naming import automatic_names
from specfmt.spec.document import ModelSpec

SUGGESTIONS = 20
"""The most did-you-mean hints: each one compares a name with all names of the model."""


class Unresolved:
    """A reference that cannot be resolved; it has already been reported."""


UNRESOLVED = Unresolved()


class Scope:
    """The layers of a model by name, and the tensors so far.

    Args:
        spec: The model.
        path: Its path in the document.
        problems: Diagnostics are appended to this list.
    """

    def __init__(self, spec: ModelSpec | Model, path: Path, problems: list[Diagnostic]) -> None:
        self.spec = spec
        self.path = path
        self.problems = problems
        self.entries = spec.layers
        self.names = automatic_names([naming(entry) for entry in self.entries])
        self.blocks = self.entries if isinstance(self.entries, Expanded) else None
        self.given = set() if self.blocks is None else set(self.blocks.tensors.values())
        self.by_name: dict[str, int] = {}
        self.values: dict[str, Value] = {}

    def report(
        self, code: str, message: str, path: Path, hint: str = "", *, on_key: bool = False
    ) -> None:
        where = self.absolute(path)
        self.problems.append(Diagnostic(code, message, where, hint, on_key=on_key))

    def absolute(self, path: Path) -> Path:
        """The place in the document of what has this path in the model with its blocks written out."""
        if path[:1] != ("layers",) or len(path) < 2:
            return (*self.path, *path)
        return (*place_of(self.entries, int(path[1]), self.path), *path[2:])

    def whose(self, index: int) -> str:
        """An entry for a message: ``layers[3]``, or that it stands in the use of a block."""
        call = None if self.blocks is None else self.blocks.calls[index]
        if call is not None:
            return f"a layer in {call.name}"
        return f"layers[{index if self.blocks is None else self.blocks.slots[index]}]"

    def suggest(self, name: str, names: Iterable[str]) -> str:
        """A did-you-mean hint, until the limit is reached."""
        return did_you_mean(name, names) if len(self.problems) < SUGGESTIONS else ""

    def flat(self, name: str) -> str:
        """The tensor that a name means: for the use of a block the block's output."""
        return name if self.blocks is None else self.blocks.tensors.get(name, name)

    def producer(self, name: str) -> int | None:
        """The index of the entry whose output is ``name``; None for an input or an unknown name."""
        name = self.flat(name)
        if name in self.by_name:
            return self.by_name[name]
        base, _, output = name.rpartition(":")
        return self.by_name.get(base) if _is_number(output) else None

    def use_around(self, name: str, path: Path) -> BlockCall | None:
        """The use of a block in which a layer is hidden from what reads it at ``path``, if any."""
        blocks = self.blocks
        if blocks is None or (path[0] == "layers" and blocks.calls[int(path[1])] is not None):
            return None  # entries of blocks read what the block can see
        index = self.producer(name)
        call = None if index is None else blocks.calls[index]
        if call is None or {name, name.rpartition(":")[0]} & self.given:
            return None
        return list(call.chain())[-1]

    def check_uses(self) -> None:
        """Report names that uses of blocks cannot read, where they stand, once for each use."""
        for name, path in self.blocks.reads if self.blocks is not None else ():
            if self.flat(name) in self.values or self.producer(name) is not None:
                continue
            seen = self._seen()
            hint = self.suggest(name, seen) or "names in this model: " + some_of(seen)
            where = (*self.path, "layers", *path)
            message = f"expected the name of a layer or input, received {show(name)}"
            self.problems.append(Diagnostic("SF201", message, where, hint))
            self.values[name] = Value(name, None, "float32")

    def resolve(self, name: str, path: Path) -> Value | Unresolved:
        name = self.flat(name)
        around = self.use_around(name, path)
        if around is not None:
            self.report(
                "SF201",
                f"expected the name of a layer or input, received {show(name)}, "
                f"which is inside {around.name}",
                path,
                f"list it in the `outputs:` of the block {around.kind}",
            )
            return UNRESOLVED
        value = self.values.get(name)
        if value is not None:
            return value
        base, _, output = name.rpartition(":")
        if _is_number(output) and base in self.values:
            producer = self.values[base].node
            if self.values[base].shape is None:
                return self._unknown_output(base, int(output)) if len(output) < 4 else UNRESOLVED
            count = len(producer.outputs) if producer else 1
            self.report(
                "SF206",
                f"expected {base} to have an output {output}, received a layer with {count}",
                path,
                "outputs are counted from 0" if count > 1 else f"write {base}",
            )
        elif self.producer(name) is None:
            seen = self._seen()
            self.report(
                "SF201",
                f"expected the name of a layer or input, received {show(name)}",
                path,
                self.suggest(name, seen) or "names in this model: " + some_of(seen),
            )
        return UNRESOLVED

    def _seen(self) -> Iterable[str]:
        """The names that entries outside of blocks can read."""
        blocks = self.blocks
        if blocks is None:
            return self.values
        hidden = {self.names[i] for i, call in enumerate(blocks.calls) if call is not None}
        return [name for name in (*self.values, *blocks.tensors) if name not in hidden]

    def _unknown_output(self, base: str, output: int) -> Value | Unresolved:
        """An output of an unknown layer, whose number of outputs is unknown too."""
        node = self.values[base].node
        if node is None:
            return UNRESOLVED
        for number in range(len(node.outputs), output + 1):
            value = Value(f"{base}:{number}", None, "float32", node=node, index=number)
            self.values[value.name] = value
            node.outputs = (*node.outputs, value)
        return node.outputs[output]

    def previous(self, index: int, path: Path, key: str) -> Value | Unresolved | None:
        if index:
            name = self.names[index - 1]
            value = self.values.get(name)
            return UNRESOLVED if value is None else value
        inputs = list(self.spec.inputs or {})
        if len(inputs) > 1:
            self.report(
                "SF204",
                f"expected `{key}:` on the first layer of a model with {len(inputs)} inputs, "
                "received none",
                path,
                f"write for example `{key}: {inputs[0]}`",
            )
            return None
        return self.values[inputs[0]] if inputs else self.values.get("", UNRESOLVED)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()
