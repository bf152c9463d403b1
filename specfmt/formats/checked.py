"""An imported document is checked like a spec that a person wrote, before it is handed out.

What a check finds is said of the source: the layer, and the place in the JSON where it stands.
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
    "the file does not say the shape of the model's input: give it, for example "
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
        document: What the reader made of a source.
        warnings: What it said of it.
        located: Which layer each entry is, and where it stands in the source, by its identity.
        complete: Whether the spec must be one that `validate` accepts; else a model without
            inputs, as Keras writes one that is not built, is taken.

    Raises:
        SpecError: It is no spec; each finding with its place in the source.
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
        # How a model was compiled is never worth its import.
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
    """A finding about a document as one about the source that it was made of."""
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
    """The same findings, said of a file."""
    return SpecError([replace(item, file=item.file or file) for item in error.diagnostics])
