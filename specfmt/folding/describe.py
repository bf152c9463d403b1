"""Names and descriptions of blocks that were found."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from specfmt.folding.listing import Item, Listing
from specfmt.vocab.naming import to_snake_case

SHORT = {
    "BatchNormalization": "bn",
    "LayerNormalization": "norm",
    "DepthwiseConv": "depthwise",
    "SeparableConv": "separable",
    "MultiHeadAttention": "attention",
    "Concatenate": "concat",
    "ReLU": "relu",
    "PReLU": "prelu",
    "ELU": "elu",
}
"""Short words for layers in the names of blocks, where they are not made from the class's name."""

LONG = {
    "Conv": "convolution",
    "DepthwiseConv": "depthwise convolution",
    "SeparableConv": "separable convolution",
    "ConvTranspose": "transposed convolution",
    "Dense": "dense layer",
    "MultiHeadAttention": "attention layer",
    "LSTM": "LSTM",
    "GRU": "GRU",
    "Concatenate": "concatenation",
    "ReLU": "relu",
    "PReLU": "prelu",
    "ELU": "elu",
}
"""Words for layers in descriptions, where they are not made from the class's name."""

MAIN = (
    "MultiHeadAttention", "SeparableConv", "DepthwiseConv", "ConvTranspose", "Conv", "LSTM", "GRU",
    "Dense",
)  # fmt: skip
"""What blocks are named after and described by, the first of which that they contain."""

MOST_WORDS = 4
"""The most layers that the name or the description of a block lists."""

ADDS = (("type", "Add"), ("op", "add"))
JOINS = (("type", "Concatenate"), ("op", "concatenate"))
GATES = (("type", "Multiply"), ("op", "multiply"))


def block_name(listing: Listing, uses: Sequence[Item], taken: set[str]) -> str:
    """A name for a block: from the names of its uses, else from what it does."""
    kind = _kind(listing)
    if _is_stage(listing):
        names = ["stage"]
    else:
        word = _common_word(uses)
        listed = _listed(listing)
        first = [f"{kind}_block"] if word == "block" else [word, f"{kind}_{word}"]
        names = [*(first if word else []), *([listed] if listed else []), f"{kind}_block"]
    for name in names:
        if name not in taken:
            return name
    number = 2
    while f"{names[-1]}_{number}" in taken:
        number += 1
    return f"{names[-1]}_{number}"


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


def _plain(item: Item) -> str:
    """The name of a layer's class without the number of its axes."""
    return re.sub(r"[123]D", "", str(item.kind[1]))


def _activation(item: Item) -> str:
    value = item.fields.get("activation")
    return value if isinstance(value, str) and value.isidentifier() else "activation"


def _word(item: Item) -> str:
    if item.kind == ("type", "Activation"):
        return _activation(item)
    return SHORT.get(_plain(item)) or to_snake_case(_plain(item))


def _reads_input(item: Item) -> bool:
    return any(isinstance(ref.source, int) for ref in item.refs)


def _kind(listing: Listing) -> str:
    """One word for what a block does."""
    ends = [item for item in listing.items if not item.is_use][-3:]
    for item in reversed(ends):
        if item.kind in ADDS:
            return "residual" if _reads_input(item) else "projection"
        if item.kind in JOINS:
            return "branched" if len(item.refs) > 2 else "concat"
        if item.kind in GATES:
            return "gated"
    kinds = {_plain(item) for item in listing.items}
    main = next((kind for kind in MAIN if kind in kinds), "")
    return SHORT.get(main) or to_snake_case(main) or _word(listing.items[0])


def _listed(listing: Listing) -> str:
    """The words of all its layers, if they are few."""
    words = [_word(item) for item in listing.items]
    if len(words) > MOST_WORDS or any(item.is_use for item in listing.items):
        return ""
    return "_".join(words) if len(set(words)) == len(words) else ""


def _phrase(item: Item) -> str:
    if item.is_use:
        return str(item.kind[1])
    if item.kind == ("type", "Activation"):
        return _activation(item)
    return LONG.get(_plain(item)) or to_snake_case(_plain(item)).replace("_", " ")


def description(listing: Listing) -> str:
    """One sentence that says what a block does."""
    if _is_stage(listing):
        kinds = dict.fromkeys(str(item.kind[1]) for item in listing.items)
        return f"{_joined([f'`{kind}`' for kind in kinds])} in a row."
    kind = _kind(listing)
    inner = [item for item in listing.items if item.kind not in (*ADDS, *JOINS, *GATES)]
    what = _summary(inner)
    if kind == "residual":
        return f"Adds to the input what {what} make of it."
    if kind == "projection":
        return f"Adds what {what} make of the input in two ways."
    if kind == "concat":
        return f"Joins with the input what {what} make of it."
    if kind == "branched":
        return f"Joins what {what} make of the input in several ways."
    words = [_phrase(item) for item in inner]
    if len(words) <= MOST_WORDS:
        text = _joined(words)
        return f"{text[:1].upper()}{text[1:]}."
    return f"{what[:1].upper()}{what[1:]}."


def _summary(items: Sequence[Item]) -> str:
    """How many layers of the main kinds there are, and what stands between them."""
    mains = [item for item in items if item.is_use or _plain(item) in MAIN]
    if not mains:
        mains = list(items)
    counts = Counter(_phrase(item) for item in mains)
    return _joined([_counted(phrase, count) for phrase, count in counts.items()])


NUMBERS = ("", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def _counted(phrase: str, count: int) -> str:
    number = NUMBERS[count] if count < len(NUMBERS) else str(count)
    if "_" in phrase:
        phrase = f"`{phrase}`"
        return phrase if count == 1 else f"{number} times {phrase}"
    return f"{number} {phrase}{'s' if count > 1 and not phrase.endswith('s') else ''}"


def _joined(words: list[str]) -> str:
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " and " + words[-1]
