"""The command line: parses options, calls the public API, prints.  No logic lives here."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from specfmt import __version__
from specfmt.diagnostics import SpecError
from specfmt.starters import NAMES as STARTERS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from specfmt.diagnostics import Diagnostic
    from specfmt.spec.document import ModelSpec

SpecFile = click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=str)


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


OUT = click.option(
    "-o", "--out", type=click.Path(path_type=Path), help="Write to this file instead of stdout."
)
TARGET = click.option(
    "--target", "-t", type=click.Choice(["keras", "torch"]), required=True, help="The framework."
)
STYLE = click.option(
    "--style",
    type=click.Choice(["auto", "sequential", "functional", "subclass"]),
    default="auto",
    show_default=True,
    help="The form of the model; auto: the simplest one that can express it.",
)
FLAVOR = click.option(
    "--flavor",
    type=click.Choice(["tf.keras", "keras"]),
    default="tf.keras",
    show_default=True,
    help="Keras code: which package it imports.",
)
AXES = click.option(
    "--axes",
    type=click.Choice(["torch", "keras"]),
    default="torch",
    show_default=True,
    help="PyTorch code: images with channels first (torch) or last (keras).",
)
FIDELITY = click.option(
    "--fidelity",
    type=click.Choice(["idiomatic", "exact"]),
    default="idiomatic",
    show_default=True,
    help="PyTorch code: stock optimizers and layers, or those that train as Keras does.",
)
REFERENCE = click.option(
    "--reference",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="An .npz file with inputs x0, ... and outputs y0, ... of the original.",
)
JSON = click.option("--json", "as_json", is_flag=True, help="Machine-readable.")


def _allow(ctx: click.Context, _: click.Parameter, names: tuple[str, ...]) -> None:
    """Allow classes until the command ends."""
    from specfmt.fields.foreign import allowing

    ctx.with_resource(allowing(names))


ALLOW = click.option(
    "--allow",
    multiple=True,
    metavar="CLASS",
    expose_value=False,
    callback=_allow,
    help="Import and call this class of the spec: package.module.Class, or the start of it.",
)


def _custom(ctx: click.Context, _: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    """A class given on the command line is one that the user wants to run."""
    from specfmt.fields.foreign import allowing

    names = [item.rpartition("=")[2].replace(":", ".") for item in value]
    ctx.with_resource(allowing(names))
    return value


CUSTOM = click.option(
    "--custom",
    "customs",
    multiple=True,
    metavar="MODULE:CLASS",
    callback=_custom,
    help="The PyTorch class of a layer that specfmt does not know, by the name of its Keras class.",
)


class Commands(click.Group):
    """Turns a user's mistakes into findings on stderr and exit code 1, never a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command."""
        try:
            return super().invoke(ctx)
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
@click.version_option(__version__, prog_name="specfmt")
def main() -> None:
    """Neural-network specs (YAML, JSON) to Keras and PyTorch code."""


def report(diagnostics: Iterable[Diagnostic]) -> None:
    """Print findings to stderr; on a terminal in colour and with the source lines."""
    from specfmt.console.terminal import columns, in_colour, shown

    colour, width = in_colour(sys.stderr), columns()
    texts: dict[str, str | None] = {}
    for diagnostic in diagnostics:
        if not colour:
            click.echo(str(diagnostic), err=True)
            continue
        if diagnostic.span is not None and diagnostic.file not in texts:
            texts[diagnostic.file] = _text(diagnostic.file)
        click.echo(shown(diagnostic, texts.get(diagnostic.file), width), err=True, color=True)


def _text(file: str) -> str | None:
    """The text of a file, or None."""
    try:
        return Path(file).read_text(encoding="utf-8-sig")
    except (OSError, ValueError):
        return None


def read_bytes(file: str) -> tuple[bytes, str]:
    """A file's content and its name for messages; ``-`` is standard input."""
    if file == "-":
        return sys.stdin.buffer.read(), "<stdin>"
    return Path(file).read_bytes(), file


