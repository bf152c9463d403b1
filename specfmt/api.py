"""What the public functions do; `specfmt/__init__.py` documents them."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from specfmt.diagnostics import Diagnostic, SpecError
from specfmt.graph.build import build
from specfmt.graph.model import Graph
from specfmt.spec.document import ModelSpec, parse_document
from specfmt.text.reading import Document, read


def load(path: str | Path) -> ModelSpec:
    return loads(Path(path).read_bytes(), file=str(path))


def loads(text: str | bytes, *, file: str = "<string>") -> ModelSpec:
    document = read(text, file)
    spec, problems = parse_document(document.data)
    if spec is not None and problems:
        problems += build(spec, problems)[1]
    if problems or spec is None:
        raise SpecError(placed(document, problems))
    object.__setattr__(spec, "origin", document)
    return spec


def placed(document: Document, problems: Iterable[Diagnostic]) -> list[Diagnostic]:
    """Findings with their places in the text, in order of place."""
    found = [problem if problem.span else document.place(problem) for problem in problems]
    return sorted(found, key=lambda d: (d.span.line, d.span.column) if d.span else (0, 0))


@contextmanager
def placing(spec: ModelSpec) -> Iterator[None]:
    """Findings about a spec that was read from a text come with their places in it."""
    try:
        yield
    except SpecError as error:
        if spec.origin is None:
            raise
        raise SpecError(placed(spec.origin, error.diagnostics)) from None


def dump(spec: ModelSpec) -> str:
    from specfmt.text.formatting import dump_yaml

    return dump_yaml(spec.to_data())


def format_spec(text: str | bytes, *, file: str = "<string>", fix: bool = False) -> str:
    """A spec in its canonical form; with ``fix`` its old spellings are rewritten."""
    if fix:
        from specfmt.spec.fixes import fix_text

        return fix_text(text, file)
    from specfmt.text.formatting import format_text

    return format_text(text, file)


def format_specs(
    documents: Iterable[tuple[bytes, str]], *, fix: bool = False
) -> tuple[list[str | None], list[Diagnostic]]:
    """Several specs (content and name) in canonical form, None where one cannot be read."""
    texts: list[str | None] = []
    problems: list[Diagnostic] = []
    for content, name in documents:
        try:
            texts.append(format_spec(content, file=name, fix=fix))
        except SpecError as error:
            texts.append(None)
            problems += error.diagnostics
    return texts, problems


def check(
    text: str | bytes, *, file: str = "<string>", targets: Iterable[str] = ()
) -> list[Diagnostic]:
    try:
        document = read(text, file)
    except SpecError as error:
        return list(error.diagnostics)
    spec, problems = parse_document(document.data)
    if spec is not None:
        graph, found = build(spec, problems)
        problems += found
        if not problems:
            from specfmt.lint import lint

            problems += _refusals(spec, graph, targets)
            problems += lint(graph)
    return placed(document, problems)


def _refusals(spec: ModelSpec, graph: Graph, targets: Iterable[str]) -> list[Diagnostic]:
    """What a training script of any target refuses, and what these targets refuse besides."""
    from specfmt.spec.train import TrainSpec

    found: list[Diagnostic] = []
    if isinstance(spec.train, TrainSpec):
        from specfmt.targets.training.data_checks import training_problems

        found = training_problems(graph, spec.train)
    trains = isinstance(spec.train, TrainSpec) and spec.train.data is not None and not found
    for target in targets:
        for part in ("model", "train") if trains else ("model",):
            try:
                generate(spec, target, part=part)
            except SpecError as error:
                found += [item for item in error.diagnostics if item not in found]
                break
    return found


def analyze(spec: ModelSpec) -> Graph:
    with placing(spec), uncollected():
        graph, problems = build(spec)
        errors = [problem for problem in problems if problem.severity == "error"]
        if errors:
            raise SpecError(errors)
        return graph


def generate(
    spec: ModelSpec,
    target: str = "keras",
    *,
    style: str = "auto",
    part: str = "model",
    flavor: str = "tf.keras",
    axes: str = "torch",
    fidelity: str = "idiomatic",
    source: str = "",
    script: str = "",
) -> str:
    graph = analyze(spec)
    with placing(spec):
        return _generate(graph, target, style, part, flavor, axes, fidelity, source, script)


def _generate(
    graph: Graph,
    target: str,
    style: str,
    part: str,
    flavor: str,
    axes: str,
    fidelity: str,
    source: str,
    script: str,
) -> str:
    if target == "torch":
        from specfmt.targets import torch
        from specfmt.targets.torch.program import Options

        options = Options(axes=axes, fidelity=fidelity)
        if part == "train":
            return torch.generate_training(
                graph, style=style, options=options, source=source, script=script
            )
        return torch.generate_model(graph, style=style, options=options, source=source)
    from specfmt.targets import keras

    if part == "train":
        return keras.generate_training(
            graph, style=style, flavor=flavor, source=source, script=script
        )
    return keras.generate_model(graph, style=style, flavor=flavor, source=source)


def train(
    content: bytes | str,
    file: str,
    target: str,
    build_folder: Path,
    script_options: list[str],
    customs: Iterable[str] = (),
    **options: str,
) -> int:
    """Write the training script below ``build_folder`` and run it; returns its exit code.

    Args:
        content, file: The spec and its name.
        target: The framework.
        build_folder: Where the script goes.
        script_options: What the script is called with.
        customs: As `with_customs` takes them.
        options: Those of `generate`: style, flavor, axes, fidelity.

    Raises:
        SpecError: The spec has mistakes, names classes that were not allowed (SF309), or the
            script imports a package that is not installed (SF312).
    """
    import os

    from specfmt.extras import require
    from specfmt.files import write_whole
    from specfmt.targets.naming import identifier
    from specfmt.targets.needs import script_needs
    from specfmt.targets.running import environment, require_allowed, run, script_command

    spec = with_customs(loads(content, file=file), customs)
    path = build_folder / f"{identifier(spec.name)}_{target}.py"
    source = "" if file.startswith("<") else Path(file).name
    code = generate(spec, target, part="train", source=source, script=path.name, **options)
    with placing(spec):
        user_folder = require_allowed(spec, code, target)
    write_whole(path, code)
    require(script_needs(code, script_options), f"to run {path}", target)
    # TensorFlow's start-up log would drown the script's own output.
    level = os.environ.get("TF_CPP_MIN_LOG_LEVEL", "3")
    return run(
        script_command(path, script_options, user_folder),
        environment(TF_CPP_MIN_LOG_LEVEL=level),
    )


def json_schema() -> dict[str, Any]:
    from specfmt.reference.json_schema import json_schema as function

    return function()


def convert_weights(
    spec: ModelSpec,
    source: str | Path,
    dest: str | Path,
    *,
    axes: str = "torch",
    fidelity: str = "idiomatic",
    progress: Any = None,
) -> int:
    from specfmt.targets.torch.program import Options
    from specfmt.weights.convert import convert

    options = Options(axes=axes, fidelity=fidelity)
    return convert(analyze(spec), Path(source), Path(dest), options=options, progress=progress)


def from_keras_json(text: str | bytes) -> ModelSpec:
    from specfmt.formats.checked import checked
    from specfmt.formats.keras_json import document_from_keras_json

    with uncollected():
        document, warnings = document_from_keras_json(text)
        spec, _ = checked(document, warnings, {}, complete=False)
    return spec


@contextmanager
def uncollected() -> Iterator[None]:
    """Reading makes many objects that all live on; looking for cycles among them is wasted."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def import_source(
    path: str | Path,
    content: bytes | None = None,
    *,
    input_shape: tuple[int | None, ...] | None = None,
) -> tuple[str, list[Diagnostic]]:
    """The spec text of a saved architecture, and what was kept opaque or left out.

    Args:
        path: A file of any kind that `formats.sources.read_source` knows.
        content: Its content where it is no file (standard input).
        input_shape: The input of a Sequential that does not say it, without the batch axis.

    Raises:
        SpecError: It holds no architecture, one that cannot be read, or one that is no valid
            spec; each finding with its place in the file.
    """
    spec, warnings = import_spec(path, content, input_shape=input_shape)
    return dump(spec), warnings


