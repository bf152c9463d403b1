"""Chains of calls, subscripts and attributes, with the arguments and comprehensions in them."""

from __future__ import annotations

import ast

from specfmt.targets.pyformat.doc import SOFT, SPACE, Doc, Group, join
from specfmt.targets.pyformat.layout import NOWHERE, Entry, Layout
from specfmt.targets.pyformat.parentheses import is_string


class Chains(Layout):
    """Lays out what is called, subscripted or looked up, as one chain."""

    def chain_link(
        self, node: ast.Attribute | ast.Call | ast.Subscript, fluent: bool | None
    ) -> Doc:
        is_root = fluent is None
        if fluent is None:
            fluent = self.level != NOWHERE and self.parentheses.is_fluent(node)
        inner = node.func if isinstance(node, ast.Call) else node.value
        linked = isinstance(inner, (ast.Attribute, ast.Call, ast.Subscript))
        parenthesized = self.tokens.parenthesized(inner)
        if parenthesized:
            head = self.always(inner)
        elif linked and (fluent or not isinstance(node, ast.Attribute)):
            head = self.bare(inner, fluent)
        else:
            head = self.bare(inner)
        if isinstance(node, ast.Attribute):
            breaks = fluent and (parenthesized or isinstance(inner, (ast.Call, ast.Subscript)))
            content: Doc = [head, SOFT if breaks else "", f".{node.attr}"]
        elif isinstance(node, ast.Call):
            content = [head, self.arguments(node, self.tokens.end(node))]
        else:
            content = [head, self.bracketed("[", lambda: self._index(node), "]")]
        return Group(content) if fluent and is_root else content

    def _index(self, node: ast.Subscript) -> Doc:
        index = node.slice
        if not isinstance(index, ast.Tuple) or self.parentheses.is_tuple(index):
            return self.expression(index)
        if len(index.elts) == 1:
            comma = self.has_comma(self.tokens.outer(index.elts[0])[1], self.tokens.end(index))
            return [self.expression(index.elts[0]), "," if comma else ""]
        return Group(self.sequence(self.entries(index.elts), self.tokens.end(node)))

    def arguments(self, node: ast.Call | ast.ClassDef, end: int) -> Doc:
        """The arguments of a call or of a class, in their parentheses, which close at `end`."""
        positional = node.args if isinstance(node, ast.Call) else node.bases
        if not positional and not node.keywords:
            return "()"
        entries = self.entries(positional)
        entries.extend(self._keyword(keyword) for keyword in node.keywords)
        entries.sort(key=lambda entry: entry.first)
        hug = False
        if len(positional) == 1 and not node.keywords:
            lone = positional[0]
            hug = self._hugs(lone, end)
            if isinstance(lone, ast.GeneratorExp) and self.parentheses.is_bare_generator(lone):
                return self.bracketed("(", lambda: Group(self.comprehension(lone, lone.elt)), ")")
        return self.bracketed("(", lambda: Group(self.sequence(entries, end)), ")", hug)

    def _hugs(self, lone: ast.expr, end: int) -> bool:
        """Whether a multi-line string stands as sole argument without lines of its own."""
        if not is_string(lone) or self.has_comma(self.tokens.end(lone), end):
            return False
        parts = self.parentheses.parts(lone)
        if len(parts) > 1 or not self.parentheses.is_multiline(lone):
            return False
        first = self.tokens.start(lone)
        return self.tokens.text(first - 1, first)[1:2] not in " \n"

    def _keyword(self, node: ast.keyword) -> Entry:
        name = "**" if node.arg is None else f"{node.arg}="
        last = self.tokens.outer(node.value)[1]
        return Entry(self.tokens.start(node), last, lambda: [name, self.expression(node.value)])

    def comprehension(
        self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp, element: ast.expr
    ) -> Doc:
        if isinstance(node, ast.DictComp):
            head: Doc = [Group(self.expression(node.key)), ": ", self.expression(node.value)]
        else:
            head = Group(self.expression(element))
        return Group(
            [head, SPACE, join([self._generator(each) for each in node.generators], SPACE)]
        )

    def _generator(self, node: ast.comprehension) -> Doc:
        target: Doc
        if isinstance(node.target, ast.Tuple) and not self.parentheses.is_tuple(node.target):
            if len(node.target.elts) == 1:
                target = self.bare(node.target)
            else:
                target = join([self.expression(each) for each in node.target.elts], ", ")
        else:
            target = self.expression(node.target)
        head: list[Doc] = ["async " if node.is_async else "", "for ", target, " in "]
        head.append(self.expression(node.iter))
        for test in node.ifs:
            head.extend([SPACE, "if ", self.expression(test)])
        return head
