"""The uses of blocks and their classes, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from specfmt.graph.model import Use
    from specfmt.targets.torch.program import ClassProgram

Key = Any
"""What is the same for an entry in all uses of its block."""


@dataclass(frozen=True)
class Parameter:
    """A parameter of a class.

    Attributes:
        key: Its name in `BlockBody.values`.
        name: Its name in the code.
        annotation: Its type.
        default: The source of its default; empty if each use gives it.
        value: The default itself.
        doc: What it is, for the docstring; empty if its name and the block say it.
    """

    key: str
    name: str
    annotation: str
    default: str = ""
    value: Any = None
    doc: str = ""


@dataclass(eq=False)
class BlockClass:
    """The class of a block, or the function that returns an `nn.Sequential` of further blocks.

    Attributes:
        name: Its name in the file.
        parameters: Its parameters in order.
        program: Its modules and steps, with expressions of parameters.
    """

    name: str
    parameters: list[Parameter]
    program: ClassProgram


@dataclass(eq=False)
class BlockDef:
    """A use of a block in a class, or several in a row.

    Attributes:
        attr: Its attribute.
        programs: The uses.
        given: For each use, the argument of each parameter; one mapping of expressions in a class
            that stands for several uses.
        container: ``nn.Sequential`` or ``nn.ModuleList`` for several uses in a row, else empty.
        count: How many, as a number or an expression; None if each use is listed.
        index: Whether the arguments depend on the number of the use in the row.
        cls: Their class, once it is made.
    """

    attr: str
    programs: list[ClassProgram]
    given: list[Mapping[str, Any]] = field(default_factory=list)
    container: str = ""
    count: Any = None
    index: bool = False
    cls: BlockClass | None = None

    @property
    def use(self) -> Use:
        """The first of the uses."""
        body = self.programs[0].block
        assert body is not None
        return body.use


@dataclass(eq=False)
class BlockBody:
    """What the class of one use has beyond that of a model, and later the class of all uses.

    Attributes:
        kind: The block's name.
        made_from: The use; None for a model, while it is cut.
        keys: Attribute or step -> its key.
        values: Parameter -> its value: those of the spec, the sizes of the inputs, and what uses
            differ in otherwise.
        sizes: The names in ``values`` that are sizes of the inputs.
        conditions: Attribute -> the condition under which the class has it.
        tests: The same conditions over attributes, for the methods of the class.
        shared: The classes of stock modules that the model initializes for all its blocks.
        shapes: Attribute of a parameter -> its shape, with expressions.
        stored: Parameters that forward reads, as attributes.
        joins: Value that a conditional step computes -> what stands for it where the step does not.
        automatic: Names of values that say nothing but the layer's type.
        made: Its class, once it is made.
    """

    kind: str
    made_from: Use | None
    keys: dict[Any, Key] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)
    sizes: dict[str, str] = field(default_factory=dict)
    conditions: dict[str, str] = field(default_factory=dict)
    tests: dict[str, str] = field(default_factory=dict)
    shared: frozenset[str] = frozenset()
    shapes: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    stored: dict[str, str] = field(default_factory=dict)
    joins: dict[Any, Any] = field(default_factory=dict)
    automatic: frozenset[str] = frozenset()
    made: BlockClass | None = None

    @property
    def use(self) -> Use:
        assert self.made_from is not None
        return self.made_from
