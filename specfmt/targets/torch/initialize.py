"""Initialization of a new PyTorch model with Keras's distributions and fans.

Seeds of individual initializers have no effect: PyTorch code draws from one generator.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from specfmt.layers.base import Weight
from specfmt.targets.source import embedded, formatted, string
from specfmt.targets.torch.expr import Formula
from specfmt.targets.torch.initializer_statements import Copy, Fill, InFloat32, Statements
from specfmt.targets.torch.initializers import stand_in, statements
from specfmt.targets.torch.params import Constant, Literal, Memory
from specfmt.targets.torch.program import ClassProgram
from specfmt.targets.torch.static_types import is_declared, looked_up
from specfmt.targets.torch.steps import ModuleDef, ParamDef
from specfmt.vocab.base import CUSTOM, Term
from specfmt.vocab.naming import to_snake_case

NORM = {"weight": 1.0, "bias": 0.0, "running_mean": 0.0, "running_var": 1.0}

STOCK_VALUES: dict[str, dict[str, float]] = {
    **{f"nn.BatchNorm{n}d": NORM for n in (1, 2, 3)},
    **{f"nn.InstanceNorm{n}d": NORM for n in (1, 2, 3)},
    "nn.LayerNorm": NORM,
    "nn.GroupNorm": NORM,
    "AnyGroupNorm": NORM,
    "nn.RMSNorm": NORM,
    "nn.PReLU": {"weight": 0.25},
}
"""Initial values of stock modules; nothing is generated where Keras's are the same."""

COMPOSITE = ("nn.MultiheadAttention", "nn.Transformer")
"""Stock modules that contain other stock modules."""

MANY = 4
"""With more modules of one class than this, one loop over all modules initializes them."""


@dataclass(frozen=True)
class Entry:
    """The initialization of one module or parameter.

    Attributes:
        attr: Its attribute name in the class.
        ctor: The module's constructor; empty for a parameter of the class itself.
        params: (parameter name, statements) for each parameter whose default differs from Keras's.
        buffers: The parameter names that are buffers.
        optional: The parameter names that the module may lack.
        condition: The condition under which the class has it; empty if it always does.
    """

    attr: str
    ctor: str
    params: tuple[tuple[str, Statements], ...]
    buffers: frozenset[str] = frozenset()
    optional: frozenset[str] = frozenset()
    condition: str = ""


@dataclass(frozen=True)
class Initialized:
    """A parameter in a `Reset`.

    Attributes:
        place: The parameter, as source.
        statements: The statements that initialize it.
        condition: The condition under which it is there, as source; empty if it always is.
    """

    place: str
    statements: Statements
    condition: str = ""


@dataclass(frozen=True)
class Reset:
    """The initialization of a module, or of several in a loop; every text is source.

    Attributes:
        params: The parameters to initialize.
        variable: The loop variable; empty without a loop.
        over: The iterable of the loop.
        kinds: The classes of modules to initialize; empty for all.
    """

    params: list[Initialized]
    variable: str = ""
    over: str = ""
    kinds: str = ""


def resets(program: ClassProgram, owner: str) -> tuple[list[Reset], str]:
    """The initialization of the parameters of one class; nested classes have their own.

    Args:
        program: The class.
        owner: ``self`` in a method, ``model`` in a function.

    Returns:
        The initializations (none if PyTorch's defaults are right) and the docstring.

    Raises:
        SpecError: PyTorch has no such initializer (3xx).
    """
    drawn: list[Weight] = []
    entries = _entries(program, drawn)
    items = list(program.definitions())
    if program.block_classes:
        shared = _shared_kinds(program)
        loops = []
        own = [item for item in items if item.unit not in program.nested]
        for kinds, body in shared:
            others = [item for made in program.block_classes for item in made.program.definitions()]
            drawn += _drawn_by(program, kinds)
            loops.append(_for_kinds(kinds, body, [*own, *others], owner))
        done = {kind for kinds, _ in shared for kind in kinds}
        entries = [entry for entry in entries if entry.ctor not in done]
        return [*loops, *_grouped(entries, items, owner)], describe(drawn)
    return _grouped(entries, items, owner), describe(drawn)


