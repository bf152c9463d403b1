"""The command line: parses options, calls the public API, prints."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import specfmt
from specfmt.console.options import (
    ALLOW,
    BLOCKS,
    CODE,
    CUSTOM,
    FILE,
    FILES,
    JSON,
    OUT,
    PROGRAM,
    REFERENCE,
    STYLE,
    TARGET,
    SavedType,
    ShapeType,
    chosen,
    targets,
)
from specfmt.console.terminal import columns, in_colour
from specfmt.diagnostics import SpecError
from specfmt.reference.starters import NAMES as STARTERS
from specfmt.targets.options import OptionError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from specfmt.diagnostics import Diagnostic
    from specfmt.spec.document import ModelSpec


class Commands(click.Group):
    """Reports a user's mistakes on stderr with exit code 1, never as a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command."""
        try:
            return super().invoke(ctx)
        except OptionError as error:
            raise click.UsageError(str(error)) from None
        except SpecError as error:
            report(error.diagnostics)
            ctx.exit(1)
        except BrokenPipeError:
            sys.stderr.close()
            ctx.exit(1)
        except OSError as error:
            raise click.ClickException(
                f"{error.filename or ''}: {error.strerror or error}"
            ) from None


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(specfmt.__version__, prog_name="specfmt")
def main() -> None:
    """Neural-network specs (YAML, JSON) to Keras and PyTorch code."""


def report(diagnostics: Iterable[Diagnostic]) -> None:
    """Print diagnostics to stderr; on a terminal in colour and with the source lines."""
    from specfmt.console.terminal import in_files

    colour = in_colour(sys.stderr)
    for text in in_files(diagnostics, columns() if colour else None):
        click.echo(text, err=True, color=colour or None)


def read_bytes(file: str) -> tuple[bytes, str]:
    """A file's content and its name for messages; ``-`` is standard input."""
    if file == "-":
        return sys.stdin.buffer.read(), "<stdin>"
    return Path(file).read_bytes(), file


def rewrite(
    ctx: click.Context,
    files: tuple[str, ...],
    check: bool,
    verb: str,
    past: str,
    change: Callable[..., str],
) -> None:
    """Write files anew that a function of the public API changes, and say which.

    Args:
        ctx: The command, which exits: 1 for files with mistakes, or for any change with ``check``.
        files: The files; ``-`` goes to stdout.
        check: Write nothing.
        verb, past: What is done to a file, and what was done.
        change: The function, which takes the text and the name of a file.
    """
    from specfmt.files import write_whole

    problems: list[Diagnostic] = []
    changed = False
    for file, (content, name) in zip(files, map(read_bytes, files), strict=True):
        try:
            text = change(content, file=name)
        except SpecError as error:
            problems += error.diagnostics
            continue
        if file == "-" and not check:
            click.echo(text, nl=False)
        elif text.encode() != content:
            changed = True
            if not check:
                write_whole(Path(file), text)
            click.echo(f"would {verb} {name}" if check else f"{past} {name}", err=True)
    report(problems)
    ctx.exit(1 if problems or (check and changed) else 0)


def read_spec(file: str, customs: Iterable[str] = ()) -> ModelSpec:
    """The spec in a file; `-` is standard input."""
    content, name = read_bytes(file)
    spec = specfmt.loads(content, file=name)
    return specfmt.with_customs(spec, customs) if customs else spec


def header(file: str) -> str:
    """The name of a spec's file, for the docstring of generated code."""
    return "" if file == "-" else Path(file).name


def write(text: str, out: Path | None) -> None:
    """Print, or write a file atomically."""
    if out is None:
        click.echo(text, nl=not text.endswith("\n"))
        return
    from specfmt.files import write_whole

    write_whole(out, text)


@main.command("validate")
@FILES
@chosen(
    "format",
    ["text", "json", "github", "sarif"],
    "Text for people, JSON for programs, GitHub annotations, or SARIF for code scanning.",
)
@targets("Also report what this target cannot express; can be given several times.")
@click.pass_context
def validate_command(
    ctx: click.Context, files: tuple[str, ...], form: str, targets: tuple[str, ...]
) -> None:
    """Check specs and report all mistakes."""
    from specfmt.console import reports

    checked = []
    for content, name in map(read_bytes, files):
        checked.append((content, specfmt.check(content, file=name, targets=targets)))
    colour = form == "text" and in_colour(sys.stdout)
    text, code = reports.report(checked, form, width=columns() if colour else None)
    if text:
        click.echo(text, color=colour or None)
    ctx.exit(code)


@main.command()
@FILES
@click.option("--check", is_flag=True, help="Write nothing; exit 1 if a file would change.")
@click.option("--fix", is_flag=True, help="Also replace names of earlier Keras versions.")
@click.pass_context
def fmt(ctx: click.Context, files: tuple[str, ...], check: bool, fix: bool) -> None:
    """Format specs; comments are kept."""
    rewrite(ctx, files, check, "reformat", "reformatted", partial(specfmt.format_spec, fix=fix))


