"""Evaluating the sizes of tensors that a TensorFlow graph computes with.

`keras.ops` has no operation for the shape of a tensor: Keras 3 takes sizes from symbolic tensors.  So
``tf.shape(x)``, and everything computed from it, is evaluated here, twice: with two different numbers
for each size that is known only at run time.  A result that is the same both times is a constant; any
other is identified by its pair of numbers.
"""

from __future__ import annotations

from typing import Any, Final

from specfmt.diagnostics import SpecError
from specfmt.formats.config.reading import Json
from specfmt.formats.read.assemble import Assembler, Record
from specfmt.formats.read.nodes import Call, Ref, map_refs
from specfmt.formats.read.tensorflow.size_rules import LONGEST, RULES, Dim, Known, Opaque
from specfmt.graph.build import build
from specfmt.layers.core import Identity
from specfmt.spec.document import parse_document

WORK: Final = 8_000
"""The most layers that are analyzed for shapes in one model, counting repetitions."""

BATCH: Final = (7_919, 10_007)
AXES: Final = ((8_101, 9_001), (8_179, 9_091), (8_263, 9_187), (8_377, 9_281))
DIVISIBLE: Final = 1_024
"""The numbers for unknown sizes are multiples of this, as strides and pooling may require."""


class Sizes:
    """Evaluates operations of a model whose results are sizes or constants.

    Args:
        records: The layers read so far; grows while the model is read.
        inputs: The model's inputs.

    Attributes:
        values: Name of an operation -> its result: a number, a `Dim`, or a list of them.
        sources: A size -> a tensor with this size, and the axis.
        alike: A shape -> a tensor of this shape.
    """

    def __init__(self, records: list[Record], inputs: Json) -> None:
        self.records = records
        self.inputs = inputs
        self.values: dict[str, Any] = {}
        self.sources: dict[Any, tuple[Ref, int]] = {}
        self.alike: dict[tuple[Any, ...], Ref] = {}
        self.found: dict[Ref, Known | None] = {}
        self.work = WORK

    def reads(self, call: Call) -> bool:
        """Whether a call reads a result that has been evaluated."""
        return any(ref.layer in self.values for ref in call.refs())

    def filled(self, call: Call) -> Call:
        """The call with evaluated operations replaced by their results."""

        def value(ref: Ref) -> Any:
            known = self.values.get(ref.layer, ref)
            if isinstance(known, tuple) and not isinstance(known, (Ref, Dim)):
                return known[ref.tensor] if ref.tensor < len(known) else ref
            return ref if ref.tensor else known

        return Call(map_refs(call.args, value), map_refs(call.kwargs, value), call.path)

    def evaluate(self, name: str, function: str, call: Call) -> bool:
        """Evaluate a call returned by `filled`; False if it does not compute sizes."""
        rule = RULES.get(function)
        if rule is None:
            return False
        try:
            value = rule(self, *call.args, **{k: v for k, v in call.kwargs.items() if k != "name"})
        except (Opaque, TypeError, ValueError, IndexError, ArithmeticError, AttributeError):
            return False
        if isinstance(value, list) and len(value) > LONGEST:
            return False
        self.values[name] = value
        return True

    def known(self, ref: Any) -> Known:
        """Shape and dtype of a tensor.

        Raises:
            Opaque: They depend on unknown layers, or computing them would take too long.
        """
        if not isinstance(ref, Ref):
            raise Opaque
        if ref not in self.found:
            self.found[ref] = self._infer(ref)
        found = self.found[ref]
        if found is None:
            raise Opaque
        self.alike.setdefault(found.shape, ref)
        for axis, size in enumerate(found.shape):
            self.sources.setdefault(size, (ref, axis))
        return found

    def _infer(self, ref: Ref) -> Known | None:
        records = self._above(ref)
        self.work -= 2 * len(records) + 1
        if self.work < 0:
            return None
        found = [self._value(ref, records, choice, apart=True) for choice in (0, 1)]
        if None in found and len(self.inputs) > 1:  # sizes of two inputs may have to agree
            self.work -= 2 * len(records)
            found = [self._value(ref, records, choice, apart=False) for choice in (0, 1)]
        first, second = found
        if first is None or second is None or len(first.shape) != len(second.shape):
            return None
        pairs = zip(first.shape, second.shape, strict=True)
        return Known(tuple(a if a == b else Dim(a, b) for a, b in pairs), str(first.dtype))

    def _above(self, ref: Ref) -> list[Record]:
        """The records that a tensor depends on, in their order in the source."""
        index = {record.name: record for record in self.records}
        waiting, needed = [ref], set()
        while waiting:
            name = waiting.pop().layer
            if name in index and name not in needed:
                needed.add(name)
                for call in index[name].calls:
                    waiting += call.refs()
        return [record for record in self.records if record.name in needed]

    def _value(self, ref: Ref, records: list[Record], choice: int, *, apart: bool) -> Any:
        names = {name: f"i{k}" for k, name in enumerate(self.inputs)}
        names |= {record.name: f"r{k}" for k, record in enumerate(records)}
        inputs = {
            names[name]: _with_sizes(spec, choice, place if apart else 0)
            for place, (name, spec) in enumerate(self.inputs.items())
        }
        single = {record.name: len(record.calls) == 1 for record in records}

        def renamed(ref: Ref) -> Ref:
            if not single.get(ref.layer, True):
                raise Opaque
            return Ref(names[ref.layer], 0, ref.tensor)

        try:
            copies = [
                Record(
                    names[r.name],
                    {**r.entry, "name": names[r.name]},
                    r.path,
                    [
                        Call(map_refs(c.args, renamed), map_refs(c.kwargs, renamed), c.path)
                        for c in r.calls
                    ],
                )
                for r in records
            ]
            assembler = Assembler(inputs, copies)
            layers = assembler.entries()
            tensor = assembler.tensor(renamed(ref))
        except (Opaque, KeyError, SpecError):
            return None
        if not layers:  # a model needs at least one layer
            layers = [{"type": Identity.type_name, "inputs": tensor}]
        document = {"specfmt": 1, "inputs": inputs, "layers": layers, "outputs": [tensor]}
        spec, problems = parse_document(document)
        if spec is None or problems:
            return None
        graph, problems = build(spec)
        outputs = list(graph.outputs.values())
        if problems or len(outputs) != 1 or outputs[0].shape is None or None in outputs[0].shape:
            return None
        return outputs[0]


def _with_sizes(spec: Json, choice: int, place: int) -> Json:
    shape = [
        (AXES[min(k, len(AXES) - 1)][choice] + place) * DIVISIBLE if size is None else size
        for k, size in enumerate(spec["shape"])
    ]
    return {"batch_size": BATCH[choice], **spec, "shape": shape}
