"""Validation of an imported document, like that of any spec.

Diagnostics refer to the source file: they name the layer and its place in the JSON.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from specfmt.diagnostics import Diagnostic, Path, SpecError
from specfmt.formats.config.reading import Json
from specfmt.graph.build import build
from specfmt.spec.document import ModelSpec, parse_document
from specfmt.spec.train import TrainSpec
from specfmt.targets.training.data_checks import training_problems

NO_INPUT: Final = "SF207"
INPUT_HINT: Final = (
    "the file does not contain the input shape of the model: give it, for example "
    "`--input-shape 4` or `--input-shape 28,28,1` (`?` for any size)"
)


def checked(
    document: Json,
    warnings: list[Diagnostic],
    located: dict[int, tuple[Json, str, Path]],
    *,
    complete: bool = True,
) -> tuple[ModelSpec, list[Diagnostic]]:
    """The spec of an imported document, and the warnings about it.

    Args:
        document: The imported document.
        warnings: The warnings of the reader.
        located: Identity of an entry -> the entry, its layer, and its path in the source.
        complete: Whether the spec must be valid; if not, a model without inputs is accepted, as
            Keras writes one that is not built.

    Raises:
        SpecError: It is not a valid spec; diagnostics have their places in the source.
    """
    while True:
        spec, problems = parse_document(document)
        if spec is not None:
            graph, found = build(spec, problems)
            problems = [*problems, *found]
            if isinstance(spec.train, TrainSpec) and not problems:
                problems = training_problems(graph, spec.train)
        errors = [problem for problem in problems if problem.severity == "error"]
        if spec is not None and not complete:
            errors = [error for error in errors if error.code != NO_INPUT]
        if not errors and spec is not None:
            return spec, warnings
        training = [error for error in errors if error.path[:1] == ("train",)]
        if not training:
            raise SpecError([in_source(error, document, located) for error in errors])
        # Mistakes in the training configuration must not prevent the import of the model.
        train = dict(document["train"])
        for error in training:
            key = error.path[1] if len(error.path) > 1 else next(iter(train), "")
            if train.pop(str(key), None) is not None:
                warnings = [
                    *warnings,
                    Diagnostic(
                        "SF432",
                        f"left out {key} of the training configuration: {error.message}",
                        (),
                        error.hint,
                        "warning",
                    ),
                ]
            else:
                train = {}
        document = {key: item for key, item in document.items() if key != "train"}
        if train:
            document["train"] = train


def in_source(
    error: Diagnostic, document: Json, located: dict[int, tuple[Json, str, Path]]
) -> Diagnostic:
    """A diagnostic about an imported document as one about its source."""
    if error.code == NO_INPUT:
        return replace(error, path=(), hint=INPUT_HINT)
    value: Any = document
    name = ""
    place: Path = ()
    for part in error.path:
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            break
        found = located.get(id(value))
        if found is not None:
            _, name, place = found
    message = error.message
    if name and name not in message:
        message = f"{message} (layer {name})"
    return replace(error, path=place, message=message)


def of_file(error: SpecError, file: str) -> SpecError:
    """The same diagnostics with the name of a file."""
    return SpecError([replace(item, file=item.file or file) for item in error.diagnostics])