def _entries(program: ClassProgram, drawn: list[Weight]) -> list[Entry]:
    """What a class has to initialize; the weights that are drawn are appended to ``drawn``."""
    entries = []
    shared = program.block.shared if program.block is not None else ()
    for item in program.definitions():
        if item.unit in program.nested or getattr(item, "initializes_itself", False):
            continue
        if isinstance(item, ModuleDef) and str(item.ctor.func) in shared:
            continue
        entry = _entry(item, program, drawn)
        if entry.params:
            entries.append(entry)
    return entries


def share_resets(program: ClassProgram) -> None:
    """Let the outermost model initialize the modules in blocks whose rule is the same everywhere."""
    found = frozenset(kind for kinds, _ in _shared_kinds(program) for kind in kinds)
    for made in program.block_classes:
        assert made.program.block is not None
        made.program.block.shared = found


def _shared_kinds(program: ClassProgram) -> list[tuple[list[str], Body]]:
    """Classes of stock modules that are initialized alike in a model and in all its blocks."""
    programs = [program, *(made.program for made in program.block_classes)]
    if any(
        one.builder.held or any(n.block is None for n in one.nested.values()) for one in programs
    ):
        return []
    items = [item for one in programs for item in one.definitions() if item.unit not in one.nested]
    if not all(_is_stock(item) for item in items if isinstance(item, ModuleDef)):
        return []
    entries: list[Entry] = []
    for one in programs:
        for item in one.definitions():
            own = item.unit not in one.nested
            if own and not getattr(item, "initializes_itself", False):
                entry = _entry(item, one, [])
                entries += [entry] if entry.params else []
    return _by_kind(entries, items, "model")


def _drawn_by(program: ClassProgram, kinds: list[str]) -> list[Weight]:
    """The weights that modules of these classes draw, in the blocks of a model."""
    drawn: list[Weight] = []
    for made in program.block_classes:
        for item in made.program.definitions():
            if isinstance(item, ModuleDef) and str(item.ctor.func) in kinds:
                _entry(item, made.program, drawn)
    return drawn


def _is_stock(item: ModuleDef) -> bool:
    """Whether a module is one of PyTorch's, without others inside."""
    ctor = str(item.ctor.func)
    return ctor.startswith("nn.") and not ctor.startswith(COMPOSITE)


def _entry(item: ModuleDef | ParamDef, program: ClassProgram, drawn: list[Weight]) -> Entry:
    weights = {weight.name: weight for weight in item.unit.weights}
    if isinstance(item, ParamDef):
        ctor, params, known = "", {"": item.value}, {}
    else:
        ctor, params = str(item.ctor.func), item.params
        known = STOCK_VALUES.get(ctor, {})
    found = []
    for name, raw in params.items():
        expr = program.resolve(raw)
        if isinstance(expr, (Literal, Memory)):
            continue
        made = statements(expr, weights)
        if item.dtype in LOW_PRECISION:
            made = _in_float32(made)
        if name in known and made == statements(Constant(expr.shape, known[name]), weights):
            continue
        drawn += [weights[source] for source in dict.fromkeys(expr.sources())]
        found.append((name, made))
    buffers = frozenset(
        name for name, _ in found if isinstance(item, ModuleDef) and item.is_buffer(name)
    )
    open_bias = isinstance(item, ModuleDef) and isinstance(item.ctor.kwargs.get("bias"), Formula)
    condition = program.block.tests.get(item.attr, "") if program.block is not None else ""
    optional = frozenset(["bias"] if open_bias else [])
    return Entry(item.attr, ctor, tuple(found), buffers, optional, condition)


LOW_PRECISION = ("float16", "bfloat16")


