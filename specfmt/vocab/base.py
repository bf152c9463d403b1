"""Vocabulary entries: activations, initializers, losses, optimizers and so on.

In a spec an entry of the vocabulary is a bare name or ``{type: Name, ...arguments}``.  A `Term`
holds the name and the arguments; the Pydantic class is imported only when an argument is given
or read, so that validating a spec builds no class that it does not use.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from importlib import import_module
from typing import Any, ClassVar, Final

from pydantic import BaseModel

from specfmt.fields.errors import FieldError, NestedError, did_you_mean, error_to_diagnostic
from specfmt.fields.model import SpecModel, to_data
from specfmt.fields.rules import Rule
from specfmt.fields.spellings import FIX_HINT, FormerArguments
from specfmt.fields.validation import keys_of, validate
from specfmt.vocab.index import CONSTRUCTED, INDEX, KEEPS_SPELLING, NAMES_ONLY, REQUIRED, module_of


class TermSpec(SpecModel):
    """Base of all vocabulary classes; field names, order and defaults are Keras 3's.

    Class attributes:
        kind: The kind of entry, a key of `index.INDEX`, such as ``loss``.
        extra_fields: Fields that Keras does not have.
        former_arguments: Former argument names, with what replaced each.
    """

    kind: ClassVar[str] = ""
    extra_fields: ClassVar[tuple[str, ...]] = ()
    former_arguments: ClassVar[FormerArguments] = {}


CUSTOM = "Custom"
"""The type of a user-defined object."""


@cache
def term_class(kind: str, type_name: str) -> type[TermSpec]:
    """The Pydantic class behind a canonical type name, importing its module."""
    module = "custom" if type_name == CUSTOM else module_of(kind, type_name)
    cls: type[TermSpec] = getattr(import_module(f"specfmt.vocab.{module}"), type_name)
    return cls


@cache
def bare_names(kind: str) -> dict[str, str]:
    """Canonical type name -> Keras's bare name: ``GlorotUniform`` -> ``glorot_uniform``."""
    names: dict[str, str] = {}
    for spelling, type_name in INDEX[kind].items():
        names.setdefault(type_name, spelling)
    return names


def type_in_spec(kind: str, type_name: str) -> str:
    """The value of ``type:`` in a spec: the class name, or the bare name where Keras has a
    function (activations)."""
    known = type_name in INDEX[kind] or type_name == CUSTOM
    return type_name if known else bare_names(kind)[type_name]


def must_construct(kind: str, type_name: str) -> bool:
    """Whether Keras code has to construct an object because Keras finds none by a bare name."""
    return (kind, type_name) in CONSTRUCTED


class Term:
    """A vocabulary entry in a spec: its canonical type and the arguments that differ from defaults.

    ``term.type`` is the class name, ``term.name`` the bare name (for losses and metrics as
    the user spelled it, which is the name in Keras's logs), ``term.spec`` the Pydantic instance
    with all arguments.  ``term.constructed`` is true for a loss or metric given as
    ``{type: Name}``, for which Keras writes an object instead of a name.
    """

    __slots__ = ("_spec", "args", "constructed", "kind", "spelling", "type")

    def __init__(
        self,
        kind: str,
        type_name: str,
        args: dict[str, Any] | None = None,
        spelling: str = "",
        *,
        constructed: bool = False,
    ) -> None:
        self.kind = kind
        self.type = type_name
        self.args = args or {}
        self.spelling = spelling
        self.constructed = constructed or (kind in KEEPS_SPELLING and bool(self.args))
        self._spec: Any = None

    @property
    def name(self) -> str:
        if self.type == CUSTOM:
            return str(self.spec.name)
        return self.spelling or bare_names(self.kind).get(self.type, self.type)

    @property
    def layer(self) -> str:
        """The name of the layer that was given as an activation; empty for a function."""
        return str(self.args.get("layer") or "") if self.kind == "activation" else ""

    @property
    def spec(self) -> Any:
        if self._spec is None:
            self._spec = validate(term_class(self.kind, self.type), self.args, self.type)
        return self._spec

    def to_data(self) -> str | dict[str, Any]:
        """The shortest way to write this term in a spec."""
        if not self.args and not self.constructed:
            return self.name
        arguments = {key: to_data(value) for key, value in self.args.items()}
        return {"type": type_in_spec(self.kind, self.type), **arguments}

    def _key(self) -> tuple[str, str, str, dict[str, Any], bool]:
        return (self.kind, self.type, "" if self.args else self.name, self.args, self.constructed)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Term):
            return NotImplemented
        return self._key() == other._key()

    def __hash__(self) -> int:
        return hash((self.kind, self.type, tuple(sorted(self.args))))

    def __repr__(self) -> str:
        return f"Term({self.kind!r}, {self.type!r}, {self.args!r})"


