"""The pages of the 5xx codes: trained weights."""

from __future__ import annotations

WEIGHT_PAGES: dict[str, tuple[str, str]] = {}
