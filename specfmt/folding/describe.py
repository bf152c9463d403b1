"""Names and descriptions of blocks that were found."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby

from specfmt.folding.listing import Item, Listing
from specfmt.vocab.naming import to_snake_case

SHORT = {
    "BatchNormalization": "bn",
    "LayerNormalization": "norm",
    "Activation": "act",
    "DepthwiseConv2D": "depthwise",
    "SeparableConv2D": "separable",
    "MultiHeadAttention": "attention",
    "Concatenate": "concat",
    "Model": "model",
    "GlobalAveragePooling2D": "pool",
}
"""Short words for layers in the names of blocks, where they are not made from the class's name."""

LONG = {
    "BatchNormalization": "batch normalization",
    "LayerNormalization": "layer normalization",
    "Conv": "convolution",
    "DepthwiseConv": "depthwise convolution",
    "SeparableConv": "separable convolution",
    "Dense": "dense layer",
    "Add": "sum",
    "Concatenate": "concatenation",
    "Model": "nested model",
}
"""Words for layers in descriptions."""

MOST_WORDS = 4
"""The most layers that the name of a block lists."""


def block_name(listing: Listing, uses: Sequence[Item], taken: set[str]) -> str:
    """A name for a block: from the names of its uses, else from what it does."""
    base = _common_word(uses) if not _is_stage(listing) else "stage"
    base = base or _by_content(listing)
    name, number = base, 1
    while name in taken:
        number += 1
        name = f"{base}_{number}"
    return name


def _is_stage(listing: Listing) -> bool:
    repeated = any("repeat" in item.fields for item in listing.items)
    return repeated and all(item.is_use for item in listing.items)


def _common_word(uses: Sequence[Item]) -> str:
    """The last word that the names of all uses have in common."""
    words: list[list[str]] = []
    for use in uses:
        if use.name is None or "$" in use.name:
            return ""
        words.append([w for w in re.findall(r"[A-Za-z]+", use.name) if len(w) > 3])
    common = [word for word in words[0] if all(word in other for other in words)]
    word = to_snake_case(common[-1]) if common else ""
    return word if word.isascii() else ""


def _word(item: Item) -> str:
    kind = str(item.kind[1])
    if item.kind[0] == "type" and kind == "Activation":
        value = item.fields.get("activation")
        return value if isinstance(value, str) and value.isidentifier() else "act"
    return SHORT.get(kind) or to_snake_case(re.sub(r"[123]D$", "", kind))


def _by_content(listing: Listing) -> str:
    words = [_word(item) for item in listing.items if "when" not in item.fields]
    last = listing.items[-1]
    if (
        len(words) <= MOST_WORDS
        and len(set(words)) == len(words)
        and not any(item.is_use for item in listing.items)
    ):
        return "_".join(words)
    adds = [i for i in listing.items if i.kind in (("type", "Add"), ("op", "add"))]
    if adds and any(isinstance(ref.source, int) for ref in adds[-1].refs):
        return "residual"
    if last.kind[1] in ("Concatenate", "concatenate"):
        return "branches" if len(last.refs) > 2 else "concat"
    if last.kind[1] in ("Multiply", "multiply"):
        return "gate"
    kept = [word for word, _ in groupby(words)]
    return "_".join(kept) if len(kept) <= MOST_WORDS and len("_".join(kept)) < 32 else "part"


def _phrase(item: Item) -> str:
    kind = str(item.kind[1])
    if item.is_use:
        return kind.replace("_", " ")
    plain = re.sub(r"[123]D$", "", kind)
    if kind == "Activation":
        return _word(item) if _word(item) != "act" else "activation"
    return LONG.get(plain) or to_snake_case(plain).replace("_", " ")


def description(listing: Listing) -> str:
    """One sentence that says what a block does."""
    if _is_stage(listing):
        uses = list(dict.fromkeys(_phrase(item) for item in listing.items if item.is_use))
        return _sentence([f"{uses[-1]} blocks in a row"])
    adds = [i for i in listing.items if i.kind in (("type", "Add"), ("op", "add"))]
    phrases = [_phrase(item) for item in listing.items if item not in adds[-1:]]
    counted: list[str] = []
    for phrase, group in groupby(phrases):
        count = len(list(group))
        counted.append(phrase if count == 1 else f"{count} times {phrase}")
    if len(counted) > 8:
        counts = {phrase: phrases.count(phrase) for phrase in phrases}
        counted = [
            phrase if count == 1 else f"{count} times {phrase}" for phrase, count in counts.items()
        ][:6]
    if adds and any(isinstance(ref.source, int) for ref in adds[-1].refs):
        return "Adds to the input: " + _joined(counted) + "."
    return _sentence(counted)


def _joined(words: list[str]) -> str:
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " and " + words[-1]


def _sentence(words: list[str]) -> str:
    text = _joined(words)
    return text[:1].upper() + text[1:] + "."
