"""Keras 2 JSON out: real Keras 2 (`tf_keras`) loads it, and computes what Keras 3 computes."""

from __future__ import annotations

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings

import specfmt
from specfmt.cli import main
from specfmt.diagnostics import SpecError
from specfmt.formats.export import export_data
from specfmt.formats.keras2.operations import BY_OPERATION
from specfmt.formats.read.tensorflow.tables import FUNCTIONS
from specfmt.layers.base import KERAS_LAYERS
from specfmt.layers.index import INDEX
from specfmt.layers.registry import layer_class
from specfmt.targets.keras import generate_model
from tests.tools.imports import import_source
from tests.tools.keras2_models import models, refused
from tests.tools.keras2_tools import (
    described,
    difference,
    differences,
    exported,
    give_back,
    give_weights,
    graph_of,
    imported,
    load,
    nest_of,
    outputs,
    random_inputs,
    randomize,
    settle,
)
from tests.tools.random_specs import documents

EXAMPLES = sorted((Path(__file__).parent.parent.parent / "examples").glob("*.yaml"))
KERAS_2 = 1e-6
"""How far two models of Keras 2 may be apart."""

KERAS_3 = 1e-5
"""How far Keras 2 and Keras 3 may be apart."""

COUNT = int(os.environ.get("SPECFMT_SPECS", "100"))
"""How many random specs are asked."""

HALF = 2e-3
"""The same where a layer computes in half precision: four roundings, each of 2**-11."""


@pytest.fixture(scope="module")
def keras() -> Any:
    return pytest.importorskip("keras")


@pytest.fixture(scope="module")
def k2() -> Any:
    return pytest.importorskip("tf_keras")


@pytest.fixture(scope="module")
def tf() -> Any:
    return pytest.importorskip("tensorflow")


class Anything:
    """Stands for Keras where only the names of the models are wanted."""

    def __getattr__(self, name: str) -> Any:
        return self


def one(entry: dict[str, Any], *shape: Any, **document: Any) -> dict[str, Any]:
    """A document of one layer."""
    inputs = {"x": {"shape": list(shape)}}
    return {"specfmt": 1, "name": "m", "inputs": inputs, "layers": [entry], **document}


def findings(document: dict[str, Any]) -> list[Any]:
    with pytest.raises(SpecError) as caught:
        exported(document)
    assert {d.code for d in caught.value.diagnostics} == {"SF306"}
    assert all(d.message.startswith("expected ") for d in caught.value.diagnostics)
    assert all(", received " in d.message and d.hint for d in caught.value.diagnostics)
    return list(caught.value.diagnostics)


# Models built in real Keras 2.


def data_for(model: Any) -> list[Any]:
    """Random data for the inputs of a Keras 2 model."""
    rng = np.random.default_rng(0)
    found = []
    batch = next((tensor.shape[0] for tensor in model.inputs if tensor.shape[0]), 3)
    for tensor in model.inputs:
        shape = (tensor.shape[0] or batch, *(size or 5 for size in tensor.shape[1:]))
        dtype = tensor.dtype.name
        if "int" in dtype:
            found.append(rng.integers(0, 5, shape).astype(dtype))
        elif dtype == "bool":
            found.append(rng.random(shape) < 0.7)
        else:
            found.append(rng.standard_normal(shape).astype(dtype))
    return found


def weights_for(model: Any) -> list[Any]:
    """Random weights for a Keras 2 model; variances stay positive."""
    rng = np.random.default_rng(1)
    found = []
    for variable in model.weights:
        value = rng.standard_normal(variable.shape) * 0.5
        if "variance" in variable.name:
            value = np.abs(value) + 0.5
        found.append(value.astype(variable.dtype.as_numpy_dtype))
    return found


def run(model: Any, form: Any, data: list[Any]) -> list[Any]:
    """A model's outputs, its inputs in the form that the Keras 2 model has."""
    given = dict(zip(sorted(form), data, strict=True)) if isinstance(form, dict) else data
    if isinstance(given, list) and len(given) == 1:
        given = given[0]
    return [np.asarray(y) for y in nest_of(model(given, training=False))]


def check(expected: list[Any], got: list[Any], tolerance: float) -> None:
    for a, b in zip(expected, got, strict=True):
        assert difference(a, b) <= tolerance


