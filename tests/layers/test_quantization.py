"""Quantized layers: weights, counts, code, JSON and weight files as in Keras; refused in PyTorch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import specfmt
from specfmt.diagnostics import SpecError
from specfmt.formats.read.policies import read_policy
from specfmt.layers.policies import variable_dtype
from specfmt.targets.registry import find_target
from specfmt.weights.convert import convert
from tests.tools.harness import Case, build_graph, execute, keras

CLASSES = {"int4": "Int4DTypePolicy", "gptq": "GPTQDTypePolicy", "awq": "AWQDTypePolicy",
           "float8": "QuantizedFloat8DTypePolicy"}  # fmt: skip


def policy(mode: str, source: str = "float32", **config: Any) -> dict[str, Any]:
    """The config of a quantized policy, as Keras writes it."""
    name = CLASSES.get(mode.partition("/")[0], "") if "/" in mode or mode == "float8" else ""
    return {
        "module": "keras.dtype_policies",
        "class_name": name or "QuantizedDTypePolicy",
        "config": {"mode": mode, "source_name": source, **config},
        "registered_name": None,
    }


def quantized(entry: dict[str, Any], mode: str, source: str = "float32", **more: Any) -> Any:
    return {**entry, **more, "dtype": policy(mode, source)}


def int4_config(block: int | None) -> dict[str, Any]:
    return {
        "module": "keras.quantizers",
        "class_name": "Int4QuantizationConfig",
        "config": {"weight_quantizer": None, "activation_quantizer": None, "block_size": block},
        "registered_name": None,
    }


DENSE = {"type": "Dense", "units": 5}
EMBEDDING = {"type": "Embedding", "input_dim": 8, "output_dim": 5}
REVERSIBLE = {**EMBEDDING, "type": "ReversibleEmbedding"}
LORA = {"lora_rank": 2}
MODES = (
    "int8",
    "int4",
    "int4/-1",
    "int4/4",
    "float8",
    "gptq/4/2",
    "gptq/8/-1",
    "gptq/2/4",
    "awq/4/3",
)
INT_MODES = ("int8", "int4", "int4/4")
EQUATIONS = {
    "abc,cd->abd": ([5, 7], (5, 6)),
    "abc,bcd->ad": ([7], (5, 6)),
    "abc,cde->abde": ([5, 2, 3], (5, 6)),
    "abcd,cde->abe": ([5, 7], (5, 2, 3)),
    "abc,dec->abed": ([5, 2, 4], (5, 6)),
    "abcd,bcde->ae": ([3], (2, 3, 4)),
    "ab,bcde->acde": ([2, 3, 4], (6,)),
    "ab,b->ab": ([6], (6,)),
    "abc,cb->ac": ([6], (5, 6)),
    "...b,bc->...c": ([3], (4, 6)),
}


def einsum(equation: str, **more: Any) -> dict[str, Any]:
    output, _ = EQUATIONS[equation]
    bias = equation[-1]
    return {"type": "EinsumDense", "equation": equation, "output_shape": output, "bias_axes": bias,
            **more}  # fmt: skip


CASES: list[tuple[Any, tuple[int, ...], str]] = [
    *((quantized(DENSE, mode), (7,), "float32") for mode in MODES),
    *((quantized(DENSE, mode, use_bias=False), (7,), "float32") for mode in MODES),
    *((quantized(DENSE, mode, **LORA), (7,), "float32") for mode in INT_MODES),
    *((quantized(DENSE, mode, "mixed_bfloat16"), (7,), "float32") for mode in INT_MODES),
    (quantized(DENSE, "int8", "bfloat16"), (7,), "float32"),
    ({**DENSE, "dtype": policy("float8", amax_history_length=3)}, (7,), "float32"),
    (quantized(DENSE, "int4/4", quantization_config=int4_config(3)), (7,), "float32"),
    (quantized(DENSE, "int4/4", quantization_config=int4_config(None)), (7,), "float32"),
    (quantized(DENSE, "int8", trainable=False), (7,), "float32"),
    ({"type": "TimeDistributed", "layer": quantized(DENSE, "int8")}, (3, 7), "float32"),
    *((quantized(EMBEDDING, mode), (3,), "int32") for mode in INT_MODES),
    *((quantized(EMBEDDING, mode, **LORA), (3,), "int32") for mode in INT_MODES),
    *((quantized(REVERSIBLE, mode), (3,), "int32") for mode in INT_MODES),
    *((quantized(REVERSIBLE, mode, tie_weights=False), (3,), "int32") for mode in INT_MODES),
    (quantized(REVERSIBLE, "int8", tie_weights=False, **LORA), (3,), "int32"),
    *(
        (quantized(einsum(equation), mode), shape, "float32")
        for equation, (_, shape) in EQUATIONS.items()
        for mode in ("int8", "int4", "int4/4", "float8", "gptq/4/2", "awq/4/3")
        if ("." not in equation or mode == "float8")
        and (mode[0] not in "ga" or equation not in ("abcd,bcde->ae", "ab,bcde->acde", "ab,b->ab"))
    ),
    *((quantized(einsum("abc,cde->abde"), mode, **LORA), (5, 6), "float32") for mode in INT_MODES),
]
"""(entry, input shape, input dtype)"""

REFUSED = [
    (quantized(DENSE, "gptq/4/2", **LORA), (7,), "float32"),
    (quantized(DENSE, "awq/4/2", **LORA), (7,), "float32"),
    (quantized(DENSE, "int8", "mixed_float16"), (7,), "float32"),
    (quantized(DENSE, "gptq"), (7,), "float32"),
    (quantized(DENSE, "gptq/5/2"), (7,), "float32"),
    (quantized(DENSE, "awq/8/2"), (7,), "float32"),
    (quantized(DENSE, "int4/0"), (7,), "float32"),
    (quantized(DENSE, "int4/x"), (7,), "float32"),
    (quantized(EMBEDDING, "float8"), (3,), "int32"),
    (quantized(EMBEDDING, "gptq/4/2"), (3,), "int32"),
    (quantized(einsum("...b,bc->...c"), "int8"), (4, 6), "float32"),
    (quantized(einsum("...b,bc->...c"), "awq/4/2"), (4, 6), "float32"),
    (quantized(einsum("abcd,bcde->ae"), "gptq/4/2"), (2, 3, 4), "float32"),
    (quantized({"type": "MultiHeadAttention", "num_heads": 2, "key_dim": 3,
                "inputs": {"query": "in0", "value": "in0"}}, "int8"), (3, 4), "float32"),
    (quantized({"type": "Flatten"}, "int8"), (3, 4), "float32"),
    (quantized({"type": "LayerNormalization"}, "int4/2"), (3, 4), "float32"),
    (quantized(DENSE, "float8", **LORA), (7,), "float32"),
]  # fmt: skip


def name_of(case: tuple[Any, tuple[int, ...], str]) -> str:
    entry = case[0].get("layer", case[0])
    rest = {k: v for k, v in entry.items() if k not in ("type", "dtype", "units")}
    return f"{entry['type']}-{entry['dtype']['config']}-{rest}"


def document(case: tuple[Any, tuple[int, ...], str]) -> Any:
    entry, shape, dtype = case
    return Case(entry, shape, dtypes=(dtype,)).document()


def rows(graph: Any) -> list[tuple[Any, ...]]:
    return [
        (
            w.name.rpartition("/")[2],
            w.shape,
            w.dtype or variable_dtype(inner.dtype),
            w.trainable and unit.trainable,
        )
        for unit in graph.units
        for inner in [getattr(unit.spec, "layer", unit.spec)]
        for w in unit.weights
    ]


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_weights_code_json_and_files_are_those_of_keras(
    case: tuple[Any, tuple[int, ...], str], tmp_path: Path
) -> None:
    import numpy as np

    graph = build_graph(document(case))
    spec = specfmt.loads(json.dumps(document(case)))
    code = specfmt.generate(spec, "keras")
    model = execute(code)
    layer = model.layers[-1]
    assert rows(graph) == [(w.name, tuple(w.shape), w.dtype, w.trainable) for w in layer.weights]
    assert graph.count() == model.count_params()
    assert graph.count(trainable=True) == sum(
        int(np.prod(weight.shape)) for weight in model.trainable_weights
    )
    # JSON there and back
    loaded = keras().models.model_from_json(specfmt.to_keras_json(spec))
    config = json.loads(loaded.to_json())["config"]["layers"]
    assert config == json.loads(model.to_json())["config"]["layers"]
    again = specfmt.from_keras_json(model.to_json())
    assert rows(specfmt.analyze(again)) == rows(graph)
    # files
    mode = graph.units[0].spec.dtype
    if mode and mode["config"]["mode"].startswith(("gptq", "awq")):
        return  # Keras cannot load what it saves: its files lack the zero points
    rng = np.random.default_rng(0)
    for weight in layer.weights:
        if not weight.name.endswith(("g_idx", "scale")):
            weight.assign(rng.integers(-7, 7, tuple(weight.shape)).astype("float32"))
    model.save(tmp_path / "m.keras")
    convert(graph, tmp_path / "m.keras", tmp_path / "back.weights.h5")
    theirs = keras().models.load_model(tmp_path / "m.keras").layers[-1]
    ours = execute(code)
    ours.load_weights(tmp_path / "back.weights.h5")
    for weight, wanted in zip(ours.layers[-1].weights, theirs.weights, strict=True):
        assert np.array_equal(np.array(weight, "float32"), np.array(wanted, "float32")), weight.path


@pytest.mark.slow
@pytest.mark.parametrize("case", REFUSED, ids=name_of)
def test_what_keras_cannot_run_is_an_error(case: tuple[Any, tuple[int, ...], str]) -> None:
    import numpy as np

    with pytest.raises(SpecError) as caught:
        specfmt.analyze(specfmt.loads(json.dumps(document(case))))
    assert [d.code for d in caught.value.diagnostics] == ["SF210"]
    entry, shape, dtype = case
    arguments = {k: v for k, v in entry.items() if k not in ("type", "inputs")}
    errors = (ValueError, TypeError, NotImplementedError, AttributeError, NameError)
    with pytest.raises(errors):
        run_in_keras(entry["type"], arguments, np.ones((2, *shape), dtype), twice="inputs" in entry)


def run_in_keras(name: str, arguments: dict[str, Any], x: Any, *, twice: bool) -> Any:
    layer = getattr(keras().layers, name)(**arguments)
    return layer(x, x) if twice else layer(x)


@pytest.mark.slow
def test_lora_of_a_quantized_kernel_is_merged_by_keras_only(tmp_path: Path) -> None:
    """The `.h5` file of a whole model has the factors."""
    import numpy as np

    spec = specfmt.loads(json.dumps(document((quantized(DENSE, "int8", **LORA), (7,), "float32"))))
    model = execute(specfmt.generate(spec, "keras"))
    for weight in model.weights:
        weight.assign(np.ones(weight.shape))
    model.save(tmp_path / "m.h5")
    with pytest.raises(SpecError) as caught:
        convert(specfmt.analyze(spec), tmp_path / "m.h5", tmp_path / "m.weights.h5")
    (found,) = caught.value.diagnostics
    assert (found.code, found.file) == ("SF504", str(tmp_path / "m.h5"))
    assert not (tmp_path / "m.weights.h5").exists()


def test_the_name_of_a_quantized_policy_is_read() -> None:
    """Keras takes the names too, where it writes configs."""
    for mode in MODES:
        wanted = policy(mode, **({"amax_history_length": 1024} if mode == "float8" else {}))
        assert read_policy(f"{mode}_from_float32", ()) == wanted
    assert read_policy("mixed_float16", ()) == "mixed_float16"


def test_code_has_the_name_of_a_policy() -> None:
    for mode in MODES:
        spec = specfmt.loads(json.dumps(document((quantized(DENSE, mode), (7,), "float32"))))
        assert f'dtype="{mode}_from_float32"' in specfmt.generate(spec, "keras")
    entry = {**DENSE, "dtype": policy("float8", amax_history_length=3)}
    spec = specfmt.loads(json.dumps(document((entry, (7,), "float32"))))
    assert '"amax_history_length": 3' in specfmt.generate(spec, "keras")


def test_a_map_with_several_policies() -> None:
    """The parts that it quantizes are known at run time only."""
    some = {"class_name": "DTypePolicyMap", "config": {"default_policy": "float32", "policy_map": {
        "dense": policy("int8")}}}  # fmt: skip
    with pytest.raises(SpecError) as caught:
        specfmt.analyze(
            specfmt.loads(json.dumps(document(({**DENSE, "dtype": some}, (7,), "float32"))))
        )
    assert "a DTypePolicyMap with several" in caught.value.diagnostics[0].message
    some["config"]["policy_map"] = {"dense": "bfloat16"}  # type: ignore[index]
    graph = build_graph(document(({**DENSE, "dtype": some}, (7,), "float32")))
    (found,) = find_target("torch").check(graph)
    assert found.code == "SF301"


def test_a_quantized_policy_of_the_model_is_refused() -> None:
    spec = {**document((DENSE, (7,), "float32")), "dtype": policy("int8")}
    with pytest.raises(SpecError) as caught:
        specfmt.analyze(specfmt.loads(json.dumps(spec)))
    assert [d.code for d in caught.value.diagnostics] == ["SF210"]


@pytest.mark.parametrize("case", [CASES[0], *CASES[4:6], CASES[30]], ids=name_of)
def test_pytorch_refuses_quantized_layers(case: tuple[Any, tuple[int, ...], str]) -> None:
    (found,) = find_target("torch").check(build_graph(document(case)))
    assert found.code == "SF301"
    assert "quantize it in PyTorch" in (found.hint or "")


@pytest.mark.parametrize("mode", [5, None, [], {"a": 1}, "foo", "", f"int4/{'9' * 5000}", "int8/3"])
@pytest.mark.parametrize(
    "config", [None, {"class_name": ["x"]}, {"class_name": "AWQConfig", "config": [1]}]
)
def test_configs_of_any_content_are_counted_or_refused(mode: Any, config: Any) -> None:
    entry = {**DENSE, "dtype": {**policy("int8"), "config": {"mode": mode}}}
    spec = {**document((entry, (7,), "float32"))}
    spec["layers"] = [{**entry, "quantization_config": config}]
    assert codes(spec) <= {"SF210"}


def codes(spec: Any) -> set[str]:
    """The codes of a document's errors."""
    try:
        specfmt.summarize(specfmt.loads(json.dumps(spec)))
    except SpecError as error:
        return {found.code for found in error.diagnostics}
    return set()


