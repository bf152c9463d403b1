"""Wrong blocks: the right codes at the right places, each once, with the use where it matters."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest

from specfmt import SpecError, loads
from specfmt.api import check
from specfmt.fields.expressions import parse_expression, parse_text
from specfmt.graph.build import build
from specfmt.spec.document import parse_document
from tests.tools.timing import seconds

INPUTS = "specfmt: 1\ninputs: {x: {shape: [4]}}\n"

# What is wrong, and every error as code:line:column.
CASES: dict[str, tuple[str, str]] = {
    "a broken expression": (INPUTS + 'blocks:\n  b:\n    layers:\n      - {type: Dense, units: $(4 *)}\nlayers:\n  - {block: b}\n', "SF217:6:30"),
    "an unknown parameter in an expression": (INPUTS + 'blocks:\n  b:\n    parameters: {units: 3}\n    layers:\n      - {type: Dense, units: $unit}\nlayers:\n  - {block: b}\n', "SF217:7:30"),
    "an expression in a list": (INPUTS + 'blocks:\n  b:\n    parameters: {n: 2}\n    layers:\n      - {type: Reshape, target_shape: [2, $k]}\nlayers:\n  - {block: b, n: 3}\n', "SF218:5:18 SF217:7:43"),
    "a wrong expression beside an edge": (INPUTS + 'blocks:\n  b:\n    inputs: p\n    layers:\n      - {type: ReLU}\n      - {type: Dense, units: $n, inputs: p}\nlayers:\n  - {block: b}\n', "SF217:8:30"),
    "a call": (INPUTS + 'blocks:\n  b:\n    parameters: {n: 2}\n    layers:\n      - {type: Dense, units: $(abs(n))}\nlayers:\n  - {block: b}\n', "SF217:7:30"),
    "an attribute": (INPUTS + 'blocks:\n  b:\n    parameters: {n: 2}\n    layers:\n      - {type: Dense, units: $(n.real)}\nlayers:\n  - {block: b}\n', "SF217:7:30"),
    "a power": (INPUTS + 'blocks:\n  b:\n    parameters: {n: 2}\n    layers:\n      - {type: Dense, units: $(2 ** n)}\nlayers:\n  - {block: b}\n', "SF217:7:30"),
    "a huge number": (INPUTS + 'blocks:\n  b:\n    parameters: {n: 9000000000000}\n    layers:\n      - {type: Dense, units: $(n * n)}\nlayers:\n  - {block: b}\n', "SF217:7:30"),
    "a text times a number": (INPUTS + 'blocks:\n  b:\n    parameters: {n: ab}\n    layers:\n      - {type: Dense, units: $(n * 2)}\nlayers:\n  - {block: b}\n', "SF217:7:30"),
    "a division by zero": (INPUTS + 'blocks:\n  b:\n    parameters: {n: 0}\n    layers:\n      - {type: Dense, units: $(4 // n)}\nlayers:\n  - {block: b}\n', "SF217:7:30"),
    "an open bracket": (INPUTS + 'blocks:\n  b:\n    parameters: {n: 0}\n    layers:\n      - {type: Dense, units: "$(4 + (n)"}\nlayers:\n  - {block: b}\n', "SF217:7:30"),
    "a parameter without use": (INPUTS + 'blocks:\n  b:\n    parameters: {n: 0}\n    layers:\n      - {type: Dense, units: 3}\nlayers:\n  - {block: b}\n', "SF218:5:18"),
    "a use without a parameter": (INPUTS + 'blocks:\n  b:\n    parameters: {n: required}\n    layers:\n      - {type: Dense, units: $n}\nlayers:\n  - {block: b}\n', "SF216:9:5"),
    "a misspelt parameter": (INPUTS + 'blocks:\n  b:\n    parameters: {units: required}\n    layers:\n      - {type: Dense, units: $units}\nlayers:\n  - {block: b, unit: 3}\n', "SF216:9:16"),
    "an unknown parameter": (INPUTS + 'blocks:\n  b:\n    parameters: {units: 3}\n    layers:\n      - {type: Dense, units: $units}\nlayers:\n  - {block: b, colour: 3}\n', "SF216:9:16"),
    "an unknown block": (INPUTS + 'blocks:\n  b:\n    layers:\n      - {type: Dense, units: 3}\nlayers:\n  - {block: c}\n', "SF215:8:13"),
    "an unknown block in a block": (INPUTS + 'blocks:\n  b:\n    layers:\n      - {block: bb}\nlayers:\n  - {block: b}\n', "SF215:6:17"),
    "a block that uses itself": (INPUTS + 'blocks:\n  b:\n    layers:\n      - {block: b}\nlayers:\n  - {block: b}\n', "SF202:6:17"),
    "blocks that use each other": (INPUTS + 'blocks:\n  a: {layers: [{block: b}]}\n  b: {layers: [{block: a}]}\nlayers:\n  - {block: a}\n', "SF202:5:24"),
    "a million repeats": (INPUTS + 'blocks:\n  b:\n    layers:\n      - {type: Dense, units: 3}\nlayers:\n  - {block: b, repeat: 1000000}\n', "SF123:8:24"),
    "a bomb": (INPUTS + 'blocks:\n  a: {layers: [{type: ReLU}]}\n  b0: {layers: [{block: a, repeat: 10}]}\n  b1: {layers: [{block: b0, repeat: 10}]}\n  b2: {layers: [{block: b1, repeat: 10}]}\n  b3: {layers: [{block: b2, repeat: 10}]}\n  b4: {layers: [{block: b3, repeat: 10}]}\n  b5: {layers: [{block: b4, repeat: 10}]}\n  b6: {layers: [{block: b5, repeat: 10}]}\n  b7: {layers: [{block: b6, repeat: 10}]}\n  b8: {layers: [{block: b7, repeat: 10}]}\n  b9: {layers: [{block: b8, repeat: 10}]}\n  b10: {layers: [{block: b9, repeat: 10}]}\n  b11: {layers: [{block: b10, repeat: 10}]}\nlayers:\n  - {block: b11}\n', "SF219:18:13"),
    "no repeats": (INPUTS + 'blocks:\n  b:\n    layers:\n      - {type: Dense, units: 3}\nlayers:\n  - {block: b, repeat: 0}\n', "SF123:8:24"),
    "repeats in words": (INPUTS + 'blocks:\n  b:\n    layers:\n      - {type: Dense, units: 3}\nlayers:\n  - {block: b, repeat: three}\n', "SF123:8:24"),
    "a number as condition": (INPUTS + 'blocks:\n  b:\n    layers:\n      - {type: Dense, units: 3, when: 1}\nlayers:\n  - {block: b}\n', "SF123:6:39"),
    "a condition that is a number": (INPUTS + 'blocks:\n  b:\n    parameters: {n: 2}\n    layers:\n      - {type: Dense, units: 3, when: $n}\nlayers:\n  - {block: b}\n', "SF123:7:39"),
    "a condition outside of blocks": (INPUTS + 'layers:\n  - {type: Dense, units: 3, when: true}\n', "SF121:4:29"),
    "an index without repeats": (INPUTS + 'blocks:\n  b:\n    layers:\n      - {type: Dense, units: $i}\nlayers:\n  - {block: b}\n', "SF217:6:30"),
    "an unknown output": (INPUTS + 'blocks:\n  b:\n    outputs: e\n    layers:\n      - {type: Dense, name: d, units: 3}\nlayers:\n  - {block: b}\n', "SF201:5:14"),
    "an unknown output of two": (INPUTS + 'blocks:\n  b:\n    outputs: [d, e]\n    layers:\n      - {type: Dense, name: d, units: 3}\nlayers:\n  - {block: b}\n', "SF201:5:18"),
    "a name twice in a block": (INPUTS + 'blocks:\n  b:\n    layers:\n      - {type: Dense, name: d, units: 3}\n      - {type: Dense, name: d, units: 4, activation: relu}\nlayers:\n  - {block: b, name: u}\n', "SF203:7:29"),
    "a use twice": (INPUTS + 'blocks:\n  b:\n    layers:\n      - {type: Dense, name: d, units: 3}\nlayers:\n  - {block: b, name: u}\n  - {block: b, name: u}\n', "SF203:9:22"),
    "a use twice in a block": (INPUTS + 'blocks:\n  b: {layers: [{type: ReLU}]}\n  c: {layers: [{block: b, name: u}, {block: b, name: u}]}\nlayers:\n  - {block: c, name: w}\n', "SF203:5:54"),
    "too few inputs": (INPUTS + 'blocks:\n  b:\n    inputs: [p, q]\n    layers:\n      - {type: Add, inputs: [p, q]}\nlayers:\n  - {block: b, inputs: x}\n', "SF204:9:24"),
    "too many inputs": (INPUTS + 'blocks:\n  b:\n    layers:\n      - {type: Dense, units: 3}\nlayers:\n  - {block: b, inputs: [x, x]}\n', "SF205:8:24"),
    "an unknown input": (INPUTS + 'blocks:\n  b:\n    layers:\n      - {type: Dense, units: 3}\nlayers:\n  - {block: b, inputs: {y: x}}\n', "SF205:8:25"),
    "an unknown edge in a block": (INPUTS + 'blocks:\n  b:\n    layers:\n      - {type: Dense, units: 3, name: dense}\n      - {type: Dense, units: 3, inputs: dens}\nlayers:\n  - {block: b}\n', "SF201:7:41"),
    "an unknown edge of a use": (INPUTS + 'blocks:\n  b:\n    layers:\n      - {type: Dense, units: 3}\nlayers:\n  - {block: b, inputs: y}\n', "SF201:8:24"),
    "an inner layer read from outside": (INPUTS + 'blocks:\n  b:\n    layers:\n      - {type: Dense, units: 3, name: dense}\n      - {type: ReLU}\nlayers:\n  - {block: b, name: u}\n  - {type: ReLU, inputs: u_dense}\n', "SF201:10:26"),
    "an inner layer as output": (INPUTS + 'blocks:\n  b:\n    layers:\n      - {type: Dense, units: 3, name: dense}\n      - {type: ReLU}\nlayers:\n  - {block: b, name: u}\noutputs: u_dense\n', "SF201:10:10"),
    "an outer layer read inside": (INPUTS + 'blocks:\n  b:\n    layers:\n      - {type: Dense, units: 3, inputs: first}\nlayers:\n  - {type: Dense, name: first, units: 3, activation: relu}\n  - {block: b, name: u}\n', "SF201:6:41"),
    "an inner layer called outside": (INPUTS + 'blocks:\n  b:\n    layers:\n      - {type: Dense, units: 4, name: dense}\n      - {type: ReLU}\nlayers:\n  - {block: b, name: u}\n  - {reuse: u_dense}\n', "SF208:10:13"),
    "wrong values of two uses": (INPUTS + 'blocks:\n  b:\n    parameters: {n: required}\n    layers:\n      - {type: Dense, units: $n, name: d}\nlayers:\n  - {block: b, name: u, n: -3}\n  - {block: b, name: v, n: 0}\n  - {block: b, name: w, n: 4}\n', "SF123:7:30"),
    "a wrong value for every use": (INPUTS + 'blocks:\n  b:\n    layers:\n      - {type: Dense, units: -1}\nlayers:\n  - {block: b}\n', "SF123:6:30"),
    "a wrong key of sixteen uses": (INPUTS + 'blocks:\n  b:\n    parameters: {n: required}\n    layers:\n      - {type: Dense, units: $n, unts: 3}\nlayers:\n  - {block: b, n: 1}\n  - {block: b, n: 2}\n  - {block: b, n: 3}\n  - {block: b, n: 4}\n  - {block: b, n: 5}\n  - {block: b, n: 6}\n  - {block: b, n: 7}\n  - {block: b, n: 8}\n  - {block: b, n: 9}\n  - {block: b, n: 10}\n  - {block: b, n: 11}\n  - {block: b, n: 12}\n  - {block: b, n: 13}\n  - {block: b, n: 14}\n  - {block: b, n: 15}\n  - {block: b, n: 16}\n', "SF121:7:34"),
    "a wrong rank in sixteen uses": (INPUTS + 'blocks:\n  b:\n    parameters: {n: required}\n    layers:\n      - {type: Conv2D, filters: $n, kernel_size: 3}\nlayers:\n  - {block: b, n: 1, inputs: x}\n  - {block: b, n: 2, inputs: x}\n  - {block: b, n: 3, inputs: x}\n  - {block: b, n: 4, inputs: x}\n  - {block: b, n: 5, inputs: x}\n  - {block: b, n: 6, inputs: x}\n  - {block: b, n: 7, inputs: x}\n  - {block: b, n: 8, inputs: x}\n  - {block: b, n: 9, inputs: x}\n  - {block: b, n: 10, inputs: x}\n  - {block: b, n: 11, inputs: x}\n  - {block: b, n: 12, inputs: x}\n  - {block: b, n: 13, inputs: x}\n  - {block: b, n: 14, inputs: x}\n  - {block: b, n: 15, inputs: x}\n  - {block: b, n: 16, inputs: x}\n', "SF210:7:9"),
    "an expression outside of blocks": (INPUTS + 'layers:\n  - {type: Dense, units: $n}\n', "SF123:4:26"),
    "an expression as type": (INPUTS + 'blocks:\n  b:\n    parameters: {t: Dense}\n    layers:\n      - {type: $t, units: 3}\nlayers:\n  - {block: b}\n', "SF120:7:16"),
    "an old spelling in a block": (INPUTS + 'blocks:\n  b:\n    parameters: {n: 3}\n    layers:\n      - {type: Dense, output_dim: $n}\nlayers:\n  - {block: b}\n', "SF124:7:23"),
    "a bare type in a block": (INPUTS + 'blocks:\n  b:\n    layers:\n      - Dense\nlayers:\n  - {block: b}\n', "SF125:6:9"),
    "a block without layers": (INPUTS + 'blocks:\n  b: {description: x}\nlayers:\n  - {block: b}\n', "SF122:4:6"),
    "layers of a block as text": (INPUTS + 'blocks:\n  b: {layers: x}\nlayers:\n  - {block: b}\n', "SF123:4:15"),
    "a block that is a number": (INPUTS + 'blocks:\n  b: 3\nlayers:\n  - {block: b}\n', "SF123:4:6"),
    "blocks as a list": (INPUTS + 'blocks: []\nlayers:\n  - {block: b}\n', "SF123:3:9 SF215:5:13"),
    "a misspelt key of a block": (INPUTS + 'blocks:\n  b: {layer: [], layers: [{type: ReLU}]}\nlayers:\n  - {block: b}\n', "SF121:4:7"),
    "names that parameters cannot have": (INPUTS + 'blocks:\n  b:\n    parameters: {i: 3, if: 3, name: 4, a-b: 3, chr: 3}\n    layers:\n      - {type: Dense, units: 3}\nlayers:\n  - {block: b}\n', "SF123:5:18 SF123:5:24 SF123:5:31 SF123:5:40 SF123:5:48"),
    "parameters as a list": (INPUTS + 'blocks:\n  b: {parameters: [n], layers: [{type: Dense, units: $n}]}\nlayers:\n  - {block: b, n: 3}\n', "SF123:4:19"),
    "a block and a type": (INPUTS + 'blocks:\n  b:\n    layers:\n      - {type: Dense, units: 3}\nlayers:\n  - {block: b, type: Dense}\n', "SF125:8:5"),
    "a list as block": (INPUTS + 'blocks:\n  b:\n    layers:\n      - {type: Dense, units: 3}\nlayers:\n  - {block: [b]}\n', "SF123:8:13"),
    "a slash in the name of a use": (INPUTS + 'blocks:\n  b:\n    layers:\n      - {type: Dense, units: 3}\nlayers:\n  - {block: b, name: a/b}\n', "SF123:8:22"),
    "a default with a parameter": (INPUTS + 'blocks:\n  b:\n    parameters: {m: 3, n: $m}\n    layers:\n      - {type: Dense, units: $n}\nlayers:\n  - {block: b}\n', "SF217:5:27"),
    "expressions in parameters": (INPUTS + 'blocks:\n  b:\n    parameters: {n: required}\n    layers:\n      - {type: Dense, units: $n}\nlayers:\n  - {block: b, n: $k}\n  - {block: b, n: $(1 +), repeat: 2}\n', "SF217:9:19 SF217:10:19"),
    "an expression in the list of a parameter": (INPUTS + 'blocks:\n  b:\n    parameters: {n: required}\n    layers:\n      - {type: Reshape, target_shape: $n}\nlayers:\n  - {block: b, n: [2, $k]}\n', "SF217:9:23"),
    "a name for two repeats": (INPUTS + 'blocks:\n  b:\n    parameters: {n: required}\n    layers:\n      - {type: Dense, units: $n}\nlayers:\n  - {block: b, name: a$(i // 2), repeat: 3, n: $i}\n', "SF123:7:30 SF203:9:22"),
    "many mistakes": (INPUTS + 'blocks:\n  b:\n    parameters: {n: required}\n    layers:\n      - {type: Dense, units: $n, actvation: relu}\n      - {type: Dnse, units: $k}\n      - {op: ad, inputs: [x, 2]}\nlayers:\n  - {block: b, name: a, n: three, foo: 1}\n', "SF121:7:34 SF120:8:16 SF217:8:29 SF120:9:14 SF216:11:35"),
    "a nested model in a block": (INPUTS + 'blocks:\n  b:\n    parameters: {n: 3}\n    layers:\n      - {type: Model, inputs: {y: {shape: [4]}}, layers: [{type: Dense, units: $n}, {block: c}, {type: Dense, units: $m}]}\nlayers:\n  - {block: b}\n', "SF215:7:93 SF217:7:118"),
    "a block in its nested model": (INPUTS + 'blocks:\n  b:\n    layers:\n      - {type: Model, inputs: {y: {shape: [4]}}, layers: [{block: b}]}\nlayers:\n  - {block: b}\n', "SF202:6:67"),
    "an input without reader": (INPUTS + 'blocks:\n  b:\n    inputs: [p, q]\n    layers:\n      - {type: Dense, units: 3, inputs: p}\nlayers:\n  - {block: b, inputs: [x, x]}\n', "SF218:5:17"),
    "an unknown shared layer": (INPUTS + 'blocks:\n  b:\n    layers:\n      - {type: Dense, name: d, units: 3}\n      - {reuse: e}\nlayers:\n  - {block: b}\n', "SF208:7:17"),
    "an unknown operand": (INPUTS + 'blocks:\n  b:\n    parameters: {n: 3}\n    layers:\n      - {op: multiply, inputs: [y, $n]}\nlayers:\n  - {block: b}\n', "SF201:7:33"),
    "a wrapped layer in a block": ('specfmt: 1\ninputs: {x: {shape: [5, 4]}}\nblocks:\n  b: {parameters: {n: 3}, layers: [{type: TimeDistributed, layer: {type: Dense, unts: $n}}]}\nlayers:\n  - {block: b}\n', "SF121:4:81"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), CASES.values(), ids=CASES)
def test_findings(text: str, expected: str) -> None:
    found = [finding for finding in check(text) if finding.severity == "error"]
    places = [f"{f.code}:{f.span.line}:{f.span.column}" for f in found if f.span]
    assert " ".join(places) == expected
    for finding in found:
        assert finding.message.isprintable()
        assert "expected " in finding.message or " is missing the required " in finding.message


def messages(name: str) -> list[str]:
    return [finding.message for finding in check(CASES[name][0])]


def test_a_finding_names_its_use_and_counts_the_others() -> None:
    assert messages("wrong values of two uses") == [
        "expected a positive integer, received -3, in u (n: -3) and 1 other use"
    ]
    (found,) = messages("a wrong rank in sixteen uses")
    assert found.endswith("received 2: shape (N, 4), in b (n: 1) and 15 other uses")


def test_a_mistake_of_every_use_is_one_of_the_block() -> None:
    assert messages("a wrong key of sixteen uses") == ['expected a field of Dense, received "unts"']
    assert messages("a wrong value for every use") == ["expected a positive integer, received -1"]


NESTED = (
    INPUTS
    + """blocks:
  inner:
    parameters: {units: required}
    layers:
      - {type: Dense, name: dense, units: $units}
  outer:
    parameters: {units: required}
    layers:
      - {block: inner, name: a, units: $units}
      - {block: inner, name: b, units: $(units - 1)}