def _in_float32(made: Statements) -> Statements:
    """The statements on a float32 copy if PyTorch's initializer does not take half precision."""
    orthogonal = (isinstance(i, Fill) and i.function == "orthogonal" and not i.target for i in made)
    if not any(orthogonal):
        return made
    start = "start"
    return (InFloat32(name=start), *(item.on(start) for item in made), Copy(source=start))


def _grouped(entries: list[Entry], items: list[Definition], owner: str) -> list[Reset]:
    """All entries; those with equal statements share a loop."""
    modules = _by_kind(entries, items, owner)
    found = [_for_kinds(kinds, body, items, owner) for kinds, body in modules]
    done = {kind for kinds, _ in modules for kind in kinds}
    groups: dict[Any, list[Entry]] = defaultdict(list)
    for entry in entries:
        if entry.ctor not in done or not entry.ctor:
            alone = bool(not entry.ctor or entry.condition or entry.optional)
            groups[entry.attr if alone else (entry.params, entry.buffers)].append(entry)
    looped = {
        tuple(sorted({entry.ctor for entry in group})) for group in groups.values() if group[1:]
    }
    for group in groups.values():
        first, ctors = group[0], sorted({entry.ctor for entry in group})
        if len(group) == 1 and owner == "self":
            found.append(Reset(_params(group, f"self.{first.attr}")))
        elif len(group) == 1:
            found.append(Reset(_of_parts(first, partial(_path, first.attr))))
        elif owner == "self":
            # To a type checker, a loop variable has the type from its first loop.
            alone = len(looped) == 1 or len(ctors) > 1
            variable = "layer" if alone else _variable(ctors[0])
            names = ", ".join(f"self.{entry.attr}" for entry in group)
            found.append(Reset(_params(group, variable), variable, f"({names})"))
        else:
            names = ", ".join(string(entry.attr) for entry in group)
            found.append(Reset(_of_parts(first, _in_loop), "name", f"({names})"))
    return found


def _variable(ctor: str) -> str:
    """The loop variable for modules of one class: ``linear`` for `nn.Linear`."""
    return to_snake_case(ctor.rpartition(".")[2])


def _params(group: list[Entry], target: str) -> list[Initialized]:
    """The parameters of the module ``target``, which has the constructors of a group."""

    def place(name: str) -> str:
        if not name:
            return target
        known = all(is_declared(entry.ctor, name) for entry in group)
        buffer = name in group[0].buffers
        return f"{target}.{name}" if known else looked_up(target, name, buffer=buffer)

    first = group[0]
    return [
        Initialized(
            f"{target}.{name}" if name in first.optional else place(name),
            made,
            " and ".join(
                text
                for text in (
                    first.condition,
                    f"{target}.{name} is not None" if name in first.optional else "",
                )
                if text
            ),
        )
        for name, made in first.params
    ]


def _of_parts(entry: Entry, path: Callable[[str], str]) -> list[Initialized]:
    """The parameters of a part of an `nn.Sequential`, whose class no type checker knows."""
    found = []
    for name, made in entry.params:
        look = "get_buffer" if name in entry.buffers else "get_parameter"
        found.append(Initialized(f"model.{look}({path(f'.{name}')})", made))
    return found


def _path(attr: str, rest: str) -> str:
    """A parameter's path as a string: ``"dense.weight"``."""
    return string(attr + rest)


def _in_loop(rest: str) -> str:
    """A parameter's path with the loop variable: ``f"{name}.weight"``."""
    return formatted("{name}" + embedded(rest))


Body = dict[str, Statements]
Definition = ModuleDef | ParamDef


