"""Callbacks in the PyTorch loop, by Keras's rules."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from specfmt.diagnostics import Diagnostic, SpecError
from specfmt.layers.base import explicit_arguments
from specfmt.spec.train import TrainSpec
from specfmt.targets.own_words import python_name
from specfmt.targets.source import literal, string
from specfmt.vocab.base import CUSTOM

DOWN = (
    "loss",
    "error",
    "entropy",
    "divergence",
    "hinge",
    "poisson",
    "logcosh",
    "mse",
    "mae",
    "mape",
    "msle",
)
"""Parts of the names of values that are better when smaller."""


@dataclass
class Callbacks:
    """Statements for the training function.

    Attributes:
        setup: Before the loop.
        after_epoch: At the end of each epoch; ``row`` holds its values.
        finish: After the loop.
        helpers: Helper classes that they use.
        imports: Import lines that they need.
    """

    setup: list[str] = field(default_factory=list)
    after_epoch: list[str] = field(default_factory=list)
    finish: list[str] = field(default_factory=list)
    helpers: list[str] = field(default_factory=list)
    imports: set[str] = field(default_factory=set)


def callback_lines(train: TrainSpec) -> Callbacks:
    """The statements for every callback of a training section.

    Raises:
        SpecError: SF304, a callback or option that the loop cannot express.
    """
    found = Callbacks()
    for index, term in enumerate(train.callbacks):
        if term.type == CUSTOM:
            found.after_epoch.append(f"{python_name(term)}(model, epoch, history)")
            continue
        writer = WRITERS.get(term.type)
        if writer is None:
            raise _refusal(index, f"the callback {term.type}")
        writer(term.spec, found, index)
    return found


def _refusal(index: int, what: str, hint: str = "generate the Keras target") -> SpecError:
    return SpecError(
        [Diagnostic("SF304", f"{what} has no PyTorch form", ("train", "callbacks", index), hint)]
    )


def direction(monitor: str, mode: str) -> int:
    """1 where larger values of ``monitor`` are better, -1 where smaller ones are."""
    if mode in ("min", "max"):
        return 1 if mode == "max" else -1
    name = monitor.removeprefix("val_").lower()
    return -1 if any(part in name for part in DOWN) else 1


def _early_stopping(spec: Any, found: Callbacks, index: int) -> None:
    found.helpers.append("EarlyStopping")
    options = {
        key: value
        for key, value in explicit_arguments(spec).items()
        if key in ("patience", "min_delta", "baseline", "restore_best_weights", "start_from_epoch")
    }
    arguments = [str(direction(spec.monitor, spec.mode))]
    arguments += [f"{key}={literal(value)}" for key, value in options.items()]
    found.setup.append(f"early_stopping = EarlyStopping({', '.join(arguments)})")
    value = f"row[{string(spec.monitor)}]"
    found.after_epoch += [f"if early_stopping.should_stop(epoch, {value}, model):", "    break"]
    if spec.restore_best_weights:
        found.finish.append("early_stopping.finish(model)")


def _model_checkpoint(spec: Any, found: Callbacks, index: int) -> None:
    if spec.save_freq != "epoch":
        raise _refusal(index, "ModelCheckpoint within an epoch", "use save_freq: epoch")
    stem = spec.filepath.removesuffix(".keras").removesuffix(".weights.h5").removesuffix(".h5")
    weights = spec.save_weights_only or spec.filepath.endswith(".weights.h5")
    what = "model.state_dict()" if weights else "model"
    path = f"args.out / {_formatted(stem + '.pt')}"
    if not spec.save_best_only:
        found.after_epoch.append(f"torch.save({what}, {path})")
        return
    start = (
        "None" if spec.initial_value_threshold is None else literal(spec.initial_value_threshold)
    )
    compare = ">" if direction(spec.monitor, spec.mode) > 0 else "<"
    value = f"row[{string(spec.monitor)}]"
    found.setup.append(f"best: float | None = {start}")
    found.after_epoch += [
        f"if best is None or {value} {compare} best:",
        f"    best = {value}",
        f"    torch.save({what}, {path})",
    ]


def _formatted(path: str) -> str:
    """A path; Keras's ``{epoch:02d}`` and ``{val_loss:.2f}`` are filled in."""
    return f"{string(path)}.format(epoch=epoch, **row)" if "{" in path else string(path)


def _reduce_on_plateau(spec: Any, found: Callbacks, index: int) -> None:
    mode = "max" if direction(spec.monitor, spec.mode) > 0 else "min"
    # torch counts the epochs after the first bad one, and ends its cooldown an epoch later.
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
    found.setup.append(
        f"plateau = torch.optim.lr_scheduler.ReduceLROnPlateau({', '.join(arguments)})"
    )
    found.after_epoch.append(f"plateau.step(row[{string(spec.monitor)}])")


def _csv_logger(spec: Any, found: Callbacks, index: int) -> None:
    path = f"args.out / {string(spec.filename)}"
    delimiter = "" if spec.separator == "," else f", delimiter={string(spec.separator)}"
    mode = '"a"'
    if not spec.append:  # an older file is replaced when there is a first line
        mode = f"mode_{index}"
        found.setup.append(f'{mode} = "w"')
    found.after_epoch += [
        f'with ({path}).open({mode}, newline="") as file:',
        f"    writer = csv.writer(file{delimiter})",
        "    if file.tell() == 0:",
        '        writer.writerow(["epoch", *row])',
        "    writer.writerow([epoch - 1, *row.values()])",
    ]
    if not spec.append:
        found.after_epoch.append(f'{mode} = "a"')


def _tensorboard(spec: Any, found: Callbacks, index: int) -> None:
    if spec.histogram_freq or spec.embeddings_freq or spec.write_images:
        raise _refusal(
            index, "TensorBoard with histograms, embeddings or images", "log values only"
        )
    found.imports.add("from torch.utils.tensorboard import SummaryWriter")
    found.setup.append(f"board = SummaryWriter(args.out / {string(spec.log_dir)})")
    found.after_epoch += [
        "for name, value in row.items():",
        '    board.add_scalar(f"epoch_{name}", value, epoch - 1)',
    ]
    found.finish.append("board.close()")


def _terminate_on_nan(spec: Any, found: Callbacks, index: int) -> None:
    found.imports.add("import math")
    found.after_epoch.append('if not math.isfinite(row["loss"]):')
    if spec.raise_error:
        found.after_epoch.append("    raise RuntimeError(f\"the loss is {row['loss']}\")")
    else:
        found.after_epoch.append("    break")


WRITERS = {
    "EarlyStopping": _early_stopping,
    "ModelCheckpoint": _model_checkpoint,
    "ReduceLROnPlateau": _reduce_on_plateau,
    "CSVLogger": _csv_logger,
    "TensorBoard": _tensorboard,
    "TerminateOnNaN": _terminate_on_nan,
}
