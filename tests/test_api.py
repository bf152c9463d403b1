"""The public API: real signatures, one home, everything that the command line can do."""

from __future__ import annotations

import ast
import inspect
import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

import specfmt
from specfmt import api
from specfmt.cli import main
from specfmt.console.summary import FIRST, LAST, READ, findings_html
from specfmt.spec.document import parse_document
from specfmt.text.reading import read

TEXT = """\
specfmt: 1
name: small
inputs:
  x: {shape: [4]}
layers:
  - {type: Dense, name: hidden, units: 8, activation: relu}
  - {type: Dense, name: answer, units: 3, activation: softmax}
"""
WARNED = TEXT + "train: {loss: {type: CategoricalCrossentropy, from_logits: true}}\n"
SPEC = specfmt.loads(TEXT)
FUNCTIONS = {
    n: getattr(specfmt, n) for n in specfmt.__all__ if inspect.isfunction(getattr(specfmt, n))
}


# ------------------------------------------------------------------------- the package


def test_importing_the_package_imports_nothing_else() -> None:
    code = (
        "import sys\nbefore = set(sys.modules)\nimport specfmt\n"
        "print(*sorted(set(sys.modules) - before - {'importlib'}))\n"
        "specfmt.SpecError\nassert 'specfmt.api' not in sys.modules\n"
        "specfmt.loads\nassert 'specfmt.targets' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    modules = set(done.stdout.split())
    assert {name for name in modules if name.startswith("specfmt")} <= {
        "specfmt",
        "specfmt.version",
    }
    assert not modules & {"dataclasses", "pydantic", "click", "jinja2", "numpy"}


def test_what_checkers_see_is_what_there_is() -> None:
    tree = ast.parse(Path(specfmt.__file__).read_text(encoding="utf-8"))
    seen = {
        alias.name: node.module
        for block in tree.body
        if isinstance(block, ast.If)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert sorted(seen) == sorted(specfmt.__all__)
    for name, module in seen.items():
        assert getattr(specfmt, name) is getattr(sys.modules[str(module)], name), name
    assert set(specfmt.__all__) <= set(dir(specfmt))
    with pytest.raises(AttributeError, match="no attribute 'generat'"):
        specfmt.generat  # type: ignore[attr-defined]  # noqa: B018


def test_no_function_has_the_name_of_a_module() -> None:
    """`import specfmt.lint` would put the module in its place."""
    assert [name for name in specfmt.__all__ if find_spec(f"specfmt.{name}")] == []


@pytest.mark.parametrize("name", FUNCTIONS)
def test_signatures_are_whole_and_documented(name: str) -> None:
    function = FUNCTIONS[name]
    assert function.__module__ == "specfmt.api"
    signature = inspect.signature(function)
    assert signature.return_annotation is not inspect.Signature.empty
    kinds = {parameter.kind for parameter in signature.parameters.values()}
    assert not kinds & {inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL}
    doc = inspect.getdoc(function) or ""
    assert doc
    if len(signature.parameters) > 2:
        assert "\nArgs:\n" in doc
        for parameter in signature.parameters:
            assert parameter in doc.partition("\nArgs:\n")[2], parameter


def test_every_function_of_the_module_is_public() -> None:
    defined = {
        name
        for name, value in vars(api).items()
        if inspect.isfunction(value) and value.__module__ == api.__name__ and name[0] != "_"
    }
    assert defined == set(FUNCTIONS)


def test_the_page_about_python_runs_and_names_every_function(
    capsys: pytest.CaptureFixture[str],
) -> None:
    page = (Path(specfmt.__file__).parents[1] / "docs" / "python.md").read_text(encoding="utf-8")
    for name in FUNCTIONS:
        assert re.search(rf"`(with )?{name}\(", page), name
    exec(page.partition("```python\n")[2].partition("```")[0], {})
    shown = capsys.readouterr().out
    assert "SF120" in shown
    assert page.partition("print(error)  # ")[2].partition("\n")[0] == shown.splitlines()[-1]


USER = """
from pathlib import Path
import specfmt
from specfmt import Diagnostic, Graph, ModelSpec, Style

def build(path: Path, style: Style = "auto") -> str:
    spec: ModelSpec = specfmt.load(path)
    graph: Graph = specfmt.analyze(spec)
    total: int = specfmt.summarize(graph).params
    findings: list[Diagnostic] = specfmt.check(path.read_text(), targets=["torch"])
    spec, warnings = specfmt.import_spec("model.h5", input_shape=(28, 28, None))
    done = specfmt.convert("model.h5", "out", fidelity="exact")
    ok: bool = specfmt.compare(done).ok
    print(total, findings, warnings, ok, specfmt.explain("Dense"))
    return specfmt.generate(spec, "torch", style=style, axes="keras")

specfmt.generate(specfmt.loads(""), style="seq")
specfmt.generate(specfmt.loads(""), axis="torch")
specfmt.to_keras_json(specfmt.loads(""), "keras4")
specfmt.verify(specfmt.loads(""), targets=["jax"])
"""


@pytest.mark.slow
def test_a_user_s_file_is_checked_by_mypy(tmp_path: Path) -> None:
    (tmp_path / "user.py").write_text(USER)
    root = Path(specfmt.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", str(tmp_path / "user.py")],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    found = [line for line in done.stdout.splitlines() if ": error: " in line]
    first = USER.splitlines().index('specfmt.generate(specfmt.loads(""), style="seq")') + 1
    assert [int(line.split(":")[1]) for line in found] == list(range(first, first + 4)), done.stdout


# --------------------------------------------------------------------- the command line

COMMANDS: dict[str, tuple[tuple[str, ...], dict[str, str], set[str]]] = {
    "validate": (("check",), {"files": "text"}, {"form"}),
    "fmt": (("format_spec",), {"files": "text"}, {"check"}),
    "refactor": (("refactor_text",), {"files": "text"}, {"check"}),
    "expand": (("expand",), {"file": "spec"}, {"out"}),
    "summary": (("summarize",), {"file": "spec"}, {"as_json", "expand"}),
    "generate": (("generate", "with_customs"), {"file": "spec"}, {"out"}),
    "train": (
        ("train", "with_customs"),
        {"file": "spec", "build": "folder", "script_options": "arguments"},
        set(),
    ),
    "init": (("starter", "starters"), {"template": "name"}, {"listing", "out"}),
    "layers": (("catalogue",), {}, {"as_json"}),
    "explain": (("explain",), {}, set()),
    "schema": (("json_schema",), {}, {"check", "out"}),
    "weights": (("convert_weights",), {"file": "spec", "out": "dest"}, set()),
    "convert": (("convert", "compare"), {"out": "folder"}, {"no_verify"}),
    "verify": (("verify", "with_customs"), {"file": "spec"}, {"as_json"}),
    "import": (("import_spec",), {"source": "path"}, {"out"}),
    "export": (("to_keras_json",), {"file": "spec", "form": "format"}, {"out"}),
}
"""For each command the functions that do it, its parameters that are called differently there, and
those that only say what is printed, and where."""


def test_the_api_does_what_the_commands_do() -> None:
    assert COMMANDS.keys() == main.commands.keys()
    for command, (functions, renamed, printing) in COMMANDS.items():
        offered = {"allow": "the context manager `allowing`"} | {
            parameter: name
            for name in functions
            for parameter in inspect.signature(FUNCTIONS[name]).parameters
        }
        for parameter in main.commands[command].params:
            name = str(parameter.name)
            if name not in printing:
                assert renamed.get(name, name) in offered, (command, name)


def run(*arguments: str) -> str:
    result = CliRunner().invoke(main, list(arguments))
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture
def file(tmp_path: Path) -> str:
    (tmp_path / "warned.yaml").write_text(WARNED)
    return str(tmp_path / "warned.yaml")


def test_functions_give_what_the_commands_print(file: str, tmp_path: Path) -> None:
    spec = specfmt.load(file)
    found = specfmt.check(WARNED, file=file)
    assert json.loads(run("validate", file, "--format", "json")) == [d.to_dict() for d in found]
    assert json.loads(run("summary", file, "--json")) == specfmt.summarize(spec).to_data()
    assert run("generate", file, "-t", "torch", "--style", "subclass") == specfmt.generate(
        spec, "torch", style="subclass", source="warned.yaml"
    )
    assert run("export", file, "--format", "keras2") == specfmt.to_keras_json(spec, "keras2") + "\n"
    assert [row["type"] for row in json.loads(run("layers", "--json"))] == [
        row.type for row in specfmt.catalogue()
    ]
    assert run("explain", "Dense") == specfmt.explain("Dense") + "\n"
    assert json.loads(run("schema")) == specfmt.json_schema()
    assert run("init", "--template", "cnn") == specfmt.starter("cnn")
    source = tmp_path / "model.json"
    source.write_text(specfmt.to_keras_json(SPEC))
    imported = specfmt.import_spec(source)
    assert run("import", str(source)) == specfmt.dump(imported.spec)
    done = specfmt.convert(source, tmp_path / "api")
    run("convert", str(source), "-o", str(tmp_path / "cli"), "--no-verify")
    assert {path.name: path.read_text() for path in done.files()} == {
        path.name: path.read_text() for path in (tmp_path / "cli").iterdir()
    }


def test_lint_finds_what_check_finds_of_it() -> None:
    spec = specfmt.loads(WARNED, file="warned.yaml")
    found = specfmt.lint_spec(spec)
    assert [d.code for d in found] == ["SF601"]
    assert found == specfmt.check(WARNED, file="warned.yaml")
    assert specfmt.lint_spec(SPEC) == []


def test_a_summary_is_data() -> None:
    found = specfmt.summarize(SPEC)
    assert found == specfmt.summarize(specfmt.analyze(SPEC))
    assert (found.params, found.trainable, found.macs, found.activation_bytes) == (67, 67, 56, 44)
    assert found.inputs[0].shape == (None, 4)
    assert [layer.output_shapes for layer in found.layers] == [((None, 8),), ((None, 3),)]


def test_training_goes_through_the_api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[Any] = []
    monkeypatch.setattr(
        "specfmt.targets.running.run", lambda command, env: called.append(command) or 5
    )
    spec = specfmt.loads(specfmt.starter("mlp"))
    code = specfmt.train(spec, "torch", tmp_path, ["--epochs", "1"], fidelity="exact")
    assert code == 5
    (script,) = tmp_path.iterdir()
    assert script.name == f"{spec.name}_torch.py"
    assert called[0][-3:] == [str(script), "--epochs", "1"]
    assert script.read_text() == specfmt.generate(
        spec, "torch", part="train", fidelity="exact", script=script.name
    )


# ------------------------------------------------------------------------ in a notebook


class Page(HTMLParser):
    """The rows of a page's table, and whether its tags are closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.rows: list[list[str]] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.add(tag)
        if tag != "br":
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if {"td", "th"} & set(self.open):
            self.rows[-1][-1] += data


TAGS = {"table", "caption", "thead", "tbody", "tfoot", "tr", "th", "td", "em"}


def test_a_spec_and_a_graph_show_themselves() -> None:
    html = SPEC._repr_html_()
    assert html is not None
    assert html == specfmt.analyze(SPEC)._repr_html_()
    page = Page(html)
    assert page.tags == TAGS - {"em"}
    assert page.rows == [
        ["layer", "type", "output shape", "params", "reads"],
        ["x", "input", "(N, 4)", "", ""],
        ["hidden", "Dense", "(N, 8)", "40", "x"],
        ["answer", "Dense", "(N, 3)", "27", "hidden"],
        ["parameters", "67 (67 trainable, 0 not)"],
        ["arithmetic", "56 multiply-accumulates per sample"],
        ["activations", "44 B per sample"],
    ]
    for own in ("color", "background", "font", "class=", "<script", "<style"):
        assert own not in html, "the page decides how it looks, in the dark too"


def test_nothing_of_a_spec_is_html() -> None:
    name = "<b>&\\\"'<script>"
    text = f'specfmt: 1\nname: "{name}"\ninputs: {{"{name}": {{shape: [4]}}}}\nlayers:\n'
    text += f'  - {{type: Dense, units: 1, name: "{name}1"}}\n'
    html = specfmt.loads(text)._repr_html_()
    assert html is not None
    page = Page(html)
    assert page.tags == TAGS - {"em"}
    assert page.rows[1][0] == name.replace("\\", "")
    assert page.rows[2][0] == name.replace("\\", "") + "1"


def test_of_a_large_model_the_middle_is_left_out() -> None:
    head = "specfmt: 1\ninputs: {x: {shape: [4]}}\nlayers:\n"
    layers = FIRST + LAST + 1234
    text = head + "  - {type: Dense, units: 4}\n" * layers
    html = specfmt.loads(text)._repr_html_()
    assert html is not None
    page = Page(html)
    assert len(page.rows) == 1 + FIRST + 1 + LAST + 3
    assert page.rows[1 + FIRST] == ["1,235 rows are not shown"]
    assert page.rows[-4][0] == f"dense_{layers - 1}"
    whole = specfmt.loads(head + "  - {type: Dense, units: 4}\n" * (FIRST + LAST - 1))
    assert len(Page(str(whole._repr_html_())).rows) == 1 + FIRST + LAST + 3


def test_of_many_tensors_that_are_read_the_first_are_shown() -> None:
    names = [f"x{i}" for i in range(READ + 5)]
    inputs = ", ".join(f"{name}: {{shape: [2]}}" for name in names)
    text = f"specfmt: 1\ninputs: {{{inputs}}}\nlayers:\n"
    text += f"  - {{type: Add, inputs: [{', '.join(names)}]}}\n"
    page = Page(str(specfmt.loads(text)._repr_html_()))
    assert page.rows[-4][-1] == f"{', '.join(names[:READ])} and 5 more"


def test_a_spec_with_mistakes_shows_them() -> None:
    text = TEXT.replace("units: 3", 'units: 3, inputs: "<i>gone"')
    spec, _ = parse_document(read(text).data)
    assert spec is not None
    html = str(spec._repr_html_())
    page = Page(html)
    assert page.tags == {"p", "ul", "li", "strong", "code", "em", "br"}
    assert "error[SF201]" in html
    assert "/layers/1/inputs" in html
    assert "&lt;i&gt;gone" in html
    assert "<i>" not in html


def test_of_many_mistakes_the_first_are_shown() -> None:
    finding = specfmt.Diagnostic("SF201", "expected <b>", ("layers", 0))
    html = findings_html("net", [finding] * (FIRST + 7))
    Page(html)
    assert html.count("<li>") == FIRST + 1
    assert "<li><em>7 more</em></li>" in html


def test_commands_share_their_options() -> None:
    """An option of one name is one object, declared once, unless it means something else."""
    every: dict[str, list[click.Parameter]] = {}
    for command in main.commands.values():
        for parameter in command.params:
            every.setdefault(str(parameter.name), []).append(parameter)
    for name in ("style", "flavor", "axes", "fidelity", "customs", "allow", "reference", "as_json"):
        assert len({str(p.to_info_dict()) for p in every[name]}) == 1, name
