"""Names and descriptions of blocks that were found."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from specfmt.folding.listing import Item, Listing
from specfmt.layers.base import Layer, Merging
from specfmt.layers.registry import layer_class, op_class
from specfmt.vocab.naming import to_snake_case

MOST_WORDS = 4
"""The most layers that the name or the description of a block lists."""


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


def _layer(item: Item) -> type[Layer]:
    """The class of an entry; the base class for one that is none or is not known."""
    key, name = item.kind
    found = layer_class(name) if key == "type" else op_class(name) if key == "op" else None
    return found or Layer


def _plain(item: Item) -> str:
    """The name of a layer's class without the number of its axes, as words with ``_``."""
    return to_snake_case(re.sub(r"[123]D", "", str(item.kind[1])))


def _given_word(item: Item) -> str:
    """The word that a field of the layer holds; empty if none does."""
    value = item.fields.get(_layer(item).word_field)
    return value if isinstance(value, str) and value.isidentifier() else ""


def _word(item: Item) -> str:
    cls = _layer(item)
    return _given_word(item) or cls.word or cls.activation_function or _plain(item)


def _reads_input(item: Item) -> bool:
    return any(isinstance(ref.source, int) for ref in item.refs)


def _skips(item: Item) -> bool:
    """Whether one of the tensors that it reads is made from another."""
    sources = [ref.source for ref in item.refs if isinstance(ref.source, Item)]
    read = {id(source) for source in sources}
    done: set[int] = set()
    while sources:
        for ref in sources.pop().refs:
            if isinstance(ref.source, Item) and id(ref.source) not in done:
                if id(ref.source) in read:
                    return True
                done.add(id(ref.source))
                sources.append(ref.source)
    return False


def _merging(item: Item) -> Merging:
    """What an entry does with the branches that it reads; empty if it reads one only."""
    return _layer(item).merging if len(item.refs) > 1 else ""


def _last_merge(listing: Listing) -> Item | None:
    """The layer at the end of a block that merges its branches."""
    ends = [item for item in listing.items if not item.is_use][-3:]
    return next((item for item in reversed(ends) if _merging(item)), None)


def _kind(listing: Listing) -> str:
    """One word for what a block does."""
    end = _last_merge(listing)
    if end is not None:
        match _merging(end):
            case "adds":
                return "residual" if _reads_input(end) or _skips(end) else "projection"
            case "joins":
                return "branched" if len(end.refs) > 2 else "concat"
            case _:
                return "gated"
    main = max(listing.items, key=lambda item: _layer(item).prominence)
    return _word(main)


def _listed(listing: Listing) -> str:
    """The words of all its layers, if they are few."""
    words = [_word(item) for item in listing.items]
    if len(words) > MOST_WORDS or any(item.is_use for item in listing.items):
        return ""
    return "_".join(words) if len(set(words)) == len(words) else ""


def _phrase(item: Item) -> str:
    if item.is_use:
        return str(item.kind[1])
    cls = _layer(item)
    noun = cls.noun or cls.activation_function or _plain(item)
    return _given_word(item) or noun.replace("_", " ")


def description(listing: Listing) -> str:
    """One sentence that says what a block does."""
    if _is_stage(listing):
        kinds = dict.fromkeys(str(item.kind[1]) for item in listing.items)
        return f"{_joined([f'`{kind}`' for kind in kinds])} in a row."
    kind = _kind(listing)
    inner = [item for item in listing.items if not _merging(item)]
    if not inner:
        return _sentence(_summary(listing.items))
    what, make = _summary(inner), "make" if len(_mains(inner)) > 1 else "makes"
    end = _last_merge(listing)
    if kind == "residual" and end is not None and not _reads_input(end):
        several = sum(_merging(item) == "adds" for item in listing.items) > 1
        return _sentence(f"{what} with {'' if several else 'a '}residual connection{'s' * several}")
    if kind == "residual":
        return f"Adds to the input what {what} {make} of it."
    if kind == "projection":
        return f"Adds what {what} {make} of the input in two ways."
    if kind == "concat":
        return f"Joins with the input what {what} {make} of it."
    if kind == "branched":
        return f"Joins what {what} {make} of the input in several ways."
    words = [_phrase(item) for item in inner]
    if len(words) <= MOST_WORDS:
        return _sentence(_joined(words))
    return _sentence(what)


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _mains(items: Sequence[Item]) -> Sequence[Item]:
    """The layers of the main kinds and the uses of blocks; all if there are none."""
    return [item for item in items if item.is_use or _layer(item).prominence] or items


def _summary(items: Sequence[Item]) -> str:
    """How many layers of the main kinds there are, and what stands between them."""
    counts = Counter(_phrase(item) for item in _mains(items))
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
