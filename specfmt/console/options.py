"""The arguments and options that several commands share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, get_args

import click

from specfmt.targets.options import BUILT_IN, Axes, Fidelity, Flavor, Style

Decorator = Callable[[Any], Any]

SPEC_FILE = click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=str)
FILE_THERE = click.Path(exists=True, dir_okay=False, path_type=Path)


class Offered(click.Choice[str]):
    """Choices that help shows and the shell completes; the API refuses others, in its own words."""

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
    """An option of targets: not given, it is what the target takes it for, its first choice."""
    names = get_args(choices)
    return click.option(f"--{name}", type=Offered(names), show_default=names[0], help=help)


def _allow(ctx: click.Context, _: click.Parameter, names: tuple[str, ...]) -> None:
    """Allow classes until the command ends."""
    from specfmt.fields.foreign import allowing

    ctx.with_resource(allowing(names))


def _custom(ctx: click.Context, param: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    """A class given on the command line is one that the user wants to run."""
    _allow(ctx, param, tuple(item.rpartition("=")[2].replace(":", ".") for item in value))
    return value


def _pairs(_: click.Context, param: click.Parameter, value: tuple[str, ...]) -> dict[str, str]:
    """``name=value``, several times, as a mapping."""
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
    help="The framework, or another target.",
)
STYLE = _choice(
    "style", Style, "The form of the model; auto: the simplest one that can express it."
)
FLAVOR = _choice("flavor", Flavor, "Keras code: which package it imports.")
AXES = _choice("axes", Axes, "PyTorch code: images with channels first (torch) or last (keras).")
FIDELITY = _choice(
    "fidelity",
    Fidelity,
    "PyTorch code: stock optimizers and layers, or those that train as Keras does.",
)
OPTIONS = click.option(
    "--option",
    "options",
    multiple=True,
    metavar="NAME=VALUE",
    callback=_pairs,
    help="An option of a target that has others.",
)
REFERENCE = click.option(
    "--reference",
    type=FILE_THERE,
    help="An .npz file with inputs x0, ... and outputs y0, ... of the original.",
)
JSON = click.option("--json", "as_json", is_flag=True, help="Machine-readable.")
ALLOW = click.option(
    "--allow",
    multiple=True,
    metavar="CLASS",
    expose_value=False,
    callback=_allow,
    help="Import and call this class of the spec: package.module.Class, or the start of it.",
)
CUSTOM = click.option(
    "--custom",
    "customs",
    multiple=True,
    metavar="MODULE:CLASS",
    callback=_custom,
    help="The PyTorch class of a layer that specfmt does not know, by the name of its Keras class.",
)


def targets(help: str) -> Decorator:
    """``--target`` of commands that take several."""
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


def together(*decorators: Decorator) -> Decorator:
    """Several options as one, in this order in the help."""

    def decorate(command: Any) -> Any:
        for decorator in reversed(decorators):
            command = decorator(command)
        return command

    return decorate


CODE = together(STYLE, FLAVOR, AXES, FIDELITY, OPTIONS, ALLOW, CUSTOM)
"""How code is written: what `generate` and `train` take."""
PROGRAM = together(AXES, FIDELITY)
"""How the PyTorch program is written that weights belong to."""
