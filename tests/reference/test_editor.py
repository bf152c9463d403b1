"""What an editor shows of the schema, asked of the real yaml-language-server over stdio."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from specfmt.layers.index import INDEX
from specfmt.reference.json_schema import schema_file
from tests.tools.yaml_server import YamlServer, server_script

pytestmark = pytest.mark.slow

EXAMPLES = Path(__file__).parents[2] / "examples"
HEAD = """\
specfmt: 1
inputs:
  a:
    shape: [4]
layers:
"""
DENSE = f"{HEAD}  - type: Dense\n    units: 3\n"


@pytest.fixture(scope="module")
def server() -> Iterator[YamlServer]:
    script = server_script()
    if script is None:
        pytest.skip("npm is not installed, and the server comes from npm")
    server = YamlServer(script, schema_file())
    yield server
    server.close()


def labels(server: YamlServer, text: str) -> list[str]:
    return [item["label"] for item in server.complete(text)]


def test_types_are_completed(server: YamlServer) -> None:
    assert sorted(labels(server, f"{HEAD}  - type: |\n")) == sorted([*INDEX, "Model"])


def test_fields_of_that_type_alone_are_completed(server: YamlServer) -> None:
    offered = labels(server, f"{HEAD}  - type: Dropout\n    |\n")
    common = {"name", "inputs", "activity_regularizer", "trainable", "dtype"}
    assert set(offered) - {"Dropout"} == {"rate", "noise_shape", "seed", *common}


def test_documentation_comes_with_completion(server: YamlServer) -> None:
    items = server.complete(f"{HEAD}  - type: Dropout\n    |\n")
    rate = next(item for item in items if item["label"] == "rate")
    assert "fraction" in str(rate["documentation"])


def test_required_fields_are_put_into_the_completion(server: YamlServer) -> None:
    items = server.complete(f"{HEAD}  - type: Dropout\n    |\n")
    whole = next(item for item in items if item["label"] == "Dropout")
    assert "rate:" in whole["insertText"]


@pytest.mark.parametrize(
    ("text", "some"),
    [
        (f"{DENSE}    activation: |\n", {"relu", "softmax", "gelu"}),
        (f"{DENSE}    kernel_initializer:\n      type: |\n", {"HeNormal", "he_normal", "Constant"}),
        (f"{DENSE}    kernel_initializer:\n      type: Constant\n      |\n", {"value"}),
        (f"{HEAD}  - type: Conv2D\n    padding: |\n", {"valid", "same"}),
        (f"{HEAD}  - op: |\n", {"add", "mean", "matmul"}),
        (f"{HEAD}  - type: Bidirectional\n    layer:\n      type: |\n", {"LSTM", "GRU"}),
        (f"{DENSE}train:\n  |\n", {"data", "loss", "optimizer", "metrics", "epochs"}),
        (f"{DENSE}train:\n  loss: |\n", {"mse", "sparse_categorical_crossentropy"}),
        (f"{DENSE}train:\n  optimizer:\n    type: Adam\n    |\n", {"learning_rate", "beta_1"}),
        (f"{DENSE}train:\n  data:\n    source: |\n", {"sklearn", "csv", "npz"}),
        (f"{DENSE}train:\n  data:\n    source: csv\n    |\n", {"path", "features", "target"}),
        ("specfmt: 1\n|\n", {"name", "inputs", "layers", "outputs", "train"}),
    ],
)
def test_words_and_sections_are_completed(server: YamlServer, text: str, some: set[str]) -> None:
    assert some <= set(labels(server, text))


def test_only_the_layers_that_fit_are_offered(server: YamlServer) -> None:
    offered = labels(server, f"{HEAD}  - type: Bidirectional\n    layer:\n      type: |\n")
    assert "Dense" not in offered


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"{HEAD}  - type: Dense\n    un|its: 3\n", "The size of the output's last axis."),
        (f"{HEAD}  - type: Den|se\n    units: 3\n", "Fully connected layer"),
        (f"{DENSE}    use_bi|as: false\n", "Whether a learned bias is added."),
        (f"{DENSE}train:\n  epo|chs: 3\n", "The number of passes over the training samples."),
        (
            f"{DENSE}train:\n  optimizer:\n    type: Adam\n    learning_ra|te: 0.1\n",
            "The learning rate",
        ),
    ],
)
def test_documentation_is_shown_on_hover(server: YamlServer, text: str, shown: str) -> None:
    assert shown in server.hover(text)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("{type: Dense, units: 3, untis: 4}", "Property untis is not allowed."),
        ("{type: Dense}", 'Missing property "units".'),
        ("{type: Dense, units: three}", 'Incorrect type. Expected "integer".'),
        ("{type: Dense, units: 0}", "Value is below the minimum of 1."),
        ("{type: Dense, units: 3, kernel_initializer: {type: constant, vale: 1}}", "Property vale"),
        ("{type: Conv2D, filters: 2, kernel_size: 3, padding: smae}", '"valid", "same"'),
        ("{units: 3}", 'Missing property "type".'),
    ],
)
def test_mistakes_are_flagged(server: YamlServer, entry: str, message: str) -> None:
    assert any(message in problem for problem in server.problems(f"{HEAD}  - {entry}\n"))


def test_a_misspelt_type_lists_the_types(server: YamlServer) -> None:
    problems = server.problems(f"{HEAD}  - {{type: Densee, units: 3}}\n")
    assert len(problems) == 1
    assert all(f'"{name}"' in problems[0] for name in INDEX)


@pytest.mark.parametrize("path", sorted(EXAMPLES.rglob("*.yaml")), ids=lambda path: path.stem)
def test_examples_are_without_fault(server: YamlServer, path: Path) -> None:
    assert server.problems(path.read_text(encoding="utf-8")) == []
