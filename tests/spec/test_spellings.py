"""Old spellings: named by an error, rewritten by ``fmt --fix``, comments kept."""

from __future__ import annotations

import inspect
import json

import pytest
import yaml

from specfmt.api import check, format_spec
from specfmt.fields.errors import did_you_mean
from specfmt.layers.former_types import FORMER_TYPES, MERGE_MODES
from specfmt.layers.index import INDEX, OPERATIONS
from specfmt.layers.keras_names import KERAS_LAYERS, NOT_IN_GRAPHS
from specfmt.layers.registry import layer_class
from specfmt.text.reading import read
from specfmt.vocab.former_names import FORMER
from specfmt.vocab.index import INDEX as WORDS

Entry = str

SHAPES = {
    "Conv1D": [9, 4], "Conv2D": [9, 9, 4], "Conv3D": [9, 9, 9, 4], "rnn": [9, 4], "flat": [4],
}  # fmt: skip

# An entry as an older Keras wrote it, the shape it reads, and what it becomes.
LAYERS: list[tuple[Entry, str, Entry]] = [
    ("{type: Dense, output_dim: 3}", "flat", "{type: Dense, units: 3}"),
    ("{type: Dense, output_dim: 3, init: uniform, bias: false}", "flat",
     "{type: Dense, units: 3, kernel_initializer: random_uniform, use_bias: false}"),
    ("{type: Dense, units: 3, kernel_initializer: normal}", "flat",
     "{type: Dense, units: 3, kernel_initializer: random_normal}"),
    ("{type: Dense, units: 3, bias_initializer: zero}", "flat",
     "{type: Dense, units: 3, bias_initializer: zeros}"),
    ("{type: Dense, units: 3, W_regularizer: {type: l2, l: 0.1}, b_constraint: maxnorm}", "flat",
     "{type: Dense, units: 3, kernel_regularizer: {type: l2, l2: 0.1}, bias_constraint: max_norm}"),
    ("{type: Dense, units: 3, kernel_constraint: {type: maxnorm, m: 3}}", "flat",
     "{type: Dense, units: 3, kernel_constraint: {type: max_norm, max_value: 3}}"),
    ("{type: Dense, units: 3, kernel_regularizer: l1_l2}", "flat",
     "{type: Dense, units: 3, kernel_regularizer: l1l2}"),
    ("{type: keras.layers.Dense, units: 3}", "flat", "{type: Dense, units: 3}"),
    ("{type: tf.keras.layers.Dense, units: 3}", "flat", "{type: Dense, units: 3}"),
    ("{type: tensorflow.keras.layers.Dense, units: 3}", "flat", "{type: Dense, units: 3}"),
    ("{type: layers.Dense, units: 3}", "flat", "{type: Dense, units: 3}"),
    ("{type: keras.layers.core.Dense, units: 3}", "flat", "{type: Dense, units: 3}"),
    ("{type: Dense, units: 3, activation: keras.activations.relu}", "flat",
     "{type: Dense, units: 3, activation: relu}"),
    ("{type: Dense, units: 3, kernel_initializer: {type: keras.initializers.RandomNormal, stddev: 0.1}}",
     "flat", "{type: Dense, units: 3, kernel_initializer: {type: RandomNormal, stddev: 0.1}}"),
    ("{type: TimeDistributedDense, output_dim: 3}", "rnn", "{type: Dense, units: 3}"),
    ("{type: Dropout, p: 0.5}", "flat", "{type: Dropout, rate: 0.5}"),
    ("{type: GaussianNoise, sigma: 0.5}", "flat", "{type: GaussianNoise, stddev: 0.5}"),
    ("{type: GaussianDropout, p: 0.5}", "flat", "{type: GaussianDropout, rate: 0.5}"),
    ("{type: SpatialDropout2D, p: 0.5, dim_ordering: tf}", "Conv2D",
     "{type: SpatialDropout2D, rate: 0.5, data_format: channels_last}"),
    ("{type: LeakyReLU, alpha: 0.1}", "flat", "{type: LeakyReLU, negative_slope: 0.1}"),
    ("{type: PReLU, init: zero}", "flat", "{type: PReLU, alpha_initializer: zeros}"),
    ("{type: ThresholdedReLU, theta: 0.5}", "flat", "{type: ReLU, threshold: 0.5}"),
    ("{type: ThresholdedReLU}", "flat", "{type: ReLU, threshold: 1.0}"),
    ("{type: Convolution1D, nb_filter: 2, filter_length: 3, border_mode: same, subsample_length: 2}",
     "Conv1D", "{type: Conv1D, filters: 2, kernel_size: 3, padding: same, strides: 2}"),
    ("{type: AtrousConvolution1D, nb_filter: 2, filter_length: 3, atrous_rate: 2}", "Conv1D",
     "{type: Conv1D, filters: 2, kernel_size: 3, dilation_rate: 2}"),
    ("{type: Convolution2D, nb_filter: 2, nb_row: 3, nb_col: 3, subsample: [2, 2]}", "Conv2D",
     "{type: Conv2D, filters: 2, kernel_size: 3, strides: [2, 2]}"),
    ("{type: Convolution2D, nb_filter: 2, nb_row: 3, nb_col: 2, dim_ordering: th}", "Conv2D",
     "{type: Conv2D, filters: 2, kernel_size: [3, 2], data_format: channels_first}"),
    ("{type: Convolution2D, nb_filter: 2, nb_row: 3, nb_col: 2, dim_ordering: default}", "Conv2D",
     "{type: Conv2D, filters: 2, kernel_size: [3, 2]}"),
    ("{type: AtrousConv2D, nb_filter: 2, nb_row: 3, nb_col: 3, atrous_rate: [2, 2]}", "Conv2D",
     "{type: Conv2D, filters: 2, kernel_size: 3, dilation_rate: [2, 2]}"),
    ("{type: Convolution3D, nb_filter: 2, kernel_dim1: 1, kernel_dim2: 2, kernel_dim3: 3}", "Conv3D",
     "{type: Conv3D, filters: 2, kernel_size: [1, 2, 3]}"),
    ("{type: Deconvolution2D, nb_filter: 2, nb_row: 3, nb_col: 3}", "Conv2D",
     "{type: Conv2DTranspose, filters: 2, kernel_size: 3}"),
    ("{type: SeparableConvolution2D, nb_filter: 2, nb_row: 3, nb_col: 3, depthwise_init: one}", "Conv2D",
     "{type: SeparableConv2D, filters: 2, kernel_size: 3, depthwise_initializer: ones}"),
    ("{type: MaxPool2D}", "Conv2D", "{type: MaxPooling2D}"),
    ("{type: AvgPool1D, pool_size: 2}", "Conv1D", "{type: AveragePooling1D, pool_size: 2}"),
    ("{type: GlobalAvgPool2D}", "Conv2D", "{type: GlobalAveragePooling2D}"),
    ("{type: GlobalMaxPool1D}", "Conv1D", "{type: GlobalMaxPooling1D}"),
    ("{type: MaxPooling1D, pool_length: 3, stride: 2, border_mode: same}", "Conv1D",
     "{type: MaxPooling1D, pool_size: 3, strides: 2, padding: same}"),
    ("{type: UpSampling1D, length: 3}", "Conv1D", "{type: UpSampling1D, size: 3}"),
    ("{type: Reshape, dims: [2, 2]}", "flat", "{type: Reshape, target_shape: [2, 2]}"),
    ("{type: BatchNormalization, mode: 0, beta_init: zero, gamma_init: one}", "flat",
     "{type: BatchNormalization, beta_initializer: zeros, gamma_initializer: ones}"),
    ("{type: BatchNormalization, fused: true, virtual_batch_size: null}", "Conv2D",
     "{type: BatchNormalization}"),
    ("{type: BatchNormalizationV1}", "flat", "{type: BatchNormalization}"),
    ("{type: SyncBatchNormalization}", "flat", "{type: BatchNormalization, synchronized: true}"),
    ("{type: LSTM, output_dim: 3, inner_activation: sigmoid, inner_init: orthogonal, "
     "forget_bias_init: one, dropout_W: 0.1, dropout_U: 0.2, consume_less: gpu}", "rnn",
     "{type: LSTM, units: 3, recurrent_activation: sigmoid, recurrent_initializer: orthogonal, "
     "unit_forget_bias: true, dropout: 0.1, recurrent_dropout: 0.2}"),
    ("{type: GRU, units: 3, implementation: 2, time_major: false, U_regularizer: l2}", "rnn",
     "{type: GRU, units: 3, recurrent_regularizer: l2}"),
    ("{type: CuDNNLSTM, units: 3}", "rnn", "{type: LSTM, units: 3}"),
    ("{type: CuDNNGRU, units: 3}", "rnn", "{type: GRU, units: 3}"),
    ("{type: Bidirectional, layer: {type: CuDNNLSTM, output_dim: 3}}", "rnn",
     "{type: Bidirectional, layer: {type: LSTM, units: 3}}"),
    ("{type: TimeDistributed, layer: {type: keras.layers.Dense, output_dim: 3}}", "rnn",
     "{type: TimeDistributed, layer: {type: Dense, units: 3}}"),
    ("{type: Merge, mode: sum, inputs: [x, x]}", "flat", "{type: Add, inputs: [x, x]}"),
    ("{type: Merge, mode: concat, concat_axis: 1, inputs: [x, x]}", "flat",
     "{type: Concatenate, axis: 1, inputs: [x, x]}"),
    ("{type: Merge, mode: dot, dot_axes: 1, inputs: [x, x]}", "flat",
     "{type: Dot, axes: 1, inputs: [x, x]}"),
    ("{type: Merge, mode: cos, dot_axes: 1, inputs: [x, x]}", "flat",
     "{type: Dot, axes: 1, inputs: [x, x], normalize: true}"),
    ("{type: Sequential, inputs: {z: {shape: [4]}}, layers: [{type: Dense, output_dim: 3}]}", "flat",
     "{type: Model, inputs: {z: {shape: [4]}}, layers: [{type: Dense, units: 3}]}"),
    ("{type: Dense, units: 3, input_shape: [4]}", "flat", "{type: Dense, units: 3}"),
    ("{type: Dense, units: 3, input_dim: 4}", "flat", "{type: Dense, units: 3}"),
]  # fmt: skip

