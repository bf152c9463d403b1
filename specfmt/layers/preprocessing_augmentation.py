"""Image preprocessing layers that mix images, or apply several changes one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated, Any, ClassVar

from specfmt.fields.errors import FieldError
from specfmt.fields.rules import Integer, Tuple
from specfmt.fields.types import Bool, Int, NaturalInt, OptionalDataFormat, PositiveFloat, Seed
from specfmt.layers.base import Argument, Layer, Shape, ShapeError, Weight
from specfmt.layers.entries import LayerRule
from specfmt.layers.naming import inner_names
from specfmt.layers.preprocessing_colors import Equalization, FractionRange, RandomColorLayer
from specfmt.layers.preprocessing_images import ImageLayer, Interpolation, ValueRange
from specfmt.layers.registry import MODEL, layer
from specfmt.vocab.naming import to_snake_case

MOST_CHANGES = 1000
"""The largest number of changes in a row."""

Count = Annotated[int, Integer(0, MOST_CHANGES)]
MODELS = ("Functional", "Sequential", MODEL)
"""Keras's classes of models."""


@layer
class CutMix(RandomColorLayer):
    """Replaces a random box in each image in training by the same box in another image."""

    factor: FractionRange = 1.0
    seed: Seed = None
    data_format: OptionalDataFormat = None

    def noise_off(self) -> dict[str, Any]:
        return {}  # images are always mixed in a random order


@layer
class MixUp(RandomColorLayer):
    """Mixes each image in training with another one, by a random weight."""

    factor_fields: ClassVar[tuple[str, ...]] = ()
    strengths: ClassVar[tuple[str, ...]] = ("alpha",)

    alpha: PositiveFloat = 0.2
    data_format: OptionalDataFormat = None
    seed: Seed = None

    def noise_off(self) -> dict[str, Any]:
        return {}  # images are always mixed in a random order


@layer
class AugMix(RandomColorLayer):
    """Mixes a batch of images in training with several versions, each changed by a random chain of
    changes."""

    strengths: ClassVar[tuple[str, ...]] = ("chain_depth",)

    value_range: ValueRange = (0, 255)
    num_chains: Annotated[int, Integer(1, MOST_CHANGES)] = 3
    chain_depth: Count = 3
    factor: FractionRange = 0.3
    alpha: PositiveFloat = 1.0
    all_ops: Bool = True
    interpolation: Interpolation = "bilinear"
    seed: Seed = None
    data_format: OptionalDataFormat = None

    def noise_off(self) -> dict[str, Any]:
        return {"chain_depth": 0}


@layer
class RandAugment(RandomColorLayer):
    """Applies several random changes to a batch of images in training, one after the other."""

    strengths: ClassVar[tuple[str, ...]] = ("num_ops",)

    value_range: ValueRange = (0, 255)
    num_ops: Count = 2
    factor: FractionRange = 0.5
    interpolation: Interpolation = "bilinear"
    seed: Seed = None
    data_format: OptionalDataFormat = None

    def noise_off(self) -> dict[str, Any]:
        return {"num_ops": 0}


@layer
class MaxNumBoundingBoxes(ImageLayer):
    """Cuts or fills a list of bounding boxes to a number of them; images stay as they are."""

    in_keras_2 = False
    box_count: ClassVar[str] = "max_number"

    max_number: NaturalInt
    fill_value: Int = -1
    data_format: OptionalDataFormat = None

    def returns_input(self) -> bool:
        return True

    @classmethod
    def convert_arguments(cls, config: dict[str, Any]) -> None:
        if config["fill_value"] == cls.model_fields["fill_value"].default:
            del config["fill_value"]  # Keras reads a value and does not write one


class PartRule(LayerRule):
    """A layer inside a Pipeline, which may be anything but a model."""

    def check(self, value: Any) -> Any:
        if isinstance(value, dict) and value.get("type") == MODEL:
            raise FieldError("a layer", value, "call the model by itself")
        return super().check(value)


@layer
class Pipeline(Layer):
    """Applies layers one after the other."""

    in_keras_2 = False
    takes_mappings: ClassVar[bool] = True
    takes_base_arguments = False
    supports_masking = False
    training_default: ClassVar[bool | None] = True
    casts_inputs = False
    trainable_reaches_parts = False
    call_arguments: ClassVar[tuple[Argument, ...]] = (
        Argument("inputs"),
        Argument("training", "value", required=False),
        Argument("mask", required=False),
    )

    layers: Annotated[tuple[Any, ...], Tuple(PartRule(), 1)]

    @classmethod
    def unsupported_config(cls, config: dict[str, Any]) -> str:
        items = config.get("layers")
        if not isinstance(items, list | tuple):
            return ""
        models = (
            item for item in items if isinstance(item, dict) and item.get("class_name") in MODELS
        )
        return "it holds a model" if any(models) else ""

    @classmethod
    def output_rank(cls, fields: dict[str, Any], rank: int | None) -> int | None:
        return None

    def steps(self, x: Shape) -> Iterator[tuple[str, Layer, Shape]]:
        """Each layer with its name and the shape of what it reads."""
        for name, part in zip(inner_names(self.layers), self.layers, strict=True):
            yield name, part, x
            x = self.after(part, x)

    @staticmethod
    def after(part: Layer, x: Shape) -> Shape:
        """The shape that a layer returns here.

        Raises:
            ShapeError: It has several outputs.
        """
        if isinstance(part, Equalization):
            return ImageLayer.output_shape(part, x)
        shape: Any = part.output_shape(x)
        if shape and isinstance(shape[0], tuple):
            raise ShapeError(
                "layers with one output",
                f"{len(shape)} outputs of {part.type_name}",
                field="layers",
            )
        return shape  # type: ignore[no-any-return]

    def output_shape(self, x: Shape, training: object = None, mask: Shape | None = None) -> Shape:
        for name in ("dtype", "activity_regularizer"):
            if getattr(self, name) is not None:
                raise ShapeError(
                    f"no `{name}`",
                    "one",
                    "Keras's Pipeline takes none: set it on its layers",
                    field=name,
                )
        if not self.trainable:
            raise ShapeError(
                "no `trainable`",
                "false",
                "Keras's Pipeline takes none: set it on its layers",
                field="trainable",
            )
        for _, part, shape in self.steps(x):
            x = self.after(part, shape)
        return x

    def weights(self, x: Shape, **kwargs: Any) -> Iterator[Weight]:
        counts: dict[str, int] = {}
        for name, part, shape in self.steps(x):
            group = to_snake_case(part.type_name)
            number = counts.get(group, 0)
            counts[group] = number + 1
            store = f"layers/{group}_{number}" if number else f"layers/{group}"
            for weight in part.weights(shape):
                yield replace(
                    weight,
                    name=f"{name}/{weight.name}",
                    store="/".join(filter(None, (store, weight.store))),
                    trainable=weight.trainable and not part.is_frozen(),
                )

    def macs(self, output: Any, /, x: Shape, **kwargs: Any) -> int:
        """The sum of the layers' own."""
        return sum(part.macs(self.after(part, shape), shape) for _, part, shape in self.steps(x))

    def output_dtype(self, compute_dtype: str, *dtypes: str) -> str:
        dtype: Any = dtypes[0]
        for part in self.layers:
            # Inside of a Pipeline image layers cast whole numbers too.
            image = isinstance(part, ImageLayer)
            dtype = compute_dtype if image else part.output_dtype(compute_dtype, dtype)
        return str(dtype)
