"""One class for several uses of a block, by anti-unification of their programs.

What is the same in all uses stays; a number that differs becomes an expression of the parameters, and
what only some uses have stands under a condition.  Each expression is computed for every use
and chosen only if it gives the right value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from specfmt.graph.model import Graph
from specfmt.targets.blocks.lines import NoFitError
from specfmt.targets.blocks.merge import merged_order
from specfmt.targets.blocks.parameters import names_in, plain, same
from specfmt.targets.naming import Scope, identifier
from specfmt.targets.torch.blocks.arguments import (
    KEYWORDS,
    fields_of,
    is_telling,
    keyword_order,
    size_name,
)
from specfmt.targets.torch.blocks.fit import DiffersError, Fit
from specfmt.targets.torch.blocks.model import BlockBody, BlockClass, BlockDef
from specfmt.targets.torch.blocks.naming import entry_name, hints, plural, turned
from specfmt.targets.torch.blocks.parameters import parameters_of
from specfmt.targets.torch.blocks.repeated import bracketed, fit_repeated, texts_of
from specfmt.targets.torch.blocks.skeleton import DEFAULTS, by_parts, is_plain
from specfmt.targets.torch.class_builder import RESERVED, ClassBuilder
from specfmt.targets.torch.expr import Call, Expr, Name, SelfAttr, Tensor
from specfmt.targets.torch.program import ClassProgram
from specfmt.targets.torch.steps import ModuleDef, Step


class Joiner:
    """Joins the programs of several uses.

    Args:
        parts: The programs, which are alike (see `skeleton`).
        name: The name of the class.
    """

    def __init__(self, parts: Sequence[ClassProgram], name: str) -> None:
        self.parts, self.name = parts, name
        self.bodies: list[BlockBody] = [part.block for part in parts if part.block is not None]
        first = self.bodies[0]
        self.block = first.use.call.block
        self.scope = Scope(RESERVED - {"x"} | {"i"})
        self.values = [dict(body.values) for body in self.bodies]
        self.spelling = {
            name: self.scope.claim(identifier(name, "size")) for name in self.values[0]
        }
        self.fit = Fit(self.values, self.block, first.sizes, self.spelling)
        self.attrs: dict[Any, str] = {}
        self.program = self._empty()
        body = self.program.block
        assert body is not None
        self.body = body
        self.tensors: list[dict[Tensor, Tensor]] = [{} for _ in parts]
        self.made: dict[Tensor, tuple[int, frozenset[int]]] = {}
        self.texts: dict[str, str] = {}
        self.defined: dict[Any, ModuleDef] = {}
        self.steps: list[Step] = []
        self.present: list[frozenset[int]] = []
        self.extras: dict[str, Any] = {}
        self.conditions: dict[tuple[frozenset[int], frozenset[str]], str] = {}

    def _empty(self) -> ClassProgram:
        one = self.parts[0]
        builder = ClassBuilder(fidelity=one.builder.fidelity, file_scope=one.builder.file_scope)
        builder.helpers = one.builder.helpers
        builder.user_functions = one.builder.user_functions
        graph = Graph(self.name, one.graph.spec, {}, {}, [], [], {}, one.graph.output_form)
        program = ClassProgram(self.name, graph, builder, nested=one.nested)
        program.is_chain = one.is_chain
        body = self.bodies[0]
        program.block = BlockBody(body.kind, body.use, sizes=dict(body.sizes))
        return program

    # ------------------------------------------------------------------------- definitions

    def joined(self) -> BlockClass:
        """The class.

        Raises:
            DiffersError: The uses cannot be one class.
        """
        self._inputs()
        self._definitions()
        self._steps()
        self._outputs()
        self._place()
        parameters = parameters_of(self.body, self.values, self.fit, self.spelling, self.extras)
        for part, body, values in zip(self.parts, self.bodies, self.values, strict=True):
            body.values = values
            part.names = {
                attr: self.attrs[key]
                for attr, key in body.keys.items()
                if isinstance(attr, str) and key in self.attrs
            }
        body = self.body
        body.stored = {
            self.spelling[name]: self.spelling[name]
            for name in (*self.values[0],)
            if name in self.fit.stored
        }
        return BlockClass(self.name, parameters, self.program)

    def _definitions(self) -> None:
        tables = [
            {self.bodies[n].keys[item.attr]: item for item in part.entries()}
            for n, part in enumerate(self.parts)
        ]
        builder = self.program.builder
        for key in _order([list(table) for table in tables]):
            items: dict[int, Any] = {n: t[key] for n, t in enumerate(tables) if key in t}
            attr = self.attrs[key] = self.scope.claim(identifier(self._attr(key, items)))
            first = next(iter(items.values()))
            if isinstance(first, BlockDef):
                made: Any = self._block(key, items, attr)
                self.program.blocks[attr] = made
            elif isinstance(first, ModuleDef):
                creations = {n: item.ctor for n, item in items.items()}
                ctor = self._expr(creations, self._hints(key), inner=False)
                n, most = max(items.items(), key=lambda pair: len(pair[1].params))
                params = {k: self.parts[n].resolve(raw) for k, raw in most.params.items()}
                made = replace(first, attr=attr, ctor=ctor, params=params, unit=most.unit)
                builder.modules[key] = self.defined[key] = made
            else:
                made = replace(first, attr=attr)
                builder.parameters[key] = made
                shapes = {n: self.parts[n].resolve(item.value).shape for n, item in items.items()}
                self.body.shapes[attr] = self._expr(shapes, {}, inner=False)
                made.value = self.parts[next(iter(items))].resolve(first.value)
            builder.attrs[key] = attr
            if len(items) < len(self.parts):
                if self.program.is_chain or getattr(first, "stays_eval", False):
                    raise DiffersError("a condition where none can be")
                text = self._condition(frozenset(items), key)
                self.body.conditions[attr] = str(self.fit.formula(text))
                self.body.tests[attr] = str(self.fit.formula(text, inner=True))

    def _attr(self, key: Any, items: Mapping[int, Any]) -> str:
        """The name of an attribute: that inside the block."""
        where, suffix = key
        n, item = next(iter(items.items()))
        use = self.bodies[n].use
        if isinstance(item, BlockDef):
            call = item.use.call
            if len(where) <= 2 and call.parent is use.call:
                name, _ = entry_name(self.block, call.place)
                if item.container:
                    name = plural(name)
            else:
                name = turned(_relative(call.name, use.call.name))
        elif len(where) == 1:
            name, _ = entry_name(self.block, where[0])
        else:
            name = turned(_relative(item.unit.name, use.call.name))
        return f"{name}_{suffix}" if suffix else name

    def _hints(self, key: Any) -> dict[str, str]:
        where = key[0]
        return hints(self.block, where[0]) if len(where) == 1 else {}

    def _condition(self, present: frozenset[int], key: Any) -> str:
        """The text that is true for these uses; a parameter of its own if none is."""
        pattern = [n in present for n in range(len(self.parts))]
        where = key[0] if isinstance(key, tuple) and isinstance(key[0], tuple) else ()
        entry = self.block.layers[where[0]] if len(where) == 1 and where[0] != "" else {}
        own = [entry["when"]] if isinstance(entry, dict) and "when" in entry else []
        others = [e["when"] for e in self.block.layers if isinstance(e, dict) and "when" in e]
        near = {name for text in self._step_hints((where,)).values() for name in names_in(text)}
        opposite = frozenset(range(len(self.parts))) - present, frozenset(near)
        if opposite in self.conditions:
            return f"$(not ({self.conditions[opposite].removeprefix('$')}))"
        texts = [[text for text in whens if isinstance(text, str)] for whens in (own, others)]
        text = self.fit.condition(pattern, texts[0], near, texts[1])
        if text is None:
            base = entry_name(self.block, where[0])[0] if entry else "more"
            name = self._extra(f"with_{base}", dict(enumerate(pattern)))
            text = f"$({name})"
        self.conditions[present, frozenset(near)] = text
        return text

    def _extra(self, preferred: str, wanted: Mapping[int, Any]) -> str:
        """A new parameter for what differs."""
        name = preferred
        while name in self.values[0]:
            name += "_"
        items = [plain(value) for value in wanted.values()]
        usual = max(items, key=lambda item: sum(same(item, other) for other in items))
        often = sum(same(usual, other) for other in items) > 1
        for n, values in enumerate(self.values):
            values[name] = wanted.get(n, usual)
        if len(wanted) < len(self.values) or often or isinstance(usual, bool):
            self.extras[name] = False if isinstance(usual, bool) else usual
        self.spelling[name] = self.scope.claim(identifier(name))
        self.fit.vary(name)
        return name

    def _block(self, key: Any, items: Mapping[int, BlockDef], attr: str) -> BlockDef:
        """The uses of further blocks."""
        first = next(iter(items.values()))
        assert first.cls is not None
        entry: dict[str, str] = {}
        if len(key[0]) <= 2:
            entry = hints(self.block, first.use.call.place)
        made = BlockDef(attr, first.programs, container=first.container, cls=first.cls)
        if not first.container:
            wanted = {n: item.given[0] for n, item in items.items()}
            made.given = [
                {
                    p.key: self._fitted(
                        {n: given[p.key] for n, given in wanted.items()}, entry, p.key
                    )
                    for p in first.cls.parameters
                }
            ]
            return made
        counts = {n: len(item.programs) for n, item in items.items()}
        texts = [entry["repeat"]] if "repeat" in entry else []
        made.count = self.fit.value(counts, texts)
        samples = [
            (n, number, given)
            for n, item in items.items()
            for number, given in enumerate(item.given)
        ]
        inner = Fit(
            [{**self.values[n], "i": number} for n, number, _ in samples],
            self.block,
            self.body.sizes,
            self.spelling,
        )
        inner.parameters.varying = [*self.fit.parameters.varying, "i"]
        try:
            made.given = [
                {
                    p.key: fit_repeated(
                        inner,
                        [(i, given[p.key]) for _, i, given in samples],
                        texts_of(entry, p.key),
                    )
                    for p in first.cls.parameters
                }
            ]
        except DiffersError:
            if len(items) > 1 or len(self.parts) > 1:
                raise
            made.given, made.count = [given for _, _, given in samples], None
            return made
        made.index = "i" in inner.used
        self.fit.used |= {name: None for name in inner.used if name != "i"}
        return made

    def _fitted(self, wanted: Mapping[int, Any], entry: Mapping[str, str], name: str) -> Any:
        try:
            return self.fit.value(wanted, texts_of(entry, name))
        except DiffersError:
            return self.fit.formula(f"$({self._extra(name, wanted)})")

    # ------------------------------------------------------------------------------- steps

    def _inputs(self) -> None:
        for name in self.parts[0].inputs:
            own = {n: part.inputs[name] for n, part in enumerate(self.parts)}
            tensor = self._tensor(own, name)
            self.program.inputs[name] = tensor
            self.made[tensor] = (-1, frozenset(own))

    def _tensor(self, own: Mapping[int, Tensor], name: str) -> Tensor:
        """The tensor that stands for one in each of some uses."""
        first = next(iter(own.values()))
        shapes = {tensor.shape for tensor in own.values()}
        shape = first.shape if len(shapes) == 1 else (None,) * first.rank
        # Where the sizes differ the tensor has no shape that a comment could show.
        tensor = Tensor(
            shape,
            first.dtype,
            name,
            batch_axis=first.batch_axis,
            keeps_name=first.keeps_name,
            sizes=first.sizes if len(shapes) == 1 else None,
        )
        tensor.hidden = len(shapes) > 1 or len(own) < len(self.parts)
        for n, item in own.items():
            self.tensors[n][item] = tensor
            self.program.channels[tensor] = self.parts[n].channels.get(item, False)
        return tensor

    def _steps(self) -> None:
        tables = [
            {self.bodies[n].keys[step]: step for step in part.steps}
            for n, part in enumerate(self.parts)
        ]
        nodes: dict[Any, Any] = {}
        order = _order([list(table) for table in tables])
        for place, key in enumerate(order):
            own = {n: table[key] for n, table in enumerate(tables) if key in table}
            first = next(iter(own.values()))
            if len(own) < len(self.parts) and (self.program.is_chain or first.autocast):
                raise DiffersError("a condition where none can be")
            expr = self._expr(
                {n: s.expr for n, s in own.items()}, self._step_hints(key), inner=True
            )
            outputs = tuple(
                self._tensor(
                    {n: step.outputs[k] for n, step in own.items()}, self._value_name(key, own, k)
                )
                for k in range(len(first.outputs))
            )
            table = dict(zip(first.outputs, outputs, strict=True))
            module = None
            if first.module_def is not None:
                n = next(iter(own))
                module = self.defined.get(self.bodies[n].keys[first.module_def.attr])
            for tensor in outputs:
                self.made[tensor] = (place, frozenset(own))
            self.steps.append(
                replace(
                    first,
                    outputs=outputs,
                    expr=expr,
                    node=nodes.setdefault(key[0], key[0]),
                    module=None,
                    module_def=module,
                    target=None if first.target is None else _targets(first.target, table),
                )
            )
            self.present.append(frozenset(own))

    def _place(self) -> None:
        """Put the conditions on the steps, and after them what stands for values that are not there."""
        found: list[Step] = []
        for step, present in zip(self.steps, self.present, strict=True):
            if len(present) < len(self.parts):
                text = self._condition(present, (step.node,))
                step.when = str(self.fit.formula(text, inner=True))
            found.append(step)
            for tensor in step.outputs:
                other = self.body.joins.get(tensor)
                if other is not None:
                    found.append(
                        Step((tensor,), other, node=object(), when=f"not {bracketed(step.when)}")
                    )
        self.program.steps = found

    def _step_hints(self, key: Any) -> dict[str, str]:
        where = key[0]
        return hints(self.block, where[0]) if len(where) == 1 and where[0] != "" else {}

    def _value_name(self, key: Any, own: Mapping[int, Step], index: int) -> str:
        n, step = next(iter(own.items()))
        if step.outputs[index].keeps_name or step.outputs[index].rank == 0:
            return _relative(step.outputs[index].name, self.bodies[n].use.call.name)
        where = key[0]
        if len(where) != 1 or where[0] == "":
            return turned(_relative(step.outputs[index].name, self.bodies[n].use.call.name))
        name, given = entry_name(self.block, where[0])
        if not given:
            self.body.automatic |= {name}
        return name

    def _read(self, own: Mapping[int, Tensor]) -> Tensor:
        """The tensor that stands for what each use reads at one place."""
        wanted = {n: self.tensors[n][tensor] for n, tensor in own.items()}
        return self._either(wanted)

    def _either(self, wanted: Mapping[int, Tensor]) -> Tensor:
        tensors = set(wanted.values())
        if len(tensors) == 1:
            return tensors.pop()
        last = max(tensors, key=lambda tensor: self.made[tensor][0])
        users = {n for n, tensor in wanted.items() if tensor is last}
        rest = self._either({n: t for n, t in wanted.items() if n not in users})
        known = self.body.joins.get(last)
        there = self.made[last][1]
        if known is not None and known is not rest:
            raise DiffersError("two values for one that is not there")
        if known is None:
            if there & wanted.keys() != users or len(there) == len(self.parts):
                raise DiffersError("a value that some uses do not read")
            if not self._fills(last, rest):
                raise DiffersError("values of two kinds")
            self.body.joins[last] = rest
            if rest in self.program.inputs.values():
                last.name = "skip"
        return last

    def _fills(self, last: Tensor, rest: Tensor) -> bool:
        """Whether one value can stand for another."""
        channels = self.program.channels
        alike = (last.rank, last.dtype, channels[last]) == (rest.rank, rest.dtype, channels[rest])
        there, instead = self.made[last][1], self.made[rest][1]
        missing = frozenset(range(len(self.parts))) - there
        return alike and (missing <= instead or rest in self.body.joins)

    def _outputs(self) -> None:
        for place, name in enumerate(self.parts[0].outputs):
            own = {n: list(part.outputs.values())[place] for n, part in enumerate(self.parts)}
            self.program.outputs[name] = self._read(own)
        if len(set(self.program.outputs.values())) < len(self.program.outputs):
            raise DiffersError("one value for two outputs")

    # ------------------------------------------------------------------------- expressions

    def _expr(self, items: Mapping[int, Any], texts: Mapping[str, str], *, inner: bool) -> Any:
        """One expression for one of each use."""
        first = next(iter(items.values()))
        if isinstance(first, Tensor):
            return self._read(items)
        if isinstance(first, SelfAttr):
            n = next(iter(items))
            key = self.bodies[n].keys.get(first.attr)
            return SelfAttr(self.attrs.get(key, first.attr))
        if isinstance(first, Call):
            return self._call(items, texts, inner=inner)
        if isinstance(first, Name):
            return first
        if isinstance(first, (Expr, dict, tuple, list, slice)):
            return by_parts(items, lambda parts: self._expr(parts, texts, inner=inner))
        if first is None or first is Ellipsis:
            return first
        return self._hole(items, (), "size", inner=inner)

    def _call(self, items: Mapping[int, Any], texts: Mapping[str, str], *, inner: bool) -> Call:
        first = next(iter(items.values()))
        func = first.func
        if not isinstance(func, str):
            func = self._expr({n: i.func for n, i in items.items()}, texts, inner=inner)
        named = fields_of(str(func))
        args = []
        for k in range(len(first.args)):
            parts = {n: item.args[k] for n, item in items.items()}
            field = named[k] if k < len(named) else ""
            args.append(self._argument(parts, texts, [field], size_name(str(func), k), inner=inner))
        kwargs = {}
        for name in dict.fromkeys(name for item in items.values() for name in item.kwargs):
            if name == "inplace" and any(name not in item.kwargs for item in items.values()):
                continue
            parts = {n: item.kwargs.get(name, DEFAULTS.get(name)) for n, item in items.items()}
            known = [*KEYWORDS.get(name, ()), name]
            kwargs[name] = self._argument(parts, texts, known, name, inner=inner)
        if any(len(item.kwargs) < len(kwargs) for item in items.values()):
            kwargs = {name: kwargs[name] for name in sorted(kwargs, key=keyword_order)}
        return Call(func, tuple(args), kwargs)

    def _argument(
        self,
        parts: Mapping[int, Any],
        texts: Mapping[str, str],
        names: Sequence[str],
        preferred: str,
        *,
        inner: bool,
    ) -> Any:
        said = [texts[name] for name in names if name in texts]
        if not said and len(parts) < len(self.parts) and all(map(is_telling, parts.values())):
            said = list(texts.values())
        if not all(map(is_plain, parts.values())):
            return self._expr(parts, texts, inner=inner)
        lengths = {len(i) if isinstance(i, (tuple, list)) else -1 for i in parts.values()}
        if len(lengths) == 1 and lengths != {-1} and not said:
            return self._expr(parts, texts, inner=inner)
        return self._hole(parts, said, preferred, inner=inner)

    def _hole(
        self, parts: Mapping[int, Any], said: Sequence[str], preferred: str, *, inner: bool
    ) -> Any:
        try:
            return self.fit.value(parts, said, inner=inner)
        except DiffersError:
            return self.fit.formula(f"$({self._extra(preferred, parts)})", inner=inner)


def _targets(target: Any, table: Mapping[Tensor, Tensor]) -> Any:
    if isinstance(target, tuple):
        return tuple(_targets(item, table) for item in target)
    return table[target]


def _relative(name: str, around: str) -> str:
    return name.removeprefix(f"{around}_")


def _order(sequences: Sequence[list[Any]]) -> list[Any]:
    try:
        return merged_order(sequences)
    except NoFitError as error:
        raise DiffersError(str(error)) from None