def built_by(code: str) -> tuple[Any, dict[str, Any]]:
    """The model that generated code builds, and what else it defines."""
    namespace: dict[str, Any] = {"__name__": "generated"}
    exec(compile(code, "generated.py", "exec"), namespace)
    return namespace["build_model"](), {k: v for k, v in namespace.items() if callable(v)}


@pytest.mark.slow
@pytest.mark.parametrize("name", list(models(Anything(), Anything())))
def test_a_model_of_keras_2_goes_to_both_generations(
    keras: Any, k2: Any, tf: Any, name: str
) -> None:
    k2.backend.clear_session()
    model = models(k2, tf)[name]()
    form, data, weights = model.input, data_for(model), weights_for(model)
    model.set_weights(weights)
    settle(model)
    expected = run(model, form, data)

    spec = specfmt.from_keras_json(model.to_json())
    text = specfmt.to_keras_json(spec, format="keras2")
    again = k2.models.model_from_json(text)
    assert [tuple(w.shape) for w in again.weights] == [tuple(w.shape) for w in model.weights]
    again.set_weights(weights)
    settle(again)
    check(expected, run(again, form, data), KERAS_2)
    assert specfmt.from_keras_json(again.to_json()) == specfmt.from_keras_json(text)

    graph = graph_of(imported(json.loads(model.to_json())))
    code = specfmt.generate(spec, "keras", flavor="keras")
    keras.backend.clear_session(free_memory=False)
    generated, definitions = built_by(code)
    give_back(graph, model, generated)
    check(expected, run(generated, form, data), KERAS_3)
    keras.backend.clear_session(free_memory=False)
    loaded = keras.models.model_from_json(specfmt.to_keras_json(spec), custom_objects=definitions)
    give_back(graph, model, loaded)
    check(expected, run(loaded, form, data), KERAS_3)


@pytest.mark.slow
def test_a_model_that_keras_3_computes_otherwise_does_not_go_back(k2: Any, tf: Any) -> None:
    for name, build in refused(k2, tf).items():
        k2.backend.clear_session()
        text = build().to_json()
        document = imported(json.loads(text))
        assert all("mask" in d.message for d in findings(document)), name
        _, warnings = import_source("-", text.encode())
        told = {
            "masked_and_not": {"SF438"},
            "softmax": {"SF435"},
            "heads_with_dropout": {"SF435"},
        }
        assert {d.code for d in warnings} == told.get(name, set()), name


@pytest.mark.slow
def test_what_only_keras_2_knows_comes_back_identical(k2: Any, tf: Any) -> None:
    """Layers and functions of the user's own, Lambda, functions without a counterpart."""
    from tf_keras.src.saving.serialization_lib import SafeModeScope

    k2.backend.clear_session()

    @k2.utils.register_keras_serializable("mine")
    class Twice(k2.layers.Layer):  # type: ignore[misc]
        def __init__(self, factor: float = 2.0, **options: Any) -> None:
            super().__init__(**options)
            self.factor = factor

        def build(self, shape: Any) -> None:
            self.bias = self.add_weight(name="bias", shape=shape[-1:])

        def call(self, inputs: Any, extra: Any = None) -> Any:
            return self.factor * inputs + self.bias + (0.0 if extra is None else extra)

        def get_config(self) -> dict[str, Any]:
            return {**super().get_config(), "factor": self.factor}

    @k2.utils.register_keras_serializable("mine")
    def steep(x: Any) -> Any:
        return 3.0 * x

    a, b = k2.Input((4, 4), name="a"), k2.Input((4, 4), name="b")
    y = Twice(3.0)(k2.layers.Dense(4, activation=steep)(a), extra=b)
    y = k2.layers.RandomContrast(0.5, seed=1)(y)
    y = tf.linalg.band_part(y, 1, 0) + tf.linalg.diag_part(b)[:, tf.newaxis]
    y = k2.layers.ThresholdedReLU(0.2)(y)
    model = k2.Model([a, b], k2.layers.Lambda(lambda x: x * 2.0)(y))
    weights, data = weights_for(model), data_for(model)
    model.set_weights(weights)
    source = json.loads(model.to_json())
    data_2 = exported(imported(source))
    with SafeModeScope(safe_mode=False):
        again = k2.models.model_from_json(json.dumps(data_2))
    again.set_weights(weights)
    check(run(model, model.input, data), run(again, model.input, data), KERAS_2)
    kept = {"Twice", "Lambda"}
    ours = {item["name"]: item for item in data_2["config"]["layers"]}
    for item in source["config"]["layers"]:
        if item["class_name"] in kept:
            written = ours[item["name"]]
            assert {key: written[key] for key in ("class_name", "config")} == {
                key: item[key] for key in ("class_name", "config")
            }


