"""The base of everything that a spec is made of: Pydantic models that can be written back as data."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

COMMON_FIELDS = ("name", "inputs", "activity_regularizer", "trainable", "dtype")
"""Fields that every layer has; wherever a class has one of them, it comes after its own."""


class SpecModel(BaseModel):
    """Base of layers, words, documents and their parts; frozen, and strict about unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    @classmethod
    def absent_fields(cls) -> tuple[str, ...]:
        """Fields of a base class that a spec cannot give for this one."""
        return ()

    def tag(self) -> dict[str, str]:
        """The key that tells what it is, where it has one: ``{"type": "Dense"}``."""
        return {}

    def explicit_arguments(self) -> dict[str, Any]:
        """The fields that differ from their defaults: its own in order, then the common."""
        given = {}
        fields = type(self).model_fields
        own = [name for name in fields if name not in COMMON_FIELDS]
        for name in (*own, *(name for name in COMMON_FIELDS if name in fields)):
            value = getattr(self, name)
            if fields[name].is_required() or value != fields[name].default:
                given[name] = value
        return given

    def to_data(self) -> Any:
        """It as plain YAML/JSON data, defaults left out."""
        fields = type(self).model_fields
        given = self.explicit_arguments().items()
        return {**self.tag(), **{fields[key].alias or key: to_data(item) for key, item in given}}


def to_data(value: Any) -> Any:
    """A field's value as plain YAML/JSON data, defaults left out."""
    if hasattr(value, "to_data"):  # a model, or a word of the vocabulary
        return value.to_data()
    if isinstance(value, (list, tuple)):
        return [to_data(item) for item in value]
    if isinstance(value, dict):
        return {key: to_data(item) for key, item in value.items()}
    return value
