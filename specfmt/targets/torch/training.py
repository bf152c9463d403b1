"""Training scripts in PyTorch: the plain loop that its users write."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from specfmt.graph.model import Graph
from specfmt.spec.diagnostics import Diagnostic, SpecError
from specfmt.spec.train import TrainSpec
from specfmt.targets.data import DataCode, data_code, loss_term
from specfmt.targets.naming import Scope, identifier
from specfmt.targets.source import comment, literal, number, string
from specfmt.targets.torch.builder import TargetError
from specfmt.targets.torch.callbacks import callback_lines
from specfmt.targets.torch.losses import LossCode, loss_code, trains_on_logits
from specfmt.targets.torch.metrics import MetricCode, metric_code
from specfmt.targets.torch.optimizers import OptimizerCode, optimizer_code
from specfmt.targets.torch.penalties import constraint_lines, penalty_lines
from specfmt.targets.torch.program import ClassProgram, _is_channels_first
from specfmt.targets.training import (
    describe_code,
    label_source,
    output_kind,
    path_help,
    sample_code,
    train_section,
)
from specfmt.vocab.base import Term
from specfmt.vocab.by_shape import resolve

CPU_OR_CUDA = (
    '    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")'
)


@dataclass
class Output:
    """One output in the training loop.

    Attributes:
        name: Its name in the spec.
        prediction: The variable that holds what the model returns.
        target: The variable that holds the right answers.
        activation: The final activation that training leaves out, ``Softmax`` or ``Sigmoid``.
        loss: Its loss, None where it is not trained.
        weight: Its share of the total loss.
        metrics: Log name -> how it is measured.
    """

    name: str
    prediction: str
    target: str
    activation: str = ""
    loss: LossCode | None = None
    weight: float = 1.0
    metrics: dict[str, MetricCode] = field(default_factory=dict)
    weighted_metrics: frozenset[str] = frozenset()

    @property
    def probabilities(self) -> str:
        """What the spec calls the output, as an expression."""
        return self.activated(self.prediction)

    def activated(self, source: str) -> str:
        """The final activation applied to an expression."""
        if self.activation == "Softmax":
            return f"{source}.softmax(dim=-1)"
        return f"torch.sigmoid({source})" if self.activation == "Sigmoid" else source


def final_term(graph: Graph, name: str) -> Term | None:
    """The activation of the layer that gives an output."""
    node = graph.outputs[name].node
    if node is None or node.unit.graph is not None or len(node.unit.calls) > 1:
        return None
    term = getattr(node.layer, "activation", None)
    return term if isinstance(term, Term) and node.layer.activity_regularizer is None else None


def resolved_loss(graph: Graph, train: TrainSpec, name: str) -> Term | None:
    """The loss of an output, `crossentropy` resolved by the shapes."""
    loss = loss_term(train, graph, name)
    if loss is None:
        return None
    shape = graph.outputs[name].shape or ()
    return resolve(loss, shape, target_shape(graph, train, name))


def target_shape(graph: Graph, train: TrainSpec, name: str) -> tuple[int | None, ...]:
    """The shape of an output's targets, as the data give them."""
    shape = graph.outputs[name].shape or ()
    loss = loss_term(train, graph, name)
    sparse = loss is not None and loss.type == "SparseCategoricalCrossentropy"
    return shape[:-1] if sparse else shape


def logit_outputs(graph: Graph) -> frozenset[str]:
    """Outputs whose final softmax or sigmoid is left to the loss."""
    train = train_section(graph)
    found = []
    for name in graph.outputs:
        loss, term = resolved_loss(graph, train, name), final_term(graph, name)
        if loss is not None and trains_on_logits(loss, term):
            found.append(name)
    return frozenset(found)