# Of the train section.
TRAIN: list[tuple[str, str]] = [
    ("{nb_epoch: 3}", "{epochs: 3}"),
    ("{optimizer: {type: SGD, lr: 0.1}}", "{optimizer: {type: SGD, learning_rate: 0.1}}"),
    ("{optimizer: {type: sgd, lr: 0.1, decay: 1e-6, momentum: 0.9}}",
     "{optimizer: {type: sgd, momentum: 0.9, learning_rate: {type: InverseTimeDecay, "
     "initial_learning_rate: 0.1, decay_steps: 1, decay_rate: 1e-6}}}"),
    ("{optimizer: {type: Adam, decay: 0.1}}",
     "{optimizer: {type: Adam, learning_rate: {type: InverseTimeDecay, "
     "initial_learning_rate: 0.001, decay_steps: 1, decay_rate: 0.1}}}"),
    ("{optimizer: {type: Adam, lr: 0.1, decay: 0.0}}",
     "{optimizer: {type: Adam, learning_rate: 0.1}}"),
    ("{optimizer: {type: Nadam, schedule_decay: 0.004}}", "{optimizer: {type: Nadam}}"),
    ("{optimizer: {type: keras.optimizers.Adam, lr: 0.1}}",
     "{optimizer: {type: Adam, learning_rate: 0.1}}"),
    ("{loss: kullback_leibler_divergence}", "{loss: kl_divergence}"),
    ("{loss: {d: cosine_proximity}}", "{loss: {d: cosine_similarity}}"),
    ("{loss: [logcosh]}", "{loss: [log_cosh]}"),
    ("{loss: {type: keras.losses.Huber, delta: 2.0}}", "{loss: {type: Huber, delta: 2.0}}"),
    ("{metrics: [cosine_proximity, logcosh]}", "{metrics: [cosine_similarity, log_cosh_error]}"),
    ("{callbacks: [{type: ReduceLROnPlateau, epsilon: 0.1}]}",
     "{callbacks: [{type: ReduceLROnPlateau, min_delta: 0.1}]}"),
    ("{callbacks: [{type: ModelCheckpoint, filepath: a.keras, period: 1}]}",
     "{callbacks: [{type: ModelCheckpoint, filepath: a.keras}]}"),
    ("{callbacks: [{type: TensorBoard, write_grads: true, batch_size: 32}]}",
     "{callbacks: [{type: TensorBoard}]}"),
]  # fmt: skip


