"""The registry of targets: what is refused, in which words, and a target that a package brings."""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import click
import pytest
from click.testing import CliRunner

import specfmt
from specfmt import OptionError
from specfmt.cli import main
from specfmt.targets import registry
from specfmt.targets.options import BUILT_IN, Axes, Fidelity, Flavor, Part, Style, choices_of
from specfmt.targets.registry import find_target

PAGE = (Path(specfmt.__file__).parents[1] / "docs" / "targets.md").read_text(encoding="utf-8")
TEXT = """\
specfmt: 1
name: small
inputs:
  x: {shape: [4]}
layers:
  - {type: Dense, name: hidden, units: 8, activation: relu}
  - {type: Dense, name: answer, units: 3, activation: softmax}
"""
NESTED = """\
specfmt: 1
inputs:
  x: {shape: [4]}
layers:
  - {type: Model, name: inner, inputs: {y: {shape: [4]}}, layers: [{type: Dense, units: 2}]}
"""
SPEC = specfmt.loads(TEXT)


# ---------------------------------------------------------------------------- refusals

REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("pytorch", {}, 'expected a target, received "pytorch"; did you mean torch?'),
    ("Torch", {}, 'expected a target, received "Torch"; did you mean torch?'),
    ("tf.keras", {}, 'expected a target, received "tf.keras"; did you mean keras?'),
    ("kears", {}, 'expected a target, received "kears"; did you mean keras?'),
    ("jax", {}, 'expected a target, received "jax"; targets: keras, torch'),
    ("", {}, 'expected a target, received ""; targets: keras, torch'),
    (
        "torch",
        {"style": "seq"},
        "expected style to be one of auto, sequential, functional or subclass, "
        'received "seq"; did you mean sequential?',
    ),
    ("torch", {"axes": "foo"}, 'expected axes to be torch or keras, received "foo"'),
    ("keras", {"part": "all"}, 'expected part to be model or train, received "all"'),
    (
        "torch",
        {"fidelity": "Exact"},
        'expected fidelity to be idiomatic or exact, received "Exact"; did you mean exact?',
    ),
    ("keras", {"flavor": "tf"}, 'expected flavor to be tf.keras or keras, received "tf"'),
    (
        "torch",
        {"flavor": "keras"},
        'expected an option of torch, received "flavor"; torch takes part, style, axes, fidelity',
    ),
    (
        "keras",
        {"axes": "torch"},
        'expected an option of keras, received "axes"; keras takes part, style, flavor',
    ),
]


@pytest.mark.parametrize(("target", "options", "message"), REFUSED)
def test_what_is_not_offered_is_refused(
    target: str, options: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(OptionError) as caught:
        specfmt.generate(SPEC, target, **options)
    assert str(caught.value) == message
    assert isinstance(caught.value, ValueError)
    assert [d.code for d in caught.value.diagnostics] == ["SF313"]
    if options.get("part") == "all":
        return  # a choice of the command line itself
    spec = tmp_path / "spec.yaml"
    spec.write_text(TEXT)
    flags = [item for name, value in options.items() for item in (f"--{name}", value)]
    shown = CliRunner().invoke(main, ["generate", str(spec), "-t", target, *flags])
    assert (shown.exit_code, shown.stdout) == (2, "")
    assert shown.stderr == f"Error: {message}\n"


def test_all_refusals_are_told_at_once() -> None:
    with pytest.raises(OptionError) as caught:
        specfmt.generate(SPEC, "torch", style="seq", axes="foo", flavor="keras")  # type: ignore[arg-type]
    assert len(caught.value.diagnostics) == 3


def test_options_are_refused_before_the_spec_is_looked_at() -> None:
    with pytest.raises(OptionError):
        specfmt.generate(None, "torch", style="seq")  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [3, ["auto"], True, object])
def test_values_that_are_no_text(value: Any) -> None:
    with pytest.raises(OptionError):
        specfmt.generate(SPEC, "keras", style=value)
    with pytest.raises(OptionError):
        specfmt.generate(SPEC, "keras", source=value)
    with pytest.raises(OptionError):
        specfmt.generate(SPEC, value)


