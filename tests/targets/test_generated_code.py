"""What every generated file must be: formatted, lean, stand-alone, the same each time, and right."""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import specfmt
from tests.tools.examples_tools import (
    ADAPTED,
    EXAMPLES,
    STYLES,
    TARGETS,
    Generated,
    count_parameters,
    generated,
    is_sequential,
    spec,
)
from tests.tools.harness import (
    TOLERANCE,
    Case,
    as_list,
    channels_first,
    execute,
    keras_weights,
    randomize,
    relative_error,
    state_dict,
)
from tests.tools.training_tools import ruff

FILES = list(generated())
HELPERS = Path(__file__).parents[2] / "templates" / "torch" / "helpers"

ALLOWED = {
    "keras": {"tensorflow", "keras", "numpy", "matplotlib", "sklearn", "PIL", "tqdm"},
    "torch": {"torch", "torchvision", "numpy", "matplotlib", "sklearn", "PIL", "tqdm"},
}
"""What a generated file may import besides the standard library."""


@cache
def code(file: Generated) -> str:
    """A file's text, generated once for all tests here."""
    return file.code()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All generated files."""
    path = tmp_path_factory.mktemp("generated")
    for file in FILES:
        (path / f"{file.name}.py").write_text(code(file), encoding="utf-8")
    return path


def test_ruff(folder: Path) -> None:
    """Default settings: formatting, unused imports and names, redefinitions."""
    ruff([folder])


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_imports(file: Generated) -> None:
    """Only what the target's users have installed, and nothing twice or unused."""
    tree = ast.parse(code(file))
    roots, names = set(), []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            roots |= {alias.name.partition(".")[0] for alias in node.names}
            names += [alias.asname or alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            roots.add((node.module or "").partition(".")[0])
            names += [alias.asname or alias.name for alias in node.names]
    assert roots - sys.stdlib_module_names <= ALLOWED[file.target]
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    assert {name.partition(".")[0] for name in names} <= used
    assert len(set(names)) == len(names)


def test_helpers_import_each_name_in_one_way() -> None:
    """Two of them in one file would otherwise give it the same import twice."""
    ways: dict[str, set[str]] = {}
    for path in HELPERS.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import | ast.ImportFrom):
                for alias in node.names:
                    name = alias.asname or alias.name
                    node.names = [alias]
                    ways.setdefault(name, set()).add(ast.unparse(node))
    assert {name: found for name, found in ways.items() if len(found) > 1} == {}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_same_again(file: Generated) -> None:
    """A second generation in one process, from a spec read anew, gives the same text."""
    first = code(file)
    spec.cache_clear()
    assert file.code() == first


def test_every_target_and_style_is_covered() -> None:
    for example in EXAMPLES:
        for target in TARGETS:
            kinds = {f.kind for f in FILES if (f.example, f.target) == (example, target)}
            missing = set(STYLES) - kinds
            assert missing in (set(), {"sequential"})
            if missing:
                with pytest.raises(specfmt.SpecError) as caught:
                    Generated(example, target, "sequential").code()
                assert [d.code for d in caught.value.diagnostics] == ["SF302"]


def all_cases() -> Iterator[Case]:
    from tests.layers.test_cases import table

    yield from table()


@pytest.mark.slow
def test_ruff_on_every_case(tmp_path: Path) -> None:
    """The case table's models, which have every layer with every option, in both targets."""
    from specfmt.targets import keras, torch
    from tests.tools.harness import build_graph

    count = 0
    for index, case in enumerate(all_cases()):
        graph = build_graph(case.document())
        codes = {
            "keras": keras.generate_model(graph),
            "kerasclass": keras.generate_model(graph, style="subclass"),
        }
        if case.torch:
            codes["torch"] = torch.generate_model(graph)
            codes["torchclass"] = torch.generate_model(graph, style="subclass")
        for target, code in codes.items():
            compile(code, target, "exec")
            (tmp_path / f"case_{index}_{target}.py").write_text(code, encoding="utf-8")
            count += 1
    assert count > 1000
    ruff([tmp_path])


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS)
def test_counts_where_specfmt_is_missing(folder: Path, target: str) -> None:
    """Every model file runs alone and has the parameters that the static analysis says."""
    files = [f for f in FILES if f.target == target and f.kind != "train"]
    counts = count_parameters([folder / f"{f.name}.py" for f in files], target)
    for file in files:
        graph = specfmt.analyze(spec(file.example))
        expected = {"trainable": graph.count(trainable=True)}
        if target == "keras":
            expected["total"] = graph.count()
        assert counts[file.name] == expected, file.name