def document(entry: str, shape: str) -> str:
    return f"specfmt: 1\ninputs: {{x: {{shape: {SHAPES[shape]}}}}}\nlayers:\n  - {entry}\n"


def codes(text: str) -> list[str]:
    return [finding.code for finding in check(text)]


def data(text: str) -> object:
    return read(text).data


@pytest.mark.parametrize(("old", "shape", "new"), LAYERS, ids=[case[0][:60] for case in LAYERS])
def test_layer(old: str, shape: str, new: str) -> None:
    text = document(old, shape)
    assert "SF124" in codes(text)
    assert set(codes(text)) <= {"SF124"}, "one mistake, one finding"
    fixed = format_spec(text, fix=True)
    assert data(fixed) == data(document(new, shape))
    assert [code for code in codes(fixed) if code < "SF600"] == []
    assert format_spec(fixed, fix=True) == fixed == format_spec(fixed)


@pytest.mark.parametrize(("old", "new"), TRAIN, ids=[case[0][:60] for case in TRAIN])
def test_train(old: str, new: str) -> None:
    head = document("{type: Dense, name: d, units: 3}", "flat")
    text = f"{head}train: {old}\n"
    assert set(codes(text)) == {"SF124"}
    fixed = format_spec(text, fix=True)
    assert data(fixed) == data(f"{head}train: {new}\n")
    assert [code for code in codes(fixed) if code < "SF600"] == []