@pytest.mark.slow
def test_layers_of_applications(k2: Any) -> None:
    """Keras 2 wants to be told of these classes, even by those who load its own JSON."""
    from tf_keras.src.applications.convnext import LayerScale
    from tf_keras.src.applications.inception_resnet_v2 import CustomScaleLayer

    x = k2.Input((4, 4, 6), name="x")
    model = k2.Model(x, CustomScaleLayer(0.3)([x, LayerScale(0.5, 6)(x)]))
    text = specfmt.to_keras_json(specfmt.from_keras_json(model.to_json()), format="keras2")
    known = {"LayerScale": LayerScale, "CustomScaleLayer": CustomScaleLayer}
    again = k2.models.model_from_json(text, custom_objects=known)
    again.set_weights(model.get_weights())
    data = data_for(model)
    check(run(model, None, data), run(again, None, data), KERAS_2)


# The table of cases.

FORMS = {
    "'Divide' -> 'TrueDivide'": "one function in TensorFlow",
    "] -> Array(value=[": "TensorFlow takes a list of numbers as an array",
    "Array(value=0.5, dtype='float32', is_tensor=False) -> 0.5": "a constant of rank 0 is a number",
    "/epsilon: None -> 1e-07": "Keras 3's own, of which TensorFlow takes the square",
    "'Amax' -> 'Max'": "one function in TensorFlow",
    "'Amin' -> 'Min'": "one function in TensorFlow",
    "'Swapaxes' -> 'Transpose'": "one function in TensorFlow",
    "'Moveaxis' -> 'Transpose'": "one function in TensorFlow",
    "/axes: None -> (": "the order of a transpose",
    "/axis1: ": "that of a swapaxes",
    "/axis2: ": "that of a swapaxes",
    "/source: ": "that of a moveaxis",
    "/destination: ": "that of a moveaxis",
    "/repeats: 2 -> (1, 1, 2)": "tf.tile takes a number an axis",
    "/attention_axes: -2 -> ": "Keras 2 reads negative axes wrongly",
    "/axis: None -> ()": "Keras 2 writes an empty list",
    "Term('activation', 'Relu', {'max_value': 6.0}) -> Term('activation', 'Relu6', {})": "the same",
    "'layer': ": "Keras 2 says a function with arguments by a layer, whatever its name",
    "/layer/name: 'forward_a' -> ": "Keras 2 adds the prefix, and the import takes it off",
    "/units/take/2/0/1: [0, 2, -1] -> [0, 2, 3]": "TensorFlow takes no negative indices",
    "'Custom' -> ": "a class of Keras by its path is that layer",
    "/class_: 'keras.layers.": "a class of Keras by its path is that layer",
}
"""Differences between a spec and what comes back that change no meaning, and why."""

