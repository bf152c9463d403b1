"""The base of all parts of a spec: Pydantic models that can be converted back to plain data."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

COMMON_FIELDS = ("name", "inputs", "activity_regularizer", "trainable", "dtype")
"""Fields that every layer has; in every class they come after the class's own fields."""


class SpecModel(BaseModel):
    """Base of layers, vocabulary entries, documents and their parts; frozen, without extra keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    @classmethod
    def absent_fields(cls) -> tuple[str, ...]:
        """Fields of a base class that this class does not have in a spec."""
        return ()

    def tag(self) -> dict[str, str]:
        """The key that identifies its class, such as ``{"type": "Dense"}``; empty if there is
        none."""
        return {}

    def explicit_arguments(self) -> dict[str, Any]:
        """The fields that differ from their defaults: the class's own, then the common ones."""
        given = {}
        fields = type(self).model_fields
        own = [name for name in fields if name not in COMMON_FIELDS]
        for name in (*own, *(name for name in COMMON_FIELDS if name in fields)):
            value = getattr(self, name)
            if fields[name].is_required() or value != fields[name].default:
                given[name] = value
        return given

    def to_data(self) -> Any:
        """The model as plain YAML/JSON data, without fields that have their defaults."""
        fields = type(self).model_fields
        given = self.explicit_arguments().items()
        return {**self.tag(), **{fields[key].alias or key: to_data(item) for key, item in given}}


def to_data(value: Any) -> Any:
    """A field's value as plain YAML/JSON data, without fields that have their defaults."""
    if hasattr(value, "to_data"):  # a model, or a vocabulary entry
        return value.to_data()
    if isinstance(value, (list, tuple)):
        return [to_data(item) for item in value]
    if isinstance(value, dict):
        return {key: to_data(item) for key, item in value.items()}
    return value
