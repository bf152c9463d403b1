"""Specs to start from: ``specfmt init``."""

from __future__ import annotations

from specfmt.targets.templates import read_text

NAMES = ("mlp", "cnn", "rnn", "transformer", "autoencoder", "siamese")


def starters() -> dict[str, str]:
    """The names, and one line about each: the first line of its file."""
    return {name: starter(name).partition("\n")[0].removeprefix("# ") for name in NAMES}


def starter(name: str) -> str:
    """The text of a starter.

    Raises:
        KeyError: There is none of this name.
    """
    if name not in NAMES:
        raise KeyError(name)
    return read_text(f"starters/{name}.yaml")
