"""The pages of the diagnostic codes, Markdown files in the folder ``code_pages``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parent / "code_pages"


def codes() -> list[str]:
    """All codes that have a page, sorted."""
    return sorted(path.stem for path in FOLDER.glob("SF*.md"))


def page(code: str) -> str | None:
    """The page of a code (``SF203``, ``sf203`` or ``203``), its title in the first line, or None."""
    match = re.fullmatch(r"(?:SF)?(\d{3})", code.strip(), re.IGNORECASE | re.ASCII)
    file = FOLDER / f"SF{match[1]}.md" if match else None
    if file is None or not file.is_file():
        return None
    return file.read_text(encoding="utf-8").removeprefix("# ").rstrip("\n")


def title_and_text(code: str) -> tuple[str, str]:
    """The two parts of the page of a code from `codes`."""
    heading, _, text = (page(code) or "").partition("\n\n")
    return heading.removeprefix(f"{code}: "), text
