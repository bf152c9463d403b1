"""The targets: what writes a graph as code, found by name and imported when it is first used."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from types import MappingProxyType
from typing import Any, ClassVar, Final, Generic

from specfmt.diagnostics import Diagnostic, SpecError
from specfmt.extras import plugins
from specfmt.graph.analyze import analyze, placing
from specfmt.graph.model import Graph
from specfmt.spec.document import ModelSpec
from specfmt.targets.options import (
    BUILT_IN,
    OptionError,
    OptionsType,
    choices_of,
    not_offered,
    read_options,
)

GROUP: Final = "specfmt.targets"
"""The entry point group in which installed packages register further targets."""


class Target(ABC, Generic[OptionsType]):
    """Writes graphs as code of one kind; `docs/targets.md` shows how to add one.

    Attributes:
        name: What users call it; the name of its entry point.
        title: What messages call it.
        suffix: How the names of its files end.
        package: What has to be installed to run what it writes; empty if nothing has to be.
        options: What it may be told: `TargetOptions`, or a frozen dataclass derived from it.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    suffix: ClassVar[str] = ".py"
    package: ClassVar[str] = ""
    options: type[OptionsType]

    @abstractmethod
    def generate(self, graph: Graph, options: OptionsType) -> str:
        """The text of a file.

        Args:
            graph: A graph without errors; it is not changed.
            options: How to write it; every value is one that `options` offers.

        Raises:
            SpecError: The target cannot express the model; every finding that it has.
        """

    def read(self, given: Mapping[str, Any]) -> OptionsType:
        """Options by name; None leaves one at its default.

        Raises:
            OptionError: One is none of those that the target offers.
        """
        return read_options(self.options, given, self.name)

    def check(self, graph: Graph, *, training: bool = False) -> list[Diagnostic]:
        """What the target cannot express of a model, and of its training if that is asked for."""
        for part in choices_of(self.options)["part"]:
            if part == "train" and not training:
                continue
            try:
                self.generate(graph, self.read({"part": part}))
            except SpecError as error:
                return list(error.diagnostics)
        return []


def find_target(name: str) -> Target[Any]:
    """The target of a name.

    Raises:
        OptionError: There is none.
    """
    found = _find(name) if isinstance(name, str) else None
    if found is None:
        names = target_names()
        meant = [each for each in names if each in str(name).lower()]  # pytorch, tf.keras
        hint = f"did you mean {meant[0]}?" if meant else f"targets: {', '.join(names)}"
        raise OptionError([not_offered("a target", name, names, hint)])
    return found


def generate(
    spec: ModelSpec,
    target: str,
    options: Mapping[str, Any] = MappingProxyType({}),
    *,
    source: str = "",
    script: str = "",
) -> str:
    """Code for a spec, with options by name; see `specfmt.generate`."""
    found = find_target(target)
    chosen = found.read({**options, "source": source, "script": script})
    graph = analyze(spec)
    with placing(spec):
        return found.generate(graph, chosen)


def target_names() -> list[str]:
    """The names of all targets, those of installed packages last."""
    from importlib.metadata import entry_points

    return list(dict.fromkeys([*BUILT_IN, *sorted(entry_points(group=GROUP).names)]))


@cache
def _find(name: str) -> Target[Any] | None:
    if name in BUILT_IN:
        return _made(getattr(import_module(f"{__package__}.{name}"), BUILT_IN[name]))
    return plugins(GROUP, name, make=_made).get(name)


def _made(cls: Any) -> Target[Any]:
    if not (isinstance(cls, type) and issubclass(cls, Target)):
        raise TypeError(f"expected a class derived from {Target.__module__}.Target, received {cls}")
    return cls()