def sample(example: str) -> list[np.ndarray]:
    """Two random samples for each input; whole numbers are small enough for any table."""
    rng = np.random.default_rng(0)
    graph = specfmt.analyze(spec(example))
    found = []
    for value in graph.inputs.values():
        assert value.shape is not None
        shape = [2, *(size or 5 for size in value.shape[1:])]
        if value.dtype.startswith("int"):
            found.append(rng.integers(0, 10, shape).astype(value.dtype))
        else:
            found.append(rng.standard_normal(shape).astype(value.dtype))
    if example == "mnist_rows_lstm":
        found[0][:, :4] = 0  # empty rows, which the mask skips
    return found


@pytest.mark.slow
@pytest.mark.parametrize("example", [name for name in EXAMPLES if name not in ADAPTED])
def test_styles_compute_the_same(example: str) -> None:
    """All styles of both targets give one result from one set of weights."""
    import torch

    from specfmt.targets.torch.graph_lowering import lower_graph
    from specfmt.targets.torch.program import Options, is_channels_first

    torch.set_num_threads(1)
    graph = specfmt.analyze(spec(example))
    data = sample(example)
    reference = execute(Generated(example, "keras", "functional").code())
    randomize(reference)
    one = data if len(data) > 1 else data[0]
    expected = [np.asarray(y) for y in as_list(reference(one, training=False))]
    weights = keras_weights(graph, reference)
    for style in STYLES:
        if style == "sequential" and not is_sequential(example, "keras"):
            continue
        model = execute(Generated(example, "keras", style).code())
        for unit, variables in keras_weights(graph, model).items():
            for name, variable in variables.items():
                variable.assign(weights[unit][name])
        for y, result in zip(expected, as_list(model(one, training=False)), strict=True):
            assert relative_error(y, np.asarray(result)) <= 1e-6, style

    state = state_dict(lower_graph(graph, Options()), weights)
    stays = is_channels_first(graph)
    for style in STYLES:
        if style == "sequential" and not is_sequential(example, "torch"):
            continue
        module = execute(Generated(example, "torch", style).code())
        missing, unexpected = module.load_state_dict(state, strict=False)
        assert not unexpected
        assert all(key.endswith("num_batches_tracked") for key in missing)
        module.eval()
        with torch.no_grad():
            results: Any = module(*(torch.tensor(channels_first(x, stays).copy()) for x in data))
        for y, result in zip(expected, as_list(results), strict=True):
            assert relative_error(channels_first(y, stays), result.numpy()) <= TOLERANCE, style


@pytest.mark.parametrize(
    ("description", "line"),
    [
        ("Classifies flowers.", "net: classifies flowers."),
        ("A small net", "net: a small net."),
        ("GAN-like discriminator.", "net: GAN-like discriminator."),
        ("ResNet with 8 layers!", "net: ResNet with 8 layers!"),
        ("", "net."),
    ],
)
def test_a_description_keeps_the_capitals_of_names(description: str, line: str) -> None:
    spec = specfmt.loads(
        f"specfmt: 1\nname: net\ndescription: {json.dumps(description)}\n"
        "inputs: {x: {shape: [2]}}\nlayers: [{type: Dense, units: 1}]\n"
    )
    assert specfmt.generate(spec, "torch").startswith(f'"""{line}\n')


@pytest.mark.parametrize("target", ["keras", "torch"])
def test_code_that_a_spec_names_is_imported_at_the_top_below_a_remark(target: str) -> None:
    spec = specfmt.loads(
        "specfmt: 1\ninputs: {x: {shape: [2]}}\nlayers:\n  - {type: Dense, units: 1}\n"
        "  - {type: Custom, class: mine.Scale, torch: mine.torch.Scale, shape: [1]}\n"
    )
    lines = specfmt.generate(spec, target).splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("from mine"))
    assert lines[at - 1] == "# The model's file names this code; it is not part of the framework."
    assert all("import" in line or line.startswith(('"""', "#")) or not line or i < 5
               for i, line in enumerate(lines[:at]))  # fmt: skip