# The first layer's shape keys, and the input they become.
INPUTS = [
    ("{type: Dense, units: 3, input_shape: [4]}", "{shape: [4]}"),
    ("{type: Dense, units: 3, input_dim: 4}", "{shape: [4]}"),
    ("{type: Dense, units: 3, batch_input_shape: [null, 4]}", "{shape: [4]}"),
    ("{type: Dense, units: 3, batch_input_shape: [8, 4]}", "{shape: [4], batch_size: 8}"),
    ("{type: LSTM, units: 3, input_dim: 4}", "{shape: [null, 4]}"),
    ("{type: LSTM, units: 3, input_dim: 4, input_length: 9}", "{shape: [9, 4]}"),
    ("{type: LSTM, units: 3, input_shape: [null, 4]}", "{shape: [null, 4]}"),
    ("{type: Convolution1D, nb_filter: 3, filter_length: 2, input_dim: 4, input_length: 9}",
     "{shape: [9, 4]}"),
    ("{type: Embedding, input_dim: 9, output_dim: 2, input_length: 5}", "{shape: [5], dtype: int32}"),
    ("{type: Bidirectional, layer: {type: LSTM, units: 3, input_shape: [9, 4]}}", "{shape: [9, 4]}"),
    ("{type: Bidirectional, layer: {type: LSTM, units: 3}, input_shape: [9, 4]}", "{shape: [9, 4]}"),
    ("{type: Flatten, input_shape: [28, 28], input_dtype: int32}", "{shape: [28, 28], dtype: int32}"),
]  # fmt: skip


@pytest.mark.parametrize(("entry", "spec"), INPUTS, ids=[case[0][:60] for case in INPUTS])
def test_shape_keys_become_the_models_input(entry: str, spec: str) -> None:
    text = f"specfmt: 1\nlayers:\n  - {entry}\n"
    assert "SF124" in codes(text)
    fixed = format_spec(text, fix=True)
    assert codes(fixed) == []
    assert yaml.safe_load(fixed)["inputs"] == {"input": yaml.safe_load(spec)}


def test_a_shape_that_contradicts_the_inputs_is_left_to_the_user() -> None:
    text = document("{type: Dense, units: 3, input_shape: [5]}", "flat")
    assert codes(format_spec(text, fix=True)) == ["SF124"]


