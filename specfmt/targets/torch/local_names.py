"""The local variables of forward.

A variable keeps its tensor in memory until forward returns or the variable is reassigned, which
slows a deep network down.  Variables are therefore reused as in hand-written code: a chain of
layers reassigns ``x``, a parallel branch ``y``, and a statement that is the last to read a value
assigns its result to the same variable.  If only a few values live longer, their variables are
named as in the spec.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Final

from specfmt.targets.naming import Scope, identifier
from specfmt.targets.torch.expr import Tensor
from specfmt.targets.torch.program import ClassProgram
from specfmt.targets.torch.steps import Step
from specfmt.vocab.naming import to_snake_case

LETTERS: Final = tuple("xyzwvutsrqp")
"""The variables that are reused, in order of preference."""

FEW: Final = 6
"""Up to this number of longer-lived values, variables are named as in the spec."""


class Line:
    """One statement: consecutive steps, of which the last one computes the assigned value.

    Attributes:
        steps: The steps.
        last: The last step.
        reads: Tensor from another line -> how often it is read.
    """

    def __init__(self, steps: Sequence[Step]) -> None:
        self.steps = steps
        self.last = steps[-1]
        own = {tensor for step in steps for tensor in step.outputs}
        read = chain.from_iterable(step.reads for step in steps)
        self.reads = Counter(tensor for tensor in read if tensor not in own)


def automatic_names(program: ClassProgram) -> frozenset[str]:
    """Default names of calls, made from the layer's type alone: ``add``, ``activation_7``."""
    found = set()
    for node in program.graph.nodes:
        unwritten = node.unit.spec.name is None and node.call_index == 0
        kinds = (f"{to_snake_case(node.unit.type_name)}_", f"{node.unit.name}_call_")
        if unwritten or any(_is_numbered(node.name, kind) for kind in kinds):
            found.add(node.name)
    own = frozenset() if program.block is None else program.block.automatic
    return own | found


def _is_numbered(name: str, start: str) -> bool:
    return name.startswith(start) and name[len(start) :].isdecimal()


class LocalNames:
    """Assigns variables to the tensors of one forward, line by line.

    Args:
        program: The class.
        reserved: Names with another meaning in its forward.

    Attributes:
        arguments: The names of forward's parameters.
        named: Tensor -> its variable, for the lines so far.
    """

    def __init__(self, program: ClassProgram, reserved: Iterable[str]) -> None:
        self.returned = frozenset(program.results)
        self.automatic = automatic_names(program)
        self.scope = Scope(reserved)
        self.arguments = [self.scope.claim(identifier(name, "inputs")) for name in program.inputs]
        self.arguments += [self.scope.claim(identifier(m.name)) for m in program.masks.values()]
        self.named = dict(zip(program.arguments.values(), self.arguments, strict=True))
        self.scope.used.update(LETTERS)
        self.free = [letter for letter in LETTERS if letter not in self.arguments]
        self.joins = {} if program.block is None else program.block.joins
        self.set_lines([Line([step]) for step in program.steps])

    def set_lines(self, lines: Sequence[Line]) -> None:
        """Set the final lines; before, each step counts as one line."""
        self.reads = [line.reads for line in lines]
        self.last = {tensor: index for index, read in enumerate(self.reads) for tensor in read}
        self.needed = self.returned | frozenset(self.last)
        lasting = sum(
            self.last.get(tensor, 0) > index + 1
            for index, line in enumerate(lines)
            for tensor in line.last.outputs
        )
        self.few = lasting <= FEW

    def _is_descriptive(self, tensor: Tensor) -> bool:
        return tensor.name not in self.automatic

    def expected(self, tensor: Tensor, reads: int) -> str:
        """The likely variable of a tensor that is read ``reads`` times, before `assign`."""
        if tensor in self.named:
            return self.named[tensor]
        own = tensor in self.returned or (reads > 1 and self.few and self._is_descriptive(tensor))
        return tensor.name if own else LETTERS[0]

    def assign(self, index: int, outputs: Sequence[Tensor]) -> None:
        """Choose variables for the outputs of line ``index``.

        A reusable variable that the line is the last to read is preferred.
        """
        reads = self.reads[index]
        held = {self.named[tensor] for tensor in reads if self.named[tensor] in LETTERS}
        released = {
            self.named[tensor]
            for tensor in reads
            if self.last[tensor] == index and tensor not in self.returned
        }.intersection(held)
        released -= {self.named[tensor] for tensor in outputs if tensor in self.named}
        self.free = [letter for letter in LETTERS if letter in released or letter in self.free]
        needed = [tensor for tensor in outputs if tensor in self.needed]
        for tensor in outputs:
            if tensor in self.named:  # the other branch has assigned it
                continue
            other = self.joins.get(tensor)
            if other is not None and self._can_replace(other, index):
                self.named[tensor] = self.named[other]
                continue
            own = len(needed) > 1 or self._needs_own_name(tensor, index, alone=not held)
            if tensor not in self.needed:
                self.named[tensor] = "_"
            elif own or not self.free:
                self.named[tensor] = self.scope.claim(identifier(tensor.name))
            else:
                letter = min(released or self.free, key=LETTERS.index)
                self.free.remove(letter)
                self.named[tensor] = letter

    def _can_replace(self, other: Tensor, index: int) -> bool:
        """Whether a value that a step changes only under a condition is read by nothing else.

        Its last reader is then the statement after the condition, which is not needed.
        """
        return (
            self.last[other] == index + 1
            and other not in self.returned
            and self.named[other] in LETTERS
        )

    def _needs_own_name(self, tensor: Tensor, index: int, *, alone: bool) -> bool:
        if tensor in self.returned or tensor.keeps_name:
            return True
        if tensor not in self.needed or not self.few or not self._is_descriptive(tensor):
            return False
        if self.last[tensor] > index + 1:
            return True
        # A one-line branch among several: torch.cat([narrow, wide, small], dim=-1).
        return alone and len(self.reads[index + 1]) > 1
