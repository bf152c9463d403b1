"""Generated Python is laid out as `ruff format` lays it out: ruff itself is the judge."""

from __future__ import annotations

import ast
import subprocess
import sys
import textwrap
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from specfmt.targets.wrap import call, explode, wrap
from tests.timing import best_seconds

# One statement a paragraph, each on one physical line however long.
STATEMENTS = """
x = layers.Conv2D(16, 3, padding="same", use_bias=False, name="stem_of_the_model")(image)

x = layers.Conv2D(32, 3, strides=2, padding="same", use_bias=False, name="b_conv1")(a_out)

x = layers.Conv2D(32, 3, strides=2, padding="same", use_bias=False, dilation_rate=2, name="b_conv1")(a_out)

x = layers.Conv2D(32, 3, strides=2, padding="same", use_bias=False, dilation_rate=2, kernel_regularizer=keras.regularizers.L2(0.001), name="b_conv1")(a_out)

x = layers.MultiHeadAttention(num_heads=8, key_dim=64, dropout=0.1, name="attention")(query, value, key, attention_mask=mask)

x = stem = layers.BatchNormalization(momentum=0.95, epsilon=0.002, name="a_batch_normalization")(x)

self.attention_of_the_encoder = nn.MultiheadAttention(512, 8, dropout=0.1, batch_first=True)

self.encoder.layers[0].attention.projection = nn.Linear(512, 2048, bias=False, device=device)

outputs, hidden_state, cell_state = layers.LSTM(128, return_sequences=True, return_state=True)(x)

outputs["the first output"], outputs["the second output"] = model(features_of_the_batch, training=False)

parameters[f"encoder.layers.{index}.self_attention.in_proj_weight"] = weights["query_kernel"].T

parameters["encoder.layers.self_attention.in_projection_weight_of_layer"] = some_value_with_a_name

parameters["encoder.layers.self_attention.in_projection_weight"] = "a string that is long enough"

a_rather_long_target_name, another_rather_long_target_name, yet_another_name_for_it = compute()

a_rather_long_target_name, another_rather_long_target_name, yet_another_name_for_it = the_value

[first_of_the_many_values, second_of_the_many_values, third_of_the_many_values] = make_the_values()

total_loss_of_all_batches_together = running_loss_of_this_epoch + regularization_loss_of_the_model

total_loss = loss_fn(model(features_of_the_batch), labels_of_the_batch) + weight * regularization_loss(model)

scores = torch.matmul(query_states_of_the_layer, key_states_of_the_layer.transpose(-2, -1)) / math.sqrt(64)

y = first_operand_of_the_sum * second_operand_of_the_sum + third_operand_of_the_sum * fourth_operand - fifth

y = gamma_of_the_normalization * (inputs_of_the_layer - mean_over_the_axes) / torch.sqrt(variance_over_axes + epsilon)

mask = (lengths_of_the_sequences[:, None] > torch.arange(maximum_length_of_all)[None, :]) & valid_positions

value = not some_condition_with_a_long_name and another_condition_with_a_long_name or a_third_condition

power = base_of_the_power_expression.attribute_of_base**exponent_of_the_power_expression.attribute_x

power = (base_of_the_power_expression + something_else_in_here)**exponent_of_the_power_expression[1:2]

negated = -some_function_with_a_long_name(first_argument_of_it, second_argument_of_it, third_argument_of)

device = torch.device("cuda" if torch.cuda.is_available() and not arguments.force_cpu_even_so else "cpu")

activation = nn.ReLU(inplace=True) if configuration.activation_name == "relu" else nn.GELU(approximate="tanh")

kind = "first kind of all" if number_of_dimensions == 1 else "second kind" if number_of_dimensions == 2 else "third"

activation_of_the_first_hidden_layer = lambda features: torch.nn.functional.gelu(features, approximate="tanh")

activation_of_the_layer = lambda features, temperature=1.0: features * temperature + another_offset_of_it

callback = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: history.append(logs["loss"]))

handlers = register(lambda *args, **kwargs: some_function_with_a_long_name(*args, option=True, **kwargs), name="x")

x = x.permute(0, 2, 3, 1).reshape(batch_size, height * width, channels).transpose(1, 2).contiguous()

x = self.convolution_of_the_block(inputs_of_the_block).relu().mean(dim=(2, 3), keepdim=True).squeeze(-1)

x = features_of_the_batch.unfold(dimension=2, size=kernel_size, step=stride).unfold(3, kernel_size, stride).flatten(2)

weights = dict(sorted(model.state_dict().items()))["encoder.layers.0.weight"].detach().cpu().numpy().astype("float32")

normalized = (inputs_of_the_layer - mean_over_the_axes).div(variance_over_the_axes.add(epsilon).sqrt()).mul(gamma)

message = "a string that is so long that it does not fit on any line and is never split at all, whatever may come"

message = "a string that would fit on a line of its own, in parentheses, though it does not here"

message = f"layer {layer_name} of model {model_name} has {count} parameters, expected {expected}, so stop"

raise ValueError(f"expected shape {expected_shape} for the weight {weight_name}, received shape {received_shape}")

raise RuntimeError("the weights do not fit this model, see the message above for the names") from error

assert features_of_the_batch.shape == (batch_size, channels, height, width), "features have another shape"

assert isinstance(configuration_of_the_model, dict), f"expected a mapping, received {type(configuration_of_the_model)}"

assert all_of_the_conditions_hold_for_this_model and another_condition_that_is_as_long_as_the_first_one_is

return TensorDataset(features[:split], labels[:split]), TensorDataset(features[split:], labels[split:])

return total_loss_of_all_batches / number_of_samples_seen, correct_predictions / number_of_samples_seen, seen_samples

return self.projection_of_the_output(self.dropout_of_the_output(attention_weights @ value_states_of_it))

return {"loss": total_loss / seen, "accuracy": correct / seen, "learning_rate": scheduler.get_last_lr()[0]}

return [layer.output_shape for layer in model.layers if not isinstance(layer, keras.layers.InputLayer)]

return first_condition_of_the_result and second_condition_of_the_result or third_condition_of_the_result_x

return some_object_with_a_long_name.some_attribute_with_a_long_name.another_attribute_with_a_long_name_x

return (yield some_value_with_a_long_name_of_the_generator_function, another_value_with_a_long_name_too)

total_loss_of_all_the_batches_together += loss_fn(predictions_of_the_model, labels_of_the_batch).item() * len(labels)

history["accuracy of the validation"][epoch_number] += correct_predictions_of_epoch / number_of_samples

history: dict[str, list[float]] = {"loss": [], "accuracy": [], "val_loss": [], "val_accuracy": [], "lr": []}

lookup_table_of_the_layers: dict[str, tuple[type[keras.layers.Layer], Callable[..., torch.nn.Module]]] = make()

names_of_all_the_layers_in_order: tuple[str, ...] = ("first_layer", "second_layer", "third_layer", "fourth")

CLASSES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck", "house"]

SHAPES = {(1, 28, 28): "mnist", (3, 32, 32): "cifar", (3, 224, 224): "imagenet", **more_shapes_from_elsewhere}

NAMES = {"first_name_of_the_set", "second_name_of_the_set", "third_name_of_the_set", "fourth_name_of_set"}

SHAPE = (some_dimension_of_the_array, another_dimension_of_the_array, yet_another_dimension_of_the_array_x)

nested = [[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [7.0, 8.0, 9.0, 10.0, 11.0, 12.0], [13.0, 14.0, 15.0, 16.0, 17.0]]

squares = {name: parameter.numel() for name, parameter in model.named_parameters() if parameter.requires_grad}

pairs = [(first_element, second_element) for first_element in first_collection for second_element in second_collection]

total = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad and parameter.dim() > 1)

unique = {canonical_name_of(parameter_name) for parameter_name in parameters_of_the_model_with_a_long_name}

window = padded_inputs_of_the_layer[:, :, start_of_window : start_of_window + size_of_window, :: stride_of_it]

first = predictions_of_the_model_for_the_batch[torch.arange(batch_size_of_the_loader), labels_of_the_batch]

kernel = weights[configuration["layer_name"]][configuration["weight_name_within_the_layer"]].transpose(3, 2, 0, 1)

print(*values_of_the_first_collection, *values_of_the_second_collection, sep=", ", end="", file=sys.stderr)

print(f"{CLASSES[label]:>10}: predicted {CLASSES[probabilities.argmax()]} ({probabilities.max():.0%})")

print(f"epoch {epoch}: loss {loss:.4f}, accuracy {accuracy:.2%}", f"{time.perf_counter() - start:.1f} s")

parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu", help="where to run")

model.compile(optimizer=keras.optimizers.Adam(learning_rate=0.001), loss="sparse_categorical_crossentropy", metrics=["accuracy"])

model.fit(train_features, train_labels, batch_size=32, epochs=200, validation_data=(test_features, test_labels), callbacks=[keras.callbacks.EarlyStopping(patience=10, restore_best_weights=True)])

torch.nn.init.xavier_uniform_(self.attention_of_the_encoder.in_proj_weight[: self.embedding_dimension])

some_function(another_function(yet_another_function(the_last_function(argument_number_one, argument_number_two))))

some_function_with_a_name("a string as the sole argument of a call, which is too long for one single line")

function(**configuration_of_the_layer_with_a_long_name, **another_configuration_of_the_layer_with_long_name)

layers_of_the_model.first_attribute.second_attribute.third_attribute.method(argument_of_the_method_call_)

first_summand_with_a_long_name_for_the_sum + second_summand_with_a_long_name_for_the_sum + third_summand

await asyncio.gather(first_coroutine_with_a_long_name(argument), second_coroutine_with_a_long_name(argument))

del state_dictionary_of_the_model["first_key_of_the_dictionary"], state_dictionary_of_the_model["second_key"]

from tensorflow.keras.layers import BatchNormalization, Conv2D, Dense, Dropout, Flatten, MaxPooling2D, ReLU

from tensorflow_with_a_long_name.keras_with_a_long_name.layers_with_a_long_name import BatchNormalization_x

from torch.nn.functional import cross_entropy as cross_entropy_loss, gelu as gelu_activation, relu as relu_x

if isinstance(module, (nn.Conv2d, nn.Linear, nn.ConvTranspose2d)) and module.bias is not None and initialize:
    pass

if some_function_with_a_long_name(argument_number_one_of_the_call) == another_function_with_a_long_name(arg):
    pass
elif isinstance(some_object_with_a_long_name, (first_class_of_the_check, second_class_of_the_check, third_one)):
    pass

if not all(isinstance(dimension, int) and dimension > 0 for dimension in shape_of_the_inputs_to_the_layer):
    pass

if (number_of_elements := len(some_collection_with_a_long_name)) > maximum_number_of_elements_in_a_collection:
    pass

while number_of_steps_taken_so_far < maximum_number_of_steps_to_take and not early_stopping_has_been_triggered:
    pass

for index, (features, labels) in enumerate(DataLoader(train_set, batch_size=arguments.batch_size, shuffle=True)):
    pass

for parameter_of_the_first_model, parameter_of_the_second_model in zip(first.parameters(), second.parameters()):
    pass

for name in ["first_name_of_the_list", "second_name_of_the_list", "third_name_of_the_list", "fourth_name_of"]:
    pass

with (out_directory / "history.csv").open("w", newline="", encoding="utf-8") as file_for_the_history_of_training:
    pass

with open("the first file name.txt", encoding="utf-8") as first_file, open("the second file name.txt") as second_file:
    pass

with torch.autocast(device_type=device.type, dtype=torch.bfloat16, enabled=arguments.mixed_precision_training):
    pass

with tqdm(range(first_epoch_of_the_training, last_epoch_of_the_training + 1), unit="epoch") as progress_bar:
    pass

try:
    pass
except (FirstExceptionWithALongName, SecondExceptionWithALongName, ThirdExceptionWithALongName) as caught_error:
    pass

def train_epoch(model: nn.Module, loader: DataLoader, loss_fn: nn.Module, device: torch.device) -> float:
    pass

def train_epoch(model: nn.Module, loader: DataLoader, loss_fn: nn.Module, optimizer: torch.optim.Optimizer, device: torch.device) -> tuple[float, float]:
    pass

def function_with_keyword_only(first, /, second: int = 3, *, third: str = "a default", fourth: bool = False, **rest):
    pass

def function_with_one_argument_only(argument: dict[str, tuple[torch.Tensor, torch.Tensor]]) -> torch.Tensor:
    pass

def function_without_arguments_but_with_a_long_name() -> dict[str, tuple[torch.Tensor, torch.Tensor, int]]:
    pass

def function_with_variable_arguments(*positional_arguments: torch.Tensor, **keyword_arguments: torch.Tensor):
    pass

async def serve_the_model(host_name_to_listen_on: str, port_number_to_listen_on: int, model: nn.Module) -> None:
    pass

def returning_a_tuple_annotation(first_parameter: int, second_parameter: int) -> tuple[torch.Tensor, torch.Tensor]:
    pass

class ResidualBlockWithALongName(FirstBaseClassWithALongName, SecondBaseClassWithALongName, metaclass=SomeMeta):
    pass

@keras.saving.register_keras_serializable(package="a_package_with_a_long_name", name="a_layer_with_a_long_name")
class Layer:
    pass

@pytest.mark.parametrize(("first_name", "second_name"), [("first value", 1), ("second value", 2), ("third", 3)])
def function():
    pass

match configuration_of_the_layer_with_a_long_name["class_name"], configuration_of_the_layer_with_a_long_name["x"]:
    case _:
        pass

if a:
    if b:
        x = layers.Conv2D(filters=64, kernel_size=3, strides=2, padding="same", name="conv")(x)
    else:
        x, state = self.recurrent_cell_of_the_layer(inputs_of_the_layer[:, step], (hidden, cell))

x = call(first_argument_of_the_call, second_argument_of_the_call)[0](third_argument_of_the_call)[1:2]

x = call(1, 2,)

x = (4,)

x = layers.Dense(units=some_number_of_units, activation=some_activation_function_name, name="dense")  # noqa: E501

x = {"a key of the mapping": "a value of the mapping", "another key": call(first_argument, [1, 2, 3])}  # type: ignore

def method(self): ...

def method_of_a_protocol_with_a_long_name(self, first_parameter: int, second_parameter: str) -> torch.Tensor: ...

x = function(\"\"\"a string
of two lines\"\"\", some_argument)

x = function_with_a_long_name(first_argument_of_the_function)("größer als ein Zeichen", "日本語の文字列です", 1)
""".strip().split("\n\n")

