"""The functions of the public API; ``import specfmt`` makes them available.

Every function imports what it needs when it is called, because `specfmt validate` must start fast.
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
"""The versions of Keras JSON that can be written."""

Blocks = Literal["auto", "none"]
"""Whether an import finds blocks."""


class Imported(NamedTuple):
    """An imported model.

    Attributes:
        spec: The model.
        warnings: What was kept as a custom layer or object, changed, or left out.
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
        text: YAML or JSON; the format is recognized by the content.
        file: The file name shown in diagnostics.

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
    """Write a spec as YAML in canonical form."""
    from specfmt.text.formatting import dump_yaml

    return dump_yaml(spec.to_data())


def expand(spec: ModelSpec) -> ModelSpec:
    """Write out the uses of blocks.

    Returns:
        The same model without blocks, with all its layers one by one.
    """
    from specfmt.spec.expand import expand as function

    return function(spec)


def format_spec(text: str | bytes, *, file: str = "<string>", fix: bool = False) -> str:
    """Format the text of a spec; comments are kept.

    Args:
        text: YAML or JSON.
        file: The file name shown in diagnostics.
        fix: Also replace names of earlier Keras versions, such as ``output_dim`` for ``units``.

    Returns:
        The formatted text, in the same format (YAML or JSON).

    Raises:
        SpecError: The text is not valid YAML or JSON.  Wrong values in it are no error here.
    """
    if fix:
        from specfmt.spec.fixes import fix_text

        return fix_text(text, file)
    from specfmt.text.formatting import format_text

    return format_text(text, file)


def refactor(spec: ModelSpec) -> ModelSpec:
    """Turn what stands in a spec several times into blocks.

    Returns:
        The same model: the same layers under the same names, their order aside; the spec itself if
        it has blocks already, or none would make it shorter.

    Raises:
        SpecError: The spec has mistakes; all of them are listed.
    """
    from specfmt.folding.spec import refactor as function

    _analyze(spec)
    return function(spec)


def refactor_text(text: str | bytes, *, file: str = "<string>") -> str:
    """The same as `refactor` for the text of a spec, formatted; comments are kept.

    Args:
        text: YAML or JSON.
        file: The file name shown in diagnostics.

    Returns:
        The text, in the same format (YAML or JSON).

    Raises:
        SpecError: The text has mistakes; all of them are listed.
    """
    from specfmt.folding.text import refactor_text as function

    spec = loads(text, file=file)
    _analyze(spec)
    return function(text, spec, file)


def starters() -> dict[str, str]:
    """The names of the starter specs, each with a one-line description."""
    from specfmt.reference.starters import starters as function

    return function()


def starter(name: str) -> str:
    """The text of a starter spec.

    Raises:
        OptionError: There is no starter with this name.
    """
    from specfmt.reference.starters import starter as function

    return function(name)


# --------------------------------------------------------------------- checking a spec