layers:
  - {block: outer, name: one, units: 1}
  - {block: outer, name: two, units: 0}
"""
)


def test_the_use_is_the_innermost() -> None:
    (found,) = check(NESTED)
    assert found.code == "SF123"
    assert found.pointer == "/blocks/inner/layers/0/units"
    assert found.message.endswith("received 0, in one_b (units: 0) and 2 other uses")


def test_hints() -> None:
    hints = {
        "a misspelt parameter": "did you mean units?",
        "an unknown block in a block": "did you mean b?",
        "an unknown edge in a block": "did you mean dense?",
        "an inner layer read from outside": "list it in the `outputs:` of the block b",
        "an index without repeats": "$i is the number of a repetition; it needs `repeat:`",
        "a condition outside of blocks": "`when:` is for the entries of blocks",
        "an expression outside of blocks": "expressions are for the entries of `blocks:`",
    }
    for name, hint in hints.items():
        assert [finding.hint for finding in check(CASES[name][0])] == [hint], name


def test_warnings_of_later_checks_name_the_use() -> None:
    text = (
        INPUTS
        + """blocks:
  b:
    layers:
      - {type: Dense, name: d, units: 3}
      - {type: Dense, name: e, units: 3}
  unused:
    layers: [{type: ReLU}]
layers:
  - {block: b, name: u}
  - {type: ReLU, name: r}
  - {block: b, name: v}