@pytest.mark.parametrize(
    "call",
    [
        lambda: specfmt.check(TEXT, targets=["torch", "pytorch"]),
        lambda: specfmt.check("not: [a spec", targets=["pytorch"]),
        lambda: specfmt.train(SPEC, "pytorch"),
        lambda: specfmt.train(SPEC, "torch", flavor="keras"),
        lambda: specfmt.verify(SPEC, targets=["outline"]),  # type: ignore[list-item]
        lambda: specfmt.verify(SPEC, fidelity="near"),  # type: ignore[arg-type]
        lambda: specfmt.verify(SPEC, axes="last"),  # type: ignore[arg-type]
        lambda: specfmt.convert_weights(SPEC, "a", "b.pt", axes="last"),  # type: ignore[arg-type]
        lambda: specfmt.convert_weights(SPEC, "a", "b.pt", fidelity="near"),  # type: ignore[arg-type]
        lambda: specfmt.convert("a.h5", "out", fidelity="near"),  # type: ignore[arg-type]
        lambda: specfmt.convert("a.h5", "out", style="seq"),  # type: ignore[arg-type]
        lambda: specfmt.to_keras_json(SPEC, "keras4"),  # type: ignore[arg-type]
        lambda: specfmt.starter("resnet"),
        lambda: specfmt.explain("SF999"),
    ],
)
def test_every_function_refuses_what_is_not_offered(call: Any) -> None:
    with pytest.raises(OptionError, match=r"expected .*, received"):
        call()


def test_options_that_are_not_given_are_the_target_s_own() -> None:
    for target in BUILT_IN:
        plain = specfmt.generate(SPEC, target)
        assert plain == specfmt.generate(SPEC, target, style=None, part="model", axes=None)
        assert plain == specfmt.generate(SPEC, target, options={"style": "auto"})


# --------------------------------------------------------------------- what is offered


def test_the_command_line_offers_what_the_targets_do() -> None:
    shown = {
        p.name: tuple(p.type.choices)
        for p in main.commands["generate"].params
        if isinstance(p.type, click.Choice)
    }
    assert shown.pop("target") == tuple(BUILT_IN)
    every = {"part": Part, "style": Style, "flavor": Flavor, "axes": Axes, "fidelity": Fidelity}
    assert shown == {name: get_args(choices) for name, choices in every.items()}
    for name in BUILT_IN:
        for option, choices in choices_of(find_target(name).options).items():
            assert choices in ((), get_args(every.get(option))), (name, option)


def test_targets_say_what_they_are() -> None:
    assert list(BUILT_IN) == specfmt.target_names()[: len(BUILT_IN)]
    for name in BUILT_IN:
        target = find_target(name)
        assert target is find_target(name)
        assert (target.name, target.suffix) == (name, ".py")
        assert target.title
        assert target.package


def test_what_a_target_refuses_is_found_part_by_part() -> None:
    graph = specfmt.analyze(SPEC)
    assert find_target("torch").check(graph) == []
    assert find_target("torch").check(graph, training=True) != []  # there is no train: section
    refused = specfmt.loads(
        TEXT.replace(
            "units: 3",
            "units: 3, dtype: {class_name: QuantizedDTypePolicy, config: {mode: int8, source_name: float32}}",
        )
    )
    assert [d.code for d in find_target("torch").check(specfmt.analyze(refused))] == ["SF301"]


# -------------------------------------------------------------- a target of a package


