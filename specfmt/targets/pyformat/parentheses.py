"""Which expressions get optional parentheses when they break, and which bring their own.

The answers are ruff's: a call may break inside its own brackets, a sum needs parentheses around it,
a name is put in parentheses only if it fits there.
"""

from __future__ import annotations

import ast
from enum import Enum, IntEnum
from typing import TypeGuard

from specfmt.targets.pyformat.tokens import Tokens, UnsupportedError


class Needs(Enum):
    """What an expression needs when its statement does not fit on one line."""

    MULTILINE = "parentheses as soon as it spans lines"
    ALWAYS = "parentheses always"
    BEST_FIT = "parentheses if it fits in them"
    NEVER = "none: it has its own"


class Parenthesize(Enum):
    """What a statement grants the expressions in it."""

    OPTIONAL = "keep those of the source"
    IF_BREAKS = "if the expression breaks"
    IF_BREAKS_PARENTHESIZED = "if it breaks, rather than breaking inside its brackets"
    NESTED = "as before, also inside other parentheses"


class Precedence(IntEnum):
    """Binding strength, weakest last: a chain breaks at its weakest operators first."""

    NONE = 0
    ATTRIBUTE = 1
    EXPONENTIAL = 2
    INVERSION = 3
    MULTIPLICATIVE = 4
    ADDITIVE = 5
    SHIFT = 6
    BIT_AND = 7
    BIT_XOR = 8
    BIT_OR = 9
    COMPARATOR = 10
    BOOLEAN = 11
    CONDITIONAL = 12


OPERATORS: dict[type[ast.AST], tuple[str, Precedence]] = {
    ast.Add: ("+", Precedence.ADDITIVE),
    ast.Sub: ("-", Precedence.ADDITIVE),
    ast.Mult: ("*", Precedence.MULTIPLICATIVE),
    ast.MatMult: ("@", Precedence.MULTIPLICATIVE),
    ast.Div: ("/", Precedence.MULTIPLICATIVE),
    ast.Mod: ("%", Precedence.MULTIPLICATIVE),
    ast.FloorDiv: ("//", Precedence.MULTIPLICATIVE),
    ast.Pow: ("**", Precedence.EXPONENTIAL),
    ast.LShift: ("<<", Precedence.SHIFT),
    ast.RShift: (">>", Precedence.SHIFT),
    ast.BitOr: ("|", Precedence.BIT_OR),
    ast.BitXor: ("^", Precedence.BIT_XOR),
    ast.BitAnd: ("&", Precedence.BIT_AND),
    ast.Eq: ("==", Precedence.COMPARATOR),
    ast.NotEq: ("!=", Precedence.COMPARATOR),
    ast.Lt: ("<", Precedence.COMPARATOR),
    ast.LtE: ("<=", Precedence.COMPARATOR),
    ast.Gt: (">", Precedence.COMPARATOR),
    ast.GtE: (">=", Precedence.COMPARATOR),
    ast.Is: ("is", Precedence.COMPARATOR),
    ast.IsNot: ("is not", Precedence.COMPARATOR),
    ast.In: ("in", Precedence.COMPARATOR),
    ast.NotIn: ("not in", Precedence.COMPARATOR),
    ast.And: ("and", Precedence.BOOLEAN),
    ast.Or: ("or", Precedence.BOOLEAN),
}

_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp)
_NAMED_NEEDS_PARENTHESES = (
    *(ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Assert, ast.Return, ast.ExceptHandler),
    *(ast.withitem, ast.Yield, ast.YieldFrom, ast.Await, ast.Delete, ast.For, ast.AsyncFor),
    *(ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda),
)


def is_string(node: ast.AST) -> TypeGuard[ast.Constant | ast.JoinedStr]:
    """Whether a node is a string, bytes or f-string literal."""
    if isinstance(node, ast.Constant):
        return isinstance(node.value, (str, bytes))
    return isinstance(node, ast.JoinedStr)


def is_triple_quoted(literal: str) -> bool:
    """Whether a literal may contain line breaks as they are."""
    return literal.lstrip("rRbBfFuUtT")[:3] in ('"""', "'''")


