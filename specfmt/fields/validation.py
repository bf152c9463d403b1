"""Validation of plain data as a layer, vocabulary entry or document, with all findings at once."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from types import NoneType
from typing import TYPE_CHECKING, Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from specfmt.diagnostics import Diagnostic
from specfmt.fields.errors import (
    FieldError,
    NestedError,
    close_matches,
    did_you_mean,
    error_to_diagnostic,
    show,
)
from specfmt.fields.model import COMMON_FIELDS, SpecModel
from specfmt.fields.rules import Nullable, Rule
from specfmt.fields.spellings import former_arguments

if TYPE_CHECKING:
    from collections.abc import Mapping

    from specfmt.diagnostics import Path

M = TypeVar("M", bound=SpecModel)


def validate(cls: type[M], data: Mapping[str, Any], label: str) -> M:
    """Build ``cls`` from plain data.

    Args:
        cls: The class of a layer, vocabulary entry, document or part of one.
        data: Its fields.
        label: Its name in messages, usually its type name.

    Raises:
        NestedError: With every finding, paths relative to ``data``.
    """
    try:
        return cls.model_validate(data)
    except ValidationError as error:
        raise NestedError(_pydantic_findings(error, cls, label)) from None
    except UnicodeEncodeError:  # only in data made in Python, as reading a text refuses these
        message = f"expected {label} in Unicode, received half of a surrogate pair"
        raise NestedError([Diagnostic("SF123", message)]) from None


def _pydantic_findings(
    error: ValidationError, cls: type[SpecModel], label: str
) -> Iterator[Diagnostic]:
    """Pydantic's errors as diagnostics with specfmt's messages."""
    missing: list[Path] = []
    unknown: list[Path] = []
    for item in error.errors(include_url=False):
        path = tuple(item["loc"])
        cause = item.get("ctx", {}).get("error")
        if isinstance(cause, NestedError):
            yield from (d.under(path) for d in cause.diagnostics)
        elif isinstance(cause, FieldError):
            yield error_to_diagnostic(cause, path)
        elif item["type"] == "missing":
            missing.append(path)
        elif item["type"] in ("extra_forbidden", "invalid_key"):
            unknown.append(path)
        else:
            yield Diagnostic("SF123", f"{item['msg']}, received {show(item['input'])}", path)
    yield from _key_findings(missing, unknown, cls, label)


def findings(rule: Rule, value: Any, path: Path) -> Iterator[Diagnostic]:
    """The findings of a rule in a value that it does not accept."""
    try:
        rule.check(value)
    except FieldError as error:
        yield error_to_diagnostic(error, path)
    except NestedError as error:
        yield from (d.under(path) for d in error.diagnostics)


@cache
def rule_of(cls: type[BaseModel], name: str) -> Rule | None:
    """The rule behind a field.

    Returns:
        None for a plugin's field with another of Pydantic's own types.
    """
    field = cls.model_fields[name]
    for item in field.metadata:
        if isinstance(item, Rule):
            return item
    return _inner_rule(field.annotation)


def _inner_rule(annotation: Any) -> Rule | None:
    """The rule of ``Annotated[type, rule] | None``, which Pydantic keeps inside the union."""
    options = [item for item in get_args(annotation) if item is not NoneType]
    if NoneType not in get_args(annotation) or len(options) != 1:
        return None
    found = next((m for m in get_args(options[0])[1:] if isinstance(m, Rule)), None)
    return None if found is None else Nullable(found)


@cache
def rules_of(cls: type[SpecModel]) -> dict[str, Rule]:
    """Key in a spec -> the rule that validates it."""
    found = {key: rule_of(cls, name) for key, name in keys_of(cls).items()}
    return {key: rule for key, rule in found.items() if rule is not None}


@cache
def required_keys(cls: type[SpecModel]) -> tuple[str, ...]:
    """The required keys."""
    keys = keys_of(cls).items()
    return tuple(key for key, name in keys if cls.model_fields[name].is_required())


def _key_findings(
    missing: list[Path], unknown: list[Path], cls: type[SpecModel], label: str
) -> Iterator[Diagnostic]:
    """Findings about keys; a field that is missing because its key is misspelt is one finding."""
    meant = {name for path in unknown for name in _meant(str(path[-1]), cls)}
    for path in missing:
        if path[-1] not in meant:
            message = f"{label} is missing the required field `{path[-1]}`"
            yield Diagnostic("SF122", message, path[:-1])
    for path in unknown:
        yield unknown_key(str(path[-1]), path, cls, label)


@cache
def keys_of(cls: type[SpecModel]) -> dict[str, str]:
    """Key in a spec -> the field's name, in order."""
    absent = cls.absent_fields()
    fields = cls.model_fields.items()
    return {field.alias or name: name for name, field in fields if name not in absent}


def _meant(key: str, cls: type[SpecModel]) -> tuple[str, ...]:
    """The key that an unknown one probably means, if there is one."""
    known = keys_of(cls)
    old = former_arguments(cls).get(key)
    if old is not None:
        return (old.current, *old.also)
    return close_matches(key, known)


def unknown_key(key: str, path: Path, cls: type[SpecModel], label: str) -> Diagnostic:
    """The finding about a key that ``cls`` does not have, which may be a former spelling or a
    typo."""
    known = keys_of(cls)
    old = former_arguments(cls).get(key)
    if old is not None:
        message, hint = old.message_and_hint(key, label)
        return Diagnostic("SF124", message, path, hint, on_key=True)
    message = f"expected a field of {label}, received {show(key)}"
    own = [name for name in known if name not in COMMON_FIELDS]
    listed = [*own, *(name for name in known if name in COMMON_FIELDS)]
    hint = did_you_mean(key, known) or f"{label} takes " + ", ".join(listed)
    return Diagnostic("SF121", message, path, hint, on_key=True)
