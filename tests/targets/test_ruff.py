"""Generated code goes through ruff: one door, the same result wherever one stands."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from ruff import find_ruff_bin

import specfmt
from specfmt import SpecError
from specfmt.targets import ruff
from specfmt.targets.ruff import format_python, run_ruff, set_formatter, with_short_lines
from tests.tools.examples_tools import FOLDER

SOURCE = """\
import torch, math
from torch import nn
import torch.nn.functional as F
from numpy.typing import ArrayLike
from collections import OrderedDict
# The user's own.
from mine.layers import Scale
def f(x):
  return F.relu( x )+torch.ones( 2 )
class A(nn.Module): scale=Scale( 'a' )
"""

FORMATTED = """\
import torch
import torch.nn.functional as F

# The user's own.
from mine.layers import Scale
from torch import nn


def f(x):
    return F.relu(x) + torch.ones(2)


class A(nn.Module):
    scale = Scale("a")
"""


def test_imports_are_sorted_and_those_without_use_removed() -> None:
    assert format_python(SOURCE) == FORMATTED
    assert format_python(FORMATTED) == FORMATTED


@pytest.mark.parametrize(
    "code",
    [
        'print(f"{np.ones(2)} {x:>{width}}")',
        "print(rf'\\d{np.e}')",
        'print(f"""{np.e}\n""")',
        "print('np', \"it\\\"s np\", 'np')",
        'print("""np "np" \\\\" \n""" """np""")',
        "print(1)  # np",
        "print(x.np, keras.np)",
        "def f(x: int = 1) -> nn.Module: return g(np=x, torch = x)",
        "x = {'a': np}; y = x['a'] if np else not_np",
        "@np.vectorize\nclass A(B): from_ = np",
        "print(b'np', r'np', u'np')",
        "print(größe, np_, Path)",
        "print(torch==np)",
    ],
)
@pytest.mark.parametrize("docstring", ['"""Made of np and Path."""\n', 'r"""\\ "np"\n\n"""\n', ""])
def test_the_names_of_the_code_are_found_without_ruff(code: str, docstring: str) -> None:
    """ruff checks imports beside the names alone: the result is as with the whole file."""
    imports = (
        "# A comment.\nimport numpy as np\nimport keras, torch\nfrom torch import nn\n\n\n"
        "from pathlib import (\n  Path,  # of files\n  PurePath as größe)\nimport torch.nn.functional\n"
    )
    source = f"{docstring}\n{imports}\n\n{code}\n"
    assert format_python(source) == by_ruff_alone(source)


def by_ruff_alone(source: str) -> str:
    """What the two commands make of a whole file."""
    for command in (ruff.CHECK, ruff.FORMAT):
        done = subprocess.run(
            [find_ruff_bin(), *command], input=source, capture_output=True, encoding="utf-8"
        )
        source = done.stdout
    return source


def test_the_check_of_imports_does_not_read_the_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its memory would grow with the square of a function's assignments."""
    sizes: list[int] = []
    run = ruff._run

    def measured(options: tuple[str, ...], source: str) -> str:
        sizes.append(len(source))
        return run(options, source)

    monkeypatch.setattr(ruff, "_run", measured)
    body = "    x = torch.relu(x)\n" * 5_000
    code = format_python(f"import torch, math\ndef f(x):\n{body}    return x\n")
    assert code.startswith("import torch\n\n\ndef f(x):\n    x = torch")
    assert sizes[0] < 100 < len(body) < sizes[1]


