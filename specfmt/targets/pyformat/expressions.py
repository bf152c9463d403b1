"""Expressions as documents."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from typing import Any, ClassVar

from specfmt.targets.pyformat.chains import Chains
from specfmt.targets.pyformat.doc import (
    EXPAND,
    HARD,
    BestFitting,
    Doc,
    Group,
    IfBreaks,
    Indent,
    flatten,
    join,
    will_break,
)
from specfmt.targets.pyformat.layout import IN_BRACKETS, NOWHERE, Entry
from specfmt.targets.pyformat.parentheses import (
    OPERATORS,
    Needs,
    Parenthesize,
    is_string,
)
from specfmt.targets.pyformat.tokens import UnsupportedError

_LITERAL = re.compile(r'([fFbB]?)"([^"\n]*)"')


class Expressions(Chains):
    """Lays out the expressions of one logical line."""

    def bare(self, node: ast.expr, fluent: bool | None = None) -> Doc:
        if isinstance(node, (ast.Attribute, ast.Call, ast.Subscript)):
            return self.chain_link(node, fluent)
        method = self._METHODS.get(type(node))
        if method is None:
            raise UnsupportedError
        return method(self, node)

    # Displays and comprehensions

    def _list(self, node: ast.List) -> Doc:
        return self._display("[", node.elts, "]", self.tokens.end(node))

    def _set(self, node: ast.Set) -> Doc:
        return self._display("{", node.elts, "}", self.tokens.end(node))

    def _display(self, left: str, nodes: list[ast.expr], right: str, end: int) -> Doc:
        if not nodes:
            return left + right
        return self.bracketed(left, lambda: self.sequence(self.entries(nodes), end), right)

    def tuple_items(self, node: ast.Tuple) -> Doc:
        """The elements of a tuple without parentheses."""
        return self.sequence(self.entries(node.elts), self.tokens.end(node))

    def _tuple(self, node: ast.Tuple) -> Doc:
        if len(node.elts) == 1:
            return self.bracketed("(", lambda: [self.expression(node.elts[0]), ","], ")")
        if not node.elts or self.parentheses.is_tuple(node):
            return self._display("(", node.elts, ")", self.tokens.end(node))
        return self.if_expands(lambda: self.tuple_items(node))

    def _dict(self, node: ast.Dict) -> Doc:
        if not node.values:
            return "{}"
        entries = [
            self._pair(key, value) for key, value in zip(node.keys, node.values, strict=True)
        ]
        return self.bracketed("{", lambda: self.sequence(entries, self.tokens.end(node)), "}")

    def _pair(self, key: ast.expr | None, value: ast.expr) -> Entry:
        first, last = self.tokens.outer(value)
        if key is None:
            return Entry(first - 1, last, lambda: Group(["**", self.expression(value)]))
        return Entry(
            self.tokens.outer(key)[0],
            last,
            lambda: Group([self.expression(key), ": ", self.expression(value)]),
        )

    def _list_comp(self, node: ast.ListComp) -> Doc:
        return self.bracketed("[", lambda: self.comprehension(node, node.elt), "]")

    def _set_comp(self, node: ast.SetComp) -> Doc:
        return self.bracketed("{", lambda: self.comprehension(node, node.elt), "}")

    def _generator_exp(self, node: ast.GeneratorExp) -> Doc:
        return self.bracketed("(", lambda: self.comprehension(node, node.elt), ")")

    def _dict_comp(self, node: ast.DictComp) -> Doc:
        return self.bracketed("{", lambda: self.comprehension(node, node.key), "}")

    # Operators

    def _operation(self, node: ast.BinOp | ast.Compare | ast.BoolOp) -> Doc:
        parts: list[Any] = []
        self._flatten(node, parts)
        if any(is_string(part) and len(self.parentheses.parts(part)) > 1 for part in parts):
            raise UnsupportedError  # an operand that is several literals has rules of its own
        return self._group(self._operands(parts))

    def _flatten(self, node: ast.expr, parts: list[Any]) -> None:
        """Appends operands and operators in turn, operands in parentheses as one."""
        operators: list[ast.AST]
        if isinstance(node, ast.BinOp):
            operands, operators = [node.left, node.right], [node.op]
        elif isinstance(node, ast.Compare):
            operands, operators = [node.left, *node.comparators], [*node.ops]
        elif isinstance(node, ast.BoolOp):
            operands, operators = node.values, [node.op] * (len(node.values) - 1)
        else:
            parts.append(node)
            return
        for index, operand in enumerate(operands):
            if index:
                parts.append(operators[index - 1])
            if self.tokens.parenthesized(operand):
                parts.append(operand)
            else:
                self._flatten(operand, parts)

    def _operands(self, parts: list[Any]) -> Doc:
        """Operands with breaks before the weakest operators, the chains between them grouped."""
        if len(parts) == 1:
            return self.expression(parts[0])
        precedences = [OPERATORS[type(operator)][1] for operator in parts[1::2]]
        weakest = max(precedences)
        content: list[Doc] = []
        start = 0
        for index, precedence in enumerate(precedences):
            if precedence != weakest:
                continue
            position = 2 * index + 1
            operator = parts[position]
            content.append(self._operand_slice(parts[start:position]))
            symbol = OPERATORS[type(operator)][0]
            start = position + 1
            if isinstance(operator, ast.Pow) and all(
                map(self._is_simple, (parts[position - 1], parts[position + 1]))
            ):
                content.extend([self._break(""), symbol, self._if_group_breaks(" ")])
            else:
                content.extend([self._break(), f"{symbol} "])
        content.append(self._operand_slice(parts[start:]))
        return content

    def _operand_slice(self, parts: list[Any]) -> Doc:
        operands = self._operands(parts)
        return operands if len(parts) == 1 else self._group(operands)

    def _if_group_breaks(self, content: Doc) -> Doc:
        if self.level == NOWHERE:
            return ""
        return IfBreaks(content, None if self.level == IN_BRACKETS else self.level)

    def _is_simple(self, node: ast.expr) -> bool:
        """Whether an operand of `**` is so short that no spaces stand around the operator."""
        if self.tokens.parenthesized(node):
            return False
        while isinstance(node, (ast.UnaryOp, ast.Attribute)):
            if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
                return False
            node = node.operand if isinstance(node, ast.UnaryOp) else node.value
        return isinstance(node, ast.Name) or (
            isinstance(node, ast.Constant) and not is_string(node) and node.value is not Ellipsis
        )

    def _unary(self, node: ast.UnaryOp) -> Doc:
        symbol = {ast.Not: "not ", ast.USub: "-", ast.UAdd: "+", ast.Invert: "~"}[type(node.op)]
        if isinstance(node.operand, ast.BinOp) and isinstance(node.operand.op, ast.Pow):
            return [symbol, self.always(node.operand)]
        return [symbol, self.expression(node.operand)]

    def _conditional(self, node: ast.IfExp) -> Doc:
        return self._group(self._branches(node))

    def _branches(self, node: ast.IfExp) -> Doc:
        content: list[Doc] = [self.expression(node.body), self._break(), "if "]
        content.extend([self.expression(node.test), self._break(), "else "])
        if isinstance(node.orelse, ast.IfExp) and not self.tokens.parenthesized(node.orelse):
            return [*content, self._branches(node.orelse)]
        return [*content, self._group(self.expression(node.orelse))]

    def _named(self, node: ast.NamedExpr) -> Doc:
        target = Group([self.expression(node.target), self._break()])
        return [target, ":= ", self.expression(node.value)]

    # The rest

    def _atom(self, node: ast.expr) -> Doc:
        return self.tokens.text(self.tokens.start(node), self.tokens.end(node))

    def _literal(self, node: ast.Constant | ast.JoinedStr) -> Doc:
        if not is_string(node):
            return self._atom(node)
        parts = self.parentheses.parts(node)
        if len(parts) == 1:
            return parts[0]
        flat = joined_literal(parts)
        if flat is None:
            raise UnsupportedError
        if self.level == NOWHERE:
            return flat
        return self._group([IfBreaks(flat, flat=True), IfBreaks(self.literals(parts))])

    def literals(self, parts: list[str]) -> Doc:
        """An implicitly concatenated string, one literal a line."""
        return join([*parts], self._break())

    def _starred(self, node: ast.Starred) -> Doc:
        return ["*", self.expression(node.value)]

    def _await(self, node: ast.Await) -> Doc:
        return ["await ", self.maybe(node.value, node, Parenthesize.IF_BREAKS)]

    def _yield(self, node: ast.Yield | ast.YieldFrom) -> Doc:
        if node.value is None:
            return "yield"
        keyword = "yield from " if isinstance(node, ast.YieldFrom) else "yield "
        return [keyword, self.maybe(node.value, node, Parenthesize.OPTIONAL)]

    def _slice(self, node: ast.Slice) -> Doc:
        parts = [node.lower, node.upper, node.step]
        gap = "" if all(part is None or _is_plain(part) for part in parts) else " "
        first, last = self.tokens.start(node), self.tokens.end(node)
        content: list[Doc] = []
        if node.lower is not None:
            first = self.tokens.outer(node.lower)[1] + 1
            content.extend([self.expression(node.lower), gap])
        content.append(":")
        if node.upper is not None:
            first = self.tokens.outer(node.upper)[1]
            content.extend([gap, self.expression(node.upper)])
        if ":" in self.tokens.strings[first + 1 : last + 1]:
            content.extend([gap if node.upper or not node.step else "", ":"])
            if node.step is not None:
                content.extend([gap, self.expression(node.step)])
        return content

    def _lambda(self, node: ast.Lambda) -> Doc:
        return [self.lambda_head(node), self.lambda_body(node)]

    def lambda_head(self, node: ast.Lambda) -> Doc:
        """`lambda` with its parameters, which never break."""
        names = self.parameters(node.args)
        if not names:
            return "lambda: "
        return ["lambda ", flatten(join([entry.build() for entry in names], ", ")), ": "]

    def lambda_body(self, node: ast.Lambda) -> Doc:
        """The body, in parentheses where that makes it fit."""
        body = node.body
        needs = self.parentheses.needs(body, node)
        if needs is Needs.ALWAYS:
            return self.always(body)
        if needs is Needs.MULTILINE:
            return self.if_expands(lambda: self.bare(body))
        if isinstance(body, (ast.Call, ast.Subscript)):
            content = self.bare(body)
            variants: list[Doc] = [
                content,
                Group(content, expand=True),
                ["(", Indent([HARD, content]), HARD, ")"],
            ]
            return [EXPAND if will_break(content) else "", BestFitting(variants)]
        if self.parentheses.has_own(body) is not None:
            return self.expression(body)
        return self.if_expands(lambda: self.bare(body))

    def parameters(self, node: ast.arguments) -> list[Entry]:
        """The parameters of a function, with their separators `/` and `*`."""
        found: list[Entry] = []
        positional = [*node.posonlyargs, *node.args]
        first_default = len(positional) - len(node.defaults)
        for index, arg in enumerate(positional):
            default = node.defaults[index - first_default] if index >= first_default else None
            found.append(self._parameter(arg, default))
            if index + 1 == len(node.posonlyargs):
                found.append(self._separator("/", found[-1].last + 2))
        if node.vararg:
            found.append(self._parameter(node.vararg, None, "*"))
        elif node.kwonlyargs:
            found.append(self._separator("*", self.tokens.start(node.kwonlyargs[0]) - 2))
        for arg, default in zip(node.kwonlyargs, node.kw_defaults, strict=True):
            found.append(self._parameter(arg, default))
        if node.kwarg:
            found.append(self._parameter(node.kwarg, None, "**"))
        return found

    def _separator(self, symbol: str, token: int) -> Entry:
        return Entry(token, token, lambda: symbol)

    def _parameter(self, node: ast.arg, default: ast.expr | None, stars: str = "") -> Entry:
        annotation = node.annotation
        first = self.tokens.start(node) - bool(stars)
        last = self.tokens.outer(annotation)[1] if annotation else self.tokens.start(node)
        if default is not None:
            last = self.tokens.outer(default)[1]

        def build() -> Doc:
            content: list[Doc] = [stars + node.arg]
            if annotation is not None:
                content.extend([": ", self.expression(annotation)])
            if default is not None:
                content.extend([" = " if annotation else "=", self.expression(default)])
            return content

        return Entry(first, last, build)

    _METHODS: ClassVar[dict[type[ast.expr], Callable[[Any, Any], Doc]]] = {
        ast.Name: _atom,
        ast.Constant: _literal,
        ast.JoinedStr: _literal,
        ast.List: _list,
        ast.Set: _set,
        ast.Tuple: _tuple,
        ast.Dict: _dict,
        ast.ListComp: _list_comp,
        ast.SetComp: _set_comp,
        ast.DictComp: _dict_comp,
        ast.GeneratorExp: _generator_exp,
        ast.BinOp: _operation,
        ast.Compare: _operation,
        ast.BoolOp: _operation,
        ast.UnaryOp: _unary,
        ast.IfExp: _conditional,
        ast.NamedExpr: _named,
        ast.Starred: _starred,
        ast.Await: _await,
        ast.Yield: _yield,
        ast.YieldFrom: _yield,
        ast.Slice: _slice,
        ast.Lambda: _lambda,
    }


def joined_literal(parts: list[str]) -> str | None:
    """Implicitly concatenated literals as one literal, None if they cannot be merged safely."""
    found = [_LITERAL.fullmatch(part) for part in parts]
    if not all(found):
        return None
    matches = [match for match in found if match]
    prefixes = {match[1].lower() for match in matches} - {""}
    if len(prefixes) > 1:
        return None
    prefix = prefixes.pop() if prefixes else ""
    text = ""
    for match in matches:
        content = match[2]
        if prefix == "f" and not match[1]:
            content = content.replace("{", "{{").replace("}", "}}")
        text += content
    return f'{prefix}"{text}"'


def _is_plain(node: ast.expr) -> bool:
    """Whether a part of a slice stands without spaces around the colon."""
    while isinstance(node, ast.UnaryOp) and not isinstance(node.op, ast.Not):
        node = node.operand
    return isinstance(node, (ast.Name, ast.Constant))
