"""The registry of targets (code generators), each imported when it is first used."""

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
    """A code generator for one framework; `docs/targets.md` shows how to add one.

    Attributes:
        name: Its name on the command line and in the API, and of its entry point.
        title: Its name in messages.
        suffix: The suffix of generated files.
        package: The package that generated code needs at run time; empty if it needs none.
        options: The class of its options: `TargetOptions` or a frozen dataclass derived from it.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    suffix: ClassVar[str] = ".py"
    package: ClassVar[str] = ""
    options: type[OptionsType]

    @abstractmethod
    def generate(self, graph: Graph, options: OptionsType) -> str:
        """Generate the code of a model.

        Args:
            graph: A graph without errors; it is not modified.
            options: Validated options.

        Returns:
            The text of one file.

        Raises:
            SpecError: The target cannot express the model; the error has all findings.
        """

    def read(self, given: Mapping[str, Any]) -> OptionsType:
        """Validate options given by name; None selects an option's default.

        Raises:
            OptionError: An option is unknown or its value is not allowed.
        """
        return read_options(self.options, given, self.name)

    def check(self, graph: Graph, *, training: bool = False) -> list[Diagnostic]:
        """Find what the target cannot express.

        Args:
            graph: A graph without errors.
            training: Whether to check the training script too.

        Returns:
            All findings; none if the target can express everything.
        """
        for part in choices_of(self.options)["part"]:
            if part == "train" and not training:
                continue
            try:
                self.generate(graph, self.read({"part": part}))
            except SpecError as error:
                return list(error.diagnostics)
        return []


def find_target(name: str) -> Target[Any]:
    """Look up a target by its name.

    Raises:
        OptionError: No target has this name.
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
    """Generate code for a spec; see `specfmt.generate`.

    Args:
        spec: The spec.
        target: The name of a target.
        options: The target's options by name.
        source: The spec's file name, for the header.
        script: The file name of the generated script, for its usage line.

    Raises:
        OptionError: The target or an option is unknown, or a value is not allowed.
        SpecError: The spec has errors, or the target cannot express it.
    """
    found = find_target(target)
    chosen = found.read({**options, "source": source, "script": script})
    graph = analyze(spec)
    with placing(spec):
        return found.generate(graph, chosen)


def target_names() -> list[str]:
    """The names of all targets: built-in ones first, then those of installed packages."""
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
