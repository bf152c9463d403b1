"""The pages of the codes: one for each code of the source, each well-formed and read alone."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import specfmt
from specfmt.reference.codes import FOLDER, codes, page, title_and_text

PACKAGE = Path(specfmt.__file__).parent


def emitted() -> set[str]:
    """The codes in the source."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py"))
    return set(re.findall(r'"(SF\d{3})"', text))


def test_every_code_has_a_page_and_every_page_a_code() -> None:
    assert set(codes()) == emitted()
    assert {path.name for path in FOLDER.iterdir()} == {f"{code}.md" for code in codes()}


@pytest.mark.parametrize("code", codes())
def test_a_page_has_a_title_and_says_what_to_do(code: str) -> None:
    written = (FOLDER / f"{code}.md").read_text(encoding="utf-8")
    assert re.match(rf"# {code}: \S.*[^.\s]\n\n\S", written)
    assert written.endswith("\n")
    assert written == written.rstrip() + "\n"
    title, text = title_and_text(code)
    assert written == f"# {code}: {title}\n\n{text}\n"
    assert len(text) > 40
    assert text.count("```") % 2 == 0
    outside = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    assert not re.search(r"^#", outside, re.MULTILINE), "a page is one section"
    assert all(len(line) <= 115 for line in written.splitlines())


def test_a_page_is_found_by_its_number_in_any_spelling() -> None:
    for code in ("SF203", "sf203", "203", " 203 "):
        assert str(page(code)).startswith("SF203: Duplicate name\n\nTwo entries")
    for code in ("SF999", "2031", "../SF203", "SF203.md", "", "Dense"):
        assert page(code) is None
