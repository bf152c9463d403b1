"""Graph -> torch program: every class with its modules, parameters and ordered steps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from specfmt.graph.model import Graph, Unit
from specfmt.targets.options import Axes, Fidelity
from specfmt.targets.torch.class_builder import ClassBuilder
from specfmt.targets.torch.expr import Tensor
from specfmt.targets.torch.params import Below, ByLayout, Constant, Counter, Literal, WeightExpr
from specfmt.targets.torch.steps import ModuleDef, ParamDef, Step


@dataclass(frozen=True)
class Options:
    """How to write the PyTorch program.

    Attributes:
        axes: ``torch``: inputs and outputs of rank 4 and 5 are channels-first; ``keras``:
            they stand in Keras's order.
        fidelity: ``idiomatic`` or ``exact`` (DESIGN section 5).
        logits: Names of outputs that leave out their final softmax or sigmoid.
        trains: Whether a training loop reads what the layers' outputs add to its loss.
    """

    axes: Axes = "torch"
    fidelity: Fidelity = "idiomatic"
    logits: frozenset[str] = frozenset()
    trains: bool = False


@dataclass(frozen=True)
class TorchParam:
    """One entry of the module's `state_dict`.

    Attributes:
        key: Its key.
        value: How it is made from the Keras weights of ``unit``.
        unit: The graph unit (layer) that owns those weights.
        trainable: False for buffers and frozen parameters.
        buffer: Whether it is a buffer.
        owners: Names of the nested models around the unit, outermost first.
    """

    key: str
    value: WeightExpr
    unit: Unit
    trainable: bool
    buffer: bool = False
    owners: tuple[str, ...] = ()

    def of_layer(self, unit: Unit, prefix: str) -> TorchParam:
        """The same as a parameter of a layer that holds the model it is in."""
        value, prefix = self.value, f"{prefix}{'/'.join((*self.owners, self.unit.name))}/"
        if any(True for _ in value.sources()):
            value = Below(value.shape, value, prefix)
        return replace(self, value=value, unit=unit, owners=())


@dataclass(eq=False)
class ClassProgram:
    """One generated class.

    Attributes:
        name: The class's name.
        graph: What it computes.
        builder: Its modules and parameters.
        steps: In order, layouts settled, permutes in place, dead steps gone.
        inputs: Input name -> tensor.
        outputs: Output name -> tensor.
        channels: Tensor -> whether it stands channels-first.
        nested: Classes of nested models, by unit.
        penalty: What its layers' outputs add to the training loss, if anything.
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

    def classes(self) -> Iterator[ClassProgram]:
        """This class and the nested ones, those that others need first."""
        for inner in self.nested.values():
            yield from inner.classes()
        for held, _ in self.builder.held.values():
            yield from held.classes()
        yield self

    def resolve(self, value: WeightExpr | ByLayout) -> WeightExpr:
        """A parameter expression with its layout decided."""
        while isinstance(value, ByLayout):
            value = value.channels if self.channels[value.tensor] else value.keras
        return value

    def definitions(self) -> Iterator[ModuleDef | ParamDef]:
        """Modules and parameters in the order in which the layers stand."""
        rank = self._rank
        items: list[ModuleDef | ParamDef] = [*self.builder.modules.values()]
        items += self.builder.parameters.values()
        yield from sorted(items, key=lambda item: rank[item.attr])

    @property
    def _rank(self) -> dict[str, int]:
        return {attr: i for i, attr in enumerate(self.builder.attrs.values())}

    def parameters(self, prefix: str = "") -> Iterator[TorchParam]:
        """Every parameter and buffer that is made from Keras weights, nested classes included."""
        for item in self.definitions():
            if isinstance(item, ParamDef):
                value = self.resolve(item.value)
                if isinstance(value, Literal) and not value.stored:
                    continue
                yield TorchParam(
                    prefix + item.attr, value, item.unit, item.trainable, not item.trainable
                )
            elif item.unit in self.nested:
                for param in self.nested[item.unit].parameters(f"{prefix}{item.attr}."):
                    yield replace(param, owners=(item.unit.name, *param.owners))
            elif item.attr in self.builder.held:
                held, below = self.builder.held[item.attr]
                for param in held.parameters(f"{prefix}{item.attr}."):
                    yield param.of_layer(item.unit, below)
            else:
                for name, raw in item.params.items():
                    value = self.resolve(raw)
                    buffer = item.is_buffer(name)
                    frozen = name in item.frozen or buffer or isinstance(value, Constant)
                    yield TorchParam(
                        f"{prefix}{item.attr}.{name}", value, item.unit, not frozen, buffer
                    )
                if item.counts_batches:
                    key = f"{prefix}{item.attr}.num_batches_tracked"
                    yield TorchParam(key, Counter(()), item.unit, trainable=False, buffer=True)


def is_channels_first(graph: Graph) -> bool:
    """Whether the spec's own layers say that images stand channels-first."""
    formats = {getattr(unit.spec, "data_format", None) for unit in graph.walk_units()}
    return "channels_first" in formats and "channels_last" not in formats