@main.command()
@FILES
@click.option("--check", is_flag=True, help="Write nothing; exit 1 if a file would change.")
@click.pass_context
def refactor(ctx: click.Context, files: tuple[str, ...], check: bool) -> None:
    """Turn what stands several times into blocks; keep comments."""
    rewrite(ctx, files, check, "refactor", "refactored", specfmt.refactor_text)


@main.command()
@FILE
@OUT
def expand(file: str, out: Path | None) -> None:
    """Write the spec without blocks, with all its layers one by one."""
    write(specfmt.dump(specfmt.expand(read_spec(file))), out)


@main.command()
@FILE
@JSON
@click.option("--expand", is_flag=True, help="Show the layers in blocks one by one.")
def summary(file: str, as_json: bool, expand: bool) -> None:
    """Show layers, shapes, parameters, arithmetic and memory."""
    from specfmt.console.summary import summary_text

    found = specfmt.summarize(read_spec(file))
    if as_json:
        click.echo(json.dumps(found.to_data(), indent=2))
    else:
        click.echo(summary_text(found, columns(), expand=expand))


@main.command()
@FILE
@TARGET
@chosen("part", ["model", "train"], "The model alone, or a script that trains it.")
@CODE
@OUT
def generate(
    file: str, target: str, out: Path | None, customs: tuple[str, ...], **options: Any
) -> None:
    """Write the model (or its training script) as code."""
    spec = read_spec(file, customs)
    write(specfmt.generate(spec, target, source=header(file), **options), out)
    if target == "torch":
        report(finding for finding in specfmt.lint_spec(spec) if finding.code == "SF314")


@main.command(context_settings={"ignore_unknown_options": True})
@FILE
@TARGET
@click.option(
    "--build",
    type=click.Path(path_type=Path),
    default=Path("build"),
    show_default=True,
    help="The folder that the script is written to.",
)
@CODE
@click.argument("script_options", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def train(
    ctx: click.Context,
    /,
    file: str,
    target: str,
    build: Path,
    customs: tuple[str, ...],
    script_options: tuple[str, ...],
    **options: Any,
) -> None:
    """Generate the training script and run it.

    Options after `--` go to the script: `specfmt train FILE -t torch -- --epochs 3`.
    """
    spec = read_spec(file, customs)
    ctx.exit(specfmt.train(spec, target, build, script_options, source=header(file), **options))


@main.command()
@click.option(
    "--template",
    "-t",
    type=click.Choice(STARTERS),
    default="mlp",
    show_default=True,
    metavar="NAME",
    help="The starter spec: " + ", ".join(STARTERS) + ".",
)
@click.option(
    "--list",
    "listing",
    is_flag=True,
    help="List the starter specs, each with a one-line description.",
)
@OUT
def init(template: str, listing: bool, out: Path | None) -> None:
    """Write a starter spec."""
    if listing:
        for name, line in specfmt.starters().items():
            click.echo(f"{name:<12} {line}")
        return
    if out is not None and out.exists():
        raise click.UsageError(f"{out} exists already")
    write(specfmt.starter(template), out)


@main.command()
@JSON
def layers(as_json: bool) -> None:
    """List all layer types and the targets that support them."""
    from specfmt.console.terminal import table

    rows = specfmt.catalogue()
    if as_json:
        click.echo(json.dumps([asdict(row) for row in rows], indent=2))
        return
    cells = [("type", "family", "targets", "remark")]
    cells += [(row.type, row.short_family, " ".join(row.targets), row.remark) for row in rows]
    width = columns() if sys.stdout.isatty() else None
    click.echo(table(cells, width=width, unbroken=(0, 2)))


@main.command()
@click.argument("name", metavar="CODE|LAYER|OPERATION")
def explain(name: str) -> None:
    """Explain a diagnostic code, a layer or an operation."""
    click.echo(specfmt.explain(name))


@main.command()
@click.option("--check", is_flag=True, help="Exit 1 if schema/specfmt.schema.json is out of date.")
@OUT
@click.pass_context
def schema(ctx: click.Context, check: bool, out: Path | None) -> None:
    """Write the JSON Schema of the spec language."""
    from specfmt.reference.json_schema import schema_file, schema_text

    if check:
        path = schema_file()
        fresh = path.is_file() and path.read_text(encoding="utf-8") == schema_text()
        if not fresh:
            click.echo(f"{path} is out of date; run: specfmt schema -o {path}", err=True)
        ctx.exit(0 if fresh else 1)
    write(schema_text(), out)


@main.command()
@FILE
@click.argument("source", type=SavedType())
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    help=".safetensors, .pt or .weights.h5.",
)
@PROGRAM
def weights(file: str, source: Path, out: Path, **options: Any) -> None:
    """Convert trained weights between Keras and PyTorch files.

    SOURCE is a .keras, .h5, .npz, .safetensors or .pt file, a TensorFlow checkpoint, or the folder
    of a SavedModel.
    """
    from specfmt.console.progress import weight_progress

    spec = read_spec(file)
    with weight_progress() as progress:
        count = specfmt.convert_weights(spec, source, out, progress=progress, **options)
    click.echo(f"{out}: {count} tensors", err=True)