def test_the_folder_that_one_stands_in_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither its settings nor modules in it that are called like a package."""
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").touch()
    (tmp_path / "mine.py").touch()
    (tmp_path / "src" / "numpy").mkdir(parents=True)
    (tmp_path / "ruff.toml").write_text("line-length = 40\n[format]\nquote-style = 'single'\n")
    monkeypatch.chdir(tmp_path)
    assert format_python(SOURCE) == FORMATTED


def test_modules_beside_the_file_come_last() -> None:
    source = "from zoo import a\nfrom model import b\nimport torch\nprint(a, b, torch)\n"
    assert format_python(source, ("model",)) == (
        "import torch\nfrom zoo import a\n\nfrom model import b\n\nprint(a, b, torch)\n"
    )


def test_a_long_comment_moves_above() -> None:
    comment = "# a comment that is long enough to make the line too long"
    source = f"if a:\n    x = function(first_argument, second_argument)  {comment}\n"
    moved = f"if a:\n    {comment}\n    x = function(first_argument, second_argument)\n"
    assert format_python(source) == moved


def test_a_comment_stays_beside_a_statement_that_is_split() -> None:
    name, arguments = "function_with_a_name", "first_argument_of_it, second_argument_of_it, third"
    assert format_python(f"x = {name}({arguments}, one_more_argument)  # why\n") == (
        f"x = {name}(\n    {arguments}, one_more_argument\n)  # why\n"
    )
    written = f"x = {name}(\n    {'a' * 40},  # {'b' * 40}\n    2,\n)\n"
    assert format_python(written) == written


@pytest.mark.parametrize(
    "source",
    [
        f"x = function(first, second)  # type: ignore[{'attr-defined, ' * 4}arg-type]\n",
        f'TEXT = """\n{"a" * 50}  # {"b" * 50}\n"""\n',
        f'x = "{"a" * 50}  # {"b" * 50}"\n',
    ],
)
def test_other_long_lines_stay(source: str) -> None:
    assert with_short_lines(source) == source
    assert format_python(source) == source


def test_wide_characters_take_two_columns() -> None:
    line = f'x = "{"漢" * 30}"  # {"字" * 10}'
    assert len(line) < ruff.WIDTH
    assert with_short_lines(f"{line}\n").splitlines()[0] == f"# {'字' * 10}"


def test_text_that_is_no_python() -> None:
    with pytest.raises(SyntaxError, match="ruff cannot parse"):
        format_python("x = (\n")


def test_a_host_can_put_its_own_formatter_in_place() -> None:
    seen: list[str] = []

    def own(source: str, neighbours: tuple[str, ...]) -> str:
        seen.append(source)
        return "# formatted elsewhere\n"

    set_formatter(own)
    try:
        assert specfmt.generate(specfmt.load(FOLDER / "xor.yaml")) == "# formatted elsewhere\n"
    finally:
        set_formatter(run_ruff)
    assert "def build_model" in seen[0]


@pytest.mark.parametrize("fault", ["not installed", "no binary"])
def test_without_ruff_nothing_is_generated(monkeypatch: pytest.MonkeyPatch, fault: str) -> None:
    if fault == "not installed":
        monkeypatch.setitem(sys.modules, "ruff", None)
    else:
        monkeypatch.setattr("ruff.find_ruff_bin", lambda: "/no/such/ruff")
    with pytest.raises(SpecError) as caught:
        specfmt.generate(specfmt.load(FOLDER / "xor.yaml"))
    (problem,) = caught.value.diagnostics
    assert problem.code == "SF312"
    assert problem.hint == "pip install --force-reinstall ruff"


def test_two_processes_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """One removes imports, one formats, however large the file is."""
    started: list[list[str]] = []
    run = subprocess.run

    def counted(command: list[str], **options: object) -> object:
        started.append(command)
        return run(command, **options)  # type: ignore[call-overload]

    monkeypatch.setattr("specfmt.targets.ruff.subprocess.run", counted)
    ruff._checked.cache_clear()
    specfmt.generate(specfmt.load(FOLDER / "iris_mlp.yaml"), "torch", part="train")
    assert [command[1] for command in started] == ["check", "format"]
    specfmt.generate(specfmt.load(FOLDER / "iris_mlp.yaml"), "torch", part="train")
    assert [command[1] for command in started] == ["check", "format", "format"]
