"""The public API, all of it; ``import specfmt`` hands on what `specfmt.__all__` names.

Every function imports what it needs when it is called: `specfmt validate` runs at every save.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from specfmt.diagnostics import Diagnostic, SpecError
from specfmt.fields.foreign import allowing as _allowing
from specfmt.graph.analyze import analyze as _analyze
from specfmt.graph.analyze import placed, placing
from specfmt.graph.build import build
from specfmt.graph.model import Graph
from specfmt.spec.document import ModelSpec, parse_document
from specfmt.text.reading import read

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from specfmt.graph.summary import Summary
    from specfmt.migration import Migration
    from specfmt.parity.report import Report
    from specfmt.parity.workers import ProgramTarget, Workers
    from specfmt.reference.catalogue import LayerSupport
    from specfmt.targets.options import Axes, Fidelity, Flavor, Part, Style

KerasFormat = Literal["keras3", "keras2"]
"""What Keras architecture JSON is written for."""


class Imported(NamedTuple):
    """What was read from a saved model.

    Attributes:
        spec: The model.
        warnings: What was kept without being understood, changed or left out.
    """

    spec: ModelSpec
    warnings: list[Diagnostic]


# ------------------------------------------------------------------------ specs as text


def load(path: str | Path) -> ModelSpec:
    """Read a spec file (YAML or JSON).

    Raises:
        SpecError: The file has mistakes; all of them are listed.
        OSError: The file cannot be read.
    """
    return loads(Path(path).read_bytes(), file=str(path))


def loads(text: str | bytes, *, file: str = "<string>") -> ModelSpec:
    """Read a spec from text.

    Args:
        text: YAML or JSON; which of the two is found from its content.
        file: Its name in the findings.

    Raises:
        SpecError: The text has mistakes; all of them are listed.
    """
    document = read(text, file)
    spec, problems = parse_document(document.data)
    if spec is not None and problems:
        problems += build(spec, problems)[1]
    if problems or spec is None:
        raise SpecError(placed(document, problems))
    object.__setattr__(spec, "origin", document)
    return spec


def dump(spec: ModelSpec) -> str:
    """A spec as canonical YAML."""
    from specfmt.text.formatting import dump_yaml

    return dump_yaml(spec.to_data())


def format_spec(text: str | bytes, *, file: str = "<string>", fix: bool = False) -> str:
    """The text of a spec in canonical form; comments are kept.

    Args:
        text: YAML or JSON, and that is what is given back.
        file: Its name in the findings.
        fix: Also rewrite old spellings, such as ``output_dim`` for ``units``.

    Raises:
        SpecError: It cannot be read; wrong values are no obstacle.
    """
    if fix:
        from specfmt.spec.fixes import fix_text

        return fix_text(text, file)
    from specfmt.text.formatting import format_text

    return format_text(text, file)


def starters() -> dict[str, str]:
    """The names of the specs to start from, with a line about each."""
    from specfmt.reference.starters import starters as function

    return function()


def starter(name: str) -> str:
    """The text of a spec to start from.

    Raises:
        OptionError: There is none of this name.
    """
    from specfmt.reference.starters import starter as function

    return function(name)


# --------------------------------------------------------------------- what a spec says


def check(
    text: str | bytes, *, file: str = "<string>", targets: Iterable[str] = ()
) -> list[Diagnostic]:
    """Everything that is wrong with a spec text, errors and warnings, in order of place.

    Args:
        text: YAML or JSON.
        file: Its name in the findings.
        targets: Targets whose refusals are findings too.

    Raises:
        OptionError: There is no such target.
    """
    wanted = list(targets)
    if wanted:
        from specfmt.targets.registry import find_target

        for name in wanted:
            find_target(name)
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

            problems += _refusals(spec, graph, wanted)
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
    for name in targets:
        from specfmt.targets.registry import find_target

        refused = find_target(name).check(graph, training=trains)
        found += [item for item in refused if item not in found]
    return found


def lint_spec(spec: ModelSpec) -> list[Diagnostic]:
    """What of a spec runs but is probably a mistake; `check` finds it in a text.

    Raises:
        SpecError: The spec has mistakes; all of them are listed.
    """
    from specfmt.lint import lint

    found = lint(analyze(spec))
    return placed(spec.origin, found) if spec.origin is not None else found


def analyze(spec: ModelSpec) -> Graph:
    """The graph of a spec: order, shapes, dtypes, masks, weights, counts.

    Raises:
        SpecError: The graph has mistakes; all of them are listed.
    """
    return _analyze(spec)


def summarize(spec: ModelSpec | Graph) -> Summary:
    """The layers of a model with their shapes, its parameters, arithmetic and memory.

    Args:
        spec: The model, or its graph where that is at hand.

    Raises:
        SpecError: The spec has mistakes; all of them are listed.
    """
    from specfmt.graph.summary import summarize as function

    return function(spec if isinstance(spec, Graph) else analyze(spec))


# --------------------------------------------------------------------------------- code


def generate(
    spec: ModelSpec,
    target: str = "keras",
    *,
    part: Part | None = None,
    style: Style | None = None,
    flavor: Flavor | None = None,
    axes: Axes | None = None,
    fidelity: Fidelity | None = None,
    source: str = "",
    script: str = "",
    options: Mapping[str, str] | None = None,
) -> str:
    """Code for a target.

    Args:
        spec: The model.
        target: ``keras``, ``torch``, or one that an installed package registers (`target_names`).
        part: ``model`` (if not given) or ``train``, a script that trains it.
        style: The form of the model: ``auto`` (if not given; the simplest one that can express
            it), ``sequential``, ``functional`` or ``subclass``.
        flavor: Keras: the package that is imported, ``tf.keras`` (if not given) or ``keras``.
        axes: PyTorch: images with channels first, ``torch`` (if not given), or last, ``keras``.
        fidelity: PyTorch: stock optimizers and layers, ``idiomatic`` (if not given), or those that
            train as Keras does, ``exact``.
        source: The spec's file name, for the header.
        script: The file name that a training script will have, for its usage line.
        options: Further options of a target that has others.

    Raises:
        OptionError: There is no such target, or an option is none of those that it offers.
        SpecError: The spec has mistakes, or the target cannot express it.
    """
    from specfmt.targets.options import require_once
    from specfmt.targets.registry import generate as function

    given = {"part": part, "style": style, "flavor": flavor, "axes": axes, "fidelity": fidelity}
    named = {name: value for name, value in given.items() if value is not None}
    chosen = require_once(named, options or {})
    return function(spec, target, chosen, source=source, script=script)


def target_names() -> list[str]:
    """The names of all targets: ``keras``, ``torch``, and those of installed packages."""
    from specfmt.targets.registry import target_names as function

    return function()


def train(
    spec: ModelSpec,
    target: str,
    folder: str | Path = "build",
    arguments: Sequence[str] = (),
    *,
    style: Style | None = None,
    flavor: Flavor | None = None,
    axes: Axes | None = None,
    fidelity: Fidelity | None = None,
    source: str = "",
    options: Mapping[str, str] | None = None,
) -> int:
    """Write the training script and run it; what it prints goes where this program's output goes.

    Args:
        spec: The model, with a ``train:`` section.
        target: As for `generate`.
        folder: Where the script goes; it is created.
        arguments: What the script is called with, such as ``["--epochs", "3"]``.
        style, flavor, axes, fidelity, source, options: As for `generate`.

    Returns:
        The exit code of the script.

    Raises:
        OptionError: There is no such target, or an option is none of those that it offers.
        SpecError: The spec has mistakes, names classes that were not allowed (SF309; see
            `allowing`), or the script imports a package that is not installed (SF312).
    """
    from specfmt.files import write_whole
    from specfmt.targets.naming import identifier
    from specfmt.targets.registry import find_target
    from specfmt.targets.running import require_allowed, run_training

    path = Path(folder) / f"{identifier(spec.name)}_{target}{find_target(target).suffix}"
    code = generate(
        spec,
        target,
        part="train",
        style=style,
        flavor=flavor,
        axes=axes,
        fidelity=fidelity,
        source=source,
        script=path.name,
        options=options,
    )
    with placing(spec):
        user_folder = require_allowed(spec, code, target)
    write_whole(path, code)
    return run_training(path, code, target, list(arguments), user_folder)


def allowing(names: Iterable[str]) -> AbstractContextManager[None]:
    """Within the ``with`` block, these classes of a spec may be imported and called.

    Args:
        names: Dotted paths, or the start of them.
    """
    return _allowing(names)


def with_customs(spec: ModelSpec, customs: Iterable[str]) -> ModelSpec:
    """The spec with your PyTorch classes for layers that specfmt does not know.

    Args:
        spec: The model.
        customs: ``module:Class`` for the layers of a Keras class of the same name, or
            ``Name=module:Class`` for those of another name, or for one layer by its name.

    Raises:
        SpecError: SF308 where one is not of that form, or no layer is meant.
    """
    from specfmt.graph.customs import with_customs as function

    return function(spec, customs)


# ------------------------------------------------------------- Keras's files and weights


def import_spec(
    path: str | Path,
    content: bytes | None = None,
    *,
    input_shape: tuple[int | None, ...] | None = None,
) -> Imported:
    """The spec of a saved Keras model of any generation.

    Args:
        path: Architecture JSON, a ``.keras`` archive, an ``.h5`` file, or a tf.js ``model.json``.
        content: Its content where it is no file.
        input_shape: The input of a Sequential that does not say it, without the batch axis; None
            for an open size.

    Returns:
        The spec, and warnings about what was kept without being understood or left out.

    Raises:
        SpecError: It holds no architecture, one that cannot be read, or one that is no valid
            spec; each finding with its place in the file.
        OSError: The file cannot be read.
    """
    from specfmt.migration import import_spec as function

    return Imported(*function(path, content, input_shape=input_shape))


def from_keras_json(text: str | bytes) -> ModelSpec:
    """The spec of a Keras architecture JSON, of any generation from 0.2 to 3.15.

    Raises:
        SpecError: It is damaged, or has no meaning in Keras 3.
    """
    from specfmt.formats.checked import checked
    from specfmt.formats.keras_json import document_from_keras_json
    from specfmt.graph.analyze import uncollected

    with uncollected():
        document, warnings = document_from_keras_json(text)
        spec, _ = checked(document, warnings, {}, complete=False)
    return spec


def to_keras_json(spec: ModelSpec, format: KerasFormat = "keras3") -> str:
    """A spec as Keras architecture JSON.

    Args:
        spec: The model.
        format: ``keras3``: what Keras 3.15's `to_json` writes.  ``keras2``: what Keras 2 (tf_keras)
            loads; it says nothing of training.

    Raises:
        OptionError: There is no such format.
        SpecError: The spec has mistakes, or the format cannot express it.
    """
    from specfmt.formats.export import FORMATS, export_text
    from specfmt.targets.options import require_choice

    require_choice("format", format, FORMATS)
    graph, problems = build(spec)
    # A Sequential without an input is one that is not built: Keras writes it all the same.
    unbuilt = graph.is_sequential and not graph.input_specs
    errors = [p for p in problems if p.severity == "error" and not (unbuilt and p.code == "SF207")]
    with placing(spec):
        if errors:
            raise SpecError(errors)
        return export_text(graph, format)


def convert_weights(
    spec: ModelSpec,
    source: str | Path,
    dest: str | Path,
    *,
    axes: Axes | None = None,
    fidelity: Fidelity | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> int:
    """Carry trained weights across: Keras files to PyTorch files and back.

    Args:
        spec: The model.
        source: ``.keras``, ``.weights.h5``, ``.h5``, ``.safetensors`` or ``.pt``; its content says
            which.
        dest: ``.safetensors``, ``.pt`` or ``.weights.h5``; its name says which.
        axes, fidelity: Of the PyTorch program, as given to `generate`.
        progress: Called with each weight's name, its bytes and the bytes of all.

    Returns:
        The number of tensors written.

    Raises:
        OptionError: An option is none of those offered.
        SpecError: The file does not hold this model's weights, or is damaged; all findings.
        OSError: A file cannot be read or written.
    """
    from specfmt.targets.torch import program_options
    from specfmt.weights.convert import convert as function

    options = program_options(axes=axes, fidelity=fidelity)
    return function(analyze(spec), Path(source), Path(dest), options=options, progress=progress)


def convert(
    source: str | Path,
    folder: str | Path,
    *,
    accept_changes: bool = False,
    force: bool = False,
    customs: Iterable[str] = (),
    style: Style | None = None,
    axes: Axes | None = None,
    fidelity: Fidelity | None = None,
    say: Callable[[str], None] | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> Migration:
    """Migrate a saved Keras model: write its spec, PyTorch source, weights and a usage example.

    Args:
        source: A ``.keras`` archive, an ``.h5`` file with a whole model, or architecture JSON.
        folder: Where the files go; it is created.
        accept_changes: Go on where Keras 3 and PyTorch compute something else than the Keras
            that saved the model.
        force: Replace files in the folder that are others than those that are written.
        customs: Classes for layers that specfmt does not know, as `with_customs` takes them.
        style, axes, fidelity: How the PyTorch source is written, as for `generate`.
        say: Called with each step.
        progress: Called for each weight, as in `convert_weights`.

    Returns:
        What was written; `compare` proves it.

    Raises:
        OptionError: An option is none of those offered.
        SpecError: The source cannot be read, its meaning cannot be kept, or PyTorch cannot
            express the model.
        OSError: A file cannot be read or written.
    """
    from specfmt.migration import migrate

    return migrate(
        Path(source),
        Path(folder),
        accept_changes=accept_changes,
        force=force,
        customs=customs,
        style=style,
        axes=axes,
        fidelity=fidelity,
        say=say,
        progress=progress,
    )


def compare(
    migration: Migration,
    *,
    reference: str | Path | None = None,
    say: Callable[[str], None] | None = None,
) -> Report:
    """Compare both programs of a migration with each other and with the original.

    Args:
        migration: What `convert` gave.
        reference: An ``.npz`` file with inputs ``x0``, ... and outputs ``y0``, ... of the original.
        say: Called with each step.

    Raises:
        SpecError: A program fails.
    """
    from specfmt.migration import compare as function

    return function(migration, reference=reference, say=say)


def verify(
    spec: ModelSpec,
    *,
    weights: str | Path | None = None,
    targets: Sequence[ProgramTarget] = (),
    seed: int = 0,
    batches: Sequence[int] | None = None,
    layerwise: bool = False,
    tolerance: float = 1e-5,
    fidelity: Fidelity | None = None,
    axes: Axes | None = None,
    gradients: bool = True,
    original: str | Path | None = None,
    reference: str | Path | None = None,
    allow: Iterable[str] = (),
    progress: Callable[[str], None] | None = None,
    workers: Workers | None = None,
) -> Report:
    """Build both generated programs in processes of their own and compare what they compute.

    That is: parameter counts, output shapes, outputs, gradients, and one step of plain SGD, at
    inference and in training mode.

    Args:
        spec: The model.
        weights: A weight file, as for `convert_weights`; random weights if not given.
        targets: Both if not given; one alone is run and its parameters are counted.
        seed: Of random weights and inputs.
        batches: Batch sizes to try; some of each kind if not given.
        layerwise: Compare the output of every layer, even if the model's outputs agree.
        tolerance: What outputs may differ by, relative to their largest value.
        fidelity, axes: Of the PyTorch program, as for `generate`.
        gradients: Also compare gradients and one step of training.
        original: The file that the model came from: Keras loads it, and both programs are
            compared with it.  Its weights are used if ``weights`` gives no others.
        reference: An ``.npz`` file with inputs ``x0``, ... and outputs ``y0``, ... of the original.
        allow: Classes of the spec that may be imported and called, as for `allowing`.
        progress: Called with what is done next.
        workers: Processes that several comparisons share.

    Raises:
        OptionError: An option is none of those offered.
        SpecError: The spec has mistakes, a weight file does not fit, or a program cannot be run.
    """
    from specfmt.parity.run import verify as function

    with allowing(allow):
        return function(
            spec,
            weights=weights,
            targets=targets,
            seed=seed,
            batches=batches,
            layerwise=layerwise,
            tolerance=tolerance,
            fidelity=fidelity,
            axes=axes,
            gradients=gradients,
            original=original,
            reference=reference,
            progress=progress,
            workers=workers,
        )


# ---------------------------------------------------------------------------- reference


def catalogue() -> list[LayerSupport]:
    """Every layer type, and which targets can express it."""
    from specfmt.reference.catalogue import catalogue as function

    return function()


def explain(name: str) -> str:
    """The page of a diagnostic code (``SF203``), a layer (``Dense``) or an operation (``mean``).

    Raises:
        OptionError: There is no such page.
    """
    from specfmt.reference.explain import explanation

    return explanation(name)


def json_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of the spec language."""
    from specfmt.reference.json_schema import json_schema as function

    return function()


# ------------------------------------------------------------------------ in a notebook


def _spec_html(spec: ModelSpec) -> str:
    """A spec as its summary, or as what is wrong with it."""
    try:
        return _graph_html(analyze(spec))
    except SpecError as error:
        from specfmt.console.summary import findings_html

        return findings_html(spec.name, error.diagnostics)


def _graph_html(graph: Graph) -> str:
    from specfmt.console.summary import summary_html

    return summary_html(summarize(graph))


ModelSpec.html = staticmethod(_spec_html)
Graph.html = staticmethod(_graph_html)