REFUSED = {
    "": (
        "Dense Model reuse Add Average Concatenate Maximum Minimum Multiply argsort average average_pool cbrt celu diff dot_product_attention "
        "einsum exp2 extract_patches full_like glu hard_shrink hard_sigmoid hard_silu "
        "hard_tanh hypot log10 log2 logaddexp max_pool median moments nan_to_num ptp ravel "
        "soft_shrink sort sparse_plus sparse_sigmoid sparsemax squareplus take_along_axis "
        "tanh_shrink threshold trunc fabs sinc angle deg2rad rad2deg signbit isneginf "
        "isposinf isreal real imag conj conjugate bitwise_invert bitwise_not bitwise_left_shift "
        "bitwise_right_shift left_shift right_shift gcd lcm fmax fmin fmod heaviside logaddexp2 "
        "ldexp isclose fft fft2 ifft2 rfft irfft stft istft extract_sequences nanmax nanmin nansum "
        "nanprod nanmean nanstd nanvar nanargmax nanargmin nancumsum nancumprod nanmedian "
        "quantile percentile nanquantile nanpercentile logdet slogdet "
        "cholesky_inverse eigh qr svd pinv matrix_rank solve solve_triangular hstack vstack "
        "dstack append hsplit dsplit array_split fliplr flipud rot90 outer inner vdot cross "
        "slice slice_update digitize saturate_cast adaptive_average_pool adaptive_max_pool conv "
        "depthwise_conv separable_conv unfold fold batch_normalization layer_normalization "
        "rms_normalization binary_crossentropy categorical_crossentropy "
        "sparse_categorical_crossentropy ctc_loss ctc_decode psnr in_top_k multi_hot diag diagflat kron vander "
        "cdist corrcoef correlate trapezoid meshgrid allclose nextafter searchsorted isin bincount "
        "segment_sum segment_max segment_min segment_prod scatter scatter_update select "
        "unravel_index linspace logspace geomspace full empty_like array polar view view_as_real "
        "lstsq lu_factor eig dot vsplit"
    ),
    "activation": "Activation Dense",
    "alpha": "elu",
    "axis": "LayerNormalization Normalization argmax cumsum expand_dims softmax take",
    "antialias": "Resizing",
    "upper": "cholesky",
    "axis1": "diagonal trace",
    "axis2": "diagonal trace",
    "crop_to_aspect_ratio": "resize",
    "data_format": "CenterCrop RandomZoom Resizing ZeroPadding1D",
    "dtype": "cumprod cumsum",
    "fill_value": "Resizing resize",
    "output_mode": "CategoryEncoding Discretization IntegerLookup StringLookup",
    "pad_to_aspect_ratio": "Resizing resize",
    "salt": "IntegerLookup StringLookup",
    "cell.cells.recurrent_activation": "RNN",
    "decimals": "round",
    "dilation_rate": "DepthwiseConv2D",
    "indices_or_sections": "split",
    "initial": "max min",
    "inputs": (
        "Model reuse Add AlphaDropout Attention Bidirectional Concatenate EinsumDense GlobalAveragePooling1D GRU LSTM "
        "LayerNormalization Maximum Minimum MultiHeadAttention Multiply Softmax add all any "
        "arctan ceil concatenate convert_to_tensor cos cosh divide equal exp expm1 floor "
        "greater greater_equal less less_equal log log10 log1p log2 logical_and logical_not "
        "maximum mean minimum multiply not_equal round RNN sin sinh sqrt subtract tan tanh "
        "true_divide where CenterCrop HashedCrossing RandomFlip Resizing arcsinh argsort "
        "average count_nonzero cumprod dot_product_attention exp2 full_like hypot isfinite isinf "
        "isnan "
        "ctc_decode ctc_loss in_top_k multi_hot sparse_categorical_crossentropy allclose "
        "searchsorted isin full kron vander scatter empty_like segment_sum segment_max "
        "segment_min segment_prod bincount unravel_index correlate view diag array select "
        "trapezoid cdist linspace "
        "median mod ptp sort take_along_axis trunc AutoContrast RandomCrop RandomGrayscale "
        "RandomHue RandomInvert RandomPerspective Solarization Pipeline "
        "ContrastLimitedAdaptiveHistogramEqualization MelSpectrogram SpectralNormalization angle "
        "bitwise_invert bitwise_left_shift bitwise_not bitwise_right_shift conj deg2rad digitize "
        "fabs fmax fmod gcd heaviside hstack i0 imag isclose isneginf isposinf isreal lcm ldexp "
        "left_shift matrix_rank nanargmax nanargmin nancumprod nancumsum nanmax nanmean nanmin "
        "nanprod nanstd nansum nanvar quantile rad2deg real right_shift saturate_cast signbit sinc "
        "resize rgb_to_grayscale cumsum"
    ),
    "layer": "TimeDistributed",
    "k": "tril triu",
    "keepdims": "argmax",
    "layer.trainable": "Bidirectional",
    "lora_rank": "Conv1D Conv2D Conv3D Dense EinsumDense Embedding",
    "noise_shape": "AlphaDropout",
    "offset": "trace",
    "ord": "norm",
    "oov_method": "IntegerLookup",
    "order": "normalize",
    "recurrent_activation": "ConvLSTM2D GRU LSTM",
    "rms_scaling": "LayerNormalization",
    "seed": "Attention ConvLSTM2D LSTM MultiHeadAttention",
    "sliding_window": "MultiHeadAttention",
    "trainable": "ConvLSTM2D MultiHeadAttention RNN",
    "unroll": "ConvLSTM1D ConvLSTM2D ConvLSTM3D",
    "use_gate": "MultiHeadAttention",
    "zero_output_for_mask": "ConvLSTM1D ConvLSTM2D ConvLSTM3D",
}
"""What the table has and Keras 2 has not: the field at fault -> layers and operations.

Without a field: the layer or operation as a whole, or the mask that it gives as an output.
"""

