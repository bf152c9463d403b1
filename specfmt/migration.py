"""Migration of a saved Keras model: import, PyTorch source, weights, and the comparison."""

from __future__ import annotations

import filecmp
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from specfmt.diagnostics import Diagnostic, SpecError
from specfmt.extras import install, is_installed
from specfmt.files import whole_folder
from specfmt.folding.spec import refactor
from specfmt.formats.behaviour_changes import behaviour_changes
from specfmt.formats.checked import checked, of_file
from specfmt.formats.keras_json import document_from_located
from specfmt.formats.source.sources import from_text, holds_weights, read_source
from specfmt.graph.analyze import analyze, uncollected
from specfmt.graph.assumed import holds_unknown
from specfmt.graph.customs import with_customs
from specfmt.parity.report import Against, Report
from specfmt.parity.run import verify
from specfmt.parity.workers import TARGETS
from specfmt.spec.document import ModelSpec
from specfmt.spec.foreign import foreign_classes
from specfmt.targets.naming import module_name
from specfmt.targets.options import Axes, Fidelity, Style
from specfmt.targets.registry import find_target, generate
from specfmt.targets.ruff import format_python
from specfmt.targets.source import literal, string
from specfmt.targets.templates import fill
from specfmt.targets.torch import program_options
from specfmt.targets.torch.expr import Tensor
from specfmt.targets.torch.graph_lowering import lower_graph
from specfmt.text.formatting import dump_yaml
from specfmt.weights.convert import Progress, convert
from specfmt.weights.unknown import described


@dataclass(frozen=True)
class Migration:
    """The result of a migration.

    Attributes:
        model: The imported spec.
        original: The file it was imported from.
        spec, source, weights, usage: The files written; ``weights`` is None if the original has none.
        warnings: Warnings of the import.
        todo: What the user has to complete in the source, one line per class.
        axes, fidelity: The options the source was generated with; None is the default.
    """

    model: ModelSpec
    original: Path
    spec: Path
    source: Path
    weights: Path | None
    usage: Path
    warnings: tuple[Diagnostic, ...]
    todo: tuple[str, ...] = ()
    axes: Axes | None = None
    fidelity: Fidelity | None = None

    def files(self) -> list[Path]:
        """The files that were written."""
        every = (self.spec, self.source, self.weights, self.usage)
        return [path for path in every if path is not None]

    def to_install(self) -> str:
        """The packages that the usage example needs and that are not installed, as a message, or ''."""
        missing = [m for m in _needed(self.weights is not None) if not is_installed(m)]
        if not missing:
            return ""
        return f"{self.usage.name} needs {' and '.join(missing)}: {install(missing, 'torch')}"


def import_spec(
    path: str | Path,
    content: bytes | None = None,
    *,
    input_shape: tuple[int | None, ...] | None = None,
    blocks: str = "none",
) -> tuple[ModelSpec, list[Diagnostic]]:
    """The spec of a saved model, and warnings; see `specfmt.import_spec`."""
    file = str(path) if content is None else "<stdin>"
    try:
        with uncollected():
            source = read_source(Path(path)) if content is None else from_text(content)
            source.input_shape = input_shape
            document, warnings = document_from_located(source)
            spec, warnings = checked(document, warnings, source.located)
            kept, changes = behaviour_changes(spec, source)
            if kept is not None:
                spec, _ = checked(kept, [], source.located)
            warnings = [*warnings, *changes, *foreign_code(spec)]
            if content is None and holds_unknown(spec):
                spec = described(spec, Path(path))
            if blocks == "auto":
                spec = refactor(spec)
    except SpecError as error:
        raise of_file(error, file) from None
    return spec, [replace(warning, file=file) for warning in warnings]


def foreign_code(spec: ModelSpec) -> list[Diagnostic]:
    """One diagnostic that lists the user-defined classes that generated code imports and calls."""
    found = foreign_classes(spec)
    if not found:
        return []
    message = f"generated code imports and calls {', '.join(found)}"
    shown = " ".join(f"--allow {dotted}" for dotted in found)
    hint = f"train, verify and convert run that only with {shown}"
    return [Diagnostic("SF439", message, (), hint, "warning")]


