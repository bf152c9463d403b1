"""Descriptions of fields, from the list in ``fields.md``."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from pydantic import BaseModel


@cache
def descriptions() -> dict[str, str]:
    """``field`` or ``Class.field`` -> its description."""
    text = Path(__file__).with_name("fields.md").read_text(encoding="utf-8")
    entries = re.findall(r"^- `([\w.]+)`: (.+(?:\n  .+)*)", text, re.MULTILINE)
    return {name: " ".join(description.split()) for name, description in entries}


def class_doc(cls: type) -> str:
    """The first paragraph of a class's docstring, in one line."""
    return " ".join((cls.__doc__ or "").split("\n\n")[0].split())


def field_doc(cls: type[BaseModel], field: str) -> str:
    """The description of a field, from its class or else from the list; empty if there is none."""
    own = cls.model_fields[field].description
    if own is not None:
        return own
    found = descriptions()
    names = [f"{base.__name__}.{field}" for base in cls.__mro__]
    return next((found[name] for name in [*names, field] if name in found), "")
