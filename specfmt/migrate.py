"""The one command of a migration: from a saved Keras model to PyTorch source and weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from keyword import iskeyword
from pathlib import Path

from specfmt import api
from specfmt.files import write_whole
from specfmt.formats.keras_json import document_from_located
from specfmt.formats.sources import read_source
from specfmt.spec.diagnostics import Diagnostic, SpecError
from specfmt.spec.document import ModelSpec, parse_document
from specfmt.targets.naming import identifier
from specfmt.targets.source import literal
from specfmt.targets.templates import fill
from specfmt.targets.torch.expr import Tensor
from specfmt.targets.torch.program import Options, lower_graph
from specfmt.targets.wrap import wrap


@dataclass(frozen=True)
class Migration:
    """What a migration wrote.

    Attributes:
        model: The imported spec.
        spec, source, weights, usage: The files.
        warnings: What the import kept opaque or left out.
    """

    model: ModelSpec
    spec: Path
    source: Path
    weights: Path
    usage: Path
    warnings: tuple[Diagnostic, ...]


def migrate(
    source: Path, folder: Path, *, progress: Callable[[str, int, int], None] | None = None
) -> Migration:
    """Import a model and write its spec, PyTorch source, weights and a usage example.

    Args:
        source: A ``.keras`` archive, or an ``.h5`` file with a whole model.
        folder: Where the files go; it is created.
        progress: Called for each weight, as in `convert_weights`.

    Raises:
        SpecError: The source cannot be read, or PyTorch cannot express the model.
        OSError: A file cannot be read or written.
    """
    document, warnings = document_from_located(read_source(source))
    model, problems = parse_document(document)
    if problems or model is None:
        raise SpecError(problems)
    stem = identifier(model.name, "model")
    stem = f"{stem}_model" if iskeyword(stem) else stem
    files = {part: folder / f"{stem}{end}" for part, end in _ENDINGS.items()}
    code = api.generate(model, "torch", source=files["spec"].name)
    files["usage"] = folder / f"load_{stem}.py"
    program = lower_graph(api.analyze(model), Options())
    usage = fill(
        "torch/load.py.j2",
        module=stem,
        weights=literal(files["weights"].name),
        arguments=", ".join(
            example(t, program.channels.get(t, False)) for t in program.inputs.values()
        ),
    )
    # What can fail comes first: weights that cannot be read leave nothing behind.
    api.convert_weights(model, source, files["weights"], progress=progress)
    write_whole(files["spec"], api.dump(model))
    write_whole(files["source"], code)
    write_whole(files["usage"], wrap(usage))
    return Migration(model, warnings=tuple(warnings), **files)


_ENDINGS = {"spec": ".yaml", "source": ".py", "weights": ".safetensors"}


def example(tensor: Tensor, channels_first: bool) -> str:
    """An expression that makes an input; unknown sizes are 32."""
    sizes = [size or 32 for size in tensor.shape[1:]]
    if channels_first:
        sizes = [sizes[-1], *sizes[:-1]]
    listed = ", ".join(str(size) for size in (1, *sizes))
    if tensor.dtype.startswith("float"):
        return f"torch.rand({listed})"
    return f"torch.zeros({listed}, dtype=torch.{tensor.dtype})"
