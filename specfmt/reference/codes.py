"""The page of every diagnostic code."""

from __future__ import annotations

import re

from specfmt.reference.pages import SPEC_PAGES

Page = tuple[str, str]


def pages() -> dict[str, Page]:
    """Code -> (title, page in Markdown), in order of the codes."""
    from specfmt.lint.rules import RULES
    from specfmt.reference.pages_import import FORMAT_PAGES
    from specfmt.reference.pages_reading import READING_PAGES
    from specfmt.reference.pages_weights import WEIGHT_PAGES

    lint = {code: (rule.title, rule.page) for code, rule in RULES.items()}
    found: dict[str, Page] = {**READING_PAGES, **SPEC_PAGES, **FORMAT_PAGES, **WEIGHT_PAGES, **lint}
    return dict(sorted(found.items()))


def page(code: str) -> str | None:
    """The page of a code (``SF203``, ``sf203`` or ``203``), or None."""
    match = re.fullmatch(r"(?:SF)?(\d{3})", code.strip(), re.IGNORECASE)
    found = pages().get(f"SF{match[1]}") if match else None
    if found is None:
        return None
    title, text = found
    return f"SF{match[1]}: {title}\n\n{text}"  # type: ignore[index]
