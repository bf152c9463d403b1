"""The wheel: built, installed into a fresh environment, run from another directory."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import specfmt

ROOT = Path(__file__).parents[1]
SPEC = ROOT / "examples" / "iris_mlp.yaml"


def run(*command: str | Path, cwd: Path) -> str:
    """A command's standard output."""
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr or done.stdout
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The console script of a fresh environment with the wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    build = (sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT)
    run(*build, cwd=folder)
    (wheel,) = folder.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert "specfmt/_data/schema/specfmt.schema.json" in names
    assert "specfmt/_data/templates/torch/model.py.j2" in names
    assert "specfmt/reference/code_pages/SF203.md" in names
    assert "specfmt/py.typed" in names
    assert not [name for name in names if name.startswith(("tests/", "benchmarks/"))]
    run(sys.executable, "-m", "venv", folder / "venv", cwd=folder)
    python = folder / "venv" / "bin" / "python"
    versions = ROOT / "scripts" / "constraints.txt"
    run(python, "-m", "pip", "install", "--quiet", "-c", versions, wheel, cwd=folder)
    return folder / "venv" / "bin" / "specfmt"


@pytest.mark.slow
def test_it_runs_from_another_directory(installed: Path, tmp_path: Path) -> None:
    assert run(installed, "validate", SPEC, cwd=tmp_path) == "ok\n"
    run(installed, "schema", "--check", cwd=tmp_path)
    assert "1,873" in run(installed, "summary", SPEC, cwd=tmp_path)
    run(installed, "init", "-o", "new.yaml", cwd=tmp_path)
    run(installed, "validate", "new.yaml", cwd=tmp_path)
    run(installed, "explain", "SF201", cwd=tmp_path)
    assert "The size of the output's last axis." in run(installed, "explain", "Dense", cwd=tmp_path)
    run(installed, "layers", cwd=tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("part", ["model", "train"])
@pytest.mark.parametrize("target", ["keras", "torch"])
def test_it_writes_what_the_checkout_writes(
    installed: Path, tmp_path: Path, target: str, part: str
) -> None:
    text = run(installed, "generate", SPEC, "--target", target, "--part", part, cwd=tmp_path)
    spec = specfmt.load(SPEC)
    assert text == specfmt.generate(spec, target, part=part, source=SPEC.name)