class Parentheses:
    """Answers about the expressions of one logical line."""

    def __init__(self, tokens: Tokens) -> None:
        self.tokens = tokens
        self.parenthesized = tokens.parenthesized

    def parts(self, node: ast.expr) -> list[str]:
        """The literals that a string expression consists of."""
        return self.tokens.string_parts(self.tokens.start(node), self.tokens.end(node))

    def is_multiline(self, node: ast.expr) -> bool:
        """Whether a string has a triple-quoted part that contains line breaks."""
        return any("\n" in part and is_triple_quoted(part) for part in self.parts(node))

    def is_tuple(self, node: ast.expr) -> bool:
        """Whether a tuple is written with parentheses of its own."""
        first = self.tokens.start(node)
        return self.tokens.strings[first] == "(" and self.tokens.match[first] == (
            self.tokens.end(node)
        )

    def is_bare_generator(self, node: ast.expr) -> bool:
        """Whether a generator shares the parentheses of the call that it is the argument of."""
        return isinstance(node, ast.GeneratorExp) and self.tokens.start(node) in self.tokens.owned

    def has_own(self, node: ast.expr) -> bool | None:
        """Whether an expression's own brackets hold something; None if it has no brackets."""
        if isinstance(node, (*_COMPREHENSIONS, ast.Subscript)):
            return True
        if isinstance(node, ast.GeneratorExp):
            return None if self.is_bare_generator(node) else True
        if isinstance(node, (ast.List, ast.Set)):
            return bool(node.elts)
        if isinstance(node, ast.Tuple):
            return bool(node.elts) if self.is_tuple(node) else None
        if isinstance(node, ast.Dict):
            return bool(node.values)
        if isinstance(node, ast.Call):
            return bool(node.args or node.keywords)
        return None

    def has_any(self, node: ast.expr) -> bool | None:
        """As `has_own`, also counting parentheses around the expression."""
        own = self.has_own(node)
        return own if own or not self.parenthesized(node) else True

    def is_fluent(self, node: ast.expr) -> bool:
        """Whether a call chain has two or more attributes that follow a bracket."""
        after_brackets = 0
        while True:
            if isinstance(node, ast.Attribute):
                if self.parenthesized(node.value):
                    return after_brackets + 1 >= 2
                after_brackets += isinstance(node.value, (ast.Call, ast.Subscript))
                node = node.value
            elif isinstance(node, (ast.Call, ast.Subscript)):
                inner = node.func if isinstance(node, ast.Call) else node.value
                if self.parenthesized(inner):
                    return after_brackets >= 2
                node = inner
            else:
                return after_brackets >= 2

    def needs(self, node: ast.expr, parent: ast.AST) -> Needs:
        """What an expression needs when it breaks, as a child of `parent`."""
        awaited = Needs.ALWAYS if isinstance(parent, ast.Await) else Needs.MULTILINE
        if isinstance(node, (ast.BinOp, ast.Compare)):
            right = node.right if isinstance(node, ast.BinOp) else node.comparators[0]
            if awaited is Needs.MULTILINE and is_string(node.left):
                single = len(self.parts(node.left)) == 1 and self.is_multiline(node.left)
                if single and self.has_any(right) is not None:
                    return Needs.NEVER
            return awaited
        if isinstance(node, (ast.BoolOp, ast.IfExp, ast.Lambda)):
            return awaited
        if isinstance(node, (ast.Starred, ast.Slice)):
            return Needs.MULTILINE
        if isinstance(node, ast.NamedExpr):
            always = isinstance(parent, _NAMED_NEEDS_PARENTHESES)
            return Needs.ALWAYS if always else Needs.MULTILINE
        if isinstance(node, ast.UnaryOp):
            if awaited is Needs.ALWAYS:
                return awaited
            return self._needs_of(node.operand, node)
        if isinstance(node, (ast.Dict, ast.Set, ast.List, ast.Tuple, *_COMPREHENSIONS)):
            return Needs.NEVER
        if isinstance(node, ast.GeneratorExp):
            return Needs.ALWAYS if awaited is Needs.ALWAYS else Needs.NEVER
        if isinstance(node, ast.Await):
            if awaited is Needs.ALWAYS or _is_annotation(node, parent):
                return Needs.ALWAYS
            return self._needs_of(node.value, node)
        if isinstance(node, (ast.Yield, ast.YieldFrom)):
            if not isinstance(parent, (ast.Assign, ast.AnnAssign, ast.AugAssign)):
                return Needs.ALWAYS
            if _is_annotation(node, parent):
                return Needs.ALWAYS
            needs = self._needs_of(node.value, node) if node.value else Needs.NEVER
            return Needs.NEVER if needs is Needs.BEST_FIT else needs
        if isinstance(node, (ast.Call, ast.Attribute, ast.Subscript)):
            if self.is_fluent(node):
                return Needs.MULTILINE
            inner = node.func if isinstance(node, ast.Call) else node.value
            needs = self._needs_of(inner, node)
            if needs is Needs.BEST_FIT and isinstance(node, ast.Subscript):
                return _needs_of_returned(node, parent)
            return needs
        if is_string(node):
            if len(self.parts(node)) > 1:
                return Needs.MULTILINE
            return Needs.NEVER if self.is_multiline(node) else Needs.BEST_FIT
        if isinstance(node, (ast.Name, ast.Constant)):
            return Needs.BEST_FIT
        raise UnsupportedError

    def _needs_of(self, inner: ast.expr, parent: ast.expr) -> Needs:
        return Needs.NEVER if self.parenthesized(inner) else self.needs(inner, parent)

    def can_omit(self, node: ast.expr) -> bool:
        """Whether breaking inside the brackets of an expression beats parentheses around it."""
        found = _Brackets(self)
        found.subexpression(node)
        if not found.any or found.count > 1:
            return False
        if found.precedence <= Precedence.ATTRIBUTE:
            return True
        return any(
            end is not None and not isinstance(end, ast.Subscript) and self.has_any(end)
            for end in (found.last, found.first)
        )

    def is_splittable(self, node: ast.expr) -> bool:
        """Whether an annotation contains a place to break at."""
        if isinstance(node, (ast.Tuple, ast.Set, ast.List)):
            return bool(node.elts)
        if isinstance(node, ast.Dict):
            return bool(node.values)
        if isinstance(node, ast.UnaryOp):
            return self.is_splittable(node.operand)
        if isinstance(node, ast.Yield):
            return node.value is not None
        if isinstance(node, ast.Call):
            return bool(node.args or node.keywords) or self.parenthesized(node.func)
        if is_string(node):
            return len(self.parts(node)) > 1
        if isinstance(node, (ast.Lambda, ast.Starred, ast.Attribute)):
            inner = node.body if isinstance(node, ast.Lambda) else node.value
            return self.parenthesized(inner) or self.is_splittable(inner)
        return not isinstance(node, (ast.NamedExpr, ast.Name, ast.Constant, ast.Slice))