def block(language: str) -> str:
    found = re.search(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


def install(folder: Path, module: str, *points: str) -> Path:
    """A folder as `pip install --target` leaves it."""
    info = folder / f"{module}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("\n".join(["[specfmt.targets]", *points, ""]))
    return folder


@pytest.fixture
def outline(tmp_path: Path) -> Path:
    """The page's example, installed."""
    table, _, point = block("toml").partition("\n")
    assert table == '[project.entry-points."specfmt.targets"]'
    folder = install(tmp_path / "site", "outline_target", point.replace('"', ""))
    (folder / "outline_target.py").write_text(block("python"))
    (tmp_path / "model.yaml").write_text(TEXT)
    (tmp_path / "nested.yaml").write_text(NESTED)
    return folder


def command(site: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    paths = [str(site), str(Path(specfmt.__file__).parents[1])]
    return subprocess.run(
        [sys.executable, "-m", "specfmt", *arguments],
        cwd=site.parent,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_example_of_the_page_runs_as_the_page_shows(outline: Path) -> None:
    lines = block("console").splitlines()
    starts = [i for i, line in enumerate(lines) if line.startswith("$ ")]
    assert len(starts) == 4
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        arguments = lines[start].removeprefix("$ specfmt ").replace("'", "").split()
        done = command(outline, *arguments)
        shown = "\n".join([*lines[start + 1 : end], ""]) if end > start + 1 else ""
        assert done.stdout + done.stderr == shown, lines[start]
        assert done.returncode == (2 if "Error" in shown else 0)
    assert (outline.parent / "model.txt").read_text().count("\n* ") == 2


def test_its_refusals_have_a_place(outline: Path) -> None:
    for arguments in (["generate", "nested.yaml", "-t"], ["validate", "nested.yaml", "-t"]):
        done = command(outline, *arguments, "outline")
        assert done.returncode == 1
        assert "nested.yaml:5:" in done.stdout + done.stderr
        assert (
            "error[SF300]: expected layers, received the model inner" in done.stdout + done.stderr
        )
    assert command(outline, "validate", "model.yaml", "-t", "outline").stdout == "ok\n"


def test_it_writes_no_training_script(outline: Path) -> None:
    message = 'Error: expected part to be model, received "train"\n'
    for arguments in (["train", "model.yaml"], ["generate", "model.yaml", "--part", "train"]):
        done = command(outline, *arguments, "-t", "outline")
        assert (done.returncode, done.stderr) == (2, message)


def test_a_misspelt_plugin_is_suggested(outline: Path) -> None:
    done = command(outline, "generate", "model.yaml", "-t", "outlines")
    assert "did you mean outline?" in done.stderr


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of packages of this process."""
    folder = install(
        tmp_path / "site",
        "odd_targets",
        "broken = odd_broken:Broken",
        "number = odd_number:NUMBER",
        "unfinished = odd_number:Unfinished",
        "torch = odd_broken:Broken",
    )
    (folder / "odd_broken.py").write_text("raise ImportError('no luck')\n")
    (folder / "odd_number.py").write_text(
        "from specfmt.targets.registry import Target\nNUMBER = 3\n"
        "class Unfinished(Target):\n    name = title = 'unfinished'\n"
    )
    monkeypatch.syspath_prepend(str(folder))
    importlib.invalidate_caches()
    registry._find.cache_clear()
    yield folder
    registry._find.cache_clear()
    for module in ("odd_broken", "odd_number"):
        sys.modules.pop(module, None)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("broken", "broken = odd_broken:Broken is left out: ImportError: no luck"),
        ("number", "expected a class derived from specfmt.targets.registry.Target, received 3"),
        ("unfinished", "unfinished = odd_number:Unfinished is left out: TypeError"),
    ],
)
def test_a_broken_plugin_is_left_out_with_a_warning(site: Path, name: str, reason: str) -> None:
    with pytest.warns(RuntimeWarning, match=re.escape(reason)), pytest.raises(OptionError):
        specfmt.generate(SPEC, name)


def test_a_plugin_is_imported_only_when_it_is_asked_for(site: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert {"broken", "number", "unfinished"} < set(specfmt.target_names())
        assert specfmt.generate(SPEC, "torch") != ""
        assert type(find_target("torch")).__module__ == "specfmt.targets.torch"
    assert not {"odd_broken", "odd_number"} & sys.modules.keys()


def test_an_option_is_given_once() -> None:
    code = specfmt.generate(SPEC, "torch", options={"style": "functional"})
    assert code == specfmt.generate(SPEC, "torch", style="functional")
    with pytest.raises(OptionError, match="expected part once, received train and model"):
        specfmt.generate(SPEC, "torch", part="train", options={"part": "model"})
