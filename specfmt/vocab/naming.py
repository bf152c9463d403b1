"""Names by Keras's rule."""

from __future__ import annotations

import re
from functools import lru_cache


@lru_cache(maxsize=1024)
def to_snake_case(name: str) -> str:
    """``MaxPooling2D`` -> ``max_pooling2d``, by the rule of `keras.src.utils.naming`."""
    name = re.sub(r"\W+", "", name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()