REFUSED_ACTIVATIONS = (
    "celu gelu glu hard_shrink hard_sigmoid hard_silu hard_tanh log_sigmoid log_softmax soft_shrink "
    "relu sparse_plus sparse_sigmoid sparsemax squareplus tanh_shrink threshold"
)
"""Activations of the table that Keras 2 has not, or not with these arguments."""


def unexplained(graph: Any, data: dict[str, Any]) -> list[str]:
    """What comes back otherwise, but for `FORMS`."""
    return [
        text
        for text in differences(described(graph), described(graph_of(imported(data))))
        if not any(known in text for known in FORMS) and "/custom/" not in text
    ]


def families() -> list[str]:
    from tests import cases

    return sorted(path.stem for path in Path(cases.__path__[0]).glob("[a-z]*.py"))


def cases_of(family: str) -> list[Any]:
    from importlib import import_module

    return list(import_module(f"tests.cases.{family}").CASES)


@pytest.mark.slow
@pytest.mark.parametrize("family", families())
def test_every_case_loads_and_comes_back(keras: Any, k2: Any, family: str) -> None:
    for place, case in enumerate(cases_of(family)):
        document = case.document()
        graph = graph_of(document)
        try:
            data = export_data(graph, "keras2")
        except SpecError:  # see the test of `REFUSED`
            continue
        assert unexplained(graph, data) == [], str(case)
        if place % LOADED_EVERY == 0:
            compare_numbers(keras, graph, load(k2, data), case)


@pytest.mark.slow
def test_keras_2_has_the_layers_that_are_said_to_be_in_it(k2: Any) -> None:
    said = [
        name
        for name in INDEX
        if (cls := layer_class(name)) is not None
        and cls.in_keras_2
        and cls.keras_module == KERAS_LAYERS
        and name != "Custom"
    ]
    assert [name for name in said if not hasattr(k2.layers, name)] == []


def test_what_of_the_table_is_refused() -> None:
    """Every refusal is one that is meant, and every one that is meant is met."""
    fields: dict[str, set[str]] = {}
    activations = set()
    for case in [case for family in families() for case in cases_of(family)]:
        document = case.document()
        try:
            exported(document)
        except SpecError as error:
            for found in error.diagnostics:
                assert found.code == "SF306"
                kind, field = subject(document, found)
                fields.setdefault(field, set()).add(kind)
                if field.endswith("activation"):
                    activations.add(found.message.partition("received ")[2].partition(",")[0])
    refused = {field: set(kinds.split()) for field, kinds in REFUSED.items()}
    refused[""] |= {name for name in INDEX if not layer_class(name).in_keras_2}
    refused[""] -= {"Equalization"}  # it stands inside a Pipeline
    assert fields == refused
    assert activations == set(REFUSED_ACTIVATIONS.split())


def test_negative_indices_need_a_known_size() -> None:
    """TensorFlow's `gather` refuses them on a CPU and gives zeros on a GPU."""
    entry = {"op": "take", "inputs": ["x", [0, -1]], "axis": 1}
    known = {"specfmt": 1, "inputs": {"x": {"shape": [4]}}, "layers": [entry]}
    layers = exported(known)["config"]["layers"]
    assert [0, 3] in [layer["inbound_nodes"][0][3].get("indices") for layer in layers[1:]]
    with pytest.raises(SpecError, match="indices of at least 0"):
        exported({**known, "inputs": {"x": {"shape": [None]}}})


def subject(document: dict[str, Any], found: Any) -> tuple[str, str]:
    """The layer or operation at fault, and the field that a finding points at."""
    entry = document["layers"][found.path[1]]
    return entry.get("type") or entry.get("op") or "reuse", ".".join(map(str, found.path[2:]))


LOADED_EVERY = 1 if os.environ.get("SPECFMT_ALL_CASES") else 4
"""Which cases real Keras 2 loads and computes: all of them take four minutes."""


