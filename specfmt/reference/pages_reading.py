"""The pages of the reading codes, SF101 to SF111, for ``specfmt explain``."""

from __future__ import annotations

READING_PAGES: dict[str, tuple[str, str]] = {
    "SF101": (
        "the file is not text",
        """\
The file holds bytes or characters that no YAML or JSON text may hold: it is binary, it is
in an encoding other than UTF-8, or it contains a control character or half of a surrogate
pair.

```
name: caf\\xe9        # the byte E9 is Latin-1, not UTF-8
```

**Fix.** Save the file as UTF-8. UTF-8, UTF-16 and UTF-32 with a byte order mark are read
too. A `.keras` or `.h5` file is no spec: turn it into one with `specfmt import`. Write a
control character as an escape in double quotes, such as `"\\x07"`.
""",
    ),
    "SF102": (
        "the file is not valid YAML or JSON",
        """\
The text breaks the syntax. The place is where the mistake was noticed; for a bracket or a
quote that is never closed it is where that bracket or quote opens.

```yaml
layers:
  - {type: Dense, units: 8      # the bracket is not closed
  - {type: Dense, units: 3}
description: net: a small one   # a second colon needs quotes
```

**Fix.** Close the bracket or quote, indent with spaces instead of tabs, keep the keys of
one mapping in one column, put a space after each colon, and quote a value that contains
`: ` or ` #` or begins with one of `@ % & * ! | > [ ] { }`.

JSON has no comments, no comma before a closing bracket, and no `NaN` or `Infinity`.
""",
    ),
    "SF103": (
        "the document is empty",
        """\
The file holds nothing, or only comments.

**Fix.** Write a spec. `specfmt init` gives one to start from; the smallest is

```yaml
specfmt: 1
inputs:
  x: {shape: [4]}
layers:
  - {type: Dense, units: 3}
```
""",
    ),
    "SF104": (
        "a key stands twice",
        """\
A mapping holds the same key more than once. YAML and JSON readers would silently keep one
of the two; which one differs from reader to reader.

```yaml
layers:
  - {type: Dense, units: 8, activation: relu, units: 16}
```

**Fix.** Remove or rename one of the two. The message names both places.
""",
    ),
    "SF105": (
        "a key is not a string",
        """\
Every key of a spec is a string. An unquoted number, `true`, `null`, a list or a mapping is
a key of another type in YAML.

```yaml
train:
  class_weight: {0: 1.0, 1: 3.5}
```

**Fix.** Quote the key: `{"0": 1.0, "1": 3.5}`. By YAML 1.2 rules `no`, `on` and `yes` are
strings and need no quotes.
""",
    ),
    "SF106": (
        "aliases repeat too much",
        """\
An alias (`*name`) repeats the value that its anchor (`&name`) names. Here an alias stands
inside the very value it names, or the aliases together repeat more than a million
characters besides ten times the document's length. Such documents are small on disk and
exhaust the memory of whoever reads them.

```yaml
a: &a [x, x, x, x, x, x, x, x]
b: &b [*a, *a, *a, *a, *a, *a, *a, *a]
c: &c [*b, *b, *b, *b, *b, *b, *b, *b]   # and so on
```

**Fix.** Write the values out, or use fewer aliases inside anchors. To repeat a part of a
model, use `reuse:` or a nested `Model`.
""",
    ),
    "SF107": (
        "nested too deep",
        """\
Lists and mappings stand more than 100 levels deep inside each other, aliases followed.

```json
[[[[[[[[[[ ...
```

**Fix.** This is almost always a bracket that is never closed or a generated file that went
wrong. A model in a model in a model needs three levels each, far from the limit.
""",
    ),
    "SF108": (
        "a tag is not supported",
        """\
A YAML tag (`!something`) asks the reader to build a special object. A spec is plain data,
and nothing in it is ever executed, so only YAML's own `!!str`, `!!int`, `!!float`,
`!!bool`, `!!null`, `!!map` and `!!seq` are read. The code is also given where one of these
does not fit its value, and for a `%TAG` line.

```yaml
shape: !!python/tuple [28, 28]
units: !!int eight
```

**Fix.** Remove the tag: `shape: [28, 28]`.
""",
    ),
    "SF109": (
        "several documents in one file",
        """\
A line `---` begins a second YAML document. A file holds one spec.

```yaml
specfmt: 1
---
specfmt: 1
```

**Fix.** Remove the line, or put each spec into a file of its own.
""",
    ),
    "SF110": (
        "too large",
        """\
The file is larger than 256 MiB, or it holds a number that no framework can: an integer of more
than 64 bits, or a float beyond 1.8e308 (`1e999`).

**Fix.** Keep data and weights in files of their own and name them in the spec under
`train: data:`. Quote a long row of digits that is text.
""",
    ),
    "SF111": (
        "an alias or a merge names nothing usable",
        """\
An alias `*name` has no anchor `&name` before it, or the value of a merge key `<<` is not a
mapping or a list of mappings.

```yaml
layers:
  - {<<: *dense, units: 8}        # no &dense above
  - {<<: 3, units: 8}             # 3 is no mapping
```

**Fix.** Write the anchor before its first alias, on a mapping if it is merged:

```yaml
layers:
  - &dense {type: Dense, units: 64, activation: relu}
  - {<<: *dense, units: 8}
```

A string that begins with `*` or `&` needs quotes.
""",
    ),
}
"""Title and page by code."""