def test_input_layers_become_inputs() -> None:
    text = (
        "specfmt: 1\nlayers:\n"
        "  - {type: InputLayer, name: a, batch_input_shape: [null, 4]}  # the first\n"
        "  - {type: Dense, name: d, output_dim: 3}\n"
        "  - {type: Input, name: b, shape: [2]}\n"
        "  - {type: Dense, name: e, units: 3}\n"
        "  - {type: Merge, mode: sum, inputs: [d, e]}\n"
    )
    assert format_spec(text, fix=True) == (
        "specfmt: 1\ninputs:\n"
        "  # the first\n"
        "  a: {shape: [4]}\n"
        "  b: {shape: [2]}\n"
        "layers:\n"
        "  - {type: Dense, name: d, units: 3, inputs: a}\n"
        "  - {type: Dense, name: e, units: 3, inputs: b}\n"
        "  - {type: Add, inputs: [d, e]}\n"
    )


def test_input_layers_need_no_edges_in_a_plain_chain() -> None:
    text = (
        "specfmt: 1\nlayers:\n"
        "  - {type: InputLayer, shape: [4]}\n"
        "  - {type: Dense, units: 3}\n"
    )  # fmt: skip
    fixed = format_spec(text, fix=True)
    assert (
        fixed
        == "specfmt: 1\ninputs:\n  input: {shape: [4]}\nlayers:\n  - {type: Dense, units: 3}\n"
    )
    assert codes(fixed) == []


COMMENTED = """\
# A network of an old book.
specfmt: 1
layers:
  # the first layer
  - type: Convolution2D  # with kernels
    nb_filter: 3  # how many
    # rows and columns
    nb_row: 3
    nb_col: 5  # columns
    input_shape: [28, 28, 1]  # pixels
  - {type: Flatten}
train:
  optimizer:
    type: SGD
    lr: 0.1  # found by trial
    decay: 1e-6  # slowly
  nb_epoch: 3  # enough
"""


def test_comments_are_kept() -> None:
    fixed = format_spec(COMMENTED, fix=True)
    for line in COMMENTED.splitlines():
        if "#" in line:
            assert line[line.index("#") :] in fixed, line
    assert codes(fixed) == []
    lines = fixed.splitlines()
    assert "    filters: 3  # how many" in lines
    assert "  epochs: 3  # enough" in lines


def test_json_is_fixed_too() -> None:
    text = json.dumps(
        {"specfmt": 1, "layers": [{"type": "Dense", "output_dim": 3, "input_dim": 4}]}
    )
    fixed = json.loads(format_spec(text, file="a.json", fix=True))
    assert fixed == {
        "specfmt": 1,
        "inputs": {"input": {"shape": [4]}},
        "layers": [{"type": "Dense", "units": 3}],
    }


def test_aliases_stay_where_they_can() -> None:
    text = (
        "specfmt: 1\ninputs: {x: {shape: [4]}}\nlayers:\n"
        "  - &d {type: Dense, output_dim: 3}  # once\n"
        "  - *d\n"
    )
    fixed = format_spec(text, fix=True)
    assert "- &d {type: Dense, units: 3}  # once\n  - *d\n" in fixed


def test_aliases_are_written_out_where_they_must() -> None:
    text = (
        "specfmt: 1\ninputs: {x: {shape: [4]}}\nlayers:\n"
        "  - &d {type: Dense, name: a, output_dim: 3, input_shape: [4]}\n"
        "  # again\n"
        "  - {<<: *d, name: b}\n"
        "train: {optimizer: {type: Adam, lr: &rate 0.1, decay: *rate}}\n"
    )
    fixed = format_spec(text, fix=True)
    assert codes(fixed) == ["SF604"]  # two linear layers, which is none of our business
    assert "# again" in fixed
    assert data(fixed) == {
        "specfmt": 1,
        "inputs": {"x": {"shape": [4]}},
        "layers": [
            {"type": "Dense", "name": "a", "units": 3},
            {"type": "Dense", "name": "b", "units": 3},
        ],
        "train": {
            "optimizer": {
                "type": "Adam",
                "learning_rate": {
                    "type": "InverseTimeDecay",
                    "initial_learning_rate": 0.1,
                    "decay_steps": 1,
                    "decay_rate": 0.1,
                },
            }
        },
    }


