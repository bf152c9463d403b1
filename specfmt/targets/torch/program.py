"""The PyTorch program of a graph: classes with their modules, parameters and steps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from specfmt.graph.model import Graph, Unit, Value
from specfmt.targets.options import Axes, Fidelity
from specfmt.targets.torch.blocks.model import BlockBody, BlockClass, BlockDef
from specfmt.targets.torch.class_builder import ClassBuilder
from specfmt.targets.torch.expr import Tensor
from specfmt.targets.torch.params import (
    Below,
    ByLayout,
    Constant,
    Counter,
    Literal,
    Memory,
    WeightExpr,
)
from specfmt.targets.torch.steps import ModuleDef, ParamDef, Step


@dataclass(frozen=True)
class Options:
    """Options of the lowering.

    Attributes:
        axes: ``torch``: model inputs and outputs of rank 4 and 5 are channels-first; ``keras``:
            they have the spec's axis order.
        fidelity: ``idiomatic`` (PyTorch's own layers and optimizers) or ``exact`` (ones that
            train as Keras's do).
        logits: Names of outputs whose final softmax or sigmoid is left out.
        trains: Whether to compute the penalties of activity regularizers for a training loop.
        adapts: Whether layers without their vocabulary or boundaries become modules with the
            method ``adapt``, which computes them from training data; otherwise such layers are
            errors, because no weight file has these tables.
    """

    axes: Axes = "torch"
    fidelity: Fidelity = "idiomatic"
    logits: frozenset[str] = frozenset()
    trains: bool = False
    adapts: bool = False


@dataclass(frozen=True)
class TorchParam:
    """One entry of the module's `state_dict`.

    Attributes:
        key: Its key.
        value: Its value as an expression over the Keras weights of ``unit``.
        unit: The graph unit (layer) that has these weights.
        trainable: False for buffers and frozen parameters.
        buffer: Whether it is a buffer.
        owners: Names of the nested models that contain the unit, outermost first.
    """

    key: str
    value: WeightExpr
    unit: Unit
    trainable: bool
    buffer: bool = False
    owners: tuple[str, ...] = ()

    def of_layer(self, unit: Unit, prefix: str) -> TorchParam:
        """The parameter as one of a layer that holds this model.

        Args:
            unit: The layer.
            prefix: The path of the model's weights below the layer.
        """
        value, prefix = self.value, f"{prefix}{'/'.join((*self.owners, self.unit.name))}/"
        if any(True for _ in value.sources()):
            value = Below(value.shape, value, prefix)
        return replace(self, value=value, unit=unit, owners=())


@dataclass(eq=False)
class ClassProgram:
    """One generated class.

    Attributes:
        name: The class's name.
        graph: The model that it computes.
        builder: Its modules and parameters.
        steps: The steps of forward in order, after all passes.
        inputs: Input name -> tensor.
        outputs: Output name -> tensor.
        channels: Tensor -> whether it is channels-first.
        nested: Unit -> the class of the nested model.
        penalty: The sum of the penalties of activity regularizers; None if there are none.
        masks: Input name -> its mask, which forward takes too.
        returned_masks: Output name -> its mask, which forward returns too.
        entering: Input name -> its mask, whether or not a layer reads it.
        output_masks: Output name -> its mask, for outputs that have one.
        tensors: Value of the graph -> its tensor.
        blocks: Attribute -> the use of a block, or several in a row, that it stands for.
        names: Attribute -> its name in the generated class, where that is another one.
        is_chain: Whether it is a function that returns an `nn.Sequential` of the uses in it.
        block: What a class of a block has beyond that of a model; None for a model.
        block_classes: The classes and functions of blocks in the file; each follows those it uses.
            Only the outermost model has them.
    """

    name: str
    graph: Graph
    builder: ClassBuilder
    steps: list[Step] = field(default_factory=list)
    inputs: dict[str, Tensor] = field(default_factory=dict)
    outputs: dict[str, Tensor] = field(default_factory=dict)
    channels: dict[Tensor, bool] = field(default_factory=dict)
    nested: dict[Unit, ClassProgram] = field(default_factory=dict)
    penalty: Tensor | None = None
    masks: dict[str, Tensor] = field(default_factory=dict)
    returned_masks: dict[str, Tensor] = field(default_factory=dict)
    entering: dict[str, Tensor] = field(default_factory=dict)
    output_masks: dict[str, Tensor] = field(default_factory=dict)
    tensors: dict[Value, Tensor] = field(default_factory=dict)
    blocks: dict[str, BlockDef] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    is_chain: bool = False
    block: BlockBody | None = None
    block_classes: list[BlockClass] = field(default_factory=list)

    @property
    def arguments(self) -> dict[str, Tensor]:
        """The arguments of forward: the inputs, and the masks of those that have one."""
        return self.inputs | {f"{name} mask": mask for name, mask in self.masks.items()}

    @property
    def results(self) -> list[Tensor]:
        """What forward returns: the outputs and the masks of some of them."""
        return [*self.outputs.values(), *self.returned_masks.values()]

    @property
    def returns_one(self) -> bool:
        """Whether forward returns a single tensor."""
        return self.graph.output_form == "single" and not self.returned_masks

    def classes(self) -> Iterator[ClassProgram]:
        """This class and those of nested and held models; each follows those it depends on."""
        for inner in self.nested.values():
            yield from inner.classes()
        for held, _ in self.builder.held.values():
            yield from held.classes()
        yield self

    def resolve(self, value: WeightExpr | ByLayout) -> WeightExpr:
        """The expression of a parameter for the chosen layouts."""
        while isinstance(value, ByLayout):
            value = value.channels if self.channels[value.tensor] else value.keras
        return value

    def definitions(self) -> Iterator[ModuleDef | ParamDef]:
        """Modules and parameters in the order of the layers."""
        for item in self.entries():
            if not isinstance(item, BlockDef):
                yield item

    def entries(self) -> list[ModuleDef | ParamDef | BlockDef]:
        """Modules, parameters and uses of blocks, in the order of the layers."""
        rank = self._rank
        items: list[ModuleDef | ParamDef | BlockDef] = [*self.builder.modules.values()]
        items += self.builder.parameters.values()
        items += self.blocks.values()
        return sorted(items, key=lambda item: rank[item.attr])

    @property
    def _rank(self) -> dict[str, int]:
        return {attr: i for i, attr in enumerate(self.builder.attrs.values())}

    def parameters(self, prefix: str = "") -> Iterator[TorchParam]:
        """Every entry of the `state_dict`, those of nested classes included.

        Args:
            prefix: A prefix for the keys.
        """
        for item in self.entries():
            attr = self.names.get(item.attr, item.attr)
            if isinstance(item, BlockDef):
                for key, part in self._parts(item, attr):
                    yield from part.parameters(f"{prefix}{key}.")
            elif isinstance(item, ParamDef):
                value = self.resolve(item.value)
                if isinstance(value, Memory) or (isinstance(value, Literal) and not value.stored):
                    continue
                yield TorchParam(
                    prefix + attr, value, item.unit, item.trainable, not item.trainable
                )
            elif item.unit in self.nested:
                for param in self.nested[item.unit].parameters(f"{prefix}{attr}."):
                    yield replace(param, owners=(item.unit.name, *param.owners))
            elif item.attr in self.builder.held:
                held, below = self.builder.held[item.attr]
                for param in held.parameters(f"{prefix}{attr}."):
                    yield param.of_layer(item.unit, below)
            else:
                for name, raw in item.params.items():
                    value = self.resolve(raw)
                    buffer = item.is_buffer(name)
                    frozen = name in item.frozen or buffer or isinstance(value, Constant)
                    yield TorchParam(f"{prefix}{attr}.{name}", value, item.unit, not frozen, buffer)
                if item.counts_batches:
                    key = f"{prefix}{attr}.num_batches_tracked"
                    yield TorchParam(key, Counter(()), item.unit, trainable=False, buffer=True)

    def _parts(self, item: BlockDef, attr: str) -> Iterator[tuple[str, ClassProgram]]:
        """The keys of a use's modules below this class; those in an `nn.Sequential` are numbered."""
        if self.is_chain:
            before = 0
            for other in self.blocks.values():
                if other is item:
                    break
                before += len(other.programs)
            yield from ((str(before + n), part) for n, part in enumerate(item.programs))
        elif item.container:
            yield from ((f"{attr}.{n}", part) for n, part in enumerate(item.programs))
        else:
            yield attr, item.programs[0]


def is_channels_first(graph: Graph) -> bool:
    """Whether the spec's layers set ``data_format`` to channels-first, and none to channels-last."""
    formats = {getattr(unit.spec, "data_format", None) for unit in graph.walk_units()}
    return "channels_first" in formats and "channels_last" not in formats