COMMENTED = [
    "x = function(first_argument, second_argument, third_argument)  # a comment that is too long for it",
    "if some_condition_with_a_long_name and another_condition:  # a comment that is too long for it\n    pass",
    "if a:\n    pass\nelse:  # a comment that is as long as can be, so that it does not fit on the line of the else\n    pass",
    "import os\nimport sys  # a comment on an import, which is so long that it does not fit on the line of it",
    'class A:\n    """A docstring."""\n\n    x = 1  # a comment that is as long as can be, so that it does not fit on the line',
    "@decorator\ndef f():  # a comment that is as long as can be, so that it does not fit on the line of def\n    pass",
    "x = some_function_with_a_long_name(first_argument, second_argument, third_argument, fourth_argument)  # short",
    'x = "a"  # short',
    "x = a_name_that_is_far_too_long_for_any_line_of_code_and_that_cannot_be_split_anywhere_at_all_in_it  # short",
    "call(\n    a,  # first\n    # before b\n    b=function(1),\n    # last\n)",
    "call(\n    a,  # first\n    keyword=function_with_a_long_name(first_argument_of_it, second_argument_of_it, third),\n)",
]  # fmt: skip

BLANK_LINES = [
    '"""Docs."""\nimport os\nx = 1\ndef f():\n\n    """Docs."""\n    import os\n    return 1\ny = 2\n\n\n\n\nz = 3',
    "import os\n\n\n\nimport sys\n# comment\nx = 1\n\n\n\n\n# comment\nclass A:\n\n    x = 1\n    def f(self):\n\n\n        x = 1\n\n\n        return x\n    y = 1",
    'class A:\n\n\n    """Docs."""\n    x = 1\n    @property\n\n    def f(self):\n        return 1\n# comment\n@decorator\ndef g():\n    if a:\n        def h():\n            pass\n        return h\n\n    else:\n\n        return 1\n\n\n\n',
    "if a:\n    import os\n    x = 1\nelif b:\n    for x in y:\n        pass\n    z = 1\n\n\n\nw = 1   \nif __name__ == \"__main__\":\n    main()",
    '"""Docs."""\n\n\nclass A:\n    def f(self): ...\n    def g(self): ...\n    x = 1',
]  # fmt: skip


