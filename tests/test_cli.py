"""Every command: what it prints, its exit code, and that a mistake shows no traceback."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

import specfmt
from specfmt import __version__
from specfmt.api import check, format_spec
from specfmt.cli import main
from specfmt.layers.entries import parse_entries
from specfmt.layers.index import INDEX
from specfmt.layers.kept import KEPT
from specfmt.reference.codes import codes, page
from specfmt.reference.docs import documents
from specfmt.reference.docs import main as docs_main
from specfmt.reference.starters import NAMES, starter, starters
from specfmt.text.reading import read

ROOT = Path(__file__).parents[1]
GOOD = """\
specfmt: 1
name: small
inputs:
  x: {shape: [4]}
layers:
  - {type: Dense, name: hidden, units: 8, activation: relu}
  - {type: Dense, name: answer, units: 3, activation: softmax}
"""
WRONG = "specfmt: 1\ninputs: {x: {shape: [4]}}\nlayers:\n  - {type: Desne}\n  - {type: Dense, units: 0}\n"
WARNED = GOOD + "train: {loss: {type: CategoricalCrossentropy, from_logits: true}}\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("good.yaml").write_text(GOOD)
    Path("wrong.yaml").write_text(WRONG)
    Path("warned.yaml").write_text(WARNED)
    return tmp_path


def run(*arguments: str, input: str | bytes | None = None) -> Result:
    result = CliRunner().invoke(main, list(arguments), input=input)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
    return result


def data(*arguments: str) -> Any:
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


# ---------------------------------------------------------------------------- in general


def test_version_and_help() -> None:
    assert __version__ in run("--version").output
    text = run("--help").output
    for command in main.commands:
        assert re.search(rf"^  {command}\b", text, re.MULTILINE), command
        assert run(command, "--help").exit_code == 0
        assert main.commands[command].help, command


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["validate"],
        ["validate", "missing.yaml"],
        ["validate", "."],
        ["validate", "good.yaml", "--format", "xml"],
        ["generate", "good.yaml"],
        ["generate", "good.yaml", "--target", "jax"],
        ["generate", "good.yaml", "--target", "keras", "--style", "odd"],
        ["init", "--template", "nothing"],
        ["explain", "SF999"],
        ["explain", "x"],
        ["summary", "missing.yaml"],
        ["fmt", "missing.yaml"],
        ["train", "missing.yaml", "--target", "keras"],
    ],
)
def test_wrong_usage_is_exit_code_2(arguments: list[str]) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert "Error: " in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize(
    "arguments",
    [
        ["validate", "wrong.yaml"],
        ["summary", "wrong.yaml"],
        ["generate", "wrong.yaml", "--target", "keras"],
        ["generate", "wrong.yaml", "--target", "torch", "--part", "train"],
        ["train", "wrong.yaml", "--target", "keras"],
        ["export", "wrong.yaml"],
    ],
)
def test_a_wrong_spec_is_exit_code_1(arguments: list[str]) -> None:
    result = run(*arguments)
    assert result.exit_code == 1
    assert "wrong.yaml:4:12: error[SF120]: " in result.output
    assert "wrong.yaml:5:26: error[SF123]: " in result.output


def test_a_file_that_cannot_be_read() -> None:
    Path("secret.yaml").write_text(GOOD)
    Path("secret.yaml").chmod(0)
    if os.access("secret.yaml", os.R_OK):
        pytest.skip("this user may read everything")
    result = run("validate", "secret.yaml")
    assert result.exit_code in (1, 2)
    assert "secret.yaml" in result.stderr


def test_a_file_that_cannot_be_written(folder: Path) -> None:
    (folder / "dir").mkdir()
    for out in ("dir", "good.yaml/x.py"):
        result = run("generate", "good.yaml", "--target", "keras", "-o", out)
        assert result.exit_code == 1
        assert result.stderr.startswith("Error: ")
    assert sorted(p.name for p in folder.iterdir()) == [
        "dir",
        "good.yaml",
        "warned.yaml",
        "wrong.yaml",
    ]


def process(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "specfmt", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


def test_a_pipe_that_closes_early() -> None:
    command = f"{sys.executable} -m specfmt schema | head -c 10"
    result = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"], capture_output=True, text=True, check=False
    )
    assert "Traceback" not in result.stderr
    assert "BrokenPipe" not in result.stderr
    assert result.returncode in (0, 1)


def test_as_a_module() -> None:
    assert process("validate", "good.yaml").stdout == "ok\n"
    wrong = process("validate", "wrong.yaml")
    assert wrong.returncode == 1
    assert "wrong.yaml:4:12: error[SF120]" in wrong.stdout
    assert process("validate", "missing.yaml").returncode == 2
    assert process("validate", "-", input=GOOD).stdout == "ok\n"


# ------------------------------------------------------------------------------ validate


def test_validate() -> None:
    assert run("validate", "good.yaml").output == "ok\n"
    assert run("validate", "good.yaml", "good.yaml").output == "ok: 2 files\n"
    assert run("validate", "-", input=GOOD).output == "ok\n"
    result = run("validate", "good.yaml", "wrong.yaml", "-", input=WRONG)
    assert result.exit_code == 1
    assert result.output.count("error[") == 4
    assert "<stdin>:4:12: error[SF120]" in result.output
    assert result.output.endswith("4 errors\n")


def test_warnings_are_no_errors() -> None:
    result = run("validate", "warned.yaml")
    assert result.exit_code == 0
    assert "warned.yaml:8:15: warning[SF601]: " in result.output
    assert result.output.endswith("1 warning\n")


def test_validate_json() -> None:
    result = run("validate", "wrong.yaml", "--format", "json")
    assert result.exit_code == 1
    found = json.loads(result.stdout)
    assert [(item["code"], item["line"], item["column"], item["pointer"]) for item in found] == [
        ("SF120", 4, 12, "/layers/0/type"),
        ("SF123", 5, 26, "/layers/1/units"),
    ]
    assert set(found[0]) == {
        "code", "severity", "message", "hint", "pointer", "file", "line", "column", "end_line", "end_column",
    }  # fmt: skip
    assert data("validate", "good.yaml", "--format", "json") == []


def test_validate_github() -> None:
    Path("a,b:c%.yaml").write_text(WRONG)
    lines = run("validate", "a,b:c%.yaml", "--format", "github").stdout.splitlines()
    assert lines[0] == (
        "::error file=a%2Cb%3Ac%25.yaml,line=4,col=12,endLine=4,endColumn=17,title=SF120::"
        'expected the type of a layer, received "Desne"%0Ahelp: did you mean Dense?'
    )
    assert run("validate", "good.yaml", "--format", "github").stdout == ""


def test_validate_sarif() -> None:
    found = json.loads(run("validate", "wrong.yaml", "--format", "sarif").stdout)
    assert found["version"] == "2.1.0"
    assert found["$schema"].endswith("sarif-2.1.0.json")
    (part,) = found["runs"]
    driver = part["tool"]["driver"]
    assert (driver["name"], driver["version"]) == ("specfmt", __version__)
    assert [rule["id"] for rule in driver["rules"]] == ["SF120", "SF123"]
    result = part["results"][0]
    assert result["ruleId"] == "SF120"
    assert result["level"] == "error"
    assert result["message"]["text"]
    place = result["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "wrong.yaml"
    assert place["region"] == {"startLine": 4, "startColumn": 12, "endLine": 4, "endColumn": 17}
    assert data("validate", "good.yaml", "--format", "sarif")["runs"][0]["results"] == []


# ----------------------------------------------------------------------------------- fmt


def test_fmt() -> None:
    untidy = "layers: [{units: 3, type: Dense}]\ninputs: {x: {shape: [4]}}\nspecfmt: 1\n"
    tidy = format_spec(untidy)
    Path("untidy.yaml").write_text(untidy)
    result = run("fmt", "untidy.yaml", "good.yaml", "--check")
    assert (result.exit_code, result.stderr) == (1, "would reformat untidy.yaml\n")
    assert Path("untidy.yaml").read_text() == untidy
    result = run("fmt", "untidy.yaml", "good.yaml")
    assert (result.exit_code, result.stderr) == (0, "reformatted untidy.yaml\n")
    assert Path("untidy.yaml").read_text() == tidy
    assert run("fmt", "untidy.yaml", "--check").exit_code == 0
    assert run("fmt", "-", input=untidy).stdout == tidy
    assert run("fmt", "-", "--check", input=untidy).exit_code == 1


def test_fmt_fixes_old_spellings() -> None:
    Path("old.yaml").write_text(
        GOOD.replace("units", "output_dim").replace("type: ", "type: keras.layers.")
    )
    assert run("fmt", "old.yaml").exit_code == 0
    assert run("validate", "old.yaml").exit_code == 1
    assert run("fmt", "old.yaml", "--fix").exit_code == 0
    assert Path("old.yaml").read_text() == GOOD


def test_fmt_does_what_it_can_and_reports_the_rest() -> None:
    Path("broken.yaml").write_text("a: [")
    Path("untidy.yaml").write_text("specfmt:   1\nlayers: []\n")
    result = run("fmt", "broken.yaml", "untidy.yaml")
    assert result.exit_code == 1
    assert "broken.yaml:1:4: error[SF102]" in result.stderr
    assert Path("broken.yaml").read_text() == "a: ["
    assert Path("untidy.yaml").read_text() == "specfmt: 1\nlayers: []\n"


# ------------------------------------------------------------------------------- summary


def test_summary() -> None:
    text = run("summary", "good.yaml").output
    assert "hidden" in text
    assert "(N, 8)" in text
    assert "67 (67 trainable, 0 not)" in text
    assert "56 multiply-accumulates" in text
    assert "44 B per sample" in text


def test_summary_json() -> None:
    assert data("summary", "good.yaml", "--json") == {
        "name": "small",
        "inputs": [{"name": "x", "shape": [None, 4], "dtype": "float32"}],
        "outputs": [{"name": "answer", "shape": [None, 3], "dtype": "float32"}],
        "layers": [
            {
                "name": "hidden", "type": "Dense", "inputs": ["x"], "output_shape": [None, 8],
                "dtype": "float32", "params": 40, "trainable": 40,
            },
            {
                "name": "answer", "type": "Dense", "inputs": ["hidden"], "output_shape": [None, 3],
                "dtype": "float32", "params": 27, "trainable": 27,
            },
        ],
        "params": {"total": 67, "trainable": 67, "non_trainable": 0},
        "macs": 56,
    }  # fmt: skip


# ------------------------------------------------------------------------------ generate


@pytest.mark.parametrize("target", ["keras", "torch"])
@pytest.mark.parametrize("style", ["auto", "sequential", "functional", "subclass"])
def test_generate(target: str, style: str) -> None:
    result = run("generate", "good.yaml", "--target", target, "--style", style)
    assert result.exit_code == 0
    compile(result.stdout, "model.py", "exec")
    assert "def build_model(" in result.stdout
    assert "good.yaml" in result.stdout


def test_generate_to_a_file() -> None:
    result = run("generate", "good.yaml", "--target", "keras", "-o", "new/model.py")
    assert (result.exit_code, result.stdout) == (0, "")
    text = Path("new/model.py").read_text()
    assert text == run("generate", "good.yaml", "--target", "keras").stdout
    assert "from tensorflow import keras" in text
    assert (
        "import keras\n" in run("generate", "good.yaml", "-t", "keras", "--flavor", "keras").stdout
    )
    assert list(Path("new").iterdir()) == [Path("new/model.py")]


def test_generate_replaces_a_file_whole_or_not_at_all() -> None:
    Path("model.py").write_text("precious")
    assert run("generate", "wrong.yaml", "-t", "keras", "-o", "model.py").exit_code == 1
    assert Path("model.py").read_text() == "precious"
    assert run("generate", "good.yaml", "-t", "keras", "-o", "model.py").exit_code == 0
    assert "build_model" in Path("model.py").read_text()


def test_what_a_target_cannot_express_has_a_place() -> None:
    policy = "{class_name: QuantizedDTypePolicy, config: {mode: int8, source_name: float32}}"
    Path("int8.yaml").write_text(f"{GOOD}  - {{type: Dense, units: 3, dtype: {policy}}}\n")
    result = run("generate", "int8.yaml", "--target", "torch")
    assert result.exit_code == 1
    assert result.stderr.startswith("int8.yaml:8:")
    assert "error[SF301]: " in result.stderr


# ------------------------------------------------------- init, layers, explain, schema


@pytest.mark.parametrize("name", NAMES)
def test_starters(name: str) -> None:
    text = run("init", "--template", name).stdout
    assert text == starter(name)
    assert [str(finding) for finding in check(text)] == []
    assert format_spec(text) == text
    assert "#" in text.split("layers:")[1], "a starter explains itself"
    for target in ("keras", "torch"):
        for part in ("model", "train"):
            result = run("generate", "-", "-t", target, "--part", part, input=text)
            assert result.exit_code == 0, result.stderr
            compile(result.stdout, "x.py", "exec")


def test_init() -> None:
    assert run("init").stdout == starter("mlp")
    listing = run("init", "--list").stdout.splitlines()
    assert [line.split()[0] for line in listing] == list(starters())
    assert run("init", "-o", "new.yaml").exit_code == 0
    assert run("init", "-o", "new.yaml").exit_code == 2, "an existing file is kept"
    assert run("validate", "new.yaml").exit_code == 0


def test_layers() -> None:
    rows = data("layers", "--json")
    assert rows == [asdict(row) for row in specfmt.catalogue()]
    assert [row["type"] for row in rows] == [*INDEX, "InputLayer", *KEPT]
    for row in rows:
        assert set(row) == {"type", "family", "keras", "torch", "reason"}
        assert row["keras"] is True
        assert bool(row["reason"]) is not row["torch"]
    assert {row["type"] for row in rows if not row["torch"]} == {"Custom", *KEPT}
    text = run("layers").stdout
    assert len(text.splitlines()) == len(rows) + 2, "one line per row where no terminal shows it"
    for row in rows:
        assert re.search(rf"^{row['type']} +\w", text, re.MULTILINE), "no name is broken"
    assert re.search(r"^MaxPooling2D .*also MaxPool2D$", text, re.MULTILINE)
    assert re.search(r"^InputLayer .*`inputs:`", text, re.MULTILINE)
    assert re.search(r"^Dense +core +keras torch$", text, re.MULTILINE)
    assert re.search(r"^Custom +custom +keras +PyTorch: a class", text, re.MULTILINE)


def test_explain() -> None:
    for code in ("SF203", "sf203", "203"):
        result = run("explain", code)
        assert result.stdout.startswith("SF203: Duplicate name\n")
        assert result.stdout.strip() == str(page("SF203")).strip()


def test_explain_every_row() -> None:
    """Layers that are kept whole, inputs and aliases have a page too."""
    assert "`define:`" in run("explain", "Lambda").stdout
    assert "`torch:`" in run("explain", "TorchModuleWrapper").stdout
    assert "`inputs:`" in run("explain", "InputLayer").stdout
    assert run("explain", "MaxPool2D").stdout == run("explain", "MaxPooling2D").stdout


def test_schema() -> None:
    shown = data("schema")
    assert shown["title"] == "specfmt model spec, version 1"
    assert run("schema", "--check").exit_code == 0
    assert run("schema", "-o", "s.json").exit_code == 0
    assert json.loads(Path("s.json").read_text()) == shown


# ---------------------------------------------------------------------------------- docs


def test_the_committed_pages_are_fresh() -> None:
    assert docs_main(["--check"]) == 0
    for name, text in documents().items():
        assert (ROOT / "docs" / name).read_text(encoding="utf-8") == text


def test_the_pages_name_every_layer_and_code() -> None:
    found = documents()
    assert all(f"### {name}\n" in found["layers.md"] for name in INDEX)
    assert all(f"### {code}: " in found["codes.md"] for code in codes())
    assert "| `units` | a positive integer | required |" in found["layers.md"]
    assert "### Adam" in found["vocabulary.md"] or "### adam" in found["vocabulary.md"]


def blocks() -> list[str]:
    text = (ROOT / "docs/spec-language.md").read_text(encoding="utf-8")
    return re.findall(r"^```yaml\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("text", blocks())
def test_examples_of_the_language_page(text: str) -> None:
    if text.startswith("- "):
        entries, problems = parse_entries(read(text).data)
        assert entries
        assert problems == []
        return
    if text.startswith("train:"):
        text = (
            "specfmt: 1\ninputs: {x: {shape: [2]}}\nlayers:\n"
            "  - {type: Dense, name: digit, units: 3, activation: softmax}\n"
            "  - {type: Dense, name: slant, units: 1, inputs: x}\n"
            f"outputs: {'[digit, slant]' if 'slant' in text else 'digit'}\n{text}"
        )
    assert [str(f) for f in check(text) if f.code not in ("SF604", "SF606")] == []


def test_every_command_is_documented_in_its_help() -> None:
    for name, command in main.commands.items():
        for parameter in command.params:
            if isinstance(parameter, click.Option) and not isinstance(parameter.type, click.Choice):
                assert parameter.help or name == "init", (name, parameter.name)


# ------------------------------------------------------------------------------ training


@pytest.mark.slow
@pytest.mark.parametrize("target", ["keras", "torch"])
@pytest.mark.parametrize("name", NAMES)
def test_starters_train(name: str, target: str) -> None:
    Path("spec.yaml").write_text(starter(name))
    result = process(
        "train", "spec.yaml", "--target", target, "--", "--epochs", "1", "--out", "out", timeout=600
    )
    assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-2000:]
    assert "Traceback" not in result.stderr
    assert list(Path("out").iterdir())


# ------------------------------------------------------------------------------- help


def test_help_cuts_nothing_off_and_says_what_each_option_does() -> None:
    assert "..." not in run("--help").output.partition("Commands:")[2]
    for command in main.commands.values():
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert parameter.help, (command.name, parameter.name)


@pytest.mark.parametrize(
    ("name", "part"),
    [("Dense", "`units`"), ("LSTM", "`return_sequences`"), ("mean", "`axis`"), ("SF203", "SF203")],
)
def test_explain_shows_codes_layers_and_operations(name: str, part: str) -> None:
    text = run("explain", name).output
    assert part in text
    assert "](" not in text


def test_explain_suggests() -> None:
    assert "did you mean Dense?" in run("explain", "Desne").stderr


def test_the_shell_completes_template_names() -> None:
    (option,) = (p for p in main.commands["init"].params if p.name == "template")
    with click.Context(main.commands["init"]) as ctx:
        found = [item.value for item in option.shell_complete(ctx, "tr")]
    assert found == ["transformer"]


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("generate", {"style", "flavor", "axes", "fidelity"}),
        ("train", {"style", "flavor", "axes", "fidelity"}),
        ("convert", {"style", "axes", "fidelity"}),
        ("verify", {"axes", "fidelity"}),
        ("weights", {"axes", "fidelity"}),
    ],
)
def test_commands_that_write_code_take_the_options_of_generate(
    command: str, options: set[str]
) -> None:
    assert options <= {parameter.name for parameter in main.commands[command].params}
