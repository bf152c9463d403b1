"""User-defined objects: classes and functions that specfmt does not know."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import Field

from specfmt.fields.foreign import ClassRule
from specfmt.fields.rules import AnyMapping, Either, Nullable, Text
from specfmt.fields.types import OptionalStr
from specfmt.vocab.base import TermSpec

ClassPath = Annotated[
    str, ClassRule("a dotted path: package.module.Class", r"^[A-Za-z_][\w.>]*$(?!\n)")
]
Config = Annotated[
    dict[str, Any] | str | None,
    Nullable(
        Either(
            AnyMapping(),
            Text("the name of a function", r"\S"),
            expected="a mapping of arguments, or the name of a function",
        )
    ),
]


class Custom(TermSpec):
    """A user-defined object: an activation, initializer, loss, metric, optimizer, ...

    ``class`` is the dotted path of the class and ``config`` its arguments; for a function
    ``class`` is ``function`` (or ends in ``.function``) and ``config`` is its name.  A loss is
    assumed to compare targets of the output's shape and dtype.

    Class attributes: those of losses and metrics, with values for one of which nothing is known.
    """

    class_: ClassPath = Field(alias="class")
    config: Config = Field(default=None)
    registered_name: OptionalStr = None

    on_logits: ClassVar[str] = ""
    targets: ClassVar[str] = "values"
    takes: ClassVar[str] = "values"
    better: ClassVar[str] = ""
    in_torch: ClassVar[bool] = True

    @property
    def name(self) -> str:
        """Its name, as it appears in the logs of a loss or metric."""
        given = self.config.get("name") if isinstance(self.config, dict) else None
        return given if isinstance(given, str) and given else self.place[1]

    @property
    def place(self) -> tuple[str, str]:
        """The module, and the name of the class or function in it."""
        module, _, name = self.class_.rpartition(".")
        return module, self.config if self.is_function and isinstance(self.config, str) else name

    @property
    def is_function(self) -> bool:
        """Whether it is a function instead of an object of a class."""
        return self.class_.rpartition(".")[2] == "function"