def training_outputs(graph: Graph, train: TrainSpec, scope: Scope) -> list[Output]:
    """Every output as the loop sees it.

    Raises:
        SpecError: A loss or metric that PyTorch code cannot express (SF304).
    """
    logits = logit_outputs(graph)
    single = len(graph.outputs) == 1
    stays = _is_channels_first(graph)
    outputs = []
    problems: list[Diagnostic] = []
    for index, (name, value) in enumerate(graph.outputs.items()):
        classes = output_kind(graph, train, name) in ("classes", "binary")
        base = identifier(name)
        wish = "logits" if single and name in logits else "prediction" if single else base
        output = Output(
            name,
            scope.claim(wish),
            scope.claim(("labels" if classes else "targets") if single else f"{base}_target"),
        )
        term, loss = final_term(graph, name), resolved_loss(graph, train, name)
        if name in logits and term is not None:
            output.activation = term.type
        try:
            if loss is not None:
                activation: Any = output.activation or None
                output.loss = loss_code(
                    loss,
                    from_logits_of=activation,
                    output_shape=value.shape or (),
                    channels_first=not stays,
                )
            for key, metric in metrics_of(graph, train, index, name):
                output.metrics[key] = metric_code(
                    metric,
                    output_shape=value.shape or (),
                    target_shape=target_shape(graph, train, name),
                    channels_first=not stays,
                )
        except TargetError as error:
            problems.append(Diagnostic(error.code, error.message, ("train",), error.hint))
        weights = train.loss_weights
        if isinstance(weights, dict):
            output.weight = weights.get(name, 1.0)
        elif isinstance(weights, tuple):
            output.weight = weights[index] if index < len(weights) else 1.0
        elif isinstance(weights, float):
            output.weight = weights
        outputs.append(output)
    if problems:
        raise SpecError(problems)
    if all(output.loss is None for output in outputs):
        raise SpecError(
            [
                Diagnostic(
                    "SF213",
                    "expected `train.loss` for a training script, it is missing",
                    ("train",),
                    "add for example `loss: sparse_categorical_crossentropy`",
                )
            ]
        )
    return outputs


def metrics_of(graph: Graph, train: TrainSpec, index: int, name: str) -> list[tuple[str, Term]]:
    """Log name and metric of one output; several outputs put their name before it."""
    found: list[tuple[str, Term]] = []
    for given in (train.metrics, train.weighted_metrics):
        if isinstance(given, dict):
            given = given.get(name)
        elif isinstance(given, tuple) and any(isinstance(item, tuple) for item in given):
            given = given[index] if index < len(given) else None
        elif isinstance(given, tuple) and len(graph.outputs) > 1:
            given = given[index] if index < len(given) else None
        items = given if isinstance(given, tuple) else (given,)
        shapes = graph.outputs[name].shape or (), target_shape(graph, train, name)
        for item in items:
            if isinstance(item, Term):
                key = item.args.get("name") or item.name
                prefix = "" if len(graph.outputs) == 1 else f"{name}_"
                found.append((f"{prefix}{key}", resolve(item, *shapes)))
    return found


@dataclass(frozen=True)
class TrainContext:
    """What ``torch/train.py.j2`` needs besides model and data; finished Python source."""

    title: str
    out: str
    epochs: int
    batch_size: int
    full_batch: bool
    learning_rate: str
    seed: int
    device: str
    dataset_arguments: str
    dataset_doc: str
    dataset_tensors: str
    penalty: list[str]
    constrain: list[str]
    metrics: str
    metric_type: str
    train_arguments: str
    evaluate_arguments: str
    start: list[str]
    train_start: list[str]
    batch: str
    move: list[str]
    train_step: list[str]
    evaluate_step: list[str]
    count: list[str]
    result: str
    predict_arguments: str
    predict_returns: str
    predict_doc: str
    predict: list[str]
    prepare: list[str]
    setup: list[str]
    train_call: str
    validation: bool
    validation_call: str
    after_epoch: list[str]
    finish: list[str]
    test_call: str
    show: list[str]
    predict_file: list[str]


