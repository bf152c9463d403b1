"""Random specs: layers, options and graph forms, as hypothesis draws them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

Json = dict[str, Any]
Draw = Callable[[st.SearchStrategy[Any]], Any]


def one_of(*values: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from(values)


def options(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Json]:
    """Some of these fields."""
    return st.fixed_dictionaries({}, optional=fields)


SIZES = st.integers(1, 6)
FRACTIONS = one_of(0.1, 0.25, 0.5)
ACTIVATIONS = one_of(
    "relu", "tanh", "gelu", "swish", {"type": "relu", "max_value": 6.0, "layer": "re_lu"}
)
INITIALIZERS = one_of(
    "zeros",
    "he_normal",
    {"type": "Constant", "value": 0.5},
    {"type": "TruncatedNormal", "stddev": 0.1, "seed": 3},
    {"type": "VarianceScaling", "scale": 2.0, "mode": "fan_avg"},
)
REGULARIZERS = one_of("l2", {"type": "L1", "l1": 0.5}, {"type": "L1L2", "l1": 0.25, "l2": 0.5})
CONSTRAINTS = one_of("non_neg", {"type": "MaxNorm", "max_value": 3.0, "axis": 0})
COMMON: Json = {
    "dtype": one_of("float64", "mixed_float16"),
    "trainable": st.just(False),
}
KERNEL: Json = {
    "activation": ACTIVATIONS,
    "use_bias": st.just(False),
    "kernel_initializer": INITIALIZERS,
    "bias_initializer": one_of("ones", {"type": "Constant", "value": 0.1}),
    "kernel_regularizer": REGULARIZERS,
    "kernel_constraint": CONSTRAINTS,
    "activity_regularizer": REGULARIZERS,
}
STEPS: Json = {
    "activation": one_of("tanh", "relu"),
    "recurrent_initializer": one_of("orthogonal", "glorot_uniform"),
    "dropout": FRACTIONS,
    "go_backwards": st.just(True),
    "unroll": st.just(True),
}

Table = dict[str, tuple[Json, Json]]
"""Layer -> fields that are needed, fields that may be given."""

ANY_RANK: Table = {
    "Dense": ({"units": SIZES}, KERNEL),
    "Activation": ({"activation": ACTIVATIONS}, {}),
    "Dropout": ({"rate": FRACTIONS}, {"seed": st.integers(0, 9)}),
    "GaussianNoise": ({"stddev": FRACTIONS}, {}),
    "GaussianDropout": ({"rate": FRACTIONS}, {"seed": st.integers(0, 9)}),
    "ReLU": ({}, {"max_value": one_of(6.0), "negative_slope": FRACTIONS}),
    "LeakyReLU": ({}, {"negative_slope": FRACTIONS}),
    "ELU": ({}, {"alpha": FRACTIONS}),
    "BatchNormalization": ({}, {"momentum": FRACTIONS, "center": st.just(False)}),
    "LayerNormalization": ({}, {"epsilon": one_of(1e-5), "scale": st.just(False)}),
    "Rescaling": ({"scale": FRACTIONS}, {"offset": one_of(0.5, -1.0)}),
    "Identity": ({}, {}),
    "UnitNormalization": ({}, {}),
}
SEQUENCES: Table = {
    "Masking": ({}, {"mask_value": one_of(0.5, -1.0)}),
    "LSTM": ({"units": SIZES}, {**STEPS, "unit_forget_bias": st.just(False)}),
    "GRU": ({"units": SIZES, "return_sequences": st.just(True)}, {"reset_after": st.just(False)}),
    "SimpleRNN": ({"units": SIZES}, STEPS),
    "Conv1D": ({"filters": SIZES, "kernel_size": one_of(1, 2)}, {"padding": one_of("causal")}),
    "SpatialDropout1D": ({"rate": FRACTIONS}, {}),
    "GlobalAveragePooling1D": ({}, {"keepdims": st.just(True)}),
    "MaxPooling1D": ({}, {"padding": one_of("same"), "strides": one_of(1)}),
    "UpSampling1D": ({"size": one_of(2, 3)}, {}),
    "ZeroPadding1D": ({"padding": one_of(1, [1, 2])}, {}),
    "Flatten": ({}, {}),
    "Permute": ({"dims": one_of([2, 1])}, {}),
}
IMAGES: Table = {
    "Conv2D": (
        {"filters": SIZES, "kernel_size": one_of(1, [2, 1])},
        {"padding": one_of("same"), "strides": one_of(2, [1, 2]), **KERNEL},
    ),
    "SeparableConv2D": ({"filters": SIZES, "kernel_size": one_of(2)}, {"padding": one_of("same")}),
    "DepthwiseConv2D": ({"kernel_size": one_of(2)}, {"depth_multiplier": one_of(2)}),
    "MaxPooling2D": ({"pool_size": one_of([1, 2], 2)}, {"padding": one_of("same")}),
    "AveragePooling2D": ({}, {"strides": one_of(1)}),
    "UpSampling2D": ({"size": one_of(2, [1, 2])}, {"interpolation": one_of("bilinear")}),
    "ZeroPadding2D": ({"padding": one_of(1, [1, 2], [[1, 0], [0, 2]])}, {}),
    "GlobalMaxPooling2D": ({}, {}),
    "Flatten": ({}, {}),
}
WRAPPED: list[Json] = [
    {"type": "Bidirectional", "layer": {"type": "LSTM", "units": 3, "return_sequences": True}},
    {"type": "Bidirectional", "layer": {"type": "GRU", "units": 2}, "merge_mode": "sum"},
    {"type": "TimeDistributed", "layer": {"type": "Dense", "units": 3}},
]
INPUTS: list[Json] = [
    {"shape": [4]},
    {"shape": [6, 3]},
    {"shape": [None, 4]},
    {"shape": [7, 6, 3]},
    {"shape": [5], "dtype": "int32"},
    {"shape": [4], "dtype": "float64"},
    {"shape": [4], "batch_size": 2},
]
SAME_SHAPES = ("Add", "Multiply", "Maximum", "Average")


@dataclass
class Model:
    """A model that grows: the tensors that its entries give, by name, with their shapes."""

    draw: Draw
    depth: int
    inputs: Json
    layers: list[Json] = field(default_factory=list)
    shapes: dict[str, tuple[Any, ...]] = field(default_factory=dict)

    def document(self) -> Json:
        found: Json = {"inputs": self.inputs, "layers": self.layers}
        read = str([entry.get("inputs", entry.get("call")) for entry in self.layers])
        ends = [e["name"] for e in self.layers if f"'{e['name']}'" not in read]
        form = self.draw(one_of("last", "list", "mapping"))
        if form == "list" or len(ends) > 1:
            found["outputs"] = ends
        elif form == "mapping":
            found["outputs"] = {f"out_{i}": name for i, name in enumerate(ends)}
        return found

    def pick(self, ranks: tuple[int, ...] = ()) -> str | None:
        """A tensor of one of these ranks (batch axis included)."""
        fit = [name for name, shape in self.shapes.items() if not ranks or len(shape) in ranks]
        return self.draw(st.sampled_from(fit)) if fit else None

    def give(self, entry: Json) -> None:
        """Add an entry under a new name; what it gives is asked of the analysis."""
        from specfmt.diagnostics import SpecError

        entry["name"] = f"n{len(self.layers)}"
        trial = {"specfmt": 1, "inputs": self.inputs, "layers": [*self.layers, entry]}
        try:
            graph = analyzed({**trial, "outputs": entry["name"]})
        except SpecError:
            return  # these options do not fit this shape
        (value,) = graph.outputs.values()
        if value.shape is None or value.node is None or len(value.node.outputs) > 1:
            return
        self.layers.append(entry)
        self.shapes[entry["name"]] = value.shape


def analyzed(document: Json) -> Any:
    import specfmt
    from specfmt.spec.document import parse_document

    spec, problems = parse_document(document)
    if spec is None or problems:
        raise specfmt.SpecError(problems)
    return specfmt.analyze(spec)


def add_layer(model: Model) -> None:
    draw = model.draw
    source = model.pick()
    assert source is not None
    tables = {3: SEQUENCES, 4: IMAGES}
    table = ANY_RANK | tables.get(len(model.shapes[source]), {})
    type_name = draw(st.sampled_from(sorted(table)))
    needed, may = table[type_name]
    given = {**draw(st.fixed_dictionaries(needed)), **draw(options(**may))}
    if not type_name.startswith("SpatialDropout"):  # of these Keras writes no more
        given |= draw(options(**COMMON))
    model.give({"type": type_name, **given, "inputs": source})


def add_embedding(model: Model) -> None:
    source = model.pick((2,))
    if source is not None:
        masks = model.draw(options(mask_zero=st.just(True)))
        model.give(
            {"type": "Embedding", "input_dim": 9, "output_dim": 3, **masks, "inputs": source}
        )


def add_wrapped(model: Model) -> None:
    source = model.pick((3,))
    if source is not None:
        model.give({**model.draw(st.sampled_from(WRAPPED)), "inputs": source})


def add_merge(model: Model) -> None:
    first, second = model.pick(), model.pick()
    type_name = model.draw(one_of(*SAME_SHAPES, "Concatenate", "Concatenate"))
    model.give({"type": type_name, "inputs": [first, second]})


def add_attention(model: Model) -> None:
    source, memory = model.pick((3,)), model.pick((3,))
    if source is None:
        return
    if model.draw(st.booleans()):
        model.give({"type": "Attention", "inputs": [source, memory]})
        return
    edges = model.draw(
        one_of(
            [source, memory],
            {"query": source, "value": memory, "use_causal_mask": True},
            {"query": source, "value": memory},
        )
    )
    heads = {"type": "MultiHeadAttention", "num_heads": 2, "key_dim": 3}
    model.give({**heads, **model.draw(options(dropout=FRACTIONS)), "inputs": edges})


def add_operation(model: Model) -> None:
    source, other = model.pick(), model.pick()
    model.give(
        model.draw(
            one_of(
                {"op": "multiply", "inputs": [source, 2.0]},
                {"op": "subtract", "inputs": [1.0, source]},
                {"op": "add", "inputs": [source, other]},
                {"op": "relu", "inputs": source},
                {"op": "not_equal", "inputs": [source, 0]},
                {"op": "expand_dims", "inputs": source, "axis": -1},
                {"op": "concatenate", "inputs": [[source, source]], "axis": -1},
                {"op": "mean", "inputs": source, "axis": -1, "keepdims": True},
                {"op": "getitem", "inputs": source, "key": [{"ellipsis": True}, 0]},
                {"op": "cast", "inputs": source, "dtype": "float64"},
            )
        )
    )


def add_reuse(model: Model) -> None:
    source = model.pick()
    layers = [
        entry["name"]
        for entry in model.layers
        if "type" in entry
        and model.shapes.get(str(entry.get("inputs"))) == model.shapes[str(source)]
    ]
    if layers:
        model.give({"reuse": model.draw(st.sampled_from(layers)), "inputs": source})


def add_flagged(model: Model) -> None:
    source = model.pick()
    flag = model.draw(st.booleans())
    kind = model.draw(one_of({"type": "Dropout", "rate": 0.5}, {"type": "BatchNormalization"}))
    model.give({**kind, "inputs": {"inputs": source, "training": flag}})


def add_model(model: Model) -> None:
    if model.depth:
        return
    source = model.pick()
    assert source is not None
    shape = list(model.shapes[source][1:])
    inner = Model(model.draw, 1, {"inner_input": {"shape": shape}})
    inner.shapes["inner_input"] = model.shapes[source]
    grow(inner, model.draw(st.integers(1, 3)))
    if inner.layers:
        extra = model.draw(options(trainable=st.just(False), style=st.just("functional")))
        if extra.get("trainable") is False:  # Keras loads a frozen Sequential as a trained one
            extra["style"] = "functional"
        model.give({"type": "Model", "call": source, **inner.document(), **extra})


STEP_KINDS = (
    *[add_layer] * 6,
    *[add_merge] * 2,
    add_embedding,
    add_wrapped,
    add_attention,
    add_operation,
    add_reuse,
    add_flagged,
    add_model,
)


def grow(model: Model, count: int) -> None:
    for _ in range(count):
        model.draw(st.sampled_from(STEP_KINDS))(model)


TRAINING: list[Json] = [
    {"loss": "mse", "optimizer": "adam"},
    {"loss": {"type": "BinaryCrossentropy", "from_logits": True}, "metrics": ["accuracy", "mae"]},
    {
        "loss": "mae",
        "optimizer": {"type": "SGD", "learning_rate": 0.5, "momentum": 0.9, "nesterov": True},
        "loss_weights": 0.5,
    },
    {
        "loss": "mse",
        "optimizer": {
            "type": "AdamW",
            "learning_rate": {
                "type": "ExponentialDecay",
                "initial_learning_rate": 0.1,
                "decay_steps": 100,
                "decay_rate": 0.9,
            },
        },
        "metrics": [{"type": "MeanSquaredError", "name": "error"}],
    },
]


@st.composite
def documents(draw: Draw) -> Json:
    """A right document of one to eight entries, one to three inputs, at times a ``train:``."""
    chosen = draw(st.lists(st.sampled_from(INPUTS), min_size=1, max_size=3))
    inputs = {f"in_{i}": dict(spec) for i, spec in enumerate(chosen)}
    model = Model(draw, 0, inputs)
    for name, spec in inputs.items():
        model.shapes[name] = (spec.get("batch_size"), *spec["shape"])
    add_layer(model)
    grow(model, draw(st.integers(0, 7)))
    if not model.layers:
        model.give({"type": "Identity", "inputs": "in_0"})
    found = {"specfmt": 1, "name": draw(one_of("model", "some name")), **model.document()}
    if not isinstance(found.get("outputs"), dict) and draw(st.booleans()):
        found["train"] = dict(draw(st.sampled_from(TRAINING)))
        outputs = found.get("outputs")
        if isinstance(outputs, list) and len(outputs) > 1 and "metrics" in found["train"]:
            found["train"]["metrics"] = [found["train"]["metrics"]] * len(outputs)
    return found
