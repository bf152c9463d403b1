"""User-defined PyTorch classes for layers that specfmt does not know: ``--custom module:Class``."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

from specfmt.diagnostics import Diagnostic, Path, SpecError
from specfmt.fields.errors import did_you_mean
from specfmt.graph.assumed import with_layer
from specfmt.layers.base import Layer
from specfmt.layers.blocks import place_of
from specfmt.layers.custom import Custom, customs_in
from specfmt.layers.entries import Model
from specfmt.spec.document import ModelSpec

FORM: Final = re.compile(r"(?:([^=]+)=)?([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*):([A-Za-z_]\w*)", re.ASCII)


def with_customs(spec: ModelSpec, customs: Iterable[str]) -> ModelSpec:
    """The spec with ``torch:`` set on the layers that the classes are for.

    Args:
        spec: The model.
        customs: ``module:Class`` for all layers whose Keras class has the same name, or
            ``Name=module:Class``, where ``Name`` is another Keras class or the name of one layer.

    Raises:
        SpecError: SF308 if an item does not have this form or no layer matches it.
    """
    problems = []
    for item in customs:
        match = FORM.fullmatch(item)
        if match is None:
            message = f"expected --custom module:Class, received {item}"
            problems.append(Diagnostic("SF308", message, (), "write for example my_layers:Scale"))
            continue
        wanted = match[1] or match[3]
        found = [(path, layer) for path, layer in customs_of(spec)]
        meant = [path for path, layer in found if wanted in (layer.class_name, layer.class_)]
        meant = meant or [path for path, layer in found if wanted == layer.name]
        for path in meant:
            spec = with_layer(spec, path, {"torch": f"{match[2]}.{match[3]}"})
        if not meant:
            names = [layer.class_name for _, layer in found]
            known = ", ".join(dict.fromkeys(names)) or "none"
            problems.append(
                Diagnostic(
                    "SF308",
                    f"expected the class of a layer that specfmt does not know, received {wanted}",
                    (),
                    did_you_mean(wanted, names) or f"such classes in this model: {known}",
                )
            )
    if problems:
        raise SpecError(problems)
    return spec


def customs_of(model: Any, path: Path = ()) -> Iterable[tuple[Path, Custom]]:
    """Every layer that specfmt does not know, with its path in the document."""
    for index, entry in enumerate(model.layers):
        where = place_of(model.layers, index, path)
        if isinstance(entry, Model):
            yield from customs_of(entry, where)
            continue
        if isinstance(entry, Layer):
            yield from customs_in(entry, where)
