"""The lines of ``forward``: which steps share a line, and shape comments.

A line has at most one module with a weight matrix, together with the functions around it;
`local_names` chooses its variable.  Blank lines are put where the graph branches or joins.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from specfmt.targets.naming import identifier
from specfmt.targets.source import remark
from specfmt.targets.torch.activity import PENALTY
from specfmt.targets.torch.expr import STRING, Call, SelfAttr, Tensor, shape_text
from specfmt.targets.torch.layout import written_layout
from specfmt.targets.torch.local_names import LETTERS, Line, LocalNames
from specfmt.targets.torch.mixed_precision import is_unchanged
from specfmt.targets.torch.program import ClassProgram
from specfmt.targets.torch.render import ATOM, Renderer
from specfmt.targets.torch.static_types import known_outputs
from specfmt.targets.torch.steps import Step

WIDTH = 88
INDENT = 8
SHORT = 3
"""This many steps (convolution, normalization, activation) share a line even if the shape comment
then moves above it."""


class Forward:
    """The body of one class's forward.

    Args:
        program: The class.
        owner: The variable of the module.

    Attributes:
        arguments: The names of forward's parameters, in order.
        lines: Statements, comments and blank lines, without indentation.
    """

    def __init__(self, program: ClassProgram, owner: str = "self") -> None:
        self.program = program
        self.owner = owner
        called = ("self", "torch", "nn", "F", "math", owner, *program.builder.helpers)
        self.locals = LocalNames(program, called)
        self.arguments = self.locals.arguments
        self.lines: list[str] = []
        self.precision = ""
        self.branch = self.closed = ""
        self.begun = 0
        self.comments: set[str] = set()
        self.declared = set(self.arguments)
        # Variable -> whether a type checker knows that its current value is a tensor.
        self.typed: dict[str, bool] = {}
        self.modules = {module.attr: module for module in program.builder.modules.values()}
        self._write(self._group())

    def _group(self) -> list[Line]:
        """Group the steps into statements."""
        uses: Counter[Tensor] = Counter()
        for step in self.program.steps:
            uses.update(step.reads)
        lines: list[Line] = []
        for step in self.program.steps:
            joined = self._joined(lines[-1], step, uses) if lines else None
            if joined is None:
                lines.append(Line([step]))
            else:
                lines[-1] = joined
        return lines

    def _joined(self, line: Line, step: Step, uses: Counter[Tensor]) -> Line | None:
        """The line with one more step; None if the step starts a new line."""
        previous = line.last
        if len(previous.outputs) != 1 or step.comment or step.when != previous.when:
            return None
        if step.carried is not None or previous.carried is not None:
            return None
        value = previous.outputs[0]
        if value in self.locals.returned or uses[value] != 1:
            return None
        if step.heavy and any(s.heavy for s in line.steps):
            return None
        if not self._one_precision([*line.steps, step]):
            return None
        if not (step.same_line or (step.node is previous.node) or self._is_permute(previous)):
            return None
        if value not in step.reads:
            return None
        joined = Line([*line.steps, step])
        # The names are not final yet; the estimate only has to be close.
        names = {t: self.locals.expected(t, uses[t]) for t in joined.reads}
        text = self._text(joined, names)
        output = step.outputs[0]
        if output in self.locals.returned:
            target = "return "
        else:
            target = f"{self.locals.expected(output, uses[output])} = "
        comment = self._comment(joined) if len(joined.steps) > SHORT else ""
        fits = INDENT + len(target) + len(text) + len(comment) <= WIDTH
        return joined if fits else None

    def _one_precision(self, steps: Sequence[Step]) -> bool:
        """Whether steps can be computed in one statement, with or without `torch.autocast`."""
        kinds = {step.autocast for step in steps if step.autocast}
        return not kinds or (
            len(kinds) == 1 and all(s.autocast or is_unchanged(s, self.modules) for s in steps)
        )

    def _precisions(self, lines: list[Line]) -> list[str]:
        """The dtype of `torch.autocast` for each line; lines between two others share theirs."""
        found = [next((s.autocast for s in line.steps if s.autocast), "") for line in lines]
        previous = None
        for index, kind in enumerate(found):
            if kind and previous is not None and kind == found[previous]:
                found[previous:index] = [kind] * (index - previous)
            if kind:
                previous = index
            elif not all(is_unchanged(step, self.modules) for step in lines[index].steps):
                previous = None
        return found

    def _is_permute(self, step: Step) -> bool:
        return step.node is not None and step.same_line and step.module is None

    def _text(self, line: Line, names: dict[Tensor, str]) -> str:
        known = {tensor: (names[tensor], ATOM) for tensor in line.reads}
        text = ""
        for step in line.steps:
            render = Renderer(known, written_layout(step, self.program.channels), self.owner)
            text, precedence = render.write(step.expr)
            if len(step.outputs) == 1:
                known[step.outputs[0]] = (text, precedence)
        return text

    def _comment(self, line: Line) -> str:
        """A comment with the shapes of a line's outputs, unless its inputs have the same."""
        shown = [t for t in line.last.outputs if t.shape and t in self.locals.needed]
        if any(tensor.hidden for tensor in shown):
            return ""
        shapes = dict.fromkeys(self._shape(tensor) for tensor in shown)
        if all(shape in map(self._shape, line.reads) for shape in shapes):
            return ""
        return "  # " + ", ".join(shapes)

    def _shape(self, tensor: Tensor) -> str:
        return shape_text(tensor, self.program.channels.get(tensor, False))

    def _write(self, lines: list[Line]) -> None:
        self.locals.set_lines(lines)
        # The computation of a penalty is not a branch of the graph.
        reads = [
            read
            for read, line in zip(self.locals.reads, lines, strict=True)
            if any(t.shape for t in line.last.outputs)
        ]
        readers = Counter(tensor for read in reads for tensor in read)
        inputs = frozenset(self.program.arguments.values())
        returned = tuple(self.program.outputs.values())
        single = self.program.returns_one
        precisions = self._precisions(lines)
        for index, line in enumerate(lines):
            step = line.last
            self._enter(precisions[index], line)
            self._branch(step.when)
            text = self._text(line, self.locals.named)
            for part in line.steps:
                if part.comment and part.comment not in self.comments:
                    self.comments.add(part.comment)
                    self._put(remark(part.comment))
            known = self._known(line)
            if (
                single
                and not self.precision
                and not step.when
                and step.carried is None
                and index == len(lines) - 1
                and step.outputs == returned
            ):
                self._return(text, self._comment(line), known=returned[0] in known)
                return
            self.locals.assign(index, step.outputs)
            target = self._target(step.target or step.outputs)
            if self.program.penalty in step.outputs:
                target = f"{self.owner}.{PENALTY}"
            elif single and returned[0] in step.outputs and returned[0] not in known:
                target = self._declare(returned[0], target)
            for tensor in step.outputs:
                self.typed[self.locals.named[tensor]] = tensor in known
            if step.carried is not None:
                self._loop(step, target)
            elif target != text:
                statement = text if step.effect else f"{target} = {text}"
                self._put(f"{statement}{self._comment(line)}", may_join=not step.effect)
            if index + 1 < len(lines) and lines[index + 1].last.when:
                continue
            branches = any(readers[t] > 1 for t in step.outputs)
            joins = len(self.locals.reads[index].keys() - inputs) > 1
            left = len(lines) - 1 - index
            if (branches and left) or (joins and left > 1):
                self.lines.append("")
        self._enter("", None)
        self._branch("")
        self.lines.append(f"return {self._returned()}")

    def _enter(self, dtype: str, line: Line | None) -> None:
        """Begin or end the block of `torch.autocast`."""
        if dtype == self.precision:
            return
        self.precision = dtype
        if dtype and line is not None:
            x = next(t for t in line.reads if t.dtype != STRING)
            device = f"{self.locals.named[x]}.device.type"
            self.lines.append(f"with torch.autocast({device}, dtype=torch.{dtype}):")

    def _branch(self, condition: str) -> None:
        """Begin or end the statements under a condition."""
        if condition != self.branch:
            self.branch, self.begun = condition, len(self.lines)

    def _loop(self, step: Step, target: str) -> None:
        """Call the modules of a list one after another."""
        call = step.expr
        assert isinstance(call, Call)
        assert isinstance(call.func, SelfAttr)
        assert step.carried is not None
        args = [self.locals.named[tensor] for tensor in call.args]
        variable = self.locals.scope.claim("block")
        name = target.partition(":")[0]
        if args[step.carried] != target:
            self._put(f"{target} = {args[step.carried]}")
        args[step.carried] = target = name
        self._put(f"for {variable} in {self.owner}.{call.func.attr}:")
        self._put(f"    {target} = {variable}({', '.join(args)})")

    def _put(self, statement: str, *, may_join: bool = False) -> None:
        """Add a statement, inside of the block of `torch.autocast` or the condition if there is one.

        Two statements of one variable under opposite conditions are written as one.
        """
        inside = "    " if self.precision else ""
        if not self.branch:
            self.lines.append(f"{inside}{statement}")
            return
        opposite = self.branch in (f"not {self.closed}", f"not ({self.closed})")
        if len(self.lines) == self.begun and opposite:
            if may_join and self._join_branches(statement):
                return
            self.lines.append("else:")
        elif len(self.lines) == self.begun:
            self.lines.append(f"if {self.branch}:")
            self.closed = self.branch
        self.lines.append(f"    {statement}")

    def _join_branches(self, statement: str) -> bool:
        """Write the statement before, alone under its condition, and this one as one."""
        if len(self.lines) < 2 or self.lines[-2] != f"if {self.closed}:":
            return False
        target, _, value = statement.partition(" = ")
        first, _, other = self.lines[-1].strip().partition(" = ")
        other = other.partition("  # ")[0]
        text = f"{first} = {other} if {self.closed} else {value}"
        if first.partition(":")[0] != target.partition(":")[0] or INDENT + len(text) > WIDTH:
            return False
        self.lines[-2:] = [text]
        return True

    def _known(self, line: Line) -> set[Tensor]:
        names = self.locals.named
        known = [t for t in line.reads if names[t] in self.declared or self.typed.get(names[t])]
        return known_outputs(line.steps, known, self.program.builder.helpers)

    def _return(self, text: str, comment: str, *, known: bool) -> None:
        """Return a value, through a variable with a declared type if a type checker needs it."""
        if known:
            self.lines.append(f"return {text}{comment}")
            return
        name = next((letter for letter in LETTERS if letter in self.declared), "")
        if name:
            target = name
        else:
            (tensor,) = self.program.outputs.values()
            name = tensor.name
            if name != LETTERS[0] or name in self.typed:  # letters are assigned without a claim
                name = self.locals.scope.claim(identifier(name))
            target = f"{name}: torch.Tensor"
        self.lines += [f"{target} = {text}{comment}", f"return {name}"]

    def _declare(self, tensor: Tensor, target: str) -> str:
        """The assignment's target, with the declared type of a value that forward returns."""
        name = self.locals.named[tensor]
        if name in self.declared:
            return target
        self.declared.add(name)
        if target == name:
            return f"{name}: torch.Tensor"
        self._put(f"{name}: torch.Tensor")
        return target

    def _target(self, outputs: tuple[Any, ...]) -> str:
        """The assignment's target, nested like the call's result; ``_`` for unused values."""
        parts = []
        for item in outputs:
            if isinstance(item, tuple):
                inner = self._target(item)
                end = "," if len(item) == 1 else ""
                parts.append("_" if set(inner.split(", ")) == {"_"} else f"({inner}{end})")
            else:
                parts.append(self.locals.named[item])
        return ", ".join(parts)

    def _returned(self) -> str:
        names = {key: self.locals.named[t] for key, t in self.program.outputs.items()}
        masks = {key: self.locals.named[t] for key, t in self.program.returned_masks.items()}
        if self.program.graph.output_form == "mapping":
            from specfmt.targets.source import string

            names |= {f"{key}_mask": name for key, name in masks.items()}
            return "{" + ", ".join(f"{string(k)}: {v}" for k, v in names.items()) + "}"
        if self.program.returns_one:
            return next(iter(names.values()))
        values = [*names.values(), *masks.values()]
        return ", ".join(values) + ("," if len(values) == 1 else "")