NAMES = ("int8_from_float32", "int8_from_mixed_bfloat16", "int4_from_float32", "int4/-1_from_float16",
         "int4/4_from_float32", "float8_from_mixed_float16", "gptq/4/2_from_float32",
         "awq/4/-1_from_bfloat16")  # fmt: skip
OTHER_NAMES = ("int8_from_x", "int8_from_int8", "int2_from_float32", "gptq/4_from_float32",
               "int8/4_from_float32", "awq_from_float32", "int4/x_from_float32", "float8",
               "int8_from_float32\n", "_from_float32")  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_quantized_policy_by_its_name(name: str) -> None:
    """It is the policy that Keras makes of the name; code gives Keras the name again."""
    import jsonschema
    import keras

    document = Case({**DENSE, "dtype": name}, (4,)).document()
    jsonschema.validate(document, specfmt.json_schema())
    spec = specfmt.loads(json.dumps(document))
    written = json.loads(specfmt.to_keras_json(spec))["config"]["layers"][-1]["config"]["dtype"]
    assert written == keras.dtype_policies.serialize(keras.dtype_policies.get(name))
    assert f'dtype="{name}"' in specfmt.generate(spec, "keras")
    given = specfmt.loads(json.dumps(Case({**DENSE, "dtype": written}, (4,)).document()))
    assert specfmt.summarize(spec).to_data() == specfmt.summarize(given).to_data()


@pytest.mark.parametrize("name", OTHER_NAMES)
def test_other_names_are_no_quantized_policies(name: str) -> None:
    import jsonschema

    document = Case({**DENSE, "dtype": name}, (4,)).document()
    assert not jsonschema.Draft202012Validator(specfmt.json_schema()).is_valid(document)
    (found,) = specfmt.check(json.dumps(document))
    assert (found.code, found.pointer) == ("SF123", "/layers/0/dtype")
    assert "int8_from_float32" in found.hint or name == "float8"
