"""Keras callbacks in the PyTorch training loop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from specfmt.diagnostics import Diagnostic, SpecError
from specfmt.spec.train import TrainSpec
from specfmt.targets.source import literal, string
from specfmt.targets.user_objects import python_name
from specfmt.vocab.base import CUSTOM

DOWN = tuple("loss error entropy divergence hinge poisson logcosh mse mae mape msle".split())
"""Parts of the names of values for which smaller is better."""


@dataclass(frozen=True)
class Callback:
    """The values of a callback for the template ``torch/callbacks.j2``.

    Attributes:
        type: Its class in Keras.
        watched: The monitored value: ``row["val_loss"]``.
        arguments: The arguments of its constructor or of its only call.
        file: The file that it writes, below ``args.out``.
        saved: What a checkpoint contains.
        better: The comparison for the best checkpoint; empty if every checkpoint is kept.
        before: The initial value of the best; the first checkpoint must be better.
        mode: The variable with the mode for opening a file; empty if it is appended to.
        ends: Whether it does something after training or raises an error.
    """

    type: str
    watched: str = ""
    arguments: str = ""
    file: str = ""
    saved: str = ""
    better: str = ""
    before: str = ""
    mode: str = ""
    ends: bool = False


def callbacks_of(train: TrainSpec) -> list[Callback]:
    """The callbacks of a training section.

    Raises:
        SpecError: PyTorch code cannot express a callback or one of its options (SF304).
    """
    found = []
    for index, term in enumerate(train.callbacks):
        if term.type == CUSTOM:
            found.append(Callback(CUSTOM, arguments=python_name(term)))
        elif term.type in WRITERS:
            found.append(WRITERS[term.type](term.spec, index))
        else:
            raise _refusal(index, f"the callback {term.type}")
    return found


def _refusal(index: int, what: str, hint: str = "generate the Keras target") -> SpecError:
    return SpecError(
        [Diagnostic("SF304", f"{what} has no PyTorch form", ("train", "callbacks", index), hint)]
    )


def direction(monitor: str, mode: str) -> int:
    """1 if larger values of ``monitor`` are better, -1 if smaller ones are."""
    if mode in ("min", "max"):
        return 1 if mode == "max" else -1
    name = monitor.removeprefix("val_").lower()
    return -1 if any(part in name for part in DOWN) else 1


def _watched(spec: Any) -> str:
    return f"row[{string(spec.monitor)}]"


def _early_stopping(spec: Any, index: int) -> Callback:
    options = {
        key: value
        for key, value in spec.explicit_arguments().items()
        if key in ("patience", "min_delta", "baseline", "restore_best_weights", "start_from_epoch")
    }
    arguments = [str(direction(spec.monitor, spec.mode))]
    arguments += [f"{key}={literal(value)}" for key, value in options.items()]
    return Callback(
        "EarlyStopping", _watched(spec), ", ".join(arguments), ends=spec.restore_best_weights
    )


def _model_checkpoint(spec: Any, index: int) -> Callback:
    if spec.save_freq != "epoch":
        raise _refusal(index, "ModelCheckpoint within an epoch", "use save_freq: epoch")
    stem = spec.filepath.removesuffix(".keras").removesuffix(".weights.h5").removesuffix(".h5")
    weights = spec.save_weights_only or spec.filepath.endswith(".weights.h5")
    # Keras's {epoch:02d} and {val_loss:.2f} are filled in.
    filled = ".format(epoch=epoch, **row)" if "{" in stem else ""
    found = Callback(
        "ModelCheckpoint",
        file=f"{string(stem + '.pt')}{filled}",
        saved="model.state_dict()" if weights else "model",
    )
    if not spec.save_best_only:
        return found
    return replace(
        found,
        watched=_watched(spec),
        better=">" if direction(spec.monitor, spec.mode) > 0 else "<",
        before=literal(spec.initial_value_threshold),
    )


def _reduce_on_plateau(spec: Any, index: int) -> Callback:
    mode = "max" if direction(spec.monitor, spec.mode) > 0 else "min"
    # PyTorch counts from the epoch after the first bad one, and its cooldown is one epoch longer.
    arguments = [
        "optimizer",
        f"mode={string(mode)}",
        f"factor={literal(spec.factor)}",
        f"patience={max(spec.patience, 1) - 1}",
        f"threshold={literal(spec.min_delta)}",
        'threshold_mode="abs"',
        f"cooldown={max(spec.cooldown - 1, 0)}",
        f"min_lr={literal(spec.min_lr)}",
        "eps=0",
    ]
    return Callback("ReduceLROnPlateau", _watched(spec), ", ".join(arguments))


def _csv_logger(spec: Any, index: int) -> Callback:
    delimiter = "" if spec.separator == "," else f", delimiter={string(spec.separator)}"
    # An existing file is overwritten when the first line is written.
    mode = "" if spec.append else f"mode_{index}"
    return Callback("CSVLogger", arguments=delimiter, file=string(spec.filename), mode=mode)


def _tensorboard(spec: Any, index: int) -> Callback:
    if spec.histogram_freq or spec.embeddings_freq or spec.write_images:
        raise _refusal(
            index, "TensorBoard with histograms, embeddings or images", "log values only"
        )
    return Callback("TensorBoard", file=string(spec.log_dir), ends=True)


def _terminate_on_nan(spec: Any, index: int) -> Callback:
    return Callback("TerminateOnNaN", ends=spec.raise_error)


WRITERS: dict[str, Callable[[Any, int], Callback]] = {
    "EarlyStopping": _early_stopping,
    "ModelCheckpoint": _model_checkpoint,
    "ReduceLROnPlateau": _reduce_on_plateau,
    "CSVLogger": _csv_logger,
    "TensorBoard": _tensorboard,
    "TerminateOnNaN": _terminate_on_nan,
}
