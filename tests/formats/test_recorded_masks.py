"""Masks that Keras 3 recorded: left out where Keras works out the same under the same names."""

from __future__ import annotations

import json
import re

import pytest

import specfmt

TWO_EMBEDDINGS = """\
specfmt: 1
inputs: {a: {shape: [7], dtype: int32}, b: {shape: [7], dtype: int32}}
layers:
  - {type: Embedding, name: p, input_dim: 9, output_dim: 4, mask_zero: true, inputs: a}
  - {type: LSTM, name: x, units: 3}
  - {type: Embedding, name: q, input_dim: 9, output_dim: 4, mask_zero: true, inputs: b}
  - {type: LSTM, name: y, units: 3}
  - {type: Add, name: sum, inputs: [x, y]}
"""


def renamed(text: str, names: dict[str, str]) -> str:
    """Keras JSON with other names."""
    pattern = "|".join(f'"{name}"' for name in names)
    return re.sub(pattern, lambda found: f'"{names[found[0][1:-1]]}"', text)


def check(source: str, *, masks: bool) -> str:
    """Read JSON, whose spec names masks or not, and write it again as it was; the spec's text."""
    spec = specfmt.from_keras_json(source)
    text = specfmt.dump(spec)
    assert ("mask:" in text) == masks, text
    assert json.loads(specfmt.to_keras_json(spec)) == json.loads(source)
    return text


def test_numbers_say_in_which_order_a_model_was_built() -> None:
    source = specfmt.to_keras_json(specfmt.loads(TWO_EMBEDDINGS))
    assert check(source, masks=False).index("name: p") < check(source, masks=False).index("name: q")
    other = renamed(source, {"not_equal": "not_equal_1", "not_equal_1": "not_equal"})
    text = check(other, masks=False)
    assert text.index("name: q") < text.index("name: p")


def test_masks_stay_whose_names_no_order_gives() -> None:
    """A model that was not the first of its session."""
    source = specfmt.to_keras_json(specfmt.loads(TWO_EMBEDDINGS))
    check(renamed(source, {"not_equal": "not_equal_1", "not_equal_1": "not_equal_2"}), masks=True)


def test_a_mask_that_keras_would_not_make_stays_alone() -> None:
    spec = specfmt.loads(
        "specfmt: 1\ninputs: {a: {shape: [7], dtype: int32}}\nlayers:\n"
        "  - {type: Embedding, name: x, input_dim: 9, output_dim: 4, mask_zero: true}\n"
        "  - {op: not_equal, name: not_equal_1, inputs: [a, 3]}\n"
        "  - {type: LSTM, name: y, units: 2, inputs: x}\n"
        "  - type: TimeDistributed\n    layer: {type: Dense, units: 2}\n    name: z\n"
        "    inputs: {inputs: x, mask: not_equal_1}\n"
        "outputs: [y, z]\n"
    )
    text = check(specfmt.to_keras_json(spec), masks=True)
    assert text.count("mask:") == 1
    assert "mask: not_equal_1" in text


def test_masks_of_alike_layers_are_told_apart() -> None:
    """Two `Masking` of one tensor, and a shared sum of masks."""
    spec = specfmt.loads(
        "specfmt: 1\nstyle: functional\ninputs: {a: {shape: [7, 4]}}\nlayers:\n"
        "  - {type: GRU, name: g, units: 4, return_sequences: true}\n"
        "  - {type: Masking, name: m, inputs: g}\n"
        "  - {type: Masking, name: n, inputs: a}\n"
        "  - {type: GRU, name: s, units: 4, return_sequences: true}\n"
        "  - {type: Add, name: t, inputs: [m, n]}\n"
        "  - {type: LSTM, name: u, units: 3, inputs: s}\n"
        "  - {type: LSTM, name: v, units: 3, inputs: t}\n"
        "  - {type: LSTM, name: w, units: 3, inputs: m}\n"
        "outputs: [u, v, w]\n"
    )
    check(specfmt.to_keras_json(spec), masks=False)


NAMED_BY_A_PERSON = """
specfmt: 1
inputs: {x: {shape: [5], dtype: int32}}
layers:
  - {type: Embedding, input_dim: 9, output_dim: 4, mask_zero: true, inputs: x}
  - {type: LSTM, units: 3, return_sequences: true, name: a}
  - {type: Embedding, input_dim: 9, output_dim: 3, mask_zero: true, inputs: x, name: e2}
  - {type: Add, inputs: [a, e2], name: s}
  - {type: LSTM, units: 2, name: b}
"""


@pytest.mark.parametrize("old", ["not_equal", "not_equal_1", "logical_or"])
@pytest.mark.parametrize(
    "new",
    [
        "weird",
        "not_equal_x",
        "not_equal_²",
        "not_equal__1",
        "not_equal_-3",
        "not_equal_" + "9" * 99,
    ],
)
def test_a_mask_operation_with_a_name_of_its_own_stays(old: str, new: str) -> None:
    text = specfmt.to_keras_json(specfmt.loads(NAMED_BY_A_PERSON))
    assert f'"{old}"' in text
    renamed = text.replace(f'"{old}"', f'"{new}"')
    spec = specfmt.from_keras_json(renamed)
    assert json.loads(specfmt.to_keras_json(spec)) == json.loads(renamed)
