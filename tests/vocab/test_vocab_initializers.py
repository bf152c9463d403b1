"""Fresh PyTorch models start as the real Keras layers do: same distributions, same fans."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from specfmt.layers.base import Weight
from specfmt.targets import keras as keras_target
from specfmt.targets import torch as torch_target
from specfmt.targets.templates import environment
from specfmt.targets.torch.graph_lowering import lower_graph
from specfmt.targets.torch.initialize import resets
from specfmt.targets.torch.program import Options
from tests.tools.harness import Case, build_graph, execute, keras, keras_weights
from tests.tools.vocab_tools import close

pytestmark = pytest.mark.slow


def dense(initializer: Any, shape: Any = (60,), units: int = 40) -> Case:
    layer = {"type": "Dense", "units": units, "kernel_initializer": initializer}
    return Case(layer, shape, name=f"dense-{initializer}")


def scaling(**arguments: Any) -> dict[str, Any]:
    return {"type": "VarianceScaling", **arguments}


NAMES_ONLY = (
    "glorot_uniform",
    "glorot_normal",
    "he_uniform",
    "he_normal",
    "lecun_uniform",
    "lecun_normal",
)

CONV = {"type": "Conv2D", "filters": 24, "kernel_size": 3}
TRANSPOSE = {"type": "Conv2DTranspose", "filters": 24, "kernel_size": 3}
DEPTHWISE = {"type": "DepthwiseConv2D", "kernel_size": 3, "depth_multiplier": 6}

CASES = [
    *(dense(name) for name in NAMES_ONLY),
    *(
        dense(scaling(scale=3.0, mode=mode, distribution=distribution))
        for mode in ("fan_in", "fan_out", "fan_avg")
        for distribution in ("uniform", "truncated_normal", "untruncated_normal")
    ),
    *(
        dense(scaling(scale=scale, mode=mode, distribution="untruncated_normal"))
        for scale in (1.0, 2.0)
        for mode in ("fan_in", "fan_out")
    ),
    dense({"type": "GlorotUniform", "input_axes": [0], "output_axes": [0]}),
    dense({"type": "RandomNormal", "mean": 1, "stddev": 0.5}),
    dense({"type": "RandomNormal", "mean": 1, "stddev": 0}),
    dense({"type": "RandomUniform", "minval": 0, "maxval": 2}),
    dense({"type": "TruncatedNormal", "mean": -1, "stddev": 0.5}),
    dense({"type": "Constant", "value": 0.25}),
    dense({"type": "Constant", "value": [1, 2, 3]}, (4,), 3),
    *(dense(name) for name in ("zeros", "ones", "orthogonal", "identity")),
    dense({"type": "Orthogonal", "gain": 2}, (30,), 60),
    dense({"type": "Identity", "gain": 2}),
    # Biases with fans of their own.
    Case({"type": "Dense", "units": 2000, "bias_initializer": "he_normal"}, (3,), name="bias"),
    # Kernels whose torch shape gives other fans.
    *(
        Case({**layer, "kernel_initializer": name}, (6, 6, 16), name=f"{layer['type']}-{name}")
        for layer in (CONV, TRANSPOSE)
        for name in (*NAMES_ONLY, "orthogonal")
    ),
    *(
        Case({**DEPTHWISE, "depthwise_initializer": name}, (6, 6, 40), name=f"depthwise-{name}")
        for name in (*NAMES_ONLY, "orthogonal")
    ),
    Case({**CONV, "groups": 4, "kernel_initializer": "he_normal"}, (6, 6, 64), name="groups"),
    Case(
        {"type": "SeparableConv2D", "filters": 32, "kernel_size": 5},
        (6, 6, 64),
        name="separable",
    ),
    Case([{"type": "Flatten"}, {"type": "Dense", "units": 24}], (5, 5, 4), name="flatten"),
    *(
        Case(
            {"type": kind, "units": 30, "recurrent_initializer": name, **options},
            (5, 40),
            name=f"{kind}-{name}-{options}",
        )
        for kind in ("SimpleRNN", "GRU", "LSTM")
        for name in ("orthogonal", "he_normal")
        for options in ({}, {"activation": "sigmoid"})
    ),
    Case({"type": "GRU", "units": 20, "reset_after": False}, (5, 20), name="gru-before"),
    Case({"type": "LSTM", "units": 24, "unit_forget_bias": False}, (5, 20), name="no-forget"),
    Case(
        {"type": "LSTM", "units": 800, "bias_initializer": "random_normal"},
        (5, 4),
        name="lstm-bias",
    ),
    Case(
        {"type": "Bidirectional", "layer": {"type": "LSTM", "units": 24}},
        (5, 20),
        name="bidirectional",
    ),
    *(
        Case(
            {
                "type": "ConvLSTM2D",
                "filters": 8,
                "kernel_size": 3,
                "kernel_initializer": kernel,
                "recurrent_initializer": recurrent,
                "unit_forget_bias": forget,
            },
            (2, 4, 5, 12),
            name=f"film-{kernel}",
        )
        for kernel, recurrent, forget in (
            ("glorot_uniform", "orthogonal", True),
            ("he_normal", "lecun_uniform", False),
            ("orthogonal", "glorot_normal", True),
        )
    ),
    Case(
        {"type": "Embedding", "input_dim": 50, "output_dim": 40}, (3,), ("int32",), name="embedding"
    ),
    Case(
        [
            {
                "type": "MultiHeadAttention",
                "num_heads": 4,
                "key_dim": 12,
                "inputs": {"query": "in0", "value": "in0"},
            }
        ],
        (5, 30),
        name="attention",
    ),
    Case({"type": "BatchNormalization"}, (6,), name="norm"),
    Case(
        {
            "type": "BatchNormalization",
            "gamma_initializer": "zeros",
            "moving_mean_initializer": "ones",
        },
        (6,),
        name="norm-other",
    ),
    Case({"type": "PReLU"}, (6,), name="prelu"),
]


def keras_layout(program: Any, module: Any) -> dict[Any, dict[str, np.ndarray]]:
    """Unit -> Keras weight name -> what the PyTorch parameters say it is."""
    found: dict[Any, dict[str, np.ndarray]] = {}
    state = module.state_dict()
    for param in program.parameters():
        shapes = {weight.name: weight.shape for weight in param.unit.weights}
        arrays = found.setdefault(param.unit, {})

        def write(
            name: str, index: Any, value: Any, arrays: Any = arrays, shapes: Any = shapes
        ) -> None:
            held = arrays.setdefault(name, np.full(shapes[name], np.nan))
            held[index] = value.reshape(held[index].shape)

        param.value.scatter(state[param.key].numpy(), write)
    return found


def is_random(weight: Weight) -> bool:
    terms = [term for _, term in weight.pieces] or [weight.init]
    return any(term.type not in ("Zeros", "Ones", "Constant", "Identity") for term in terms)


def check_alike(ours: np.ndarray, theirs: np.ndarray, weight: Weight) -> None:
    """Two samples of one distribution, as far as their sizes can tell (five sigmas)."""
    size = ours.size
    assert size >= 800, f"{weight.name}: too few elements to tell"
    spread = theirs.std()
    assert abs(ours.mean() - theirs.mean()) <= 5 * spread * np.sqrt(2 / size)
    assert abs(np.log(ours.std() / spread)) <= 5 / np.sqrt(size)
    distribution = getattr(weight.init.spec, "distribution", weight.init.type)
    if distribution in ("uniform", "truncated_normal", "RandomUniform", "TruncatedNormal"):
        for end in (np.min, np.max):
            reach = np.abs(end(theirs) - theirs.mean())
            assert abs(end(ours) - end(theirs)) <= 0.12 * reach, (end(ours), end(theirs))
    if weight.init.type == "Orthogonal":
        gain = weight.init.spec.gain
        matrix = ours.reshape(-1, ours.shape[-1])
        gram = matrix @ matrix.T if matrix.shape[0] < matrix.shape[1] else matrix.T @ matrix
        np.testing.assert_allclose(gram, gain**2 * np.eye(len(gram)), rtol=0, atol=1e-5 * gain**2)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_start(case: Case) -> None:
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(11)
    keras().utils.set_random_seed(12)
    keras().backend.clear_session()
    graph = build_graph(case.document())
    model = execute(keras_target.generate_model(graph, flavor="keras"))
    program = lower_graph(graph, Options())
    module = execute(torch_target.generate_model(graph, style="subclass"))
    ours, theirs = keras_layout(program, module), keras_weights(graph, model)
    compared = 0
    for unit in graph.walk_units():
        for weight in unit.weights:
            if weight.name not in ours.get(unit, {}):
                continue
            a, b = ours[unit][weight.name], np.asarray(theirs[unit][weight.name], "float64")
            assert not np.isnan(a).any(), weight.name
            if not is_random(weight) or b.std() == 0:
                close(a, b)
            elif weight.pieces:
                start = 0
                for length, term in weight.pieces:
                    piece = Weight(weight.name, (length,), term)
                    part = slice(start, start + length)
                    if length >= 800 and is_random(piece):
                        check_alike(a[part], b[part], piece)
                    elif not is_random(piece):
                        close(a[part], b[part])
                    start += length
            else:
                check_alike(a, b, weight)
            compared += 1
    assert compared


def lines(*layers: dict[str, Any], shape: Any = (4,), owner: str = "self") -> list[str]:
    graph = build_graph(Case(list(layers), shape).document())
    template = environment().get_template("torch/initialize.j2").module
    found, _ = resets(lower_graph(graph, Options()), owner)
    return str(template.initialize_all(found)).splitlines()  # type: ignore[attr-defined]


def test_alike_modules_share_a_loop() -> None:
    layer = {"type": "Dense", "units": 4}
    assert lines(layer) == [
        "nn.init.xavier_uniform_(self.dense.weight)",
        "nn.init.zeros_(self.dense.bias)",
    ]
    assert lines(layer, layer, layer, owner="model") == [
        "for module in model.modules():",
        "    if isinstance(module, nn.Linear):",
        "        nn.init.xavier_uniform_(module.weight)",
        "        nn.init.zeros_(module.bias)",
    ]
    assert lines(layer, layer, layer) == [
        "for layer in (self.dense, self.dense_1, self.dense_2):",
        "    nn.init.xavier_uniform_(layer.weight)",
        "    nn.init.zeros_(layer.bias)",
    ]
    other = {**layer, "kernel_initializer": "ones"}
    assert lines(layer, other, layer, owner="model") == [
        'for name in ("dense", "dense_2"):',
        '    nn.init.xavier_uniform_(model.get_parameter(f"{name}.weight"))',
        '    nn.init.zeros_(model.get_parameter(f"{name}.bias"))',
        'nn.init.ones_(model.get_parameter("dense_1.weight"))',
        'nn.init.zeros_(model.get_parameter("dense_1.bias"))',
    ]
    many = [layer, {**layer, "use_bias": False}, layer, layer, layer]
    assert lines(*many) == [
        "for module in self.modules():",
        "    if isinstance(module, nn.Linear):",
        "        nn.init.xavier_uniform_(module.weight)",
        "        if module.bias is not None:",
        "            nn.init.zeros_(module.bias)",
    ]


def test_what_starts_right_by_itself_is_not_said() -> None:
    assert lines({"type": "BatchNormalization"}) == []


def test_the_docstring_says_whose_convention_it_is() -> None:
    layer = {"type": "LSTM", "units": 3}
    graph = build_graph(Case([layer, {"type": "Dense", "units": 2}], (4, 2)).document())
    _, doc = resets(lower_graph(graph, Options()), "self")
    assert (
        doc
        == "Glorot uniform kernels, orthogonal recurrent kernels and zero biases, as Keras starts."
    )
