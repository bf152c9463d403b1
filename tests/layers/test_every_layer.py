"""`specfmt layers` has a row for every layer that Keras exports."""

from __future__ import annotations

import inspect

import pytest

import specfmt
from specfmt.layers.kept import KEPT, aliases

ABSTRACT = {"Layer", "Wrapper"}
"""Base classes, of which users derive their own layers."""


@pytest.mark.slow
def test_a_row_for_every_class() -> None:
    """Aliases are resolved; each class is in both targets, or has a reason."""
    import keras

    names: dict[type, list[str]] = {}
    for name in dir(keras.layers):
        cls = getattr(keras.layers, name)
        if inspect.isclass(cls) and issubclass(cls, keras.layers.Layer) and name not in ABSTRACT:
            names.setdefault(cls, []).append(name)
    rows = {row.type: row for row in specfmt.catalogue()}
    for exported in names.values():
        (own,) = [name for name in exported if name in rows]
        assert sorted([own, *aliases(own)]) == sorted(exported)
        row = rows[own]
        assert row.keras
        assert row.torch or (row.reason and own in KEPT), own
    of_keras = {name for exported in names.values() for name in exported}
    assert set(rows) - of_keras == {"Custom", "LayerScale", "CustomScaleLayer"}
