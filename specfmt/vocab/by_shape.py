"""Losses and metrics that Keras selects by the shapes of output and target."""

from __future__ import annotations

from typing import Final

from specfmt.vocab.base import Term

Shape = tuple[int | None, ...]

BY_SHAPE: Final = {
    "CrossentropyByShape": (
        "BinaryCrossentropy",
        "SparseCategoricalCrossentropy",
        "CategoricalCrossentropy",
    ),
    "AccuracyByShape": (
        "BinaryAccuracy",
        "SparseCategoricalAccuracy",
        "CategoricalAccuracy",
    ),
}


def resolve(term: Term, output_shape: Shape, target_shape: Shape) -> Term:
    """The loss or metric that Keras selects for ``crossentropy`` or ``accuracy``; others unchanged.

    The rule is ``is_binary_or_sparse_categorical`` of keras/src/trainers/compile_utils.py.

    Args:
        term: A loss or a metric.
        output_shape, target_shape: The shapes, batch axis included.

    Returns:
        The term under the name that the user gave, which is the name in Keras's logs.
    """
    if term.type not in BY_SHAPE:
        return term
    binary, sparse, categorical = BY_SHAPE[term.type]
    last = output_shape[-1]
    if last == 1:
        name = binary
    elif len(target_shape) < len(output_shape) or (
        target_shape[-1] == 1 and (last is None or last > 1)
    ):
        name = sparse
    else:
        name = categorical
    return Term(term.kind, name, spelling=term.spelling)