"""
    )
    found = {finding.code: finding for finding in check(text)}
    assert set(found) == {"SF604", "SF613"}
    assert found["SF604"].pointer == "/blocks/b/layers/0"
    assert found["SF604"].message.endswith("received none, in u and 1 other use")
    assert found["SF613"].pointer == "/blocks/unused"


def test_errors_of_a_target_name_the_use() -> None:
    text = (
        INPUTS
        + """blocks:
  b:
    parameters: {size: 2}
    layers:
      - type: Dense
        units: $size
        dtype: {class_name: QuantizedDTypePolicy, config: {mode: int8, source_name: float32}}
layers:
  - {block: b, name: u}
  - {block: b, name: v, size: 3}
"""
    )
    (found,) = (f for f in check(text, targets=["torch"]) if f.severity == "error")
    assert found.pointer.startswith("/blocks/b/layers/0")
    assert found.message.endswith(", in u and 1 other use")


def test_errors_made_in_python_are_merged_too() -> None:
    with pytest.raises(SpecError) as error:
        loads(NESTED)
    assert len(error.value.diagnostics) == 1


# -------------------------------------------------------------------------------- costs

BOMBS = {
    "repeats": INPUTS + "blocks:\n  b0: {layers: [{type: ReLU}]}\n" + "".join(
        f"  b{k + 1}: {{layers: [{{block: b{k}, repeat: 1000}}]}}\n" for k in range(30)
    ) + "layers: [{block: b30}]\n",
    "repeats that differ": INPUTS + "blocks:\n  b0: {parameters: {n: 0}, layers: [{type: ReLU, negative_slope: $n}]}\n" + "".join(
        f"  b{k + 1}: {{parameters: {{n: 0}}, layers: [{{block: b{k}, repeat: 1000, n: $(1000 * n + i)}}]}}\n" for k in range(5)
    ) + "layers: [{block: b5}]\n",
    "absent layers": INPUTS + "blocks:\n  b0: {parameters: {n: 0}, layers: [{type: ReLU, when: $(n < 0)}]}\n" + "".join(
        f"  b{k + 1}: {{parameters: {{n: 0}}, layers: [{{block: b{k}, repeat: 100, n: $n}}]}}\n" for k in range(9)
    ) + "layers: [{block: b9}]\n",
    "doubled texts": INPUTS + "blocks:\n  b0: {parameters: {n: a}, layers: [{type: ReLU, name: $n}]}\n" + "".join(
        f"  b{k + 1}: {{parameters: {{n: a}}, layers: [{{block: b{k}, n: $n$n$n$n}}]}}\n" for k in range(30)
    ) + "layers: [{block: b30}]\n",
    "doubled lists": INPUTS + "blocks:\n  b0: {parameters: {n: [1]}, layers: [{type: Custom, class: a.B, config: {n: $n}}]}\n" + "".join(
        f"  b{k + 1}: {{parameters: {{n: [1]}}, layers: [{{block: b{k}, n: [$n, $n, $n, $n]}}]}}\n" for k in range(30)
    ) + "layers: [{block: b30}]\n",
    "long names": INPUTS + "blocks:\n  b0: {layers: [{type: ReLU}]}\n"
    f"layers: [{{block: b0, name: {'n' * 100_000}, repeat: 200000}}]\n",
    "large entries": INPUTS + f"blocks:\n  b0: {{layers: [{{type: Custom, class: a.B, config: {{n: {[1] * 50_000}}}}}]}}\n"
    "layers: [{block: b0, repeat: 200000}]\n",
    "many models": INPUTS + "blocks:\n  b0: {layers: [{type: ReLU}]}\nlayers:\n" + (
        "  - {type: Model, inputs: {x: {shape: [4]}}, layers: [{block: b0, repeat: 200000}]}\n" * 20
    ).replace("repeat: 200000", "repeat: 240000"),
}  # fmt: skip


@pytest.mark.parametrize("name", [name for name in BOMBS if name != "many models"])
def test_a_bomb_is_refused_at_once(name: str) -> None:
    def refused() -> None:
        assert check(BOMBS[name])

    assert seconds(refused) < 5


def test_a_chain_of_blocks_is_not_too_deep_for_python() -> None:
    text = INPUTS + "blocks:\n  b0: {layers: [{type: ReLU}]}\n"
    text += "".join(f"  b{k + 1}: {{layers: [{{block: b{k}}}]}}\n" for k in range(3_000))
    found = check(text + "layers: [{block: b3000}]\n")
    assert {finding.code for finding in found} == {"SF219"}


# ------------------------------------------------------------------------- random damage

PIECES: tuple[Any, ...] = (
    None, True, 0, -1, 3, 2.5, "", "x", "$", "$$", "$n", "$i", "$name", "$(n", "$(n + 1)", "$(1 // 0)", "$('x' if n else 'd')",
    "$(n * 'a')", "$(((((", "$(n ** n)", "b", "c", "d", "required", [], ["x"], ["$n", "$i"], {}, {"x": "$n"},
    {"block": "b"}, {"block": "c", "repeat": 2, "name": "u$i"}, {"type": "ReLU", "when": "$n"},
    {"type": "Model", "inputs": {"x": {"shape": [4]}}, "layers": [{"block": "c", "n": "$n"}]},
    {"op": "add", "inputs": ["x", "$n"]}, {"reuse": "d"}, 10**20, "\u2028", "a/b",
)  # fmt: skip
KEYS = (
    "n",
    "m",
    "block",
    "type",
    "when",
    "repeat",
    "name",
    "inputs",
    "layers",
    "outputs",
    "parameters",
    "x",
    "i",
    "b",
)

START: Any = {
    "specfmt": 1,
    "inputs": {"x": {"shape": [4]}},
    "blocks": {
        "b": {
            "parameters": {"n": 3, "m": "required"},
            "inputs": ["x", "y"],
            "layers": [
                {"type": "Dense", "name": "d", "units": "$(n + m)", "when": "$(n > 2)"},
                {"block": "c", "n": "$n", "repeat": "$m", "name": "c$i"},
                {"op": "add", "inputs": ["d", "y"]},
                {"type": "Model", "inputs": {"z": {"shape": [None]}}, "layers": [{"block": "c", "n": "$m"}]},
            ],
            "outputs": ["d", "c1"],
        },
        "c": {"parameters": {"n": 2}, "layers": [{"type": "Dense", "name": "e", "units": "$n"}]},
    },
    "layers": [{"block": "b", "name": "u", "m": 2, "inputs": ["x", "x"]}, {"type": "ReLU", "inputs": "u:1"}],
    "outputs": "u",
}  # fmt: skip


def damaged(random: Random) -> Any:
    """The document with a few random changes."""
    document = json.loads(json.dumps(START))
    for _ in range(random.randint(1, 5)):
        places: list[tuple[Any, Any]] = []
        stack = [document]
        while stack:
            holder = stack.pop()
            keys = list(holder) if isinstance(holder, dict) else range(len(holder))
            places += [(holder, key) for key in keys]
            stack += [holder[key] for key in keys if isinstance(holder[key], (dict, list))]
        holder, key = random.choice(places)
        piece = json.loads(json.dumps(random.choice(PIECES)))
        change = random.random()
        if change < 0.2:
            del holder[key]
        elif change < 0.4 and isinstance(holder, dict):
            holder[random.choice(KEYS)] = piece
        elif change < 0.5 and isinstance(holder, list):
            holder.insert(key, piece)
        else:
            holder[key] = piece
    return document


@pytest.mark.parametrize("seed", range(20))
def test_damaged_documents_are_checked_without_a_crash(seed: int) -> None:
    random = Random(seed)
    for _ in range(40):
        document = damaged(random)
        for finding in check(json.dumps(document)):
            assert finding.span is not None
            assert str(finding)
        spec, problems = parse_document(document)  # as data made in Python, too
        if spec is not None:
            build(spec, problems)


@pytest.mark.parametrize("seed", range(5))
def test_damaged_expressions_are_read_without_a_crash(seed: int) -> None:
    random = Random(seed)
    letters = "$()+-*/%<>=!'\"n1i .,:[]{}\\\n\tifelsandor\u00b2\u0660#@~^&|"
    for _ in range(2_000):
        text = "".join(random.choices(letters, k=random.randint(1, 30)))
        for function in (parse_expression, parse_text):
            try:
                function(text)
            except ValueError:
                continue
