"""What one generated class collects while the calls of its graph are lowered."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from specfmt.graph.model import Graph, Node, Unit
from specfmt.targets.naming import Scope, identifier
from specfmt.targets.torch.expr import Tensor
from specfmt.targets.torch.steps import ModuleDef, ParamDef, Step
from specfmt.targets.torch.stubs import Stubs
from specfmt.targets.torch.user_objects import UserFunction

# Attributes of nn.Module that a layer's name must not hide.
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


class ClassBuilder:
    """Everything that one generated `nn.Module` class holds.

    Attributes:
        data: What the outermost model is called with: no gradient of a weight passes there.
        unfolds: Calls that give vectors -> the image (Keras's order, without batch) that a
            `Reshape` makes of them.
        held: Attribute of a model that a layer holds -> its program, and the prefix of its
            weights among those of the layer.
        lower_model: Makes the program of such a model, once.
        stubs: Calls of layers that specfmt does not know, in all classes of the file.
        tables: Constants of the file that its modules read, by name.
    """

    def __init__(
        self,
        *,
        fidelity: str = "idiomatic",
        stubs: Stubs | None = None,
        file_scope: Scope | None = None,
    ) -> None:
        self.stubs = stubs or Stubs()
        self.file_scope = file_scope or Scope(())
        self.tables: dict[str, Sequence[Any]] = {}
        self.table_names: dict[tuple[Unit, str], str] = {}
        self.data: set[Tensor] = set()
        self.unfolds: dict[Node, tuple[int, ...]] = {}
        self.steps: list[Step] = []
        self.modules: dict[tuple[Unit, str], ModuleDef] = {}
        self.parameters: dict[tuple[Unit, str], ParamDef] = {}
        self.helpers: dict[str, None] = {}
        self.user_functions: dict[str, UserFunction] = {}
        self.scope = Scope(RESERVED)
        self.attrs: dict[tuple[Unit, str], str] = {}
        self.fidelity = fidelity
        self.memo: dict[tuple[Any, ...], Tensor] = {}
        self.held: dict[str, tuple[Any, str]] = {}
        self.lower_model: Callable[[Graph], Any]

    def attr(self, unit: Unit, suffix: str) -> str:
        """The attribute name of a unit's part, the same at every call."""
        key = (unit, suffix)
        if key not in self.attrs:
            name = f"{unit.name}_{suffix}" if suffix else unit.name
            self.attrs[key] = self.scope.claim(identifier(name))
        return self.attrs[key]