def read_spec(file: str) -> ModelSpec:
    """The spec in a file, `-` for standard input."""
    import specfmt

    content, name = read_bytes(file)
    return specfmt.loads(content, file=name)


def write(text: str, out: Path | None) -> None:
    """Print, or write a file whole."""
    if out is None:
        click.echo(text, nl=not text.endswith("\n"))
        return
    from specfmt.files import write_whole

    write_whole(out, text)


@main.command("validate")
@click.argument("files", nargs=-1, required=True, type=SpecFile)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "github", "sarif"]),
    default="text",
    show_default=True,
    help="For people, programs, GitHub annotations, or code scanning.",
)
@click.option(
    "--target",
    "-t",
    "targets",
    type=click.Choice(["keras", "torch"]),
    multiple=True,
    help="Also tell what this target refuses; may be given twice.",
)
@click.pass_context
def validate_command(
    ctx: click.Context, files: tuple[str, ...], form: str, targets: tuple[str, ...]
) -> None:
    """Check specs; every mistake is listed."""
    from specfmt.console.reports import validate
    from specfmt.console.terminal import columns, in_colour

    colour = form == "text" and in_colour(sys.stdout)
    text, code = validate(
        map(read_bytes, files), form, width=columns() if colour else None, targets=targets
    )
    if text:
        click.echo(text, color=colour or None)
    ctx.exit(code)


@main.command()
@click.argument("files", nargs=-1, required=True, type=SpecFile)
@click.option("--check", is_flag=True, help="Write nothing; exit 1 if a file would change.")
@click.option("--fix", is_flag=True, help="Also rewrite old spellings.")
@click.pass_context
def fmt(ctx: click.Context, files: tuple[str, ...], check: bool, fix: bool) -> None:
    """Rewrite specs in canonical form; comments are kept."""
    from specfmt.api import format_specs
    from specfmt.files import write_whole

    documents = [read_bytes(file) for file in files]
    texts, problems = format_specs(documents, fix=fix)
    changed = 0
    for file, (content, name), text in zip(files, documents, texts, strict=True):
        if text is None:
            continue
        if file == "-" and not check:
            click.echo(text, nl=False)
        elif text.encode() != content:
            changed += 1
            if not check:
                write_whole(Path(file), text)
            click.echo(f"{'would reformat' if check else 'reformatted'} {name}", err=True)
    report(problems)
    ctx.exit(1 if problems or (check and changed) else 0)


@main.command()
@click.argument("file", type=SpecFile)
@JSON
def summary(file: str, as_json: bool) -> None:
    """Show layers, shapes, parameters, arithmetic and memory."""
    import json

    import specfmt
    from specfmt.console.summary import summarize, summary_text
    from specfmt.console.terminal import columns

    content, name = read_bytes(file)
    graph = specfmt.analyze(specfmt.loads(content, file=name))
    click.echo(
        json.dumps(summarize(graph), indent=2) if as_json else summary_text(graph, columns())
    )


@main.command()
@click.argument("file", type=SpecFile)
@TARGET
@click.option(
    "--part",
    type=click.Choice(["model", "train"]),
    default="model",
    show_default=True,
    help="The model alone, or a script that trains it.",
)
@STYLE
@FLAVOR
@AXES
@FIDELITY
@ALLOW
@CUSTOM
@OUT
def generate(
    file: str, target: str, out: Path | None, customs: tuple[str, ...], **options: str
) -> None:
    """Write the model (or its training script) as code."""
    import specfmt

    content, name = read_bytes(file)
    spec = specfmt.loads(content, file=name)
    if customs:
        from specfmt.api import with_customs

        spec = with_customs(spec, customs)
    source = "" if file == "-" else Path(file).name
    write(specfmt.generate(spec, target, source=source, **options), out)