def ruff(texts: list[str], folder: Path, *options: str) -> list[str]:
    """The texts as ruff formats them, in one run over one file each."""
    paths = [folder / f"case_{index:04}.py" for index in range(len(texts))]
    for path, text in zip(paths, texts, strict=True):
        path.write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "ruff", "format", "--isolated", "--no-cache", *options]
    subprocess.run([*command, str(folder)], check=True, capture_output=True)
    return [path.read_text(encoding="utf-8") for path in paths]


def dump(source: str) -> str:
    return ast.dump(ast.parse(source))


@pytest.fixture(scope="module")
def formatted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Every case, as ruff formats its wrapped text."""
    cases = [*STATEMENTS, *COMMENTED, *BLANK_LINES]
    return dict(
        zip(cases, ruff([wrap(case) for case in cases], tmp_path_factory.mktemp("a")), strict=True)
    )


@pytest.fixture(scope="module")
def oracle(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Every case without a moved comment, as ruff formats the source itself."""
    cases = [*STATEMENTS, *BLANK_LINES]
    return dict(
        zip(cases, ruff([f"{case}\n" for case in cases], tmp_path_factory.mktemp("b")), strict=True)
    )


def test_there_are_many_cases() -> None:
    assert len(STATEMENTS) >= 100
    assert len(set(STATEMENTS)) == len(STATEMENTS)


