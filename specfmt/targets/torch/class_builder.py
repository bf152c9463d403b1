"""The modules, parameters and steps of one generated class, collected during lowering."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from specfmt.graph.model import Graph, Node, Unit
from specfmt.targets.naming import Scope, identifier
from specfmt.targets.torch.expr import Tensor
from specfmt.targets.torch.steps import ModuleDef, ParamDef, Step
from specfmt.targets.torch.stubs import Stubs
from specfmt.targets.torch.user_objects import UserFunction

RESERVED = frozenset(
    "T T_destination add_module apply bfloat16 buffers call_super_init children compile cpu cuda double dump_patches "
    "eval extra_repr float forward get_buffer get_extra_state get_parameter get_submodule half "
    "ipu load_state_dict modules mtia named_buffers named_children named_modules named_parameters "
    "parameters register_backward_hook register_buffer register_forward_hook register_forward_pre_hook "
    "register_full_backward_hook register_full_backward_pre_hook "
    "register_load_state_dict_post_hook register_load_state_dict_pre_hook register_module "
    "register_parameter register_state_dict_post_hook register_state_dict_pre_hook "
    "requires_grad_ reset_parameters predict self set_extra_state set_submodule share_memory state_dict "
    "to to_empty train training type xpu zero_grad torch nn F math x".split()
)
"""Attributes of `nn.Module` and names in its methods that no layer's name may shadow."""


class ClassBuilder:
    """The content of one generated `nn.Module` class.

    Attributes:
        model_inputs: The inputs of the outermost model, for which no gradient is needed.
        feature_shapes: Call that returns vectors -> the shape (without batch, Keras's axis
            order) into which a `Reshape` turns them.
        held: Attribute of a model that a layer holds -> its program, and the prefix of its
            weights below the layer.
        own_classes: Unit and suffix -> the graph of a layer that is called for each time step, which
            gets its own class.
        lower_model: Returns the program of such a model; each model is lowered once.
        stubs: Calls of layers that specfmt does not define, in all classes of the file.
        adapts: Whether layers may have modules with the method ``adapt``; see `Options`.
        tables: Name -> values of the constants that its modules use.
        table_names: Unit and suffix -> the constant's name.
        steps: The steps of forward.
        modules: Unit and suffix -> module.
        parameters: Unit and suffix -> parameter or buffer of the class itself.
        helpers: The helper functions and classes in use.
        user_functions: Functions that the user has to write, by name.
        scope: Attribute names in use.
        memo: Results that several calls share.
        trains: Whether penalties of activity regularizers are computed.
        penalties: These penalties, as scalars.
        absent_masks: Masks of the outputs of a nested model that it does not return (yet), with
            that model and the output's name.
    """

    def __init__(
        self,
        *,
        fidelity: str = "idiomatic",
        adapts: bool = False,
        stubs: Stubs | None = None,
        file_scope: Scope | None = None,
        trains: bool = False,
    ) -> None:
        self.stubs = stubs or Stubs()
        self.file_scope = file_scope or Scope(())
        self.tables: dict[str, Sequence[Any]] = {}
        self.table_names: dict[tuple[Unit, str], str] = {}
        self.model_inputs: set[Tensor] = set()
        self.feature_shapes: dict[Node, tuple[int, ...]] = {}
        self.steps: list[Step] = []
        self.modules: dict[tuple[Unit, str], ModuleDef] = {}
        self.parameters: dict[tuple[Unit, str], ParamDef] = {}
        self.helpers: dict[str, None] = {}
        self.user_functions: dict[str, UserFunction] = {}
        self.scope = Scope(RESERVED)
        self.attrs: dict[tuple[Unit, str], str] = {}
        self.fidelity, self.adapts = fidelity, adapts
        self.memo: dict[tuple[Any, ...], Tensor] = {}
        self.trains = trains
        self.penalties: list[Tensor] = []
        self.absent_masks: dict[Tensor, tuple[Graph, str]] = {}
        self.held: dict[str, tuple[Any, str]] = {}
        self.own_classes: dict[tuple[Unit, str], Graph] = {}
        self.lower_model: Callable[[Graph], Any]

    def attr(self, unit: Unit, suffix: str) -> str:
        """The attribute name for a unit and suffix; the same at every call."""
        key = (unit, suffix)
        if key not in self.attrs:
            name = f"{unit.name}_{suffix}" if suffix else unit.name
            self.attrs[key] = self.scope.claim(identifier(name))
        return self.attrs[key]
