"""Old spellings that textbooks still print, and what they are called today."""

from __future__ import annotations

OLD_WORDS: dict[str, dict[str, str]] = {
    "initializer": {"normal": "random_normal", "uniform": "random_uniform"},
}


def old_key(label: str, key: str) -> str:
    """What ``key`` of ``label`` (a type name) is called today, or nothing."""
    return ""


def old_type(type_name: object) -> str:
    """What a layer type of an earlier Keras is called today, as a hint, or nothing."""
    return ""
