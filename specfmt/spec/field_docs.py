"""What each field means, for hover, completion and docs: one line a field name.

A name means the same in every class unless ``Class.field`` says otherwise.
"""

from __future__ import annotations

from pydantic import BaseModel

DOCS: dict[str, str] = {}


def field_doc(cls: type[BaseModel], field: str) -> str:
    """The description of a field.

    Raises:
        KeyError: Neither ``Class.field`` nor ``field`` is described.
    """
    for base in cls.__mro__:
        text = DOCS.get(f"{base.__name__}.{field}")
        if text is not None:
            return text
    return DOCS[field]