@pytest.mark.parametrize("source", [*STATEMENTS, *COMMENTED, *BLANK_LINES])
def test_ruff_leaves_wrapped_text_alone(source: str, formatted: dict[str, str]) -> None:
    wrapped = wrap(source)
    assert formatted[source] == wrapped
    assert wrap(wrapped) == wrapped
    if not source.startswith("del "):  # ruff adds parentheses there, which the tree counts
        assert dump(wrapped) == dump(source)


@pytest.mark.parametrize("source", [*STATEMENTS, *BLANK_LINES[:3], BLANK_LINES[4]])
def test_wrapping_is_what_ruff_does(source: str, oracle: dict[str, str]) -> None:
    assert wrap(source) == oracle[source]


def test_other_width(tmp_path: Path) -> None:
    wrapped = [wrap(case, width=60) for case in STATEMENTS]
    assert ruff(wrapped, tmp_path, "--config", "line-length=60") == wrapped


def test_indented_statements(tmp_path: Path) -> None:
    cases = [f"if a:\n    if b:\n{textwrap.indent(case, ' ' * 8)}" for case in STATEMENTS]
    cases = [case for case in cases if '"""' not in case]
    wrapped = [wrap(case) for case in cases]
    assert ruff(wrapped, tmp_path) == wrapped
    assert ruff([f"{case}\n" for case in cases], tmp_path) == wrapped


