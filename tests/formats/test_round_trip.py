"""spec -> Keras JSON -> spec: the same spec, for every example and for random ones.

A Keras file has no place for everything in a spec, and two spellings of one thing come back as
one of them.  `meaning` is what two specs must share to be the same model, compiled alike:

- A file has no description, no data and nothing of `fit` (epochs, callbacks, ...); of some
  losses Keras does not even write the arguments (`write_training.LOSS_CONFIGS`).
- `SpatialDropout` layers do not write whether they are trained, nor a mixed policy.
- ``training:`` with the value that is the layer's default is noted where nobody wrote it.
- A name that is the automatic one, and `inputs:` that name the entry before, come back left out;
  further calls of a layer come back under their automatic names, operations without a name too.
- Entries come back in an order of Keras's; a policy and `trainable: false` stand where the
  importer puts them: at the model, or at its layers.

Masks may stay in a model of several dtypes (`keeps_masks`): then the files are equal all the same.
What has come back once is in the canonical form, and must come back unchanged.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

import specfmt
from specfmt.fields.model import to_data
from specfmt.formats.keras3.training import LOSS_CONFIGS
from specfmt.formats.read.keras3 import LAYER_FIELDS
from specfmt.graph.keras_order import walk_layers
from specfmt.graph.model import Graph, Node, Unit, Value, map_leaves
from specfmt.layers.op import Op
from specfmt.spec.document import ModelSpec, parse_document
from specfmt.vocab.base import Term
from tests.tools.random_specs import documents

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.yaml"))
COUNT = int(os.environ.get("SPECFMT_SPECS", "150"))
"""Random specs: the same ones every time, or new ones where the variable is set."""

COMPILED = (
    "optimizer",
    "loss",
    "loss_weights",
    "metrics",
    "weighted_metrics",
    "run_eagerly",
    "steps_per_execution",
    "jit_compile",
)


def read(document: dict[str, Any]) -> ModelSpec:
    spec, problems = parse_document(document)
    assert spec is not None
    assert not problems
    return spec


def meaning(spec: ModelSpec) -> Any:
    """A spec without what a Keras file has no place for, told in one way."""
    train = spec.train
    compiled = {}
    if train is not None:
        compiled = {name: compiled_word(getattr(train, name)) for name in COMPILED}
    return {"name": spec.name, "model": model_meaning(specfmt.analyze(spec)), "train": compiled}


def compiled_word(value: Any) -> Any:
    if isinstance(value, Term):
        data = value.to_data()
        if value.kind != "loss" or isinstance(data, str):
            return data
        kept = ("type", "name", "reduction", *LOSS_CONFIGS.get(value.type, ()))
        return {key: item for key, item in data.items() if key in kept}
    if isinstance(value, dict):
        return {key: compiled_word(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [compiled_word(item) for item in value]
    return value


def model_meaning(graph: Graph) -> Any:
    operations: dict[Value, str] = {}

    def reference(item: Any) -> Any:
        """A tensor by the layer, call and output that give it; an operation by what it does."""
        if not isinstance(item, Value):
            return to_data(item)
        if item.node is None:
            return item.name
        if isinstance(item.node.unit.spec, Op):
            return f"{operation(item.node)}:{item.index}"
        unit = item.node.unit
        return f"{unit.name}[{unit.calls.index(item.node)}]:{item.index}"

    def operation(node: Node) -> str:
        value = node.outputs[0]
        if value not in operations:
            data = {k: v for k, v in to_data(node.unit.spec).items() if k not in ("name", "inputs")}
            operations[value] = f"{data}({arguments(node)})"
        return operations[value]

    def arguments(node: Node) -> list[Any]:
        default = getattr(node.unit.spec, "training_default", None)
        items = [[key, each(item)] for key, item in node.args.items()]
        return [item for item in items if default is None or item != ["training", default]]

    def each(item: Any) -> Any:
        if isinstance(item, dict):
            return {key: each(inner) for key, inner in item.items()}
        return (
            [each(inner) for inner in item] if isinstance(item, (list, tuple)) else reference(item)
        )

    def layer(unit: Unit) -> Any:
        calls = [[arguments(node), node.positional] for node in unit.calls]
        if unit.graph is not None:
            return [model_meaning(unit.graph), calls]
        data = to_data(unit.spec)
        for key in LAYER_FIELDS:
            if key in data:  # a layer inside has the model's policy, not that of the layer around
                data[key] = {"dtype": graph.policy or "float32", **data[key]}
        own = {k: v for k, v in data.items() if k not in ("name", "inputs", "dtype", "trainable")}
        if not unit.spec.takes_trainable:
            return [own, str(unit.policy or "float32").replace("mixed_float16", "float32"), calls]
        return [own, unit.policy or "float32", unit.trainable, calls]

    return {
        "sequential": graph.is_sequential,
        "inputs": {name: to_data(spec) for name, spec in graph.input_specs.items()},
        "takes": map_leaves(graph.input_nest, reference),
        "gives": map_leaves(graph.output_nest, reference),
        "layers": {u.name: layer(u) for u in graph.units if not isinstance(u.spec, Op)},
    }


def there_and_back(spec: ModelSpec) -> ModelSpec:
    return specfmt.from_keras_json(specfmt.to_keras_json(spec))


def keeps_masks(back: ModelSpec, spec: ModelSpec) -> bool:
    """Whether masks stay in what has come back, as they may where layers differ in dtype.

    Keras numbers casts, those of calls whose mask nobody reads among them: a file does not show
    those, so the order of calls that gives the number of one for a mask may not be found.
    """
    text, source = str(back.to_data()), str(spec.to_data())
    return "'mask'" in text and "'mask'" not in source and "'op': 'cast', 'name'" in text


def check(spec: ModelSpec) -> None:
    back = there_and_back(spec)
    if not keeps_masks(back, spec):
        assert meaning(back) == meaning(spec)
    assert json.loads(specfmt.to_keras_json(back)) == json.loads(specfmt.to_keras_json(spec))
    assert there_and_back(back).to_data() == back.to_data()


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples(path: Path) -> None:
    check(specfmt.load(path))


def test_a_nested_model_has_the_dtype_of_the_one_around_it() -> None:
    """Also where it is called with another shape than it declares."""
    inner = {
        "type": "Model",
        "inputs": {"inner": {"shape": [4]}},
        "layers": [{"type": "Activation", "activation": "relu", "inputs": "inner"}],
        "name": "nested",
    }
    spec = read(
        {
            "specfmt": 1,
            "dtype": "float64",
            "inputs": {"x": {"shape": [4], "batch_size": 2}},
            "layers": [inner, {"type": "Activation", "activation": "relu"}],
        }
    )
    check(spec)
    assert {node.outputs[0].dtype for node in specfmt.analyze(spec).nodes} == {"float64"}


@settings(max_examples=COUNT)
@given(documents())
def test_random_specs(document: dict[str, Any]) -> None:
    check(read(document))


@pytest.mark.slow
@settings(max_examples=COUNT // 3)
@given(documents())
def test_keras_loads_random_specs(document: dict[str, Any]) -> None:
    """The JSON is what real Keras, having loaded it, writes; so is that of the generated code."""
    keras = pytest.importorskip("keras")
    from tests.tools.harness import execute

    spec = read(document)
    exported = json.loads(specfmt.to_keras_json(spec))
    keras.backend.clear_session(free_memory=False)
    loaded = keras.models.model_from_json(json.dumps(exported))
    assert json.loads(loaded.to_json())["config"] == exported["config"]
    keras.backend.clear_session(free_memory=False)
    built = execute(specfmt.generate(spec, "keras", flavor="keras"))
    assert json.loads(built.to_json())["config"] == exported["config"]
    weights = [weight for unit in walk_layers(specfmt.analyze(spec)) for weight in unit.weights]
    assert [weight.shape for weight in weights] == [tuple(w.shape) for w in built.weights]
