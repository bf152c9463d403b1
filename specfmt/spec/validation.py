"""Plain data -> layer, word or document, with every finding at once."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticUndefined

from specfmt.spec.diagnostics import Diagnostic
from specfmt.spec.field_errors import (
    FieldError,
    NestedError,
    close_matches,
    did_you_mean,
    error_to_diagnostic,
    show,
)
from specfmt.spec.fields import Rule
from specfmt.spec.layer import COMMON_FIELDS, Op
from specfmt.spec.spellings import old_key

if TYPE_CHECKING:
    from collections.abc import Mapping

    from specfmt.spec.diagnostics import Path

M = TypeVar("M", bound=BaseModel)


class Slots(NamedTuple):
    """The fields of a class as `validate` needs them.

    Attributes:
        rules: Key in a spec -> the field's name and rule.
        defaults: Field name -> default, of all fields.
        required: The keys that must be given.
    """

    rules: dict[str, tuple[str, Rule]]
    defaults: dict[str, Any]
    required: tuple[str, ...]


@cache
def slots_of(cls: type[BaseModel]) -> Slots | None:
    """The slots of a class all of whose checks are rules, else None.

    A plugin's class may use Pydantic's own types and validators.
    """
    decorators = cls.__pydantic_decorators__
    if decorators.field_validators or decorators.model_validators:
        return None
    rules = {}
    for name, field in cls.model_fields.items():
        rule = field.metadata[0] if len(field.metadata) == 1 else None
        if not isinstance(rule, Rule) or field.default_factory is not None:
            return None
        rules[field.alias or name] = (name, rule)
    defaults = {name: field.default for name, field in cls.model_fields.items()}
    required = (key for key, (name, _) in rules.items() if defaults[name] is PydanticUndefined)
    return Slots(rules, defaults, tuple(required))


def validate(cls: type[M], data: Mapping[str, Any], label: str) -> M:
    """Build ``cls`` from plain data.

    Where all checks are rules they are called directly: Pydantic's core schema of the classes
    that a small spec uses would cost more time than all else that is done with it.

    Args:
        cls: A layer, word or document class.
        data: Its fields.
        label: What to call it in messages, usually its type name.

    Raises:
        NestedError: With every finding, paths relative to ``data``.
    """
    slots = slots_of(cls)
    if slots is None:
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            raise NestedError(_pydantic_findings(error, cls, label)) from None
    values = slots.defaults.copy()
    given: set[str] = set()
    problems: list[Diagnostic] = []
    unknown: list[Path] = []
    for key, item in data.items():
        if key not in slots.rules:
            unknown.append((key,))
            continue
        name, rule = slots.rules[key]
        given.add(name)
        try:
            values[name] = rule.check(item)
        except FieldError as error:
            problems.append(error_to_diagnostic(error, (key,)))
        except NestedError as error:
            problems += [d.under((key,)) for d in error.diagnostics]
    missing: list[Path] = [(key,) for key in slots.required if key not in data]
    if problems or missing or unknown:
        raise NestedError([*problems, *_key_findings(missing, unknown, cls, label)])
    return _construct(cls, given, values)


def _construct(cls: type[M], given: set[str], values: dict[str, Any]) -> M:
    """What `model_construct` does for a class without private and extra fields."""
    made = cls.__new__(cls)
    object.__setattr__(made, "__dict__", values)
    object.__setattr__(made, "__pydantic_fields_set__", given)
    object.__setattr__(made, "__pydantic_extra__", None)
    object.__setattr__(made, "__pydantic_private__", None)
    return made


def _pydantic_findings(
    error: ValidationError, cls: type[BaseModel], label: str
) -> Iterator[Diagnostic]:
    """Pydantic's errors as diagnostics in our words."""
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
        elif item["type"] == "extra_forbidden":
            unknown.append(path)
        else:
            yield Diagnostic("SF123", f"{item['msg']}, received {show(item['input'])}", path)
    yield from _key_findings(missing, unknown, cls, label)


def _key_findings(
    missing: list[Path], unknown: list[Path], cls: type[BaseModel], label: str
) -> Iterator[Diagnostic]:
    """Findings about keys; a field missing because its key is misspelt is one, not two."""
    meant = {name for path in unknown for name in _meant(str(path[-1]), cls, label)}
    for path in missing:
        if path[-1] not in meant:
            message = f"expected {label} to have `{path[-1]}`, it is missing"
            yield Diagnostic("SF122", message, path[:-1])
    for path in unknown:
        yield unknown_key(str(path[-1]), path, cls, label)


def keys_of(cls: type[BaseModel]) -> dict[str, str]:
    """The keys that a spec has for a class, in order, and the field behind each."""
    absent = cls.absent_fields() if issubclass(cls, Op) else ()
    fields = cls.model_fields.items()
    return {field.alias or name: name for name, field in fields if name not in absent}


def _meant(key: str, cls: type[BaseModel], label: str) -> tuple[str, ...]:
    """The key that was probably meant by an unknown one, if any."""
    known = keys_of(cls)
    old = old_key(label, key, known)
    if old is not None:
        return (old.today,)
    return close_matches(key, known)


def unknown_key(key: str, path: Path, cls: type[BaseModel], label: str) -> Diagnostic:
    """A key that ``cls`` does not have: an old spelling, a typo, or nonsense."""
    known = keys_of(cls)
    old = old_key(label, key, known)
    if old is not None:
        return Diagnostic("SF124", old.message, path, old.hint, on_key=True)
    message = f"expected a field of {label}, received {show(key)}"
    own = [name for name in known if name not in COMMON_FIELDS]
    listed = [*own, *(name for name in known if name in COMMON_FIELDS)]
    hint = did_you_mean(key, known) or f"{label} takes " + ", ".join(listed)
    return Diagnostic("SF121", message, path, hint, on_key=True)