# Statements by chance

NAMES = ["x", "self", "features", "layers", "hidden_state", "encoder_output_projection"]
OPERATORS = ["+", "-", "*", "/", "@", "and", "or", "==", "not in", "|"]


class Chance:
    """Writes expressions by chance."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw

    def pick(self, choices: list[str]) -> str:
        return self.draw(st.sampled_from(choices))

    def size(self, least: int, most: int) -> int:
        return self.draw(st.integers(least, most))

    def many(self, least: int, most: int, depth: int) -> list[str]:
        return [self.expression(depth) for _ in range(self.size(least, most))]

    def atom(self) -> str:
        string = f'"{"s" * self.size(0, 30)}"'
        interpolated = f'f"{{x}} {"t" * self.size(0, 30)}"'
        return self.pick([*NAMES, "0", "1e-07", "None", "-1", string, interpolated])

    def arguments(self, depth: int) -> str:
        keywords = [f"{key}={self.expression(depth)}" for key in "abc"[: self.size(0, 3)]]
        return ", ".join([*self.many(0, 3, depth), *keywords])

    def call(self, depth: int) -> str:
        return f"{self.pick(NAMES)}({self.arguments(depth - 1)})"

    def chain(self, depth: int) -> str:
        text = self.pick(NAMES)
        for _ in range(self.size(1, 4)):
            kind = self.size(0, 3)
            if kind == 0:
                text += f"({self.arguments(depth - 1)})"
            elif kind == 1:
                text += f"[{self.expression(depth - 1)}]"
            else:
                text += f".{self.call(depth) if kind == 2 else self.pick(NAMES)}"
        return text

    def operand(self, depth: int) -> str:
        kind = self.size(0, 3)
        if kind == 0 or depth <= 0:
            return self.pick(NAMES)
        return self.chain(depth - 1) if kind == 1 else self.operation(depth - 1)

    def operation(self, depth: int) -> str:
        rest = [f" {self.pick(OPERATORS)} {self.operand(depth)}" for _ in range(self.size(1, 4))]
        return f"({self.operand(depth)}{''.join(rest)})"

    def expression(self, depth: int) -> str:
        kind = self.size(0, 12)
        if depth <= 0 or kind <= 2:
            return self.atom()
        if kind <= 4:
            return self.call(depth)
        if kind <= 6:
            return self.chain(depth)
        if kind == 7:
            return self.operation(depth)
        if kind == 8:
            return f"[{', '.join(self.many(0, 5, depth - 1))}]"
        if kind == 9:
            return f"({', '.join(self.many(2, 4, depth - 1))})"
        if kind == 10:
            items = [f'"k{key}": {each}' for key, each in enumerate(self.many(0, 3, depth - 1))]
            return "{" + ", ".join(items) + "}"
        if kind == 11:
            head = f"{self.expression(depth - 1)} for x, y in {self.chain(depth - 1)}"
            return self.pick([f"[{head}]", f"sum({head})", f"{{{head} if x}}"])
        conditional = f"({self.call(depth)} if {self.operand(depth)} else {self.operand(depth)})"
        return self.pick([conditional, f"(lambda x: {self.call(depth)})"])


def bare(expression: str) -> str:
    """The expression without parentheses around it, which ruff would remove; tuples keep theirs."""
    inner = expression[1:-1]
    try:
        same = expression.startswith("(") and dump(inner) == dump(expression)
    except SyntaxError:
        return expression
    return inner if same and "value=Tuple(" not in dump(inner)[:40] else expression


STATEMENT_FORMS = st.sampled_from(
    [
        "x = {}",
        "self.encoder_output_projection = {}",
        'features["the key of the entry"] = {}',
        "x, hidden_state = {}",
        "x = y = {}",
        "x: dict[str, list[int]] = {}",
        "x += {}",
        "return {}",
        "f({})",
        "if {}:\n    pass",
        "for x, y in {}:\n    pass",
        "assert {}, x",
        "    x = {}",
        "        return {}",
    ]
)


@st.composite
def blocks(draw: st.DrawFn) -> str:
    """Source of many statements."""
    chance = Chance(draw)
    found: list[str] = []
    for _ in range(30):
        form = draw(STATEMENT_FORMS)
        indent = len(form) - len(form.lstrip())
        found.extend(f"{' ' * depth}if a:\n" for depth in range(0, indent, 4))
        found.append(form.format(bare(chance.expression(chance.size(1, 3)))) + "\n")
    return "".join(found)


@settings(max_examples=30)
@given(blocks())
def test_statements_by_chance(source: str) -> None:
    wrapped = wrap(through_ruff(source, "line-length=320", "format.skip-magic-trailing-comma=true"))
    assert through_ruff(wrapped) == wrapped
    assert wrap(wrapped) == wrapped
    assert dump(wrapped) == dump(source)


def through_ruff(source: str, *configuration: str) -> str:
    options = [word for setting in configuration for word in ("--config", setting)]
    command = [sys.executable, "-m", "ruff", "format", "--isolated", *options, "-"]
    return subprocess.run(command, input=source, check=True, capture_output=True, text=True).stdout


# Whole files

SCRIPT = '''\
"""tiny_resnet: trains two residual blocks.