def check(
    text: str | bytes, *, file: str = "<string>", targets: Iterable[str] = ()
) -> list[Diagnostic]:
    """Check the text of a spec.

    Args:
        text: YAML or JSON.
        file: The file name shown in diagnostics.
        targets: Also report what these targets cannot express.

    Returns:
        All errors and warnings, in the order of their places in the text.

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
    """Errors in the training section, and errors of these targets."""
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
    """Find probable mistakes in a valid spec; `check` does the same for a text.

    Returns:
        Warnings: SF314, and codes from SF601 on.

    Raises:
        SpecError: The spec has mistakes; all of them are listed.
    """
    from specfmt.lint import lint

    found = lint(analyze(spec))
    return placed(spec.origin, found) if spec.origin is not None else found


def analyze(spec: ModelSpec) -> Graph:
    """Analyze a spec statically.

    Returns:
        Its graph: layer calls in order, with shapes, dtypes, masks, weights and parameter counts.

    Raises:
        SpecError: The graph has mistakes; all of them are listed.
    """
    return _analyze(spec)


def summarize(spec: ModelSpec | Graph) -> Summary:
    """Summarize a model: layers, shapes, parameter counts, multiply-accumulates, activation memory.

    Args:
        spec: The model, or its graph if `analyze` has been called already.

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
    """Generate code for a target.

    Args:
        spec: The model.
        target: ``keras``, ``torch``, or one that an installed package registers (`target_names`).
        part: ``model`` (the default) or ``train``, a script that trains the model.
        style: How the model is written: ``auto`` (the default: the simplest possible style),
            ``sequential``, ``functional`` or ``subclass``.
        flavor: Keras only: the package to import, ``tf.keras`` (the default) or ``keras``.
        axes: PyTorch only: inputs and outputs of rank 4 and 5 channels-first, ``torch`` (the
            default), or channels-last, ``keras``.
        fidelity: PyTorch only: PyTorch's own optimizers and layers, ``idiomatic`` (the default),
            or ones that train exactly as Keras does, ``exact``.
        source: The file name of the spec, for the docstring of the code.
        script: The file name of the training script, for its usage line.
        options: Other options, of targets that installed packages register.

    Returns:
        Formatted source code.

    Raises:
        OptionError: There is no such target, or it has no such option or value.
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
    """Generate the training script and run it; its output goes to stdout and stderr.

    Args:
        spec: The model, with a ``train:`` section.
        target: As for `generate`.
        folder: The folder that the script is written to; created if it does not exist.
        arguments: Command-line arguments of the script, such as ``["--epochs", "3"]``.
        style, flavor, axes, fidelity, source, options: As for `generate`.

    Returns:
        The exit code of the script.

    Raises:
        OptionError: There is no such target, or it has no such option or value.
        SpecError: The spec has mistakes, it names classes that are not allowed (SF309; see
            `allowing`), or a package that the script imports is not installed (SF312).
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
    """Within the ``with`` block, allow classes that a spec names to be imported and called.

    Args:
        names: Dotted paths of classes, or prefixes such as a package name.
    """
    return _allowing(names)


def with_customs(spec: ModelSpec, customs: Iterable[str]) -> ModelSpec:
    """Set the PyTorch classes of layers that specfmt does not know.

    Args:
        spec: The model.
        customs: ``module:Class`` for all layers whose Keras class has the same name, or
            ``Name=module:Class``, where ``Name`` is another Keras class or the name of one layer.

    Returns:
        A copy of the spec.

    Raises:
        SpecError: SF308 if an item does not have this form or no layer matches it.
    """
    from specfmt.graph.customs import with_customs as function

    return function(spec, customs)


# ------------------------------------------------------------- Keras's files and weights


def import_spec(
    path: str | Path,
    content: bytes | None = None,
    *,
    input_shape: tuple[int | None, ...] | None = None,
    blocks: Blocks = "none",
) -> Imported:
    """Import a saved model of any Keras version.

    Args:
        path: An architecture JSON file, a ``.keras`` archive, an ``.h5`` file, the folder of a
            SavedModel, or a tf.js ``model.json``.
        content: The content, if it is not to be read from the file; ``path`` is then only its name.
        input_shape: The input shape of a Sequential whose file has none, without the batch axis;
            None for an unknown size.
        blocks: ``auto``: what stands in the model several times becomes blocks, as by `refactor`;
            ``none`` (the default): one entry a layer.

    Returns:
        The spec, and warnings about what was kept as a custom layer, changed, or left out.

    Raises:
        SpecError: It contains no architecture, or one that is damaged or invalid; all mistakes are
            listed with their places in the file.
        OSError: The file cannot be read.
    """
    from specfmt.migration import import_spec as function

    return Imported(*function(path, content, input_shape=input_shape, blocks=blocks))


def from_keras_json(text: str | bytes) -> ModelSpec:
    """The spec of an architecture JSON text, as written by any Keras version from 0.2 to 3.15.

    Raises:
        SpecError: It is damaged or invalid.
    """
    from specfmt.formats.checked import checked
    from specfmt.formats.keras_json import document_from_keras_json
    from specfmt.graph.analyze import uncollected

    with uncollected():
        document, warnings = document_from_keras_json(text)
        spec, _ = checked(document, warnings, {}, complete=False)
    return spec


def to_keras_json(spec: ModelSpec, format: KerasFormat = "keras3") -> str:
    """Write a spec as Keras architecture JSON.

    Args:
        spec: The model.
        format: ``keras3``, as `to_json` of Keras 3.15 writes it, or ``keras2``, as Keras 2
            (tf_keras) loads it, without the training section.

    Raises:
        OptionError: There is no such format.
        SpecError: The spec has mistakes, or the format cannot express it.
    """
    from specfmt.formats.export import FORMATS, keras_json
    from specfmt.targets.options import require_choice

    require_choice("format", format, FORMATS)
    return keras_json(spec, format)


