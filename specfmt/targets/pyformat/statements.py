"""Statements, and the headers of compound ones, as documents."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any, ClassVar

from specfmt.targets.pyformat.doc import (
    HARD,
    BestFitParenthesize,
    BestFitting,
    Doc,
    FitsExpanded,
    Group,
    IfBreaks,
    Indent,
    soft_indent,
    will_break,
)
from specfmt.targets.pyformat.expressions import Expressions, joined_literal
from specfmt.targets.pyformat.layout import IN_BRACKETS, Entry
from specfmt.targets.pyformat.parentheses import OPERATORS, Needs, Parenthesize, is_string
from specfmt.targets.pyformat.tokens import Tokens, UnsupportedError

# Sums and the like are put in parentheses as statements of their own; products are not.
_ARITHMETIC = (ast.BitOr, ast.BitXor, ast.LShift, ast.RShift, ast.Add, ast.Sub)


class Statements(Expressions):
    """Lays out one logical line.

    Args:
        tokens: the tokens of the line.
        comment: the comment at its end, "" for none.
    """

    def __init__(self, tokens: Tokens, comment: str) -> None:
        super().__init__(tokens)
        self._comment: Doc = self.comment(comment) if comment else ""

    def line(self, node: ast.stmt | ast.expr | ast.ExceptHandler, ending: str) -> Doc:
        """The document of a logical line.

        Args:
            node: a statement, the expression of a decorator, or an exception handler.
            ending: what follows the node on the line: ":" or ": ..." for a header.

        Raises:
            UnsupportedError: if there is no layout rule for it.
        """
        if isinstance(node, ast.expr):
            content: Doc = ["@", self.maybe(node, ast.Pass(), Parenthesize.OPTIONAL)]
        else:
            method = self._STATEMENTS.get(type(node))
            if method is None:
                raise UnsupportedError
            content = method(self, node)
        if self.comments_left:
            raise UnsupportedError
        return [content, ending, self._comment]

    # Assignments

    def _assign(self, node: ast.Assign) -> Doc:
        first, *rest = node.targets
        head: list[Doc] = []
        if rest:
            head.extend([self.expression(first), " = "])
            for target in rest[:-1]:
                head.extend([self._later_target(target), " = "])
            return [*head, self._right_to_left(rest[-1], "=", node.value, node)]
        if self._brings_brackets(first) and not self.tokens.parenthesized(first):
            return self._right_to_left(first, "=", node.value, node)
        return [self.expression(first), " = ", self._left_to_right(node.value, node)]

    def _ann_assign(self, node: ast.AnnAssign) -> Doc:
        head: list[Doc] = [self.expression(node.target), ": "]
        always = self.parentheses.needs(node.annotation, node) is Needs.ALWAYS
        if node.value is None:
            if always:
                return [*head, self.always(node.annotation)]
            return [*head, self._left_to_right(node.annotation, node)]
        if not always and self.parentheses.is_splittable(node.annotation):
            return [*head, self._right_to_left(node.annotation, "=", node.value, node)]
        annotation = self.always(node.annotation) if always else self.bare(node.annotation)
        return [*head, annotation, " = ", self._left_to_right(node.value, node)]

    def _aug_assign(self, node: ast.AugAssign) -> Doc:
        operator = f"{OPERATORS[type(node.op)][0]}="
        if self._brings_brackets(node.target) and not self.tokens.parenthesized(node.target):
            return self._right_to_left(node.target, operator, node.value, node)
        target = self.expression(node.target)
        return [target, f" {operator} ", self._left_to_right(node.value, node)]

    def _brings_brackets(self, target: ast.expr) -> bool:
        return isinstance(target, ast.Tuple) or self.parentheses.has_own(target) is not None

    def _may_parenthesize(self, target: ast.expr) -> bool:
        if self._brings_brackets(target):
            return False
        while isinstance(target, ast.Attribute):
            if self.parentheses.has_any(target.value) is not None:
                return False
            target = target.value
        return not isinstance(target, ast.Subscript) and not (
            isinstance(target, ast.Call) and (target.args or target.keywords)
        )

    def _later_target(self, target: ast.expr) -> Doc:
        if self._may_parenthesize(target):
            return self.if_expands(lambda: self.bare(target))
        return self.bare(target)

    def _last_target(self, target: ast.expr) -> Doc:
        if self._may_parenthesize(target) and self.parentheses.can_omit(target):
            return self.optional(lambda: self.bare(target))
        return self._later_target(target)

    def _take_comment(self) -> Doc:
        """The comment of the line, to be printed with the value that it stands beside."""
        comment, self._comment = self._comment, ""
        return comment

    def _is_atom(self, node: ast.expr) -> bool:
        if is_string(node):
            return len(self.parentheses.parts(node)) == 1 and not self.parentheses.is_multiline(
                node
            )
        is_ellipsis = isinstance(node, ast.Constant) and node.value is Ellipsis
        return isinstance(node, (ast.Name, ast.Constant)) and not is_ellipsis

    def _value(self, node: ast.expr, parent: ast.stmt) -> Doc:
        if isinstance(node, ast.Lambda):
            head = self._lambda_value(node)
            return self.if_expands(head)
        return self.maybe(node, parent, Parenthesize.IF_BREAKS)

    def _lambda_value(self, node: ast.Lambda) -> Callable[[], Doc]:
        return lambda: [self.lambda_head(node), FitsExpanded(self.lambda_body(node))]

    def _left_to_right(self, node: ast.expr, parent: ast.stmt) -> Doc:
        """A value that breaks in itself: nothing before it can."""
        if self._is_atom(node):
            comment, group = self._take_comment(), self.new_group()
            content: Doc = [self.bare(node), IfBreaks(comment)]
            return [BestFitParenthesize(content, group), IfBreaks(comment, group, flat=True)]
        flat = self._joined(node)
        if flat is None:
            return self._value(node, parent)
        comment, group = self._take_comment(), self.new_group()
        joined: Doc = ["(", *self._lines([flat, comment]), ")"]
        expanded = self.at(group, lambda: self.literals(self.parentheses.parts(node)))
        apart: Doc = ["(", Indent([HARD, expanded]), HARD, ")", comment]
        variants: list[Doc] = [
            [flat, comment],
            Group(joined, group, expand=True),
            Group(apart, group, expand=True),
        ]
        return BestFitting(variants, all_lines=True)

    def _lines(self, content: Doc) -> list[Doc]:
        return [soft_indent(content)]

    def _joined(self, node: ast.expr) -> str | None:
        """An implicitly concatenated string as one literal; None for any other expression."""
        if not is_string(node):
            return None
        parts = self.parentheses.parts(node)
        return joined_literal(parts) if len(parts) > 1 else None

    def _right_to_left(
        self, target: ast.expr, operator: str, node: ast.expr, parent: ast.stmt
    ) -> Doc:
        """A value after a target that has brackets: the value breaks first, then the target."""
        if self._joined(node) is not None:
            raise UnsupportedError
        before, sign = self._last_target(target), f" {operator} "
        is_atom = self._is_atom(node)
        chain = isinstance(node, (ast.Attribute, ast.Call, ast.Subscript))
        best_fit = chain and self.parentheses.needs(node, parent) is Needs.BEST_FIT
        if not is_atom and not best_fit:
            return [before, sign, self._value(node, parent)]
        comment = self._take_comment() if is_atom else ""
        value = self.bare(node)
        if will_break(before):
            return [before, sign, value, comment]
        single: Doc = [before, sign, value, comment]
        in_parentheses: list[Doc] = self._lines([value, comment])
        parenthesized: Doc = [before, sign, "(", Group(in_parentheses, expand=True), ")"]
        split_target: Doc = [Group(before, expand=True), sign, value, comment]
        if not chain:
            return BestFitting([single, parenthesized, split_target])
        split_value: Doc = [before, sign, Group(value, expand=True)]
        return BestFitting([single, split_value, parenthesized, split_target])

    # Other simple statements

    def _return(self, node: ast.Return) -> Doc:
        value = node.value
        if value is None:
            return "return"
        if not isinstance(value, ast.Tuple):
            return ["return ", self._left_to_right(value, node)]
        if len(value.elts) == 2 and not self.parentheses.is_tuple(value):
            return ["return ", self.optional(lambda: self.tuple_items(value))]
        return ["return ", self.bare(value)]

    def _expr(self, node: ast.Expr) -> Doc:
        value = node.value
        if isinstance(value, ast.BinOp) and isinstance(value.op, _ARITHMETIC):
            return self.maybe(value, node, Parenthesize.OPTIONAL)
        return self.expression(value)

    def _assert(self, node: ast.Assert) -> Doc:
        content: list[Doc] = ["assert ", self.maybe(node.test, node, Parenthesize.IF_BREAKS)]
        if node.msg is not None:
            message = self.maybe(node.msg, node, Parenthesize.IF_BREAKS_PARENTHESIZED)
            content.extend([", ", message])
        return content

    def _raise(self, node: ast.Raise) -> Doc:
        content: list[Doc] = ["raise"]
        if node.exc is not None:
            content.extend([" ", self.maybe(node.exc, node, Parenthesize.OPTIONAL)])
        if node.cause is not None:
            content.extend([" from ", self.maybe(node.cause, node, Parenthesize.OPTIONAL)])
        return content

    def _delete(self, node: ast.Delete) -> Doc:
        if len(node.targets) == 1:
            return ["del ", self.maybe(node.targets[0], node, Parenthesize.IF_BREAKS)]
        return ["del ", self.if_expands(lambda: self.sequence(self.entries(node.targets)))]

    def _import_from(self, node: ast.ImportFrom) -> Doc:
        head = f"from {'.' * node.level}{node.module or ''} import "
        if node.names[0].name == "*":
            return [head, "*"]
        entries = [self._alias(alias) for alias in node.names]
        return [head, self.if_expands(lambda: self.sequence(entries, always_comma=True))]

    def _alias(self, node: ast.alias) -> Entry:
        text = f"{node.name} as {node.asname}" if node.asname else node.name
        return Entry(self.tokens.start(node), self.tokens.end(node), lambda: text)

    # Headers

    def _condition(self, node: ast.If | ast.While) -> Doc:
        keyword = self.tokens.strings[0]
        return [f"{keyword} ", self.maybe(node.test, node, Parenthesize.IF_BREAKS)]

    def _for(self, node: ast.For | ast.AsyncFor) -> Doc:
        target = node.target
        if isinstance(target, ast.Tuple) and len(target.elts) > 1:
            names = self.optional(lambda: self.tuple_items(target))
        elif isinstance(target, ast.Tuple):
            names = self.bare(target)
        else:
            names = self.maybe(target, node, Parenthesize.IF_BREAKS)
        head = "async for " if isinstance(node, ast.AsyncFor) else "for "
        return [head, names, " in ", self.maybe(node.iter, node, Parenthesize.IF_BREAKS)]

    def _match(self, node: ast.Match) -> Doc:
        return ["match ", self.maybe(node.subject, node, Parenthesize.IF_BREAKS)]

    def _except(self, node: ast.ExceptHandler) -> Doc:
        head = "except* " if self.tokens.strings[1:2] == ["*"] else "except "
        if node.type is None:
            return "except"
        content: list[Doc] = [head, self.maybe(node.type, node, Parenthesize.IF_BREAKS)]
        return [*content, f" as {node.name}" if node.name else ""]

    def _with(self, node: ast.With | ast.AsyncWith) -> Doc:
        head = "async with " if isinstance(node, ast.AsyncWith) else "with "
        entries = [self._with_entry(item, len(node.items) == 1) for item in node.items]
        single = node.items[0]
        if len(node.items) == 1 and not self.has_comma(entries[-1].last):
            if single.optional_vars is None or self.tokens.parenthesized(single.context_expr):
                context = self.maybe(single.context_expr, single, Parenthesize.IF_BREAKS)
                return [head, context, self._as(single)]
            if self.parentheses.can_omit(single.context_expr):
                return [head, self.optional(entries[0].build)]
        return [head, self.if_expands(lambda: self.sequence(entries))]

    def _with_entry(self, item: ast.withitem, single: bool) -> Entry:
        context = item.context_expr
        first, last = self.tokens.outer(context)
        if item.optional_vars is not None:
            last = self.tokens.outer(item.optional_vars)[1]

        def build() -> Doc:
            named = item.optional_vars is not None or not single
            if named and self.tokens.parenthesized(context):
                return [self.maybe(context, item, Parenthesize.NESTED), self._as(item)]
            return [self.bare(context), self._as(item)]

        return Entry(first, last, build)

    def _as(self, item: ast.withitem) -> Doc:
        return [" as ", self.expression(item.optional_vars)] if item.optional_vars else ""

    def _class(self, node: ast.ClassDef) -> Doc:
        self._refuse_type_parameters(node)
        if not node.bases and not node.keywords:
            return f"class {node.name}"
        return [f"class {node.name}", self.arguments(node, self.tokens.match[2])]

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> Doc:
        self._refuse_type_parameters(node)
        head = "async def " if isinstance(node, ast.AsyncFunctionDef) else "def "
        entries = self.parameters(node.args)
        content: list[Doc] = [self._parameter_list(node, entries)]
        returns = node.returns
        if returns is not None:
            if isinstance(returns, ast.Tuple):
                annotation = self.bare(returns)
            else:
                parenthesize = Parenthesize.IF_BREAKS
                if not entries:
                    parenthesize = Parenthesize.IF_BREAKS_PARENTHESIZED
                annotation = self.maybe(returns, node, parenthesize)
            content.extend([" -> ", annotation])
        return [head, node.name, Group(content)]

    def _parameter_list(
        self, node: ast.FunctionDef | ast.AsyncFunctionDef, entries: list[Entry]
    ) -> Doc:
        if not entries:
            return "()"
        opened = self.tokens.strings.index("(")
        closed = self.tokens.match[opened]

        def build() -> Doc:
            return self.sequence(entries, closed, always_comma=True)

        content = self.at(IN_BRACKETS, build)
        separators = bool(node.args.posonlyargs or node.args.kwonlyargs)
        lone = len(entries) == 1 and not separators
        return ["(", soft_indent(content if lone else Group(content)), ")"]

    def _refuse_type_parameters(self, node: ast.stmt) -> None:
        if getattr(node, "type_params", None):
            raise UnsupportedError

    _STATEMENTS: ClassVar[dict[type[ast.AST], Callable[[Any, Any], Doc]]] = {
        ast.Assign: _assign,
        ast.AnnAssign: _ann_assign,
        ast.AugAssign: _aug_assign,
        ast.Return: _return,
        ast.Expr: _expr,
        ast.Assert: _assert,
        ast.Raise: _raise,
        ast.Delete: _delete,
        ast.ImportFrom: _import_from,
        ast.If: _condition,
        ast.While: _condition,
        ast.For: _for,
        ast.AsyncFor: _for,
        ast.Match: _match,
        ast.ExceptHandler: _except,
        ast.With: _with,
        ast.AsyncWith: _with,
        ast.ClassDef: _class,
        ast.FunctionDef: _function,
        ast.AsyncFunctionDef: _function,
    }
