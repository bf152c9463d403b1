"""Files from the field, each by what it must do: import, valid spec, code of both targets, warnings.

Whether the programs compute the same as the originals is tested where the layers are.
"""

from __future__ import annotations

from pathlib import Path

import pytest

import specfmt
from specfmt.diagnostics import SpecError

CASES = Path(__file__).resolve().parents[2] / "shared" / "cases"
TABLE = CASES / "README.tsv"

REFUSED = {"c06_subclassed": "SF402", "h09_tf26809_no_input": "SF207"}
"""Files without what a spec needs; the message says what to do."""

NOT_IN_TORCH = {"c25_int8_quantized": "SF301"}

WARNED = {
    "h11_keras20979_functional_subclass": {"SF437"},
    "h12_keras20979_nested_in_functional": {"SF437"},
    "h30_keras2916_k1_lstm": {"SF432"},
    "i01_custom_two_outputs_k3": {"SF431", "SF439"},
    "i04_td_lambda": {"SF430"},
    "o_einsum": {"SF433"},
    "real__jcsyshc_skull_inpainting__keras_model": {"SF430"},
    "i03_custom_two_outputs_k2": {"SF431"},
    "i05_td_custom": {"SF431"},
    "i07_bi_custom": {"SF431"},
    "j02_keras18308_custom_initializer": {"SF431"},
    "j05_sm181_unknown_loss": {"SF431"},
    "l_custom_schedule": {"SF431"},
    "l_metric_fn": {"SF431"},
}
"""Codes of the warnings; files named ``h20_after_custom_...`` have SF431, all others none."""

STUBS = ("h20_", "i01_", "i03_", "i04_", "i05_", "i07_", "real__jcsyshc_")
"""Files with code of the user's own, which the PyTorch program leaves to be written."""


def rows() -> list[str]:
    """The files of the table with a model, without what is hostile or only data."""
    if not TABLE.is_file():
        return []
    lines = TABLE.read_text(encoding="utf-8").splitlines()[1:]
    names = [line.partition("\t")[0] for line in lines]
    return [name for name in names if not name.endswith(".npz")]


@pytest.mark.skipif(not TABLE.is_file(), reason="no cases from the field here")
@pytest.mark.parametrize("name", rows())
def test_files_from_the_field(name: str) -> None:
    stem = Path(name).stem
    if stem in REFUSED:
        with pytest.raises(SpecError) as caught:
            specfmt.import_spec(CASES / name)
        (problem,) = caught.value.diagnostics
        assert problem.code == REFUSED[stem]
        assert problem.hint
        return
    spec, warnings = specfmt.import_spec(CASES / name)
    usual = {"SF431"} if stem.startswith("h20_") else set()
    assert {d.code for d in warnings} == WARNED.get(stem, usual)
    again = specfmt.dump(spec)
    assert [d for d in specfmt.check(again) if d.severity == "error"] == []
    for target in ("keras", "torch"):
        if target == "torch" and stem in NOT_IN_TORCH:
            with pytest.raises(SpecError, match=NOT_IN_TORCH[stem]):
                specfmt.generate(spec, target)
            continue
        code = specfmt.generate(specfmt.loads(again), target)
        compile(code, name, "exec")
        if target == "torch":
            assert ("raise NotImplementedError(" in code) == stem.startswith(STUBS)