Generated by specfmt from tiny_resnet.yaml. It stands alone: edit it freely.
"""

import argparse
from pathlib import Path

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

CLASSES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]


class TinyResnet(nn.Module):
    """Maps image (N, 3, 32, 32) to label (N, 10), probabilities; 19,898 parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        self.a_norm = nn.BatchNorm2d(16, eps=0.001, momentum=0.01, affine=True, track_running_stats=True)
        self.label = nn.Linear(32, 10)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        stem = torch.relu(self.stem(image))  # (N, 16, 32, 32)

        x = nn.functional.pad(stem, (0, 1, 0, 1))  # TensorFlow pads the end when stride 2 meets an even size
        x = x.permute(0, 2, 3, 1).reshape(x.shape[0], -1, 16).transpose(1, 2).mean(dim=-1, keepdim=False)
        return self.label(x).softmax(dim=-1)  # (N, 10)


def train_epoch(model: nn.Module, loader: DataLoader, loss_fn: nn.Module, optimizer: torch.optim.Optimizer, device: torch.device) -> tuple[float, float]:
    """One pass over the data; returns mean loss and accuracy."""
    total_loss, correct, seen = 0.0, 0, 0
    for features, labels in loader:
        optimizer.zero_grad()
        loss = loss_fn(model(features.to(device)), labels.to(device)) + sum(term for term in model.penalties())
        total_loss += loss.item() * len(labels)
    return total_loss / seen, correct / seen


