"""The starter specs of ``specfmt init``."""

from __future__ import annotations

from specfmt.targets.options import require_choice
from specfmt.targets.templates import read_text

NAMES = ("mlp", "cnn", "rnn", "transformer", "autoencoder", "siamese")


def starters() -> dict[str, str]:
    """The names of the starter specs, each with the first line of its file as description."""
    return {name: starter(name).partition("\n")[0].removeprefix("# ") for name in NAMES}


def starter(name: str) -> str:
    """The text of a starter.

    Raises:
        OptionError: There is no starter with this name.
    """
    require_choice("the starter", name, NAMES)
    return read_text(f"starters/{name}.yaml")
