"""The arguments and options that several commands share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, get_args

import click
from click.shell_completion import CompletionItem

from specfmt.targets.options import BUILT_IN, Axes, Fidelity, Flavor, Style

Decorator = Callable[[Any], Any]

SPEC_FILE = click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=str)
FILE_THERE = click.Path(exists=True, dir_okay=False, path_type=Path)


class SavedType(click.ParamType):  # type: ignore[type-arg]
    """A saved model or weights: a file, a folder, or a checkpoint's name; ``-`` if allowed."""

    name = "path"

    def __init__(self, *, dash: bool = False) -> None:
        self.dash = dash

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        from specfmt.formats.source.folders import is_there

        if self.dash and value == "-":
            return value
        if not is_there(Path(value)):
            self.fail(f"file {value!r} does not exist", param, ctx)
        return str(value) if self.dash else Path(value)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        return [CompletionItem(incomplete, type="file")]


class Offered(click.Choice[str]):
    """Choices for help and shell completion; the API rejects other values, with its own message."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        return str(value)


class ShapeType(click.ParamType):  # type: ignore[type-arg]
    """A shape without the batch axis, such as ``28,28,1``; ``?`` for any size."""

    name = "shape"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int | None, ...]:
        if isinstance(value, tuple):
            return value
        sizes = [part.strip() for part in str(value).strip("()[] ").split(",") if part.strip()]
        if not all(size in ("?", "None") or (size.isdigit() and len(size) < 10) for size in sizes):
            self.fail(f"expected sizes such as 28,28,1 (? for any), received {value}", param, ctx)
        return tuple(int(size) if size.isdigit() else None for size in sizes)


def _choice(name: str, choices: Any, help: str) -> Decorator:
    """An option of a target; the default is the target's own, its first choice."""
    names = get_args(choices)
    return click.option(f"--{name}", type=Offered(names), show_default=names[0], help=help)


def _allow(ctx: click.Context, _: click.Parameter, names: tuple[str, ...]) -> None:
    """Allow these classes to be imported until the command ends."""
    from specfmt.fields.foreign import allowing

    ctx.with_resource(allowing(names))


def _custom(ctx: click.Context, param: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    """Allow the classes given by ``--custom`` to be imported: the user named them."""
    _allow(ctx, param, tuple(item.rpartition("=")[2].replace(":", ".") for item in value))
    return value


def _pairs(_: click.Context, param: click.Parameter, value: tuple[str, ...]) -> dict[str, str]:
    """Repeated ``name=value`` options as a mapping."""
    pairs = [item.partition("=") for item in value]
    for name, equals, _text in pairs:
        if not (name and equals):
            raise click.BadParameter(f"expected NAME=VALUE, received {name}", param=param)
    return {name: text for name, _equals, text in pairs}


FILE = click.argument("file", type=SPEC_FILE)
FILES = click.argument("files", nargs=-1, required=True, type=SPEC_FILE)
OUT = click.option(
    "-o", "--out", type=click.Path(path_type=Path), help="Write to this file instead of stdout."
)
TARGET = click.option(
    "--target",
    "-t",
    type=Offered(BUILT_IN),
    required=True,
    help="The target to generate code for.",
)
STYLE = _choice("style", Style, "How the model is written; auto: the simplest possible style.")
FLAVOR = _choice("flavor", Flavor, "Keras code: the package to import.")
AXES = _choice(
    "axes",
    Axes,
    "PyTorch code: inputs and outputs channels-first (torch) or channels-last (keras).",
)
FIDELITY = _choice(
    "fidelity",
    Fidelity,
    "PyTorch code: PyTorch's own optimizers and layers, or ones that train exactly as Keras does.",
)
OPTIONS = click.option(
    "--option",
    "options",
    multiple=True,
    metavar="NAME=VALUE",
    callback=_pairs,
    help="An option of a target that an installed package registers.",
)
REFERENCE = click.option(
    "--reference",
    type=FILE_THERE,
    help="An .npz file with inputs x0, ... and outputs y0, ... of the original model.",
)
JSON = click.option("--json", "as_json", is_flag=True, help="Machine-readable.")
ALLOW = click.option(
    "--allow",
    multiple=True,
    metavar="CLASS",
    expose_value=False,
    callback=_allow,
    help="Allow importing this class that the spec names: package.module.Class, or a prefix of it.",
)
CUSTOM = click.option(
    "--custom",
    "customs",
    multiple=True,
    metavar="MODULE:CLASS",
    callback=_custom,
    help="The PyTorch class for a layer that specfmt does not know; its Keras class has the same name.",
)


def targets(help: str) -> Decorator:
    """``--target`` for commands that take several."""
    return click.option(
        "--target", "-t", "targets", type=Offered(BUILT_IN), multiple=True, help=help
    )


def chosen(name: str, choices: Sequence[str], help: str, short: str = "") -> Decorator:
    """``--NAME`` with a fixed set of values, the first of which is the default."""
    flags = [f"--{name}", short, "form" if name == "format" else name]
    return click.option(
        *filter(None, flags),
        type=click.Choice(choices),
        default=choices[0],
        show_default=True,
        help=help,
    )


BLOCKS = chosen(
    "blocks",
    ["auto", "none"],
    "auto: what stands in the model several times becomes blocks.  none: one entry a layer.",
)


def together(*decorators: Decorator) -> Decorator:
    """Combine several options into one decorator; help lists them in this order."""

    def decorate(command: Any) -> Any:
        for decorator in reversed(decorators):
            command = decorator(command)
        return command

    return decorate


CODE = together(STYLE, FLAVOR, AXES, FIDELITY, OPTIONS, ALLOW, CUSTOM)
"""Options of code generation: those of `generate` and `train`."""
PROGRAM = together(AXES, FIDELITY)
"""Options of the PyTorch program that weights are converted for."""