def _is_annotation(node: ast.expr, parent: ast.AST) -> bool:
    if isinstance(parent, ast.AnnAssign):
        return parent.annotation is node
    return isinstance(parent, (ast.FunctionDef, ast.AsyncFunctionDef)) and parent.returns is node


def _needs_of_returned(node: ast.Subscript, parent: ast.AST) -> Needs:
    """A subscript as return annotation breaks in the parameters first, if there are any."""
    if not isinstance(parent, (ast.FunctionDef, ast.AsyncFunctionDef)) or (
        parent.returns is not node
    ):
        return Needs.BEST_FIT
    arguments = parent.args
    positional = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    return Needs.NEVER if positional or arguments.vararg or arguments.kwarg else Needs.MULTILINE


class _Brackets:
    """Collects the brackets and the weakest operator of an expression, brackets not entered."""

    def __init__(self, parentheses: Parentheses) -> None:
        self.parentheses = parentheses
        self.any = False
        self.precedence = Precedence.NONE
        self.count = 0
        self.last: ast.expr | None = None
        self.first: ast.expr | None = None
        self._started = False

    def _operator(self, precedence: Precedence, count: int = 1) -> None:
        if precedence > self.precedence:
            self.precedence, self.count = precedence, count
        elif precedence == self.precedence:
            self.count += count

    def _visit(self, node: ast.expr) -> None:
        self.last = node
        if self.parentheses.parenthesized(node):
            self.any = True
        else:
            self.subexpression(node)
        if not self._started:
            self._started, self.first = True, node

    def subexpression(self, node: ast.expr) -> None:
        children: list[ast.expr] = []
        if isinstance(node, (ast.Call, ast.Subscript)):
            self.any = True
            self._visit(node.func if isinstance(node, ast.Call) else node.value)
            self.last = node
        elif isinstance(node, ast.Attribute):
            self._visit(node.value)
            if self.parentheses.has_any(node.value) is not None:
                self._operator(Precedence.ATTRIBUTE)
            self.last = node
        elif self.parentheses.has_own(node) is not None:
            self.any = True
        elif isinstance(node, ast.BoolOp):
            self._operator(Precedence.BOOLEAN, len(node.values) - 1)
            children = node.values
        elif isinstance(node, ast.BinOp):
            self._operator(OPERATORS[type(node.op)][1])
            children = [node.left, node.right]
        elif isinstance(node, ast.IfExp):
            self._operator(Precedence.CONDITIONAL, 2)
            children = [node.body, node.test, node.orelse]
        elif isinstance(node, ast.Compare):
            self._operator(Precedence.COMPARATOR, len(node.ops))
            children = [node.left, *node.comparators]
        elif isinstance(node, ast.NamedExpr):
            children = [node.target, node.value]
        elif isinstance(node, ast.Tuple):
            children = node.elts
        elif isinstance(node, ast.UnaryOp):
            if isinstance(node.op, ast.Invert):
                self._operator(Precedence.INVERSION)
            self._started = True
            children = [node.operand]
        elif isinstance(node, ast.Lambda):
            self._started = True
            defaults = [*node.args.defaults, *node.args.kw_defaults]
            children = [*[default for default in defaults if default], node.body]
        elif isinstance(node, (ast.Await, ast.Yield, ast.YieldFrom, ast.Starred)):
            self._started = True
            children = [node.value] if node.value else []
        for child in children:
            self._visit(child)
