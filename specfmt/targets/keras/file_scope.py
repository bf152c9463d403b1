"""Names that the models of one generated Keras file share."""

from __future__ import annotations

from dataclasses import dataclass, field

from specfmt.graph.model import Unit
from specfmt.spec.naming import to_snake_case
from specfmt.targets.naming import Scope

RESERVED = ("keras", "layers", "ops", "tf", "x", "self", "build_model", "training")
MASK_OPERATIONS = frozenset(
    "Any All Cast Concatenate ConvertToTensor Equal ExpandDims LogicalAnd LogicalOr NotEqual OnesLike "
    "Reshape Stack Transpose ZerosLike Broadcast BroadcastTo GetItem".split()
)
"""Operations with which Keras works out masks."""


@dataclass
class FileScope:
    """Names shared by the whole file.

    Attributes:
        scope: Module-level names in use.
        imports: Import lines that layers need (custom classes, private operations).
        builders: Nested model -> the name of the function that builds it.
        operations: Class in snake case -> how many operations Keras has named so far.
        has_masks: Keras works out masks somewhere in the file's models.
    """

    scope: Scope = field(default_factory=lambda: Scope(RESERVED))
    imports: dict[str, None] = field(default_factory=dict)
    builders: dict[Unit, str] = field(default_factory=dict)
    operations: dict[str, int] = field(default_factory=dict)
    has_masks: bool = False

    def takes_automatic(self, name: str, type_name: str) -> bool:
        """Whether Keras gives the next operation of a class this name by itself.

        It counts operations in the order in which they are made; those that it makes itself,
        to work out masks, count as well.
        """
        if self.has_masks and type_name in MASK_OPERATIONS:
            return False
        base = to_snake_case(type_name)
        count = self.operations.get(base, 0)
        if name != (f"{base}_{count}" if count else base):
            return False
        self.operations[base] = count + 1
        return True
