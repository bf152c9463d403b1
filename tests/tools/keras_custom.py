"""Layers of a user's own, as a package of theirs would hold them."""

from __future__ import annotations

from typing import Any

import keras


@keras.saving.register_keras_serializable(package="tests")
class Shift(keras.layers.Layer):
    """Adds a trained number; masks go on."""

    def __init__(self, start: float = 0.5, **options: Any) -> None:
        super().__init__(**options)
        self.start = start
        self.supports_masking = True

    def build(self, input_shape: Any) -> None:
        initializer = keras.initializers.Constant(self.start)
        self.shift = self.add_weight(shape=(), initializer=initializer, name="shift")

    def call(self, inputs: Any) -> Any:
        return inputs + self.shift

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "start": self.start}