class Script:
    """Assembles the pieces of one training script."""

    def __init__(self, graph: Graph, program: ClassProgram, fidelity: str) -> None:
        self.graph, self.program, self.fidelity = graph, program, fidelity
        self.train = train_section(graph)
        self.data = data_code(graph, self.train, "torchvision")
        self.scope = Scope(
            ("model", "loader", "loss", "loss_fn", "optimizer", "device", "seen", "total_loss",
             "metrics", "weight", "x", "y", "args", "torch", "nn", "np", "row", "epoch", "history")
        )  # fmt: skip
        self.inputs = {name: self.scope.claim(identifier(name, "inputs")) for name in graph.inputs}
        self.outputs = training_outputs(graph, self.train, self.scope)
        self.trained = [output for output in self.outputs if output.loss is not None]
        self.weighted = self.data.weighted or self.train.class_weight is not None
        self.helpers: list[str] = []
        self.imports: set[str] = set()

    @property
    def single(self) -> bool:
        return len(self.outputs) == 1

    @property
    def with_loss_fn(self) -> bool:
        """Whether one loss object is handed to the loop."""
        return self.single and bool(self._create(self.outputs[0]))

    def _create(self, output: Output) -> str:
        assert output.loss is not None
        return output.loss.create_weighted if self.weighted else output.loss.create

    def context(self) -> dict[str, Any]:
        """Everything that the template reads besides the model."""
        train = self.train
        for output in self.trained:
            assert output.loss is not None
            self.helpers += output.loss.helpers
        for output in self.outputs:
            for metric in output.metrics.values():
                self.helpers += metric.helpers
        varying = any(term.type == "ReduceLROnPlateau" for term in train.callbacks)
        try:
            optimizer = optimizer_code(
                train.optimizer,
                fidelity=self.fidelity,
                learning_rate="args.learning_rate",
                varying_rate=varying,
            )
        except TargetError as error:
            path = ("train", "optimizer", error.field) if error.field else ("train", "optimizer")
            raise SpecError([Diagnostic(error.code, error.message, path, error.hint)]) from None
        self.helpers += optimizer.helpers
        if optimizer.schedule is not None:
            self.helpers += optimizer.schedule.helpers
        callbacks = callback_lines(train, [o.name for o in self.outputs])
        self.helpers += callbacks.helpers
        self.imports |= callbacks.imports
        penalty = penalty_lines(self.program)
        constrain = constraint_lines(self.program)
        self.helpers += [*penalty.helpers, *constrain.helpers]
        validation = self.data.has_validation or bool(train.validation_split)
        call = ["loss_fn"] if self.with_loss_fn else []
        steps = ["scheduler"] if optimizer.schedule else []
        context = TrainContext(
            title=string(f"Train {comment(self.graph.name)}."),
            out=f"runs/{identifier(self.graph.name)}",
            epochs=train.epochs,
            batch_size=train.batch_size if isinstance(train.batch_size, int) else 0,
            full_batch=train.batch_size == "full",
            learning_rate=number(optimizer.learning_rate),
            seed=0 if train.seed is None else train.seed,
            device=CPU_OR_CUDA,
            dataset_arguments=self._dataset_arguments(),
            dataset_doc=self._dataset_doc(),
            dataset_tensors=self._dataset_tensors(),
            penalty=penalty.lines,
            constrain=constrain.lines,
            metrics=self._metrics(),
            metric_type=self._metric_type(),
            train_arguments=self._arguments(["optimizer: torch.optim.Optimizer", *(
                ["scheduler: torch.optim.lr_scheduler.LRScheduler"] if steps else [])]),
            evaluate_arguments=self._arguments([]),
            start=self._start(),
            train_start=[*self._start(), *(["batches = 0"] if optimizer.accumulation_steps else [])],
            batch=self._batch(),
            move=self._move(),
            train_step=self._train_step(optimizer, bool(penalty.lines), bool(constrain.lines)),
            evaluate_step=self._forward(bool(penalty.lines)),
            count=self._count(),
            result=self._result(),
            predict_arguments=", ".join(f"{v}: torch.Tensor" for v in self.inputs.values()),
            predict_returns="torch.Tensor" if self.single else "dict[str, torch.Tensor]",
            predict_doc=self._predict_doc(),
            predict=self._predict(),
            prepare=self._prepare(validation),
            setup=[*self._setup(optimizer), *callbacks.setup],
            train_call=", ".join(["model", "train_loader", *call, "optimizer", *steps, "device"]),
            validation=validation,
            validation_call=", ".join(["model", "val_loader", *call, "device"]),
            after_epoch=callbacks.after_epoch,
            finish=[*optimizer.at_end, *callbacks.finish],
            test_call=", ".join(["model", "test_loader", *call, "device"]),
            show=self._show(),
            predict_file=self._predict_file(),
        )
        sample = sample_code(self.graph, train)
        return {
            "train": context,
            "data": self.data,
            "path_help": string(path_help(train)),
            "sample": sample,
            "describe": describe_code(self.graph, train, self.data.classes),
            "helper_names": self.helpers,
            "script_imports": {
                "import argparse",
                "import csv",
                "from pathlib import Path",
                "import matplotlib.pyplot as plt",
                "import torch",
                "from torch import nn",
                "from torch.utils.data import DataLoader, TensorDataset",
                "from tqdm import tqdm",
                *self.data.imports,
                *sample.imports,
                *self.imports,
            },
        }

    # -- data ----------------------------------------------------------------------------------

    def _several(self, side: str) -> bool:
        return (len(self.inputs) if side == "x" else len(self.outputs)) > 1

    def _dataset_arguments(self) -> str:
        parts = []
        for side in "xy":
            kind = "dict[str, np.ndarray]" if self._several(side) else "np.ndarray"
            parts.append(f"{side}: {kind}")
        if self.data.weighted:
            parts.append("weight: np.ndarray | None = None")
        return ", ".join(parts)

    def _dataset_doc(self) -> str:
        moved = any(self._permute(name) for name in self.inputs)
        return "NumPy arrays as tensors" + (", images channels-first." if moved else ".")

    def _permute(self, name: str) -> str:
        """How an input in Keras's order is brought to torch's."""
        tensor = self.program.inputs[name]
        if not self.program.channels.get(tensor, False):
            return ""
        axes = ", ".join(str(axis) for axis in (0, tensor.rank - 1, *range(1, tensor.rank - 1)))
        return f".permute({axes})"

    def _dataset_tensors(self) -> str:
        tensors = []
        for name in self.inputs:
            array = f"x[{string(name)}]" if self._several("x") else "x"
            tensors.append(f"torch.from_numpy({array}){self._permute(name)}")
        for output in self.outputs:
            array = f"y[{string(output.name)}]" if self._several("y") else "y"
            tensors.append(f"torch.from_numpy({array})")
        if self.data.weighted:
            count = "len(x)" if not self._several("x") else f"len(x[{string(next(iter(self.inputs)))}])"
            tensors.append(
                f'torch.ones({count}) if weight is None else torch.from_numpy(weight.astype("float32"))'
            )
        return ", ".join(tensors)

    def _prepare(self, validation: bool) -> list[str]:
        lines = [*self.data.standardize_lines()]
        weight = ", weight_train" if self.data.weighted else ""
        if validation and not self.data.has_validation:
            lines += self._split_validation()
        shuffle = f", shuffle={self.train.shuffle}" if not self.train.shuffle else ", shuffle=True"
        size = "args.batch_size"
        if self.train.batch_size == "full":
            lines.append(f"batch_size = args.batch_size or {self._length('x_train')}")
            size = "batch_size"
        lines.append(
            f"train_loader = DataLoader(to_dataset(x_train, y_train{weight}), batch_size={size}{shuffle})"
        )
        if validation:
            lines.append(f"val_loader = DataLoader(to_dataset(x_val, y_val), batch_size={size})")
        if self.data.has_test:
            lines.append(f"test_loader = DataLoader(to_dataset(x_test, y_test), batch_size={size})")
        return lines

    def _length(self, x: str) -> str:
        return f"len({x}[{string(next(iter(self.inputs)))}])" if self._several("x") else f"len({x})"

    def _split_validation(self) -> list[str]:
        """Keras's split: the last block, before shuffling, its start rounded down."""

        def part(name: str, index: str) -> str:
            if self._several(name[0]):
                return f"{{key: array[{index}] for key, array in {name}.items()}}"
            return f"{name}[{index}]"

        split = number(self.train.validation_split)
        lines = [
            f"boundary = int({self._length('x_train')} * (1 - {split}))",
            f"x_val, y_val = {part('x_train', 'boundary:')}, {part('y_train', 'boundary:')}",
            f"x_train, y_train = {part('x_train', ':boundary')}, {part('y_train', ':boundary')}",
        ]
        if self.data.weighted:
            lines.append("weight_train = weight_train[:boundary]")
        return lines

    # -- the loop ------------------------------------------------------------------------------

    def _arguments(self, extra: list[str]) -> str:
        parts = ["model: nn.Module", "loader: DataLoader"]
        if self.with_loss_fn:
            kind = self._create(self.outputs[0]).partition("(")[0]
            parts.append(f"loss_fn: {'nn.Module' if kind.startswith('nn.') else kind}")
        return ", ".join([*parts, *extra, "device: torch.device"])

    def _batch_names(self) -> list[str]:
        names = [*self.inputs.values(), *(output.target for output in self.outputs)]
        return [*names, "weight"] if self.data.weighted else names

    def _batch(self) -> str:
        return ", ".join(self._batch_names())

    def _move(self) -> list[str]:
        names = self._batch_names()
        return [f"{', '.join(names)} = {', '.join(f'{name}.to(device)' for name in names)}"]

    def _start(self) -> list[str]:
        lines = ["total_loss, seen = 0.0, 0"]
        if len(self.trained) > 1:
            lines.append("losses = dict.fromkeys(" + literal([o.name for o in self.trained]) + ", 0.0)")
        if self._all_metrics():
            lines.append("metrics = new_metrics()")
        return lines

    def _forward(self, penalty: bool) -> list[str]:
        """Statements from the batch to the loss."""
        call = f"model({', '.join(self.inputs.values())})"
        lines = []
        if self.single:
            lines.append(f"{self.outputs[0].prediction} = {call}")
        elif self.graph.output_form == "mapping":
            lines.append(f"outputs = {call}")
            lines += [f"{o.prediction} = outputs[{string(o.name)}]" for o in self.outputs]
        else:
            lines.append(f"{', '.join(o.prediction for o in self.outputs)} = {call}")
        lines += self._weights()
        terms = []
        for output in self.trained:
            text = self._loss_call(output)
            if len(self.trained) == 1:
                scaled = text if output.weight == 1 else f"{number(output.weight)} * {text}"
                lines.append(f"loss = {scaled}")
            else:
                name = f"{identifier(output.name)}_loss"
                lines.append(f"{name} = {text}")
                terms.append(name if output.weight == 1 else f"{number(output.weight)} * {name}")
        if terms:
            lines.append(f"loss = {' + '.join(terms)}")
        if penalty:
            lines.append("loss = loss + penalty(model)")
        return lines

    def _weights(self) -> list[str]:
        """Class weights, times sample weights where there are some."""
        weights = self.train.class_weight
        if weights is None:
            return []
        output = self.trained[0]
        assert output.loss is not None
        labels = output.target
        units = (self.graph.outputs[output.name].shape or (None, 0))[-1] or 0
        if output.loss.target == "one_hot":
            labels = f"{labels}.argmax(dim=-1)"
        elif output.loss.target == "values":
            labels = f"{labels}.long().flatten()"
        size = max([units, 2, *(key + 1 for key in weights)])
        table = literal([weights.get(index, 1.0) for index in range(size)])
        scale = f"torch.tensor({table}, device=device)[{labels}]"
        return [f"weight = weight * {scale}" if self.data.weighted else f"weight = {scale}"]

    def _loss_call(self, output: Output) -> str:
        assert output.loss is not None
        names = {"prediction": output.prediction, "target": self._target(output), "weight": "weight"}
        text = output.loss.weighted_call if self.weighted else output.loss.call
        text = text.format(**names)
        create = self._create(output)
        if create and not self.single:
            text = text.replace("loss_fn", create)
        return text

    def _target(self, output: Output) -> str:
        """The target in the shape and dtype that the loss takes."""
        assert output.loss is not None
        given = target_shape(self.graph, self.train, output.name)
        wanted = output.loss.target_shape
        text = output.target
        if len(given) != len(wanted):
            text += f".reshape({', '.join(str(s) if s is not None else '-1' for s in wanted)})"
        return text

    def _train_step(
        self, optimizer: OptimizerCode, penalty: bool, constrain: bool
    ) -> list[str]:
        update = [*optimizer.before_step, "optimizer.step()", *optimizer.after_step]
        if constrain:
            update.append("constrain(model)")
        scheduler = ["scheduler.step()"] if optimizer.schedule else []
        steps = optimizer.accumulation_steps
        if not steps:
            forward = ["optimizer.zero_grad()", *self._forward(penalty), "loss.backward()"]
            return [*forward, *update, *scheduler]
        return [
            *self._forward(penalty),
            f"(loss / {steps}).backward()",
            "batches += 1",
            f"if batches % {steps} == 0:",
            *(f"    {line}" for line in (*update, "optimizer.zero_grad()")),
            *scheduler,
        ]

    def _all_metrics(self) -> dict[str, MetricCode]:
        return {key: code for output in self.outputs for key, code in output.metrics.items()}

    def _metrics(self) -> str:
        items = ", ".join(f"{string(k)}: {c.create}" for k, c in self._all_metrics().items())
        return f"{{{items}}}" if items else ""

    def _metric_type(self) -> str:
        classes = dict.fromkeys(c.create.partition("(")[0] for c in self._all_metrics().values())
        return " | ".join(classes)

    def _count(self) -> list[str]:
        """Statements that add up a batch's loss and metrics."""
        first = next(iter(self.inputs.values()))
        lines = [f"total_loss += loss.item() * len({first})", f"seen += len({first})"]
        if len(self.trained) > 1:
            lines += [
                f"losses[{string(o.name)}] += {identifier(o.name)}_loss.item() * len({first})"
                for o in self.trained
            ]
        for output in self.outputs:
            for key, code in output.metrics.items():
                prediction = output.activated(f"{output.prediction}.detach()")
                lines.append(f"metrics[{string(key)}].update({prediction}, {output.target})")
        return lines

    def _result(self) -> str:
        parts = ['"loss": total_loss / seen']
        if len(self.trained) > 1:
            parts.append('**{f"{name}_loss": total / seen for name, total in losses.items()}')
        if self._all_metrics():
            parts.append("**{name: metric.result() for name, metric in metrics.items()}")
        return "{" + ", ".join(parts) + "}"

    # -- around the loop -----------------------------------------------------------------------

    def _setup(self, optimizer: OptimizerCode) -> list[str]:
        lines = []
        if self.with_loss_fn:
            lines.append(f"loss_fn = {self._create(self.outputs[0])}")
        if optimizer.comment:
            lines.append(f"# {optimizer.comment}")
        lines.append(f"optimizer = {optimizer.create}")
        if optimizer.schedule:
            lines.append(f"scheduler = {optimizer.schedule.create}")
        return [*lines, *optimizer.setup]

    def _predict_doc(self) -> str:
        shape = self.graph.outputs[self.outputs[0].name].shape or ()
        if self.single and self.outputs[0].activation == "Softmax":
            return f"Class probabilities (N, {shape[-1]})."
        return "What the spec calls the model's output: activations applied."

    def _predict(self) -> list[str]:
        call = f"model({', '.join(self.inputs.values())})"
        if self.single:
            output = self.outputs[0]
            return [f"return {output.activated(call)}"]
        if self.graph.output_form == "mapping":
            lines = [f"outputs = {call}"]
            lines += [f"{o.prediction} = outputs[{string(o.name)}]" for o in self.outputs]
        else:
            lines = [f"{', '.join(o.prediction for o in self.outputs)} = {call}"]
        items = ", ".join(f"{string(o.name)}: {o.probabilities}" for o in self.outputs)
        return [*lines, f"return {{{items}}}"]

    def _show(self) -> list[str]:
        """Statements that print a few predictions beside the right answers."""
        part = "test" if self.data.has_test else "train"
        names = self._batch_names()
        few = [f"few_{index}" for index in range(len(names))] if len(names) > 2 else names
        count = len(self.inputs)
        sources = ", ".join(f"{name}.to(device)" for name in few[:count])
        lines = [f"{', '.join(few)} = {part}_loader.dataset[:3]"]
        if self.single:
            label = label_source(self.graph, self.train, self.outputs[0].name, "answer", self.data)
            return [
                *lines,
                f"predictions = predict(model, {sources}).cpu().numpy()",
                f"for prediction, answer in zip(predictions, {few[count]}.numpy(), strict=True):",
                f'    print(f"{label}: predicted {{describe(prediction)}}")',
            ]
        variables = {o.name: identifier(o.name) for o in self.outputs}
        answers = ", ".join(
            f"{comment(name)} {label_source(self.graph, self.train, name, variable, self.data)}"
            for name, variable in variables.items()
        )
        picked = ", ".join(f"{name}[index].numpy()" for name in few[count : count + len(variables)])
        return [
            *lines,
            f"predictions = predict(model, {sources})",
            "for index in range(3):",
            "    prediction = {name: values[index].cpu().numpy() for name, values in predictions.items()}",
            f"    {', '.join(variables.values())} = {picked}",
            f'    print(f"{answers}: predicted {{describe(prediction)}}")',
        ]

    def _predict_file(self) -> list[str]:
        lines = self.data.standardize_sample()
        tensors = []
        for name in self.inputs:
            array = f"sample[{string(name)}]" if self._several("x") else "sample"
            tensors.append(f"torch.from_numpy({array}){self._permute(name)}.to(args.device)")
        call = f"predict(model, {', '.join(tensors)})"
        if self.single:
            return [*lines, f"prediction = {call}[0]", "print(describe(prediction.cpu().numpy()))"]
        return [
            *lines,
            f"predictions = {call}",
            "print(describe({name: values[0].cpu().numpy() for name, values in predictions.items()}))",
        ]


def train_context(graph: Graph, program: ClassProgram, fidelity: str) -> dict[str, Any]:
    """Everything of the template that a model file does not have.

    Raises:
        SpecError: The training section cannot feed this model, or PyTorch cannot express it.
    """
    return Script(graph, program, fidelity).context()