def convert_weights(
    spec: ModelSpec,
    source: str | Path,
    dest: str | Path,
    *,
    axes: Axes | None = None,
    fidelity: Fidelity | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> int:
    """Convert trained weights between Keras and PyTorch files, in either direction.

    Args:
        spec: The model.
        source: A ``.keras``, ``.weights.h5``, ``.h5``, ``.npz``, ``.safetensors`` or ``.pt`` file,
            recognized by its content, a checkpoint of TensorFlow, or the folder of a SavedModel.
        dest: A file name that ends with ``.safetensors``, ``.pt`` or ``.weights.h5``; the suffix
            selects the format.
        axes, fidelity: The options that the PyTorch program was generated with, as for `generate`.
        progress: Called for each weight with its name, its size in bytes and the total size.

    Returns:
        The number of tensors written.

    Raises:
        OptionError: There is no such option value.
        SpecError: The file does not contain the weights of this model, or it is damaged.
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
    blocks: Blocks = "none",
    style: Style | None = None,
    axes: Axes | None = None,
    fidelity: Fidelity | None = None,
    say: Callable[[str], None] | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> Migration:
    """Migrate a saved Keras model: write its spec, PyTorch source, weights and a usage example.

    Args:
        source: A ``.keras`` archive, an ``.h5`` file with a whole model, or architecture JSON.
        folder: The folder that the files are written to; created if it does not exist.
        accept_changes: Convert even if Keras 3 and PyTorch compute something else than the Keras
            that saved the model.
        force: Replace existing files in the folder that differ from those to be written.
        customs: PyTorch classes of layers that specfmt does not know, as for `with_customs`.
        blocks: Whether blocks are found, as for `import_spec`.
        style, axes, fidelity: How the PyTorch source is written, as for `generate`.
        say: Called with a description of each step.
        progress: Called for each weight, as in `convert_weights`.

    Returns:
        The files written and the warnings, for `compare`.

    Raises:
        OptionError: There is no such option value.
        SpecError: The source cannot be read, Keras 3 or PyTorch would compute something else, or
            PyTorch cannot express the model.
        OSError: A file cannot be read or written.
    """
    from specfmt.migration import migrate

    return migrate(
        Path(source),
        Path(folder),
        accept_changes=accept_changes,
        force=force,
        customs=customs,
        blocks=blocks,
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
    """Compare the Keras and the PyTorch program of a migration, and both with the original model.

    Args:
        migration: The result of `convert`.
        reference: An ``.npz`` file with inputs ``x0``, ... and outputs ``y0``, ... of the original.
        say: Called with a description of each step.

    Returns:
        The report; ``ok`` says whether everything agrees.

    Raises:
        SpecError: A program could not be run.
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
    """Run the generated Keras and PyTorch programs in separate processes and compare the results.

    Compared are parameter counts, output shapes, outputs, gradients, and one step of plain SGD, at
    inference and in training mode.

    Args:
        spec: The model.
        weights: A weight file, as for `convert_weights`; random weights if not given.
        targets: The programs to run; both if not given.
        seed: The seed of random weights and inputs.
        batches: Batch sizes to try; a few default sizes if not given.
        layerwise: Compare the output of every layer, even if the model's outputs agree.
        tolerance: The largest allowed difference of outputs, relative to their largest absolute
            value.
        fidelity, axes: Options of the PyTorch program, as for `generate`.
        gradients: Also compare gradients and one step of training.
        original: The file that the spec was imported from.  It is loaded by Keras, and both programs
            are compared with it.  Its weights are used unless ``weights`` is given.
        reference: An ``.npz`` file with inputs ``x0``, ... and outputs ``y0``, ... of the original.
        allow: Classes of the spec that may be imported and called, as for `allowing`.
        progress: Called with a description of each step.
        workers: Worker processes to use, so that several comparisons can share them.

    Returns:
        The report; ``ok`` says whether everything agrees.

    Raises:
        OptionError: There is no such option value.
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
    """All layer types, with the targets that support each."""
    from specfmt.reference.catalogue import catalogue as function

    return function()


def explain(name: str) -> str:
    """The documentation of a code (``SF203``), a layer (``Dense``) or an operation (``mean``).

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


def _html(shown: ModelSpec | Graph) -> str:
    from specfmt.console.summary import html

    return html(shown)


ModelSpec.html = staticmethod(_html)
Graph.html = staticmethod(_html)
