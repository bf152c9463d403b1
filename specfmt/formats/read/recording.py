"""Taking back what Keras notes of calls that nobody wrote: masks, and defaults of ``training``.

Keras 3 keeps the operations with which it worked out masks in the model, and the masks in the
calls.  A person would write neither, so a model with such masks is read without them first.
That is right if it would be noted just as the source notes it, names of operations included;
calls that would not keep what the source says.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from specfmt.diagnostics import Path, SpecError
from specfmt.formats.config.context import Context
from specfmt.formats.config.reading import Json
from specfmt.formats.keras3.models import ModelWriter
from specfmt.formats.read.layer_entries import MODELS, read_policy
from specfmt.formats.read.nodes import Call, Ref, collect_refs
from specfmt.formats.read.recording_order import order_of_calls
from specfmt.formats.source.locate import Located
from specfmt.graph.build import build
from specfmt.graph.infer import compute_dtype
from specfmt.graph.recording import Recording, recorded
from specfmt.layers.registry import layer_class
from specfmt.spec.document import parse_document

ATTEMPTS: Final = 4
"""Readings before masks are left as the source says them."""


@dataclass(slots=True)
class Plan:
    """Which masks of a source are left out while it is read.

    Attributes:
        kept: Calls whose masks stay, by their places; None for all calls.
        keeps_names: Operations of classes that Keras uses for masks keep their names.
        before: Place of a call -> places of calls that come before it in the spec.
        dropped: The places of calls whose masks were left out.
        places: Place of a model's layers -> the place of the call that each entry is.
    """

    kept: set[Path] | None = field(default_factory=set)
    keeps_names: bool = False
    before: dict[Path, list[Path]] = field(default_factory=dict)
    dropped: list[Path] = field(default_factory=list)
    places: dict[Path, list[Path]] = field(default_factory=dict)


def drop_recorded(plan: Plan, type_name: str, item: Json, calls: list[Call]) -> None:
    """Leave out the keywords that Keras 3 adds to the calls of a layer.

    Args:
        plan: Which masks are left out.
        type_name: The layer's type.
        item: The serialized layer.
        calls: Its calls, read from ``item``.
    """
    cls = layer_class(type_name) if any(call.kwargs for call in calls) else None
    if cls is None:
        return
    training = cls.training_default
    added = {} if training is None else {"training": training}
    takes_mask = any(argument.name == "mask" for argument in cls.call_arguments)
    for call, node in zip(calls, item.get("inbound_nodes") or [], strict=True):
        given = {key: value for key, value in call.kwargs.items() if key != "mask"}
        if not call.kwargs or given != added or takes_mask != ("mask" in call.kwargs):
            continue
        dtype = compute_dtype(read_policy(item["config"].get("dtype"), ()))
        if single_dtype(node) == dtype and _may_go(plan, call):
            call.kwargs = {}


def drop_model_masks(plan: Plan, calls: list[Call]) -> None:
    """Leave out the masks that Keras 3 adds to the calls of a nested model."""
    for call in calls:
        if "mask" in call.kwargs and _may_go(plan, call):
            del call.kwargs["mask"]


def _may_go(plan: Plan, call: Call) -> bool:
    """Whether the mask of a call is left out; none at all always is."""
    refs: list[Ref] = []
    collect_refs(call.kwargs.get("mask"), refs)
    if not refs:
        return True
    if plan.kept is None or call.path in plan.kept:
        return False
    plan.dropped.append(call.path)
    return True


def single_dtype(node: Any) -> Any:
    """The dtype of the one tensor that a call reads by position; None for any other call."""
    args = node.get("args") if isinstance(node, dict) else None
    if not isinstance(args, list) or len(args) != 1 or not isinstance(args[0], dict):
        return None
    config = args[0].get("config")
    if args[0].get("class_name") != "__keras_tensor__" or not isinstance(config, dict):
        return None
    return config.get("dtype")


def read_plainly(context: Context, source: Located, read: Callable[[], Json]) -> Json:
    """The fields of a model, without masks that Keras would note again.

    Args:
        context: The import; its plan is set for each reading.
        source: The serialized model, and where it stands.
        read: Reads it.

    Raises:
        SpecError: With every finding.
    """
    warnings = list(context.warnings)
    kept: set[Path] = set()
    before: dict[Path, list[Path]] = {}
    keeps_names = False
    for attempt in range(ATTEMPTS):
        context.plan = plan = Plan(set(kept), keeps_names, before)
        context.warnings[:] = warnings
        try:
            fields = read()
        except SpecError:
            if not before:
                raise
            break  # an order that masks ask for goes in a circle
        if not plan.dropped:
            if not attempt:
                return fields
            break
        noted = _noted(fields)
        if noted is None:
            break
        written = ModelWriter(noted.graph).model()
        if skeleton(written) == skeleton(source.topology):
            return fields
        if not attempt:
            before = order_of_calls(source, written, noted, plan.places)
        if attempt or not before:
            keeps_names = True
            kept |= {
                path
                for path in plan.dropped
                if not _same_call(source.topology, written, path[len(source.path) :])
            } or set(plan.dropped)
    context.plan = Plan(None, keeps_names=True)
    context.warnings[:] = warnings
    return read()


def _noted(fields: Json) -> Recording | None:
    """What Keras would note of a model that was read; None if it cannot be written."""
    spec, problems = parse_document({"specfmt": 1, **fields})
    if spec is None or problems:
        return None
    graph, problems = build(spec)
    if any(problem.severity == "error" for problem in problems):
        return None
    if any(value.shape is None for node in graph.nodes for value in node.outputs):
        return None
    return recorded(graph)


def skeleton(model: Any) -> Any:
    """The calls of a serialized model and of those inside it."""
    config = model.get("config") if isinstance(model, dict) else None
    if not isinstance(config, dict) or not isinstance(config.get("layers"), list):
        return None
    return {
        "layers": [_bones(layer) for layer in config["layers"]],
        "inputs": config.get("input_layers"),
        "outputs": config.get("output_layers"),
    }


def _bones(layer: Any) -> Any:
    if not isinstance(layer, dict):
        return layer
    inner = skeleton(layer) if layer.get("class_name") in MODELS else None
    return layer.get("name"), layer.get("inbound_nodes"), inner


def _same_call(source: Any, written: Any, path: Path) -> bool:
    """Whether the call at a place of the source stands in what is written, too.

    ``path`` leads through layers of the source by number; those written go by their names.
    """
    steps = iter(path)
    for step in steps:
        try:
            source, written = source[step], written[step]
            if step == "layers":
                source = source[next(steps)]
                written = next(layer for layer in written if layer["name"] == source["name"])
        except (KeyError, IndexError, TypeError, StopIteration):
            return False
    return bool(source == written)