def main() -> None:
    parser = argparse.ArgumentParser(description="Train tiny_resnet.")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("runs/tiny_resnet"),
    )
    args = parser.parse_args()
    with (args.out / "history.csv").open("w", newline="") as file:
        file.write("epoch,loss\\n")


if __name__ == "__main__":
    main()
'''


def test_whole_script(tmp_path: Path) -> None:
    wrapped = wrap(SCRIPT)
    assert ruff([wrapped], tmp_path) == [wrapped]
    assert dump(wrapped) == dump(SCRIPT)
    assert max(map(len, wrapped.splitlines())) <= 88
    assert "        # TensorFlow pads the end when stride 2 meets an even size\n" in wrapped
    assert '    parser.add_argument(\n        "--out",\n        type=Path,\n' in wrapped


def test_own_sources_with_joined_lines(tmp_path: Path) -> None:
    package = Path(wrap.__code__.co_filename).parent
    sources = [path.read_text(encoding="utf-8") for path in sorted(package.glob("pyformat/*.py"))]
    unlimited = ("--config", "line-length=320", "--config", "format.skip-magic-trailing-comma=true")
    joined = ruff(sources, tmp_path, *unlimited)
    wrapped = [wrap(source) for source in joined]
    assert wrapped != joined
    assert ruff(wrapped, tmp_path) == wrapped
    assert list(map(dump, wrapped)) == list(map(dump, sources))


def test_laying_out_is_linear() -> None:
    def seconds(count: int) -> float:
        lines = "".join(
            f'x = layers.Conv2D(32, 3, strides=2, padding="same", use_bias=False, name="convolution_{index}")(x)\n'
            "x = layers.ReLU()(x)\n"
            "x = layers.Add()([x, y])\n"
            for index in range(count)
        )
        assert wrap(lines).count("\n") == 5 * count
        return best_seconds(partial(wrap, lines))

    assert seconds(1000) < 8 * 4 * seconds(125)


# What stays as it is

UNTOUCHED = [
    '"""A docstring with a line that is far longer than eighty-eight columns, which is nobody\'s business here."""\n',
    'TEXT = """\n   a line that is far longer than eighty-eight columns, with spaces at its end, kept as they are   \n"""\n',
    "# A comment on a line of its own, far longer than eighty-eight columns, which no formatter ever splits.\n",
    "match x:\n    case {'first key of the mapping': first_value, 'second key of it': second_value, 'third': third_value}:\n        pass\n",
    "first_statement_of_the_line(argument_of_the_call, 1); second_statement_of_the_line(argument_of_the_call, 2)\n",
    "x = function(first_argument_of_the_function, second_argument_of_the_function, third_argument)  # fmt: skip\n",
    "x = first_function_of_all(\n    # a comment\n    argument + [  # inside\n        1, 2\n    ]\n)\n",
]  # fmt: skip


@pytest.mark.parametrize("source", UNTOUCHED)
def test_what_has_no_rule_stays(source: str) -> None:
    assert wrap(source) == source


def test_ends_in_one_line_break() -> None:
    assert wrap("\n\nx = 1   \n\n\n") == "x = 1\n"
    assert wrap("x = 1") == "x = 1\n"
    assert wrap("x = 1\r\ny = 2\r\n") == "x = 1\ny = 2\n"
    assert wrap("") == ""


def test_not_python() -> None:
    with pytest.raises((SyntaxError, __import__("tokenize").TokenError)):
        wrap("x = (\n")


# Comments


def test_long_comment_moves_above() -> None:
    comment = "# a comment that is long enough to make the line too long"
    source = f"if a:\n    x = function(first_argument, second_argument)  {comment}\n"
    assert (
        wrap(source) == f"if a:\n    {comment}\n    x = function(first_argument, second_argument)\n"
    )


def test_comment_stays_beside_a_statement_that_is_split() -> None:
    call_text = (
        "function_with_a_name(first_argument_of_it, second_argument_of_it, third_argument_of_it)"
    )
    assert wrap(f"x = {call_text}  # why\n") == (
        "x = function_with_a_name(\n"
        "    first_argument_of_it, second_argument_of_it, third_argument_of_it\n"
        ")  # why\n"
    )


def test_pragma_neither_counts_nor_moves() -> None:
    source = "x = function(first_argument, second_argument)  # type: ignore[attr-defined, operator, arg-type]\n"
    assert wrap(source) == source


# Helpers for emitters

EXPLODED = [
    ("x = layers.Conv2D", ["32", "3", 'padding="same"'], "(x)"),
    ("return layers.Conv2D", ["32", "3"], "(x)"),
    ("layers.Conv2D", ["32", "3"], "(x)"),
    ("x = y = layers.ReLU", ['name="relu"'], "(x)"),
    ("x, state = layers.GRU", ["32", "return_state=True"], "(x)"),
    ("x[0] = layers.GRU", ["32"], "(x)"),
    ("x: nn.Module = make", ["32", "*sizes", "**options"], ""),
    ("self.layer = nn.Linear", ["32", "bias=False"], ".to(device)"),
    ("x = torch.stack", ["outputs", "dim=1"], "[:, 0]"),
    ("x += f", ["[1, 2, 3]"], "([x, y])"),
    ("model.compile", ['loss="mse"'], ""),
    ("x = f", [], "(x)"),
]


@pytest.mark.parametrize("indent", [0, 8])
def test_exploded_calls_are_stable(indent: int, tmp_path: Path) -> None:
    headers = "".join(f"{' ' * depth}if a:\n" for depth in range(0, indent, 4))
    texts = [f"{headers}{explode(*case, indent)}\n" for case in EXPLODED]
    assert [wrap(text) for text in texts] == texts
    assert ruff(texts, tmp_path) == texts


def test_long_argument_of_an_exploded_call() -> None:
    long = f"f({', '.join(['argument_of_a_call'] * 5)})"
    assert wrap(explode("x = g", ["1", long], "(x)")) == (
        "x = g(\n    1,\n    f(\n" + "        argument_of_a_call,\n" * 5 + "    ),\n)(x)\n"
    )


def test_call_explodes_only_when_too_long() -> None:
    args = ["32", "3", 'name="conv"']
    line = '    x = layers.Conv2D(32, 3, name="conv")(x)'
    assert call("x = layers.Conv2D", args, "(x)", indent=4) == line
    assert call("x = layers.Conv2D", args, "(x)", indent=4, width=len(line)) == line
    assert call("x = layers.Conv2D", args, "(x)", indent=4, width=len(line) - 1) == (
        '    x = layers.Conv2D(\n        32,\n        3,\n        name="conv",\n    )(x)'
    )
    assert call("f", []) == "f()"
