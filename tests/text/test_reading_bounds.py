"""Reading stays linear and shallow: hostile input against a plain spec, as ratios."""

from __future__ import annotations

from functools import partial

import pytest

from specfmt.diagnostics import SpecError
from specfmt.text import events, yaml_reading
from specfmt.text.reading import read
from specfmt.text.source import ALIAS_BUDGET, MAX_DEPTH
from tests.text.test_reading import attempt
from tests.tools.timing import ratio


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}"), ("{a: ", "}")])
def test_the_depth_limit_is_the_same_everywhere(opening: str, closing: str) -> None:
    inner = "1"
    read(opening * MAX_DEPTH + inner + closing * MAX_DEPTH)
    for depth in (MAX_DEPTH + 1, 500, 5000):
        with pytest.raises(SpecError) as caught:
            read(opening * depth + inner + closing * depth)
        (finding,) = caught.value.diagnostics
        assert finding.code == "SF107"
        assert finding.span is not None
        assert finding.span.column == MAX_DEPTH * len(opening) + 1


def test_depth_in_block_style() -> None:
    def nested(depth: int) -> str:
        return "".join(" " * i + "a:\n" for i in range(depth)) + " " * depth + "b"

    read(nested(MAX_DEPTH))
    with pytest.raises(SpecError, match="SF107"):
        read(nested(MAX_DEPTH + 1))


LINE = "  - {type: Dense, units: 8, activation: relu}\n"
HOSTILE = {
    "brackets": "[" * 10**7,
    "braces": "{" * 10**7,
    "json objects": '{"a":' * (2 * 10**6),
    "open lists": "a: " + "[" * 10**7,
    "dashes": "- " * (5 * 10**6),
    "question marks": "? " * (5 * 10**6),
    "pairs of brackets": "[[]," * (25 * 10**5),
    "anchors": "&a " * (3 * 10**6),
    "bang": "!" * 10**7,
    "tag directives": "".join(f"%TAG !{i}! x\n" for i in range(300_000)) + "--- a",
    "quote": 'a: "' + "\\" * 10**7,
    "stars": "*" * 10**7,
    "colons": ":" * 10**7,
    "tabs": "\t" * 10**7,
    "spaces": " " * 10**7,
    "comment": "#" * 10**7,
    "line breaks": "\n" * 10**7,
    "letters": "a" * 10**7,
    "digits": "1" * 10**7,
    "json digits": "[" + "1" * 10**7 + "]",
    "hex digits": "0x" + "1" * 10**7,
    "exponent": "1e" + "9" * 10**7,
    "NULs": "\0" * 10**7,
    "high bytes": b"\xff" * 10**7,
    "laughs": "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
    + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 90)),
    "merges": "a0: &a0 {"
    + ", ".join(f"k{i}: 1" for i in range(1000))
    + "}\n"
    + "".join(f"a{i}: {{<<: *a0}}\n" for i in range(1, 10_000)),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_input_costs_no_more_than_a_plain_spec_of_its_size(name: str) -> None:
    """Against 10 MB of layers, measured on a tenth of it so that the test stays quick."""
    benign = "layers:\n" + LINE * (10**6 // len(LINE))
    assert ratio(partial(attempt, HOSTILE[name]), partial(attempt, benign), enough=10) < 10


@pytest.mark.parametrize("many", ["a: 1\n", "{x: 1}: 1\n", "a: *b\n", "- !t x\n"])
def test_many_mistakes_are_all_reported_in_linear_time(many: str) -> None:
    def fail(count: int) -> None:
        with pytest.raises(SpecError) as caught:
            read(many * count)
        assert len(caught.value.diagnostics) >= count - 1

    assert ratio(partial(fail, 16_000), partial(fail, 2_000), times=8, enough=4) < 4


def test_reading_is_linear_in_the_number_of_layers() -> None:
    few, many = ("layers:\n" + LINE * count for count in (2_000, 16_000))
    assert ratio(partial(attempt, many), partial(attempt, few), times=8, enough=3) < 3


def test_building_costs_no_multiple_of_the_parser() -> None:
    text = "layers:\n" + LINE * 10_000

    def parse() -> None:
        next_event = events.event_source(text)
        while next_event() is not None:
            continue

    def build() -> None:
        yaml_reading.read_yaml(yaml_reading.Source(text, ""))

    assert ratio(build, parse, rounds=5, enough=3) < 3


def test_alias_budget_allows_ordinary_use() -> None:
    layers = "".join(f"  - {{type: Dense, units: {i}, <<: *reg}}\n" for i in range(20_000))
    shared = "x: &reg {kernel_regularizer: {type: L2, l2: 1e-4}, bias_regularizer: L1}\n"
    data = read(shared + "layers:\n" + layers).data
    assert data["layers"][-1]["bias_regularizer"] == "L1"
    assert len(shared) * 20_000 > ALIAS_BUDGET