def migrate(
    original: Path,
    folder: Path,
    *,
    accept_changes: bool = False,
    force: bool = False,
    customs: Iterable[str] = (),
    blocks: str = "none",
    style: Style | None = None,
    axes: Axes | None = None,
    fidelity: Fidelity | None = None,
    say: Callable[[str], None] | None = None,
    progress: Progress | None = None,
) -> Migration:
    """Import a model and write its spec, PyTorch source, weights and a usage example.

    See `specfmt.convert`.
    """
    say = say or _silent
    chosen = {"style": style, "axes": axes, "fidelity": fidelity}
    find_target("torch").read(chosen)
    options = program_options(axes=axes, fidelity=fidelity)
    say(f"reading {original.name}")
    model, warnings = import_spec(original)
    changes = [item for item in warnings if item.code in CHANGES]
    if changes and not accept_changes:
        raise SpecError(
            [replace(c, severity="error", hint=f"{c.hint}; {_ACCEPT}") for c in changes]
        )
    model = with_customs(model, customs)
    if blocks == "auto":
        model = refactor(model)
    say("writing PyTorch source")
    stem = module_name(model.name)
    files = {part: folder / f"{stem}{end}" for part, end in _ENDINGS.items()}
    files["usage"] = folder / f"load_{stem}.py"
    code = generate(model, "torch", chosen, source=files["spec"].name)
    program = lower_graph(analyze(model), options)
    has_weights = holds_weights(original)
    usage = fill(
        "torch/load.py.j2",
        module=stem,
        weights=literal(files["weights"].name) if has_weights else None,
        install=literal(f"pip install {' '.join(_needed(has_weights))}"),
        arguments=", ".join(
            example(t, program.channels.get(t, False)) for t in program.inputs.values()
        ),
    )
    with whole_folder(folder) as beside:
        say("converting weights" if has_weights else "no weights to convert")
        if has_weights:
            place = beside / files["weights"].name
            convert(analyze(model), original, place, options=options, progress=progress)
        for part, text in (
            ("spec", dump_yaml(model.to_data())),
            ("source", code),
            ("usage", format_python(usage, (stem,))),
        ):
            (beside / files[part].name).write_text(text, encoding="utf-8")
        if not force:
            _keep_edited(beside, folder)
    return Migration(
        model,
        original=original,
        spec=files["spec"],
        source=files["source"],
        weights=files["weights"] if has_weights else None,
        usage=files["usage"],
        warnings=tuple(warnings),
        todo=tuple(
            f"{files['source']}: {task} (layer {', '.join(names)})"
            for _, names, task in program.builder.stubs.unfinished
        ),
        axes=axes,
        fidelity=fidelity,
    )


def _needed(has_weights: bool) -> list[str]:
    """The packages that the usage example imports."""
    return ["torch", *(["safetensors"] if has_weights else [])]


def _keep_edited(beside: Path, folder: Path) -> None:
    """Raise SF506 if a file in the folder differs from the one that would be written."""
    edited = [
        file.name
        for file in sorted(beside.iterdir())
        if (folder / file.name).exists() and not _same(file, folder / file.name)
    ]
    if edited:
        message = (
            f"expected no other {' and '.join(edited)} in the folder, received one that differs"
        )
        hint = "it may have been edited: `--force` replaces it, or give another folder"
        raise SpecError([Diagnostic("SF506", message, hint=hint, file=str(folder))])


def _same(one: Path, other: Path) -> bool:
    return other.is_file() and filecmp.cmp(one, other, shallow=False)


def compare(
    migration: Migration,
    *,
    reference: str | Path | None = None,
    say: Callable[[str], None] | None = None,
) -> Report:
    """Compare both programs of a migration with each other and with the original.

    See `specfmt.compare`.
    """
    say = say or _silent
    packages = {target: find_target(target).package for target in TARGETS}
    targets = [target for target in TARGETS if is_installed(packages[target])]
    missing = [packages[target] for target in TARGETS if target not in targets]
    if not targets:
        why = f"neither TensorFlow nor PyTorch is installed: {install(missing)}"
        report = Report({"spec": analyze(migration.model).count()})
        report.against.append(Against("original", str(migration.original), why=why))
        return report
    report = verify(
        migration.model,
        weights=migration.weights,
        targets=targets,
        original=migration.original,
        reference=reference,
        progress=lambda part: say(f"comparing: {part}"),
        axes=migration.axes,
        fidelity=migration.fidelity,
    )
    if missing:
        note = f"{', '.join(missing)} is not installed, so that program was not run: {install(missing)}"
        report.skipped = "; ".join(filter(None, (report.skipped, note)))
    return report


def _silent(_: str) -> None:
    """Ignore progress."""


CHANGES: Final = frozenset({"SF435"})
"""Import warnings that mean that outputs differ from those of the Keras that saved the model."""

_ACCEPT = "`--accept-changes` converts it nevertheless"
_ENDINGS = {"spec": ".yaml", "source": ".py", "weights": ".safetensors"}


def example(tensor: Tensor, channels_first: bool) -> str:
    """A Python expression for an example input; unknown sizes are 32."""
    sizes = [size or 32 for size in tensor.shape[1:]]
    if channels_first:
        sizes = [sizes[-1], *sizes[:-1]]
    listed = ", ".join(str(size) for size in (1, *sizes))
    if tensor.dtype == "string":
        texts = string("some text")
        for size in (*reversed(sizes), 1):
            texts = f"[{texts}]" if size == 1 else f"[{texts}] * {size}"
        return texts
    if tensor.dtype.startswith("float"):
        other = "" if tensor.dtype == "float32" else f", dtype=torch.{tensor.dtype}"
        return f"torch.rand({listed}{other})"
    return f"torch.zeros({listed}, dtype=torch.{tensor.dtype})"