_TERMS: dict[tuple[Any, ...], Term] = {}
MAX_TERMS = 4096
"""The largest size of the cache of terms, which bounds memory for hostile documents."""


class TermRule(Rule):
    """A vocabulary entry of one ``kind``; null is read as the term ``null``, if that is given."""

    def __init__(self, kind: str, *, nullable: bool = False, null: Term | None = None) -> None:
        self.kind = kind
        self.nullable = nullable
        self.null = null

    def check(self, value: Any) -> Term | None:
        if value is None and self.nullable:
            return self.null
        if isinstance(value, Term) and value.kind == self.kind:
            return value
        table = INDEX[self.kind]
        if isinstance(value, str):
            if value not in table:
                raise unknown_term(self.kind, value)
            type_name = table[value]
            if required_arguments(self.kind, type_name):
                needed = ", ".join(required_arguments(self.kind, type_name))
                raise FieldError(
                    f"{{type: {type_in_spec(self.kind, type_name)}, ...}} with {needed}",
                    value,
                    "write it as a mapping with its required arguments",
                )
            return Term(self.kind, type_name, spelling=value if self.kind in KEEPS_SPELLING else "")
        if isinstance(value, dict) and isinstance(value.get("type"), str):
            return self._cached(value)
        hint = "start with `type:`" if isinstance(value, dict) and "type" not in value else ""
        raise FieldError(f"the name of {_article(self.kind)} or {{type: Name, ...}}", value, hint)

    def _cached(self, value: dict[str, Any]) -> Term:
        """Models repeat the same entries many times; each is read once."""
        key = (self.kind, *((k, v.__class__, v) for k, v in value.items()))
        try:
            found = _TERMS.get(key)
        except TypeError:  # a list or a mapping among the arguments
            return self._from_mapping(value)
        if found is None:
            found = self._from_mapping(value)
            if len(_TERMS) < MAX_TERMS:
                _TERMS[key] = found
        return found

    def _from_mapping(self, value: dict[str, Any]) -> Term:
        table = INDEX[self.kind]
        spelling = value["type"]
        if spelling == CUSTOM:
            return self._custom(value)
        if spelling not in table:
            raise NestedError([error_to_diagnostic(unknown_term(self.kind, spelling), ("type",))])
        type_name = table[spelling]
        word = validate(
            term_class(self.kind, type_name),
            {key: item for key, item in value.items() if key != "type"},
            type_in_spec(self.kind, type_name),
        )
        given = word.explicit_arguments()
        if (self.kind, type_name) in NAMES_ONLY:
            return Term(self.kind, type_name, spelling=value["type"])
        return Term(self.kind, type_name, given, constructed=self.kind in KEEPS_SPELLING)

    def _custom(self, value: dict[str, Any]) -> Term:
        cls = term_class(self.kind, CUSTOM)
        given = {key: item for key, item in value.items() if key != "type"}
        keys = {field: key for key, field in keys_of(cls).items()}
        arguments = validate(cls, given, CUSTOM).explicit_arguments()
        return Term(self.kind, CUSTOM, {keys[key]: item for key, item in arguments.items()})

    def schema(self) -> dict[str, Any]:
        ref = {"$ref": f"#/$defs/{self.kind}"}
        return {"anyOf": [ref, {"type": "null"}]} if self.nullable else ref


def required_arguments(kind: str, type_name: str) -> tuple[str, ...]:
    """The required arguments of a vocabulary entry; the index has them, so nothing is imported."""
    return REQUIRED.get((kind, type_name), ())


def unknown_term(kind: str, name: str) -> FieldError:
    """The error about an unknown name, which may be a former spelling or a typo."""
    from specfmt.vocab.former_names import current_name

    today = current_name(kind, name, INDEX[kind])
    if today is not None:
        current = today if isinstance(today, str) else today["type"]
        return FieldError(f"{kind} {current}", name, FIX_HINT, "SF124")
    hint = did_you_mean(name, INDEX[kind]) or "one of " + ", ".join(bare_names(kind).values())
    return FieldError(f"the name of {_article(kind)}", name, hint)


def _article(kind: str) -> str:
    return f"an {kind}" if kind[0] in "aeio" else f"a {kind}"


def terms_in(value: Any) -> list[Term]:
    """Every term in a layer, a term, or nested lists of them, in the order of the fields."""
    found: list[Term] = []
    _collect(value, found)
    return found


_PLAIN: Final = frozenset({type(None), bool, int, float, str})


def _collect(value: Any, found: list[Term]) -> None:
    if isinstance(value, Term):
        found.append(value)
        _collect(value.args, found)
    elif isinstance(value, BaseModel):
        for item in vars(value).values():
            if type(item) not in _PLAIN:  # most fields
                _collect(item, found)
    elif isinstance(value, (str, bytes)):
        return
    elif isinstance(value, dict):
        for item in value.values():
            _collect(item, found)
    elif isinstance(value, Iterable):
        for item in value:
            _collect(item, found)