@main.command(context_settings={"ignore_unknown_options": True})
@click.argument("file", type=SpecFile)
@TARGET
@click.option(
    "--build",
    type=click.Path(path_type=Path),
    default=Path("build"),
    show_default=True,
    help="The folder that the script is written to.",
)
@STYLE
@FLAVOR
@AXES
@FIDELITY
@ALLOW
@CUSTOM
@click.argument("script_options", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def train(
    ctx: click.Context,
    /,
    file: str,
    target: str,
    build: Path,
    script_options: tuple[str, ...],
    **options: Any,
) -> None:
    """Generate the training script and run it.

    Options after `--` go to the script: `specfmt train FILE -t torch -- --epochs 3`.
    """
    from specfmt.api import train as run

    content, name = read_bytes(file)
    ctx.exit(run(content, name, target, build, list(script_options), **options))


@main.command()
@click.option(
    "--template",
    "-t",
    type=click.Choice(STARTERS),
    default="mlp",
    show_default=True,
    metavar="NAME",
    help="Which one: " + ", ".join(STARTERS) + ".",
)
@click.option("--list", "listing", is_flag=True, help="List the templates with a line on each.")
@OUT
def init(template: str, listing: bool, out: Path | None) -> None:
    """Write a starter spec."""
    from specfmt.starters import starter, starters

    if listing:
        for name, line in starters().items():
            click.echo(f"{name:<12} {line}")
        return
    if out is not None and out.exists():
        raise click.UsageError(f"{out} exists already")
    write(starter(template), out)


@main.command()
@JSON
def layers(as_json: bool) -> None:
    """List every layer type and which targets can express it."""
    import json

    from specfmt.reference.catalogue import catalogue

    rows = catalogue()
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    from specfmt.console.terminal import columns, table

    cells = [("type", "family", "targets", "remark")]
    for row in rows:
        targets = "keras torch" if row["torch"] else "keras"
        cells.append((row["type"], row["family"], targets, row["reason"]))
    click.echo(table(cells, width=columns()))


@main.command()
@click.argument("name", metavar="CODE|LAYER|OPERATION")
def explain(name: str) -> None:
    """Explain a diagnostic code, a layer or an operation."""
    from specfmt.fields.errors import did_you_mean
    from specfmt.reference.explain import explanation

    text = explanation(name)
    if text is None:
        from specfmt.reference.explain import names

        hint = did_you_mean(name, names()) or "codes look like SF203, layers like Dense"
        raise click.UsageError(f"no code, layer or operation {name!r}; {hint}")
    click.echo(text)


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
@click.argument("file", type=SpecFile)
@click.argument("source", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    help=".safetensors, .pt or .weights.h5.",
)
@AXES
@FIDELITY
def weights(file: str, source: Path, out: Path, **options: str) -> None:
    """Carry trained weights from Keras to PyTorch and back."""
    import specfmt
    from specfmt.console.progress import weight_progress

    spec = read_spec(file)
    with weight_progress() as progress:
        count = specfmt.convert_weights(spec, source, out, progress=progress, **options)
    click.echo(f"{out}: {count} tensors", err=True)


@main.command()
@click.argument("source", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "-o", "--out", type=click.Path(file_okay=False, path_type=Path), required=True, help="A folder."
)
@ALLOW
@click.option("--no-verify", is_flag=True, help="Do not compare the programs at the end.")
@REFERENCE
@click.option(
    "--accept-changes",
    is_flag=True,
    help="Go on where the outcome computes something else than the original.",
)
@click.option("--force", is_flag=True, help="Replace files in the folder that differ.")
@CUSTOM
@STYLE
@AXES
@FIDELITY
@click.pass_context
def convert(
    ctx: click.Context,
    source: Path,
    out: Path,
    no_verify: bool,
    reference: Path | None,
    accept_changes: bool,
    force: bool,
    customs: tuple[str, ...],
    style: str,
    axes: str,
    fidelity: str,
) -> None:
    """Migrate a saved Keras model to PyTorch.

    Writes the spec, PyTorch source, weights and a usage example, and compares the outcome with
    the original.
    """
    from specfmt.console.progress import show_report, steps, weight_progress
    from specfmt.migrate import compare, migrate

    with steps(plain=True, total=3 + (not no_verify)) as say:
        with weight_progress() as progress:
            done = migrate(
                source,
                out,
                accept_changes=accept_changes,
                force=force,
                say=say,
                progress=progress,
                customs=customs,
                style=style,
                axes=axes,
                fidelity=fidelity,
            )
        found = None
        if not no_verify:
            found = compare(
                done, source, reference=reference, say=say, axes=axes, fidelity=fidelity
            )
    report(done.warnings)
    for path in done.files():
        click.echo(path)
    if found is not None:
        show_report(found)
    if missing := done.to_install():
        click.echo(missing, err=True)
    if done.todo:
        click.echo("left to do, or give the classes with --custom:", err=True)
        for line in done.todo:
            click.echo(f"  {line}", err=True)
    if found is not None:
        ctx.exit(0 if found.ok or accept_changes else 1)


@main.command()
@click.argument("file", type=SpecFile)
@click.option(
    "--weights",
    "-w",
    "source",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Trained ones.",
)
@click.option(
    "--target",
    "-t",
    "targets",
    type=click.Choice(["keras", "torch"]),
    multiple=True,
    help="Only these.",
)
@click.option(
    "--original",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The Keras file that the spec came from: compare with it too.",
)
@REFERENCE
@click.option("--seed", type=int, default=0, help="Of random weights and inputs.")
@click.option("--layerwise", is_flag=True, help="Compare the output of every layer.")
@AXES
@FIDELITY
@ALLOW
@CUSTOM
@JSON
@click.pass_context
def verify(
    ctx: click.Context,
    /,
    file: str,
    source: Path | None,
    as_json: bool,
    customs: tuple[str, ...],
    **options: Any,
) -> None:
    """Build both programs and compare what they compute.

    Counts, shapes, outputs, gradients; exit 1 if they differ.
    """
    import json

    import specfmt
    from specfmt.console.progress import show_report, steps

    spec = read_spec(file)
    if customs:
        from specfmt.api import with_customs

        spec = with_customs(spec, customs)
    with steps() as say:
        found = specfmt.verify(spec, weights=source, progress=say, **options)
    if as_json:
        click.echo(json.dumps(found.to_data(), indent=2))
    else:
        show_report(found, every=options["layerwise"])
    ctx.exit(0 if found.ok else 1)


@main.command("import")
@click.argument("source", type=SpecFile)
@click.option(
    "--input-shape",
    type=ShapeType(),
    help="Of a Sequential that does not say it, without the batch axis: 4 or 28,28,1; ? for any.",
)
@ALLOW
@OUT
def import_(source: str, out: Path | None, input_shape: tuple[int | None, ...] | None) -> None:
    """Turn a saved Keras model into a spec.

    SOURCE is Keras JSON of any generation, a .keras or .h5 file, or a tf.js model.json.
    """
    from specfmt.api import import_source

    content = sys.stdin.buffer.read() if source == "-" else None
    text, warnings = import_source(source, content, input_shape=input_shape)
    report(warnings)
    write(text, out)


@main.command()
@click.argument("file", type=SpecFile)
@click.option(
    "--format",
    "form",
    type=click.Choice(["keras3", "keras2"]),
    default="keras3",
    show_default=True,
    help="keras3: what Keras 3 writes.  keras2: what Keras 2 (tf_keras) loads, without `train:`.",
)
@OUT
def export(file: str, form: str, out: Path | None) -> None:
    """Write a spec as Keras architecture JSON."""
    import specfmt

    write(specfmt.to_keras_json(read_spec(file), form) + "\n", out)
