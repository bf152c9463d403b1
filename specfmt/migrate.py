"""The one command of a migration: from a saved Keras model to PyTorch source and weights."""

from __future__ import annotations

import filecmp
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from specfmt import api
from specfmt.diagnostics import Diagnostic, SpecError
from specfmt.extras import install, is_installed
from specfmt.files import whole_folder
from specfmt.formats.source.sources import holds_weights
from specfmt.spec.document import ModelSpec
from specfmt.targets.naming import module_name
from specfmt.targets.ruff import format_python
from specfmt.targets.source import literal
from specfmt.targets.templates import fill
from specfmt.targets.torch.expr import Tensor
from specfmt.targets.torch.graph_lowering import lower_graph
from specfmt.targets.torch.program import Options

if TYPE_CHECKING:
    from specfmt.parity.report import Report


@dataclass(frozen=True)
class Migration:
    """What a migration wrote.

    Attributes:
        model: The imported spec.
        spec, source, weights, usage: The files; no weights where the source has none.
        warnings: What the import kept opaque or left out.
        todo: What is left to write in the source, one line for each class.
    """

    model: ModelSpec
    spec: Path
    source: Path
    weights: Path | None
    usage: Path
    warnings: tuple[Diagnostic, ...]
    todo: tuple[str, ...] = ()

    def files(self) -> list[Path]:
        """What was written."""
        every = (self.spec, self.source, self.weights, self.usage)
        return [path for path in every if path is not None]

    def to_install(self) -> str:
        """What the usage example imports and is not there, in a line; empty if nothing is."""
        needed = ["torch", *(["safetensors"] if self.weights else [])]
        missing = [module for module in needed if not is_installed(module)]
        if not missing:
            return ""
        return f"{self.usage.name} needs {' and '.join(missing)}: {install(missing, 'torch')}"


def migrate(
    source: Path,
    folder: Path,
    *,
    accept_changes: bool = False,
    force: bool = False,
    say: Callable[[str], None] = lambda _: None,
    progress: Callable[[str, int, int], None] | None = None,
    customs: Iterable[str] = (),
    style: str = "auto",
    axes: str = "torch",
    fidelity: str = "idiomatic",
) -> Migration:
    """Import a model and write its spec, PyTorch source, weights and a usage example.

    Args:
        source: A ``.keras`` archive, an ``.h5`` file with a whole model, or architecture JSON.
        folder: Where the files go; it is created.
        accept_changes: Go on where Keras 3 and PyTorch compute something else than the Keras
            that saved the model.
        force: Replace files in the folder that are others than those that are written.
        say: Called with each step.
        progress: Called for each weight, as in `convert_weights`.
        customs: Classes for layers that specfmt does not know, as `with_customs` takes them.
        style, axes, fidelity: How the PyTorch source is written, as `generate` takes them.

    Raises:
        SpecError: The source cannot be read, its meaning cannot be kept, or PyTorch cannot
            express the model.
        OSError: A file cannot be read or written.
    """
    say(f"reading {source.name}")
    model, warnings = api.import_spec(source)
    changes = [item for item in warnings if item.code in CHANGES]
    if changes and not accept_changes:
        raise SpecError(
            [replace(c, severity="error", hint=f"{c.hint}; {_ACCEPT}") for c in changes]
        )
    model = api.with_customs(model, customs)
    say("writing PyTorch source")
    stem = module_name(model.name)
    files = {part: folder / f"{stem}{end}" for part, end in _ENDINGS.items()}
    code = api.generate(
        model, "torch", style=style, axes=axes, fidelity=fidelity, source=files["spec"].name
    )
    files["usage"] = folder / f"load_{stem}.py"
    program = lower_graph(api.analyze(model), Options(axes=axes, fidelity=fidelity))
    has_weights = holds_weights(source)
    usage = fill(
        "torch/load.py.j2",
        module=stem,
        weights=literal(files["weights"].name) if has_weights else None,
        arguments=", ".join(
            example(t, program.channels.get(t, False)) for t in program.inputs.values()
        ),
    )
    with whole_folder(folder) as beside:
        say("converting weights" if has_weights else "no weights to convert")
        if has_weights:
            place = beside / files["weights"].name
            api.convert_weights(
                model, source, place, axes=axes, fidelity=fidelity, progress=progress
            )
        for part, text in (
            ("spec", api.dump(model)),
            ("source", code),
            ("usage", format_python(usage, (stem,))),
        ):
            (beside / files[part].name).write_text(text, encoding="utf-8")
        if not force:
            _keep_edited(beside, folder)
    return Migration(
        model,
        spec=files["spec"],
        source=files["source"],
        weights=files["weights"] if has_weights else None,
        usage=files["usage"],
        warnings=tuple(warnings),
        todo=tuple(
            f"{files['source']}: {task} (layer {', '.join(names)})"
            for _, names, task in program.builder.stubs.written
        ),
    )


def _keep_edited(beside: Path, folder: Path) -> None:
    """SF506 where a file in the folder is not the one that would be written."""
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
    done: Migration,
    source: Path,
    *,
    reference: Path | None = None,
    say: Callable[[str], None] = lambda _: None,
    axes: str = "torch",
    fidelity: str = "idiomatic",
) -> Report:
    """Compare both generated programs with each other and with the original.

    Args:
        done: A migration.
        source: What it read.
        reference: Inputs and outputs of the original, as in `specfmt.verify`.
        say: Called with each step.
        axes, fidelity: As they were given to `migrate`.

    Raises:
        SpecError: A program fails.
    """
    from specfmt.parity.report import Against, Report
    from specfmt.parity.run import verify
    from specfmt.parity.workers import PACKAGES, TARGETS

    targets = [target for target in TARGETS if is_installed(PACKAGES[target])]
    missing = [PACKAGES[target] for target in TARGETS if target not in targets]
    if not targets:
        why = f"neither TensorFlow nor PyTorch is installed: {install(missing)}"
        report = Report({"spec": api.analyze(done.model).count()})
        report.against.append(Against("original", str(source), why=why))
        return report
    report = verify(
        done.model,
        weights=done.weights,
        targets=targets,
        original=source,
        reference=reference,
        progress=lambda part: say(f"comparing: {part}"),
        axes=axes,
        fidelity=fidelity,
    )
    if missing:
        note = f"{', '.join(missing)} is not installed, so that program was not run: {install(missing)}"
        report.skipped = "; ".join(filter(None, (report.skipped, note)))
    return report


CHANGES: Final = frozenset({"SF435"})
"""Warnings of an import after which outputs are others than in the Keras that saved the model."""

_ACCEPT = "`--accept-changes` converts it all the same"
_ENDINGS = {"spec": ".yaml", "source": ".py", "weights": ".safetensors"}


def example(tensor: Tensor, channels_first: bool) -> str:
    """An expression that makes an input; unknown sizes are 32."""
    sizes = [size or 32 for size in tensor.shape[1:]]
    if channels_first:
        sizes = [sizes[-1], *sizes[:-1]]
    listed = ", ".join(str(size) for size in (1, *sizes))
    if tensor.dtype == "string":
        texts: Any = "some text"
        for size in (*reversed(sizes), 1):
            texts = [texts] * size
        return literal(texts)
    if tensor.dtype.startswith("float"):
        other = "" if tensor.dtype == "float32" else f", dtype=torch.{tensor.dtype}"
        return f"torch.rand({listed}{other})"
    return f"torch.zeros({listed}, dtype=torch.{tensor.dtype})"