@main.command()
@click.argument("source", type=SavedType())
@click.option(
    "-o",
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="The folder to write.",
)
@ALLOW
@click.option("--no-verify", is_flag=True, help="Do not compare the programs at the end.")
@REFERENCE
@click.option(
    "--accept-changes",
    is_flag=True,
    help="Convert even if the result computes something else than the original.",
)
@click.option("--force", is_flag=True, help="Replace files in the folder that differ.")
@CUSTOM
@BLOCKS
@STYLE
@PROGRAM
@click.pass_context
def convert(
    ctx: click.Context,
    /,
    source: Path,
    out: Path,
    no_verify: bool,
    reference: Path | None,
    accept_changes: bool,
    **options: Any,
) -> None:
    """Migrate a saved Keras model to PyTorch.

    Writes the spec, PyTorch source, weights and a usage example, and compares them with the
    original model.
    """
    from specfmt.console.progress import show_report, steps, weight_progress

    with steps(plain=True, total=3 + (not no_verify)) as say:
        with weight_progress() as progress:
            done = specfmt.convert(
                source, out, accept_changes=accept_changes, say=say, progress=progress, **options
            )
        found = None if no_verify else specfmt.compare(done, reference=reference, say=say)
    report(done.warnings)
    for path in done.files():
        click.echo(path)
    if found is not None:
        show_report(found)
    if missing := done.to_install():
        click.echo(missing, err=True)
    if done.todo:
        click.echo("complete these classes, or give your own with --custom:", err=True)
        for line in done.todo:
            click.echo(f"  {line}", err=True)
    if found is not None:
        ctx.exit(0 if found.ok or accept_changes else 1)


@main.command()
@FILE
@click.option(
    "--weights",
    "-w",
    type=SavedType(),
    help="A file with trained weights; random weights if not given.",
)
@targets("Run only this target's program.")
@click.option(
    "--original",
    type=SavedType(),
    help="The Keras file that the spec was imported from: compare with it too.",
)
@REFERENCE
@click.option("--seed", type=int, default=0, help="The seed of random weights and inputs.")
@click.option("--layerwise", is_flag=True, help="Compare the output of every layer.")
@PROGRAM
@ALLOW
@CUSTOM
@JSON
@click.pass_context
def verify(
    ctx: click.Context, /, file: str, as_json: bool, customs: tuple[str, ...], **options: Any
) -> None:
    """Run the Keras and the PyTorch program and compare them.

    Compares parameter counts, shapes, outputs and gradients; exit code 1 if they differ.
    """
    from specfmt.console.progress import show_report, steps

    spec = read_spec(file, customs)
    with steps() as say:
        found = specfmt.verify(spec, progress=say, **options)
    if as_json:
        click.echo(json.dumps(found.to_data(), indent=2))
    else:
        show_report(found, every=options["layerwise"])
    ctx.exit(0 if found.ok else 1)


@main.command("import")
@click.argument("source", type=SavedType(dash=True))
@BLOCKS
@click.option(
    "--input-shape",
    type=ShapeType(),
    help="The input shape, if the file has none, without the batch axis: 4 or 28,28,1; ? for any.",
)
@ALLOW
@OUT
def import_(
    source: str,
    out: Path | None,
    input_shape: tuple[int | None, ...] | None,
    blocks: specfmt.Blocks,
) -> None:
    """Write the spec of a saved Keras model.

    SOURCE is Keras JSON of any Keras version, a .keras or .h5 file, the folder of a SavedModel, or
    a tf.js model.json.
    """
    content = sys.stdin.buffer.read() if source == "-" else None
    spec, warnings = specfmt.import_spec(source, content, input_shape=input_shape, blocks=blocks)
    report(warnings)
    write(specfmt.dump(spec), out)


@main.command()
@FILE
@chosen(
    "format",
    ["keras3", "keras2"],
    "keras3: as Keras 3 writes it.  keras2: for Keras 2 (tf_keras), without `train:`.",
)
@OUT
def export(file: str, form: Any, out: Path | None) -> None:
    """Write a spec as Keras architecture JSON."""
    write(specfmt.to_keras_json(read_spec(file), form) + "\n", out)