@pytest.mark.parametrize(
    "entry",
    [
        "{type: Dense, units: 3, weights: [1]}",
        "{type: BatchNormalization, mode: 2}",
        "{type: LSTM, units: 3, time_major: true, inputs: y}",
        "{type: Dense, units: 3, output_dim: 4}",
        "{type: Convolution2D, nb_filter: 3, nb_row: 3}",
        "{type: MaxoutDense, output_dim: 4}",
        "{type: Merge, mode: [1], inputs: [x, x]}",
        "{type: [], lr: 3}",
        "{type: null}",
        "3",
        "{type: Dense, units: 3, input_shape: x}",
        "{type: InputLayer}",
    ],
)
def test_what_has_no_counterpart_is_left_and_reported(entry: str) -> None:
    text = document(entry, "flat")
    fixed = format_spec(text, fix=True)
    assert codes(fixed) != []


@pytest.mark.parametrize(
    "text", ["3", "[]", "x", "layers: 3", "{layers: [[]], train: [], inputs: 3}"]
)
def test_what_is_no_spec_is_only_formatted(text: str) -> None:
    assert format_spec(text, fix=True) == format_spec(text)


def test_messages_name_todays_spelling() -> None:
    entry = "{type: Convolution2D, nb_filter: 3, kernel_size: 1, init: normal, lr: 1, unit: 3}"
    found = {finding.span.column: finding for finding in check(document(entry, "Conv2D"))}  # type: ignore[union-attr]
    messages = [found[column].message for column in sorted(found)]
    assert messages[:3] == [
        'expected Conv2D, received the old spelling "Convolution2D"',
        "expected `filters`, received the old spelling `nb_filter`",
        "expected `kernel_initializer`, received the old spelling `init`",
    ]
    assert found[10 + entry.index("Conv") - 5].hint == "`specfmt fmt --fix` rewrites it"
    assert [f.code for f in found.values()][3:] == ["SF121", "SF121"]


# -------------------------------------------------------------------------- the tables


def test_tables_name_what_exists() -> None:
    assert {today for today in FORMER_TYPES.values() if today != "Model"} <= set(INDEX)
    assert set(MERGE_MODES.values()) <= set(INDEX)
    assert not set(FORMER_TYPES) & set(INDEX)
    for kind, table in FORMER.items():
        assert set(table.values()) <= set(WORDS[kind])
        assert not set(table) & set(WORDS[kind])


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("Desne", "Dense"),
        ("LTSM", "LSTM"),
        ("Conv2d", "Conv2D"),
        ("Dropuot", "Dropout"),
        ("BatchNorm", "BatchNormalization"),
        ("GlobalAvgPooling2D", "GlobalAveragePooling2D"),
        ("MultiHeadAtention", "MultiHeadAttention"),
        ("TextVectorisation", None),
        ("Linear", None),
        ("Conv", None),  # several are equally near
        ("Conv4D", None),
        ("StringLookUp", None),
    ],
)
def test_a_suggestion_is_right_or_there_is_none(word: str, meant: str | None) -> None:
    known = [name for name in INDEX if name not in ("StringLookup", "TextVectorization")]
    assert did_you_mean(word, known) == (f"did you mean {meant}?" if meant else "")


@pytest.mark.parametrize("entry", ["op: fori_loop", "op: vectorized_map"])
def test_a_name_that_keras_has_and_specfmt_has_not_is_told_apart_from_a_typo(entry: str) -> None:
    finding, *_ = check(f"specfmt: 1\ninputs: {{x: {{shape: [4]}}}}\nlayers:\n  - {{{entry}}}\n")
    assert finding.code == "SF120"
    assert finding.hint.startswith("Keras has this ")
    assert "a function, which a spec cannot contain" in finding.hint


@pytest.mark.slow
def test_keras_names_are_those_of_keras() -> None:
    """The layers that specfmt does not define are counted and listed here (-s)."""
    from keras import layers, ops

    assert {n for n in dir(layers) if inspect.isclass(getattr(layers, n))} == KERAS_LAYERS
    functions = {n for n in dir(ops) if callable(getattr(ops, n)) and not n.startswith("_")}
    assert functions - set(OPERATIONS) == set(NOT_IN_GRAPHS), "defined, or with a reason"
    classes = {getattr(layers, name) for name in KERAS_LAYERS}
    abstract = {"Layer", "Wrapper", "InputSpec", "InputLayer"}
    custom = sorted({cls.__name__ for cls in classes} - set(INDEX) - abstract)
    print(f"\n{len(custom)} layers import as Custom: {', '.join(custom)}")
    assert all(layer_class(name) is None for name in custom)
    assert len(custom) <= 61
