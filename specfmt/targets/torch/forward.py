"""Steps -> the lines of ``forward``: what joins a line, what gets a name, shape comments.

``x`` is threaded through a chain; a value that is read later than by the next line keeps its
layer's name.  A line holds at most one module with a matrix, and what belongs around it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from specfmt.targets.naming import Scope, identifier
from specfmt.targets.torch.expr import Step, Tensor, tensors_in, torch_order
from specfmt.targets.torch.layout import written_layout
from specfmt.targets.torch.program import ClassProgram
from specfmt.targets.torch.render import ATOM, Renderer

WIDTH = 88
INDENT = 8
SIZE_NAMES = {2: "", 3: "T", 4: "HW", 5: "DHW"}


@dataclass
class Line:
    """One statement: consecutive steps, the last of which gives the line's value."""

    steps: list[Step] = field(default_factory=list)

    @property
    def last(self) -> Step:
        return self.steps[-1]

    def reads(self) -> Counter[Tensor]:
        """Tensors from other lines, with how often they are read."""
        own = {tensor for step in self.steps for tensor in step.outputs}
        return Counter(
            tensor for step in self.steps for tensor in tensors_in(step.expr) if tensor not in own
        )


def shape_text(tensor: Tensor, channels_first: bool) -> str:
    """A tensor's shape as torch sees it: ``(N, 16, 32, 32)``; unknown sizes by a letter."""
    letters = SIZE_NAMES.get(tensor.rank, "")
    sizes: list[str] = []
    for axis, size in enumerate(tensor.shape):
        if axis == tensor.batch_axis:
            sizes.append("N" if size is None else str(size))
        elif size is None:
            sizes.append(letters[axis - 1] if axis <= len(letters) else "?")
        else:
            sizes.append(str(size))
    ordered = torch_order(tuple(sizes), channels_first)
    return f"({', '.join(ordered)}{',' if len(ordered) == 1 else ''})"


class Forward:
    """The body of one class's forward, as lines of source without indentation.

    Attributes:
        arguments: Parameter names of forward, in order.
        lines: Statements, comments and blank lines.
    """

    def __init__(self, program: ClassProgram, owner: str = "self") -> None:
        self.program = program
        self.owner = owner
        self.scope = Scope({"self", "torch", "nn", "F", "math", "x", owner})
        self.names: dict[Tensor, tuple[str, int]] = {}
        self.arguments: list[str] = []
        for name, tensor in program.inputs.items():
            claimed = self.scope.claim(identifier(name, "inputs"))
            self.names[tensor] = (claimed, ATOM)
            self.arguments.append(claimed)
        self.lines: list[str] = []
        self.needed: set[Tensor] = set()
        self.said: set[str] = set()
        self._write(self._group())

    def _group(self) -> list[Line]:
        """Steps into statements."""
        uses: Counter[Tensor] = Counter()
        for step in self.program.steps:
            uses.update(tensors_in(step.expr))
        returned = set(self.program.outputs.values())
        self.needed = returned | set(uses)
        lines: list[Line] = []
        for step in self.program.steps:
            if lines and self._joins(step, lines[-1], uses, returned):
                lines[-1].steps.append(step)
            else:
                lines.append(Line([step]))
        return lines

    def _joins(self, step: Step, line: Line, uses: Counter[Tensor], returned: set[Tensor]) -> bool:
        previous = line.last
        if len(previous.outputs) != 1 or step.comment:
            return False
        value = previous.outputs[0]
        reads = Counter(tensors_in(step.expr))
        if value in returned or uses[value] != 1 or reads[value] != 1:
            return False
        heavy = any(s.heavy for s in line.steps)
        if step.heavy and heavy:
            return False
        if not (step.same_line or (step.node is previous.node) or self._is_permute(previous)):
            return False
        # The names are not final yet; the estimate only has to be close.
        names = {
            t: ("x" if uses[t] == 1 and t not in self.names else t.name, ATOM)
            for t in (*line.reads(), *reads)
        }
        text = self._text(Line([*line.steps, step]), names)
        chained = uses[step.outputs[0]] == 1 and step.outputs[0] not in returned
        target = (
            "x = "
            if chained
            else "return "
            if step.outputs[0] in returned
            else f"{step.outputs[0].name} = "
        )
        return INDENT + len(target) + len(text) + len(self._comment(step)) <= WIDTH

    def _is_permute(self, step: Step) -> bool:
        return step.node is not None and step.same_line and step.module is None

    def _text(self, line: Line, names: dict[Tensor, tuple[str, int]]) -> str:
        known = dict(names)
        text = ""
        for step in line.steps:
            render = Renderer(known, written_layout(step, self.program.channels), self.owner)
            text, precedence = render.write(step.expr)
            if len(step.outputs) == 1:
                known[step.outputs[0]] = (text, precedence)
        return text

    def _comment(self, step: Step) -> str:
        channels = self.program.channels
        told = [t for t in step.outputs if t.shape and t in self.needed]
        shapes = [shape_text(t, channels.get(t, False)) for t in told]
        return "  # " + ", ".join(dict.fromkeys(shapes)) if shapes else ""

    def _write(self, lines: list[Line]) -> None:
        reads = [line.reads() for line in lines]
        last_read: dict[Tensor, int] = {}
        first_read: dict[Tensor, int] = {}
        readers: Counter[Tensor] = Counter()
        for index, read in enumerate(reads):
            for tensor in read:
                last_read[tensor] = index
                first_read.setdefault(tensor, index)
                readers[tensor] += 1
        returned = list(self.program.outputs.values())
        single = len(returned) == 1 and self.program.graph.output_form == "single"
        for index, line in enumerate(lines):
            step = line.last
            text = self._text(line, self.names)
            for part in line.steps:
                if part.comment and part.comment not in self.said:
                    self.said.add(part.comment)
                    self.lines.append(f"# {part.comment}")
            if single and index == len(lines) - 1 and step.outputs == tuple(returned):
                self.lines.append(f"return {text}{self._comment(step)}")
                return
            needed = [tensor for tensor in step.outputs if tensor in self.needed]
            for tensor in step.outputs:
                chained = (
                    last_read.get(tensor) == index + 1
                    and tensor not in returned
                    and len(needed) == 1
                    and not tensor.keeps_name
                )
                if tensor not in self.needed:
                    name = "_"
                elif chained:
                    name = "x"
                else:
                    name = self.scope.claim(identifier(tensor.name))
                self.names[tensor] = (name, ATOM)
            target = self._target(step.target or step.outputs)
            self.lines.append(f"{target} = {text}{self._comment(step)}")
            branch = any(readers[t] > 1 for t in step.outputs) and index < len(lines) - 1
            if branch:
                self.lines.append("")
        self.lines.append(f"return {self._returned()}")

    def _target(self, outputs: tuple[Any, ...]) -> str:
        """What stands before ``=``: names, nested as the call's result is; ``_`` for the unread."""
        parts = []
        for item in outputs:
            if isinstance(item, tuple):
                inner = self._target(item)
                parts.append("_" if set(inner.split(", ")) == {"_"} else f"({inner})")
            else:
                parts.append(self.names[item][0])
        return ", ".join(parts)

    def _returned(self) -> str:
        names = {key: self.names[t][0] for key, t in self.program.outputs.items()}
        form = self.program.graph.output_form
        if form == "mapping":
            from specfmt.targets.source import string

            return "{" + ", ".join(f"{string(k)}: {v}" for k, v in names.items()) + "}"
        if form == "single":
            return next(iter(names.values()))
        return ", ".join(names.values()) + ("," if len(names) == 1 else "")