def _by_kind(
    entries: list[Entry], items: list[Definition], owner: str
) -> list[tuple[list[str], Body]]:
    """Classes of stock modules whose instances are all initialized alike in one loop.

    A loop is used if there are many instances, or if a type checker needs its ``isinstance``.

    Returns:
        The class names and the statements for each parameter.
    """
    total: dict[str, int] = defaultdict(int)
    for item in items:
        if isinstance(item, ModuleDef):
            total[str(item.ctor.func)] += 1
    bodies: dict[str, Body | None] = {}
    count: dict[str, int] = defaultdict(int)
    for entry in entries:
        if not entry.ctor.startswith("nn."):
            continue
        count[entry.ctor] += 1
        known = bodies.setdefault(entry.ctor, {})
        for name, text in entry.params:
            if known is not None and known.setdefault(name, text) != text:
                bodies[entry.ctor] = known = None
    groups: dict[tuple[Any, ...], list[str]] = defaultdict(list)
    for kind, body in bodies.items():
        if body is not None and count[kind] == total[kind] and "weight" in body:
            groups[tuple(sorted((n, t) for n, t in body.items() if n != "bias"))].append(kind)
    merged = []
    for kinds in groups.values():
        joint: Body = {}
        for kind in kinds:
            joint |= bodies[kind] or {}
        alike = all(joint.get(n) == t for kind in kinds for n, t in (bodies[kind] or {}).items())
        declared = all(is_declared(kind, name) for kind in kinds for name in joint)
        few = MANY if declared and owner == "self" else 1
        if alike and sum(total[kind] for kind in kinds) > few:
            merged.append((kinds, joint))
    return merged


def _for_kinds(kinds: list[str], body: Body, items: list[Definition], owner: str) -> Reset:
    """A loop: ``for module in self.modules(): if isinstance(module, (nn.Conv2d, ...)): ...``."""
    flat = all(_is_stock(item) for item in items if isinstance(item, ModuleDef))
    test = kinds[0] if len(kinds) == 1 else f"({', '.join(sorted(kinds))})"
    always = {
        name: all(
            name in item.params
            and is_declared(str(item.ctor.func), name)
            and not isinstance(item.ctor.kwargs.get(name), Formula)
            for item in items
            if isinstance(item, ModuleDef) and str(item.ctor.func) in kinds
        )
        for name in body
    }
    params = [
        Initialized(f"module.{name}", made, "" if always[name] else f"module.{name} is not None")
        for name, made in body.items()
    ]
    return Reset(params, "module", f"{owner}.{'modules' if flat else 'children'}()", test)


WORDS = {
    "Zeros": "zero",
    "Ones": "unit",
    "Constant": "constant",
    "Identity": "identity",
    "RandomNormal": "normal",
    "RandomUniform": "uniform",
    "TruncatedNormal": "truncated normal",
    "VarianceScaling": "variance-scaled",
    "GlorotUniform": "Glorot uniform",
    "GlorotNormal": "Glorot normal",
    "HeUniform": "He uniform",
    "HeNormal": "He normal",
    "LecunUniform": "LeCun uniform",
    "LecunNormal": "LeCun normal",
    "Orthogonal": "orthogonal",
    "STFT": "Fourier",
}

NOUNS = (
    ("recurrent_kernel", "recurrent kernels"),
    ("kernel", "kernels"),
    ("embeddings", "embeddings"),
    ("bias", "biases"),
)


def _initializer(weight: Weight) -> Term:
    """The initializer that PyTorch code uses for a weight."""
    return stand_in(weight) if weight.init.type == CUSTOM else weight.init


def describe(weights: list[Weight]) -> str:
    """The docstring of the initialization: ``Glorot uniform kernels and zero biases, ...``."""
    found: dict[str, set[str]] = {}
    for weight in weights:
        last = weight.name.rpartition("/")[2]
        noun = next((noun for end, noun in NOUNS if last.endswith(end)), "")
        found.setdefault(noun, set()).add(WORDS[_initializer(weight).type])
    nouns = [noun for _, noun in (NOUNS[1], NOUNS[0], *NOUNS[2:]) if noun in found]
    if not nouns or any(len(found[noun]) > 1 for noun in nouns):
        return "The distributions that Keras starts from."
    phrases = [f"{next(iter(found[noun]))} {noun}" for noun in nouns]
    text = phrases[0] if len(phrases) == 1 else f"{', '.join(phrases[:-1])} and {phrases[-1]}"
    return f"{text[0].upper()}{text[1:]}, as Keras starts."