def import_spec(
    path: str | Path,
    content: bytes | None = None,
    *,
    input_shape: tuple[int | None, ...] | None = None,
) -> tuple[ModelSpec, list[Diagnostic]]:
    """As `import_source`, but the spec itself."""
    from dataclasses import replace

    from specfmt.formats.checked import checked, of_file
    from specfmt.formats.former_meanings import former_meanings
    from specfmt.formats.keras_json import document_from_located
    from specfmt.formats.source.sources import from_text, read_source

    file = str(path) if content is None else "<stdin>"
    try:
        with uncollected():
            source = read_source(Path(path)) if content is None else from_text(content)
            source.input_shape = input_shape
            document, warnings = document_from_located(source)
            spec, warnings = checked(document, warnings, source.located)
            kept, changes = former_meanings(spec, source)
            if kept is not None:
                spec, _ = checked(kept, [], source.located)
            warnings = [*warnings, *changes, *foreign_code(spec)]
            if content is None:
                spec = described(spec, Path(path))
    except SpecError as error:
        raise of_file(error, file) from None
    return spec, [replace(warning, file=file) for warning in warnings]


def foreign_code(spec: ModelSpec) -> list[Diagnostic]:
    """One finding that lists what generated code imports from elsewhere and calls."""
    from specfmt.fields.foreign import foreign_classes

    found = foreign_classes(spec)
    if not found:
        return []
    message = f"generated code imports and calls {', '.join(found)}"
    shown = " ".join(f"--allow {dotted}" for dotted in found)
    hint = f"train, verify and convert run that only with {shown}"
    return [Diagnostic("SF439", message, (), hint, "warning")]


def described(spec: ModelSpec, source: Path) -> ModelSpec:
    """The spec with what the weights of a file tell of layers that specfmt does not know."""
    from specfmt.graph.assumed import holds_unknown

    if not holds_unknown(spec):
        return spec
    from specfmt.weights.unknown import described as function

    return function(spec, source)


def with_customs(spec: ModelSpec, customs: Iterable[str]) -> ModelSpec:
    from specfmt.graph.customs import with_customs as function

    return function(spec, customs)


def to_keras_json(spec: ModelSpec, format: str = "keras3") -> str:
    from specfmt.formats.export import export_text

    graph, problems = build(spec)
    # A Sequential without an input is one that is not built: Keras writes it all the same.
    unbuilt = graph.is_sequential and not graph.input_specs
    errors = [p for p in problems if p.severity == "error" and not (unbuilt and p.code == "SF207")]
    with placing(spec):
        if errors:
            raise SpecError(errors)
        return export_text(graph, format)
