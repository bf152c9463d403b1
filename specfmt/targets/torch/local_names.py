"""What the values of forward are called.

A local name holds its value until forward returns or the name is given to another value.
Memory that is held for nothing slows a deep network down, so names are handed on as in code
written by hand: a chain is threaded through ``x``, a branch beside it through ``y``, and the
statement that reads a value for the last time gives its name to what it makes.  A model with
few values that live longer calls them as the spec does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Final

from specfmt.layers.naming import to_snake_case
from specfmt.targets.naming import Scope, identifier
from specfmt.targets.torch.expr import Tensor
from specfmt.targets.torch.program import ClassProgram
from specfmt.targets.torch.steps import Step

LETTERS: Final = tuple("xyzwvutsrqp")
"""The names that are handed on, in the order in which they are taken."""

FEW: Final = 6
"""So many values a reader keeps apart by names of their own, and memory can hold."""


class Line:
    """One statement: consecutive steps, the last of which gives the line's value.

    Attributes:
        steps: The steps.
        last: The last of them.
        reads: Tensors from other lines, with how often they are read.
    """

    def __init__(self, steps: Sequence[Step]) -> None:
        self.steps = steps
        self.last = steps[-1]
        own = {tensor for step in steps for tensor in step.outputs}
        read = chain.from_iterable(step.reads for step in steps)
        self.reads = Counter(tensor for tensor in read if tensor not in own)


def automatic_names(program: ClassProgram) -> frozenset[str]:
    """Names of calls that say no more than the layer's type: ``add``, ``activation_7``."""
    found = set()
    for node in program.graph.nodes:
        unwritten = node.unit.spec.name is None and node.call_index == 0
        kinds = (f"{to_snake_case(node.unit.type_name)}_", f"{node.unit.name}_call_")
        if unwritten or any(_is_numbered(node.name, kind) for kind in kinds):
            found.add(node.name)
    return frozenset(found)


def _is_numbered(name: str, start: str) -> bool:
    return name.startswith(start) and name[len(start) :].isdecimal()


class LocalNames:
    """Names of the tensors of one forward, given line by line.

    Args:
        program: The class.
        reserved: Names that stand for something else in its forward.

    Attributes:
        arguments: What forward's parameters are called.
        named: Tensor -> its name, as far as lines have been written.
    """

    def __init__(self, program: ClassProgram, reserved: Iterable[str]) -> None:
        self.returned = frozenset(program.outputs.values())
        self.automatic = automatic_names(program)
        self.scope = Scope(reserved)
        self.arguments = [self.scope.claim(identifier(name, "inputs")) for name in program.inputs]
        self.named = dict(zip(program.inputs.values(), self.arguments, strict=True))
        self.scope.used.update(LETTERS)
        self.free = [letter for letter in LETTERS if letter not in self.arguments]
        self.settle([Line([step]) for step in program.steps])

    def settle(self, lines: Sequence[Line]) -> None:
        """Take the lines as they will stand; until then every step counts as one."""
        self.reads = [line.reads for line in lines]
        self.last = {tensor: index for index, read in enumerate(self.reads) for tensor in read}
        self.needed = self.returned | frozenset(self.last)
        lasting = sum(
            self.last.get(tensor, 0) > index + 1
            for index, line in enumerate(lines)
            for tensor in line.last.outputs
        )
        self.few = lasting <= FEW

    def _speaks(self, tensor: Tensor) -> bool:
        return tensor.name not in self.automatic

    def expected(self, tensor: Tensor, reads: int) -> str:
        """What a tensor that is read so often will be called, before `give` says it."""
        if tensor in self.named:
            return self.named[tensor]
        own = tensor in self.returned or (reads > 1 and self.few and self._speaks(tensor))
        return tensor.name if own else LETTERS[0]

    def give(self, index: int, outputs: Sequence[Tensor]) -> None:
        """Name what line ``index`` makes, by a letter that it reads last if there is one."""
        reads = self.reads[index]
        held = {self.named[tensor] for tensor in reads if self.named[tensor] in LETTERS}
        released = {
            self.named[tensor]
            for tensor in reads
            if self.last[tensor] == index and tensor not in self.returned
        }.intersection(held)
        self.free = [letter for letter in LETTERS if letter in released or letter in self.free]
        needed = [tensor for tensor in outputs if tensor in self.needed]
        for tensor in outputs:
            own = len(needed) > 1 or self._keeps_its_own(tensor, index, alone=not held)
            if tensor not in self.needed:
                self.named[tensor] = "_"
            elif own or not self.free:
                self.named[tensor] = self.scope.claim(identifier(tensor.name))
            else:
                letter = min(released or self.free, key=LETTERS.index)
                self.free.remove(letter)
                self.named[tensor] = letter

    def _keeps_its_own(self, tensor: Tensor, index: int, *, alone: bool) -> bool:
        if tensor in self.returned or tensor.keeps_name:
            return True
        if tensor not in self.needed or not self.few or not self._speaks(tensor):
            return False
        if self.last[tensor] > index + 1:
            return True
        # A branch of one line, beside others: torch.cat([narrow, wide, small], dim=-1).
        return alone and len(self.reads[index + 1]) > 1
