"""Callbacks of `keras.callbacks`, which act during training."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from specfmt.fields.rules import AnyMapping, Either, Integer, Nullable, OneOf, Text, Tuple
from specfmt.fields.spellings import REMOVED, FormerArguments, removed
from specfmt.fields.types import (
    Bool,
    Float,
    Int,
    Literal,
    NaturalInt,
    OptionalFloat,
    PositiveFloat,
    Str,
)
from specfmt.vocab.base import TermSpec

Mode = Literal["auto", "min", "max"]
Frequency = Annotated[
    Literal["epoch"] | int,
    Either(OneOf("epoch"), Integer(1), expected='"epoch" or a number of batches'),
]

RELATIVE_PATH = r"^(?![/\\]|[A-Za-z]:)(?!(?:.*[/\\])?\.\.(?:[/\\]|$))[^\x00]"
"""A path that stays below the folder that it is joined to: not absolute and without ``..``."""

PathBelow = Annotated[str, Text("a path below --out: not absolute and without ..", RELATIVE_PATH)]


class CallbackSpec(TermSpec):
    """Base of the callbacks."""

    kind: ClassVar[str] = "callback"


class EarlyStopping(CallbackSpec):
    """Stops training when ``monitor`` has not improved by ``min_delta`` for ``patience`` epochs."""

    monitor: Str = "val_loss"
    min_delta: Float = 0.0
    patience: NaturalInt = 0
    verbose: Int = 0
    mode: Mode = "auto"
    baseline: OptionalFloat = None
    restore_best_weights: Bool = False
    start_from_epoch: NaturalInt = 0


class ModelCheckpoint(CallbackSpec):
    """Saves the model or its weights after every epoch, or only when ``monitor`` is the best so
    far."""

    former_arguments: ClassVar[FormerArguments] = {
        "period": removed(1),
        "load_weights_on_restart": removed(False),
    }

    filepath: Annotated[str, Text("a path below --out, in .keras or .weights.h5", RELATIVE_PATH)]
    monitor: Str = "val_loss"
    verbose: Int = 0
    save_best_only: Bool = False
    save_weights_only: Bool = False
    mode: Mode = "auto"
    save_freq: Frequency = "epoch"
    initial_value_threshold: OptionalFloat = None


class ReduceLROnPlateau(CallbackSpec):
    """Multiplies the learning rate by ``factor`` when ``monitor`` has not improved for
    ``patience`` epochs."""

    former_arguments: ClassVar[FormerArguments] = {"epsilon": "min_delta"}

    monitor: Str = "val_loss"
    factor: PositiveFloat = 0.1
    patience: NaturalInt = 10
    verbose: Int = 0
    mode: Mode = "auto"
    min_delta: Float = 0.0001
    cooldown: NaturalInt = 0
    min_lr: Float = 0.0


class CSVLogger(CallbackSpec):
    """Writes the logged values of each epoch to a line of a CSV file."""

    filename: PathBelow
    separator: Str = ","
    append: Bool = False


class TensorBoard(CallbackSpec):
    """Writes logs for TensorBoard."""

    former_arguments: ClassVar[FormerArguments] = {"write_grads": REMOVED, "batch_size": REMOVED}

    log_dir: PathBelow = "logs"
    histogram_freq: NaturalInt = 0
    write_graph: Bool = True
    write_images: Bool = False
    write_steps_per_second: Bool = False
    update_freq: Annotated[
        Literal["batch", "epoch"] | int,
        Either(
            OneOf("batch", "epoch"), Integer(1), expected='"batch", "epoch" or a number of batches'
        ),
    ] = "epoch"
    profile_batch: Annotated[
        int | tuple[int, ...],
        Either(
            Integer(0), Tuple(Integer(0), 2, 2), expected="a batch number or a list of two of them"
        ),
    ] = 0
    embeddings_freq: NaturalInt = 0
    embeddings_metadata: Annotated[
        str | dict[str, Any] | None,
        Nullable(Either(Text(), AnyMapping(), expected="a path, or a mapping of layers to paths")),
    ] = None


class TerminateOnNaN(CallbackSpec):
    """Stops training when the loss is NaN or infinite."""

    raise_error: Bool = False