def compare_numbers(keras: Any, graph: Any, model: Any, case: Any) -> None:
    keras.backend.clear_session(free_memory=False)
    other, _ = built_by(generate_model(graph, flavor="keras"))
    randomize(other)
    give_weights(graph, other, model)
    data = random_inputs(case)
    ours, theirs = outputs(other, data), outputs(model, data)
    # Keras 3 declares some layers to give floats of whole numbers, and its numbers of bins are
    # int32, those of Keras 2 int64; the numbers are the same.
    theirs = [
        array.astype(own.dtype) if own.dtype.kind in "fi" and array.dtype.kind == "i" else array
        for own, array in zip(ours, theirs, strict=True)
    ]
    check(ours, theirs, KERAS_3)


# Random specs.


@given(documents())
@settings(max_examples=COUNT)
def test_a_random_spec_comes_back_or_is_refused(document: dict[str, Any]) -> None:
    graph = graph_of(document)
    try:
        data = export_data(graph, "keras2")
    except SpecError:  # which findings there may be: see the test of `REFUSED`
        return
    assert unexplained(graph, data) == []


@pytest.mark.slow
@given(documents())
@settings(max_examples=COUNT // 4)
def test_a_random_spec_computes_the_same(keras: Any, k2: Any, document: dict[str, Any]) -> None:
    graph = graph_of(document)
    try:
        data = export_data(graph, "keras2")
    except SpecError:
        return
    model = load(k2, data)
    keras.backend.clear_session(free_memory=False)
    other, _ = built_by(generate_model(graph, flavor="keras"))
    randomize(other)
    give_weights(graph, other, model)
    given_data = [np.abs(x) if x.dtype.kind == "f" else x for x in data_for(model)]
    tolerance = HALF if "mixed" in json.dumps(data) else KERAS_3
    check(run(other, None, given_data), run(model, None, given_data), tolerance)


# Examples.


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
def test_an_example_comes_back(path: Path) -> None:
    spec = specfmt.load(path)
    graph = specfmt.analyze(spec)
    data = json.loads(specfmt.to_keras_json(spec, format="keras2"))
    assert differences(described(graph), described(graph_of(imported(data)))) == []


@pytest.mark.slow
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
def test_an_example_loads(k2: Any, path: Path) -> None:
    spec = specfmt.load(path)
    model = k2.models.model_from_json(specfmt.to_keras_json(spec, format="keras2"))
    assert model.count_params() == specfmt.analyze(spec).count()


# The form of what is written.


def test_the_form_is_that_of_all_of_keras_2() -> None:
    data = exported(one({"type": "Dense", "units": 3, "activation": "relu"}, 4))
    assert {k: v for k, v in data.items() if k != "config"} == {
        "class_name": "Sequential",
        "keras_version": "2.15.0",
        "backend": "tensorflow",
    }
    first, dense = data["config"]["layers"]
    assert first == {
        "class_name": "InputLayer",
        "config": {
            "batch_input_shape": [None, 4],
            "dtype": "float32",
            "sparse": False,
            "ragged": False,
            "name": "x",
        },
    }
    assert dense == {
        "class_name": "Dense",
        "config": {
            "name": "dense",
            "trainable": True,
            "dtype": "float32",
            "units": 3,
            "activation": "relu",
            "use_bias": True,
            "kernel_initializer": {"class_name": "GlorotUniform", "config": {"seed": None}},
            "bias_initializer": {"class_name": "Zeros", "config": {}},
            "kernel_regularizer": None,
            "bias_regularizer": None,
            "kernel_constraint": None,
            "bias_constraint": None,
        },
    }


def test_a_fixed_mode_that_changes_nothing_is_written() -> None:
    """`training: true` of dropout at rate 0, which `predict` of Keras 3 cannot overrule."""
    layers = [{"type": "Dropout", "rate": 0.0, "inputs": {"inputs": "x", "training": True}}]
    data = export_data(
        graph_of({"specfmt": 1, "inputs": {"x": {"shape": [4]}}, "layers": layers}), "keras2"
    )
    (call,) = data["config"]["layers"][1]["inbound_nodes"]
    assert call == [["x", 0, 0, {"training": True}]]


def test_training_is_left_out() -> None:
    train = {"loss": "mse", "optimizer": "adam"}
    plain, trained = (
        exported(one({"type": "Dense", "units": 3}, 4, **more)) for more in ({}, {"train": train})
    )
    assert plain == trained


def test_a_nested_model_counts_from_one_and_states_stand_in_the_list() -> None:
    inner = {
        "type": "Model",
        "name": "inner",
        "inputs": {"i": {"shape": [5, 3]}},
        "layers": [{"type": "LSTM", "units": 3, "return_sequences": True}],
    }
    last = {
        "type": "GRU",
        "units": 4,
        "inputs": {"sequences": "inner", "initial_state": ["s"], "training": False},
    }
    document = {
        "specfmt": 1,
        "inputs": {"x": {"shape": [5, 3]}, "s": {"shape": [4]}},
        "layers": [{**inner, "call": "x"}, last],
    }
    layers = {item["name"]: item for item in exported(document)["config"]["layers"]}
    assert layers["inner"]["inbound_nodes"] == [[["x", 0, 0, {}]]]
    keywords = {"training": False}
    assert layers["gru"]["inbound_nodes"] == [[["inner", 1, 0, keywords], ["s", 0, 0, keywords]]]


@pytest.mark.slow
def test_a_sequential_without_input_stays_one(k2: Any) -> None:
    document = {
        "specfmt": 1,
        "style": "sequential",
        "layers": [{"type": "Dense", "units": 3}, {"type": "Dense", "units": 2}],
    }
    spec = specfmt.loads(json.dumps(document))
    text = specfmt.to_keras_json(spec, format="keras2")
    model = k2.models.model_from_json(text)
    assert not model.built
    assert model(np.zeros((1, 4), "float32")).shape == (1, 2)
    assert specfmt.from_keras_json(text).to_data()["layers"] == document["layers"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("policy", "written", "compute"),
    [
        ("float64", "float64", "float64"),
        ("mixed_float16", {"class_name": "Policy", "config": {"name": "mixed_float16"}}, "float16"),
        (
            "mixed_bfloat16",
            {"class_name": "Policy", "config": {"name": "mixed_bfloat16"}},
            "bfloat16",
        ),
    ],
)
def test_dtype_policies(k2: Any, policy: str, written: Any, compute: str) -> None:
    document = one({"type": "Dense", "units": 3, "dtype": policy}, 4)
    data = exported(document)
    assert data["config"]["layers"][1]["config"]["dtype"] == written
    layer = load(k2, data).layers[0]
    assert (layer.name, layer.compute_dtype) == ("dense", compute)
    assert differences(described(graph_of(document)), described(graph_of(imported(data)))) == []


@pytest.mark.slow
def test_a_frozen_model_freezes_its_layers(k2: Any) -> None:
    layers = [
        {"type": "Bidirectional", "layer": {"type": "LSTM", "units": 3}},
        {"type": "Dense", "units": 2},
    ]
    document = {**one({}, 5, 3), "layers": layers, "trainable": False}
    data = exported(document)
    assert load(k2, data).trainable_weights == []
    assert differences(described(graph_of(document)), described(graph_of(imported(data)))) == []


@pytest.mark.slow
def test_a_layer_that_is_not_trained(k2: Any) -> None:
    layers = [{"type": "Dense", "units": 3, "trainable": False}, {"type": "Dense", "units": 2}]
    data = exported({**one({}, 4), "layers": layers})
    assert [w.name for w in load(k2, data).trainable_weights] == [
        "dense_1/kernel:0",
        "dense_1/bias:0",
    ]


@pytest.mark.slow
def test_functions_of_the_table_are_functions_of_tensorflow(k2: Any) -> None:
    """One table serves both directions, so that each name in it has to be one of TensorFlow."""
    from tf_keras.src.layers.core.tf_op_layer import get_symbol_from_name

    assert set(FUNCTIONS) >= {function for function, _ in BY_OPERATION.values()}
    missing = [f for f, _ in BY_OPERATION.values() if get_symbol_from_name(f) is None]
    assert not missing


# What Keras 2 has not.


QUANTIZED = {"class_name": "QuantizedDTypePolicy", "config": {"mode": "int8"}}


@pytest.mark.parametrize(
    ("entry", "path", "words"),
    [
        ({"type": "RMSNormalization"}, (), "a layer that Keras 2 has"),
        ({"type": "Dense", "units": 3, "lora_rank": 2}, ("lora_rank",), "received 2"),
        ({"type": "Dense", "units": 3, "dtype": QUANTIZED}, ("dtype",), "a policy with a config"),
        ({"type": "Dense", "units": 3, "activation": "celu"}, ("activation",), "celu"),
        (
            {"type": "LSTM", "units": 3, "dropout": 0.1, "seed": 4},
            ("seed",),
            "seed of lstm (LSTM) to be null, received 4",
        ),
        ({"type": "Dense", "name": "my layer", "units": 3}, ("name",), "'my layer'"),
        (
            {"type": "Bidirectional", "layer": {"type": "LSTM", "units": 3}, "trainable": False},
            ("trainable",),
            "which in Keras 3 does not freeze its inner layers",
        ),
        (
            {"type": "Dropout", "rate": 0.5, "inputs": {"inputs": "x", "training": True}},
            ("inputs",),
            "which Keras 2 keeps in `predict`",
        ),
        (
            {"type": "Custom", "class": "a.B", "inputs": {"args": ["x", 2.0]}},
            ("inputs",),
            "argument 1 by position",
        ),
        ({"op": "log2"}, (), "a TensorFlow function"),
        ({"op": "argmax"}, ("axis",), "axis to be given"),
        ({"op": "round", "decimals": 2}, ("decimals",), "received 2"),
        ({"op": "add", "inputs": ["x", [1, 2.5, 3]]}, None, ""),
        ({"op": "subtract", "inputs": [2, "x"]}, None, ""),
    ],
)
def test_what_keras_2_lacks_is_refused(
    entry: dict[str, Any], path: tuple[str, ...] | None, words: str
) -> None:
    if path is None:
        exported(one(entry, 5, 3))
        return
    (found,) = findings(one(entry, 5, 3))
    assert found.path == ("layers", 0, *path)
    assert words in found.message


def test_the_hard_sigmoid_of_keras_2_is_told() -> None:
    entry = {"type": "Dense", "units": 3, "activation": "hard_sigmoid"}
    (found,) = findings(one(entry, 4))
    assert "{type: hard_sigmoid, slope: 0.2}" in found.hint
    entry["activation"] = {"type": "hard_sigmoid", "slope": 0.2}
    data = exported(one(entry, 4))
    assert data["config"]["layers"][1]["config"]["activation"] == "hard_sigmoid"


def test_all_findings_are_collected_with_their_places() -> None:
    text = (
        "specfmt: 1\n"
        "inputs: {x: {shape: [4]}}\n"
        "layers:\n"
        "  - {type: Dense, units: 3, activation: celu}\n"
        "  - {type: RMSNormalization}\n"
        "  - {type: Dense, name: a b, units: 2, lora_rank: 1}\n"
    )
    with pytest.raises(SpecError) as caught:
        specfmt.to_keras_json(specfmt.loads(text), format="keras2")
    found = [(d.code, d.pointer, d.span.line) for d in caught.value.diagnostics if d.span]
    assert found == [
        ("SF306", "/layers/0/activation", 4),
        ("SF306", "/layers/1", 5),
        ("SF306", "/layers/2/name", 6),
        ("SF306", "/layers/2/lora_rank", 6),
    ]


def test_a_layer_of_keras_3_that_nobody_knows_is_refused() -> None:
    policy = {"module": "keras", "class_name": "DTypePolicy", "config": {"name": "float32"}}
    entry = {"type": "Custom", "class": "keras.layers.RandomFlip", "config": {"dtype": policy}}
    (found,) = findings(one(entry, 4, 4, 3))
    assert "as Keras 3 wrote it" in found.message
    mine = {"type": "Custom", "class": "my.Layer", "config": {"dtype": policy, "a": 1}}
    layer = exported(one(mine, 4))["config"]["layers"][1]
    assert layer == {
        "module": "my",
        "class_name": "Layer",
        "config": {"dtype": "float32", "a": 1, "name": "custom"},
        "registered_name": "Layer",
    }


# The command.

SPEC = "specfmt: 1\ninputs: {x: {shape: [4]}}\nlayers:\n  - {type: Dense, units: 3}\n"


def test_the_command_writes_it(tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text(SPEC)
    out = tmp_path / "m.json"
    arguments = ["export", "--format", "keras2", str(tmp_path / "m.yaml"), "-o", str(out)]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    assert json.loads(out.read_text()) == json.loads(
        specfmt.to_keras_json(specfmt.loads(SPEC), format="keras2")
    )


def test_the_command_refuses(tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text(SPEC.replace("Dense, units: 3", "RMSNormalization"))
    out = tmp_path / "m.json"
    arguments = ["export", "--format", "keras2", str(tmp_path / "m.yaml"), "-o", str(out)]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 1
    assert "SF306" in result.output
    assert "m.yaml:4:" in result.output
    assert not out.exists()
    assert CliRunner().invoke(main, ["explain", "SF306"]).exit_code == 0
