"""EinsumDense: a dense layer whose product is an equation in Einstein notation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import Annotated, Any

from pydantic import Field

from specfmt.fields.rules import Either, Integer, Nullable, Text, Tuple
from specfmt.fields.types import OptionalFloat, OptionalPositiveInt
from specfmt.layers.base import FloatLayer, Shape, ShapeError, Weight
from specfmt.layers.core import LORA, QuantizationConfig
from specfmt.layers.fans import with_fans
from specfmt.layers.lora import ScaledLora, check_lora
from specfmt.layers.quantization import Kernel, Quantizable, Quantization, kernel_weights
from specfmt.layers.registry import layer
from specfmt.layers.size_rules import matching
from specfmt.layers.symbols import Size
from specfmt.vocab.fields import GLOROT_UNIFORM, LINEAR, ZEROS, Constraint, Initializer, Regularizer
from specfmt.vocab.fields import Activation as ActivationName

_WORD = "[A-Za-z]+"
_EQUATION = (
    rf"^({_WORD},{_WORD}->{_WORD}"
    rf"|\.\.\.{_WORD},{_WORD}->\.\.\.{_WORD}"
    rf"|[A-Za-z]{{2,}}\.\.\.,{_WORD}->{_WORD}\.\.\.)$(?!\n)"
)
Equation = Annotated[
    str, Text("an equation such as ab,bc->ac, ...b,bc->...c or ab...,bc->ac...", _EQUATION)
]
BiasAxes = Annotated[str | None, Nullable(Text("letters of the output", r"^[A-Za-z]+$(?!\n)"))]
PartialShape = Annotated[
    int | tuple[int | None, ...],
    Either(
        Integer(1), Tuple(Nullable(Integer(1)), 1), expected="a size or a list of sizes, or null"
    ),
]


@dataclass(frozen=True, slots=True)
class Product:
    """The equation of a layer, applied to an input of some shape.

    Attributes:
        inputs, kernel, output: The letters of each term; "..." is left out.
        elided: How many axes of the input the ellipsis stands for.
        leads: Whether it stands before the letters.
        sizes: The size of each letter, as Keras works it out.
    """

    inputs: str
    kernel: str
    output: str
    elided: int
    leads: bool
    sizes: dict[str, int | None]

    def terms(self, spare: str) -> tuple[str, str]:
        """The letters of input and output, with letters of ``spare`` for the ellipsis."""
        rest = spare[: self.elided]
        if self.leads:
            return rest + self.inputs, rest + self.output
        return self.inputs + rest, self.output + rest


@layer
class EinsumDense(Quantizable, ScaledLora, FloatLayer):
    """A dense layer whose product is ``equation`` in Einstein notation:
    `activation(einsum(equation, x, kernel) + bias)`."""

    supports_masking = False
    keras_2_lacks = (*LORA, "lora_alpha", "gptq_unpacked_column_size")
    writes_activity_regularizer = True

    equation: Equation
    output_shape_: PartialShape = Field(alias="output_shape")
    activation: ActivationName = LINEAR
    bias_axes: BiasAxes = None
    kernel_initializer: Initializer = GLOROT_UNIFORM
    bias_initializer: Initializer = ZEROS
    kernel_regularizer: Regularizer = None
    bias_regularizer: Regularizer = None
    kernel_constraint: Constraint = None
    bias_constraint: Constraint = None
    lora_rank: OptionalPositiveInt = None
    lora_alpha: OptionalFloat = None
    gptq_unpacked_column_size: OptionalPositiveInt = None
    quantization_config: QuantizationConfig = None

    @classmethod
    def output_rank(cls, fields: dict[str, Any], rank: int | None) -> int | None:
        return None

    def product(self, x: Shape) -> Product:
        """The equation with the sizes of its letters for an input of shape ``x``.

        Raises:
            ShapeError: The input, the output shape or the bias axes do not fit the equation.
        """
        left, _, output = self.equation.partition("->")
        inputs, kernel = left.split(",")
        leads, dotted = inputs.startswith("..."), "..." in inputs
        inputs, output = inputs.strip("."), output.strip(".")
        elided = len(x) - len(inputs)
        if elided < 0 or (elided and not dotted) or len(x) < 2:
            least = "at least " if dotted else ""
            raise ShapeError(
                f"an input with {least}{len(inputs)} axes, batch included, for {self.equation}",
                f"shape {x}",
                field="equation",
            )
        given = (
            self.output_shape_ if isinstance(self.output_shape_, tuple) else (self.output_shape_,)
        )
        known = len(output) - 1 if not leads or not elided else len(output)
        if len(given) != known:
            raise ShapeError(
                f"an output shape of {known} sizes for {self.equation}",
                f"{list(given)}",
                field="output_shape",
            )
        named = x[elided:] if leads else x[: len(inputs)]
        sizes = dict(zip(inputs, named, strict=True))
        out = dict(zip(output, given if leads and elided else (x[0], *given), strict=True))
        for letter in inputs:
            if out.get(letter) is not None and not matching(out[letter], sizes[letter]):
                raise ShapeError(
                    f"size {sizes[letter]} for `{letter}`, as in the input",
                    f"{out[letter]}",
                    "write null for a size that the input gives",
                    field="output_shape",
                )
        unknown = next((k for k in output if k not in inputs and k not in kernel), None)
        unknown = unknown or next((k for k in kernel if k not in inputs and k not in output), None)
        if unknown is not None:
            raise ShapeError(
                f"`{unknown}` in another term of the equation too", self.equation, field="equation"
            )
        declared = {
            letter: size
            for letter, size in out.items()
            if size is not None or not isinstance(sizes.get(letter), Size)
        }
        found = Product(inputs, kernel, output, elided, leads, {**sizes, **declared})
        self._check_weights(found)
        return found

    def _check_weights(self, product: Product) -> None:
        missing = next((k for k in self.bias_axes or "" if k not in product.output), None)
        if missing is not None:
            raise ShapeError(
                f"axes of the output {product.output}", f"`{missing}`", field="bias_axes"
            )
        for letter in (*product.kernel, *(self.bias_axes or "")):
            if product.sizes[letter] is None:
                raise ShapeError(
                    f"a known size of `{letter}`, an axis of the weights",
                    "an unknown one",
                    "give it in `output_shape` or in the model's `inputs`",
                    field="output_shape",
                )
        check_lora(self.lora_rank, self.kernel_constraint, "kernel_constraint")

    def computed_shape(self, x: Shape) -> Shape:
        """The shape of what a call computes, the axes of the ellipsis as the input has them."""
        product = self.product(x)
        sizes = tuple(product.sizes[letter] for letter in product.output)
        return (
            (*x[: product.elided], *sizes) if product.leads else (*sizes, *x[len(product.inputs) :])
        )

    def output_shape(self, x: Shape, training: object = None) -> Shape:
        shape, product = self.computed_shape(x), self.product(x)
        if product.leads and product.elided > 2:
            # Keras declares the axes of an ellipsis behind the batch in reverse.
            return (shape[0], *shape[product.elided - 1 : 0 : -1], *shape[product.elided :])
        return shape

    def kernel_shape(self, product: Product) -> tuple[int, ...]:
        """The kernel's shape."""
        return tuple(product.sizes[letter] or 0 for letter in product.kernel)

    def bias_shape(self, product: Product) -> tuple[int, ...]:
        """The bias's shape, which broadcasts from the first of ``bias_axes`` on."""
        axes = self.bias_axes or ""
        start = min(product.output.find(letter) for letter in axes)
        sizes = [product.sizes[k] or 0 if k in axes else 1 for k in product.output[start:]]
        return (*sizes, *(() if product.leads else (1,) * product.elided))

    def weights(self, x: Shape, training: object = None) -> Iterator[Weight]:
        product = self.product(x)
        shape = self.kernel_shape(product)
        places = range(len(shape))
        fans = [tuple(k for k in places if (product.kernel[k] in product.output) is out)
                for out in (False, True)]  # fmt: skip
        kernel = Weight(
            "kernel",
            shape,
            with_fans(self.kernel_initializer, *fans),
            trainable=self.lora_rank is None,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
        )
        bias = []
        if self.bias_axes is not None:
            bias.append(
                Weight(
                    "bias",
                    self.bias_shape(product),
                    self.bias_initializer,
                    regularizer=self.bias_regularizer,
                    constraint=self.bias_constraint,
                )
            )
        factors = self.lora_factors(shape)
        how = self.quantization()
        if how is None:
            yield from (kernel, *bias, *factors)
        else:
            yield from kernel_weights(how, self.as_matrix(how, kernel, product), bias, factors)

    def as_matrix(self, how: Quantization, kernel: Weight, product: Product) -> Kernel:
        """The kernel as the matrices that Keras quantizes.

        Raises:
            ShapeError: Keras cannot build the layer in this mode.
        """
        if how.mode == "float8":
            return Kernel(kernel, 0, 0, (0, 0), ())
        if "..." in self.equation:
            raise ShapeError(
                f"an equation without ... in {how.mode}",
                self.equation,
                "name each axis by a letter; Keras cannot build the layer either",
                field="equation",
            )
        shape = kernel.shape
        summed = [k not in product.output for k in product.kernel]
        rows = prod(size for size, out in zip(shape, summed, strict=True) if out)
        columns = prod(size for size, out in zip(shape, summed, strict=True) if not out)
        if how.mode in ("int8", "int4"):
            return Kernel(kernel, rows, columns, (0, 0), scale_shape(product, shape))
        if len(shape) not in (2, 3):
            raise ShapeError(
                f"a kernel of two or three axes in {how.mode}", f"{len(shape)}", field="equation"
            )
        split = 1 if len(shape) == 2 or shape.index(max(shape)) == 0 else 2
        turned = (prod(shape[:split]), prod(shape[split:]))
        return Kernel(kernel, rows, columns, turned, (), "zero_point")

    def macs(self, output: Shape, x: Shape, training: object = None) -> int:
        product = self.product(x)
        letters = {**product.sizes, product.inputs[0]: 1} if not product.leads else product.sizes
        elided = x[1 : product.elided] if product.leads else x[len(product.inputs) :]
        return prod(size or 1 for size in (*letters.values(), *elided))


def scale_shape(product: Product, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of the scales of a kernel in int8, which broadcasts to the output.

    Source: `_analyze_quantization_info` and `EinsumDense._get_kernel_scale_shape` of Keras 3.15.
    """
    output = product.output
    place = output.find(product.kernel[-1])  # where Keras puts an axis that has no place
    spare = [i for i, k in enumerate(output) if k not in product.inputs]
    for _ in [k for k in product.inputs if k not in output]:
        place = spare.pop(0) if spare else place
    axes = [product.kernel.index(k) for k in output if k in product.kernel]
    spare = [i for i, k in enumerate(output) if k not in product.kernel]
    removed = []
    for axis in [i for i, k in enumerate(product.kernel) if k not in output]:
        if spare:
            place = spare.pop(0)
        else:
            removed.append(axis)
        axes.insert(place, axis)
    sizes = [shape[i] if product.kernel[i] in output else 1 for i in axes]
    for axis in sorted(spare):
        sizes.insert(axis, 1)
    for axis in sorted(removed, reverse=True):
        sizes.pop(axis)
    return tuple(sizes)
