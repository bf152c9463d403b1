"""The layout pass: where values stand channels-first, with the fewest permutes.

Every value with three or more axes (and every flattened one) stands either in Keras's order
or with the channels moved to axis 1.  Some steps need one order, the others take either as
long as their inputs and outputs agree.  Choosing for the latter so that the fewest values
must be permuted is a minimum cut between the two orders; a value that several steps read in
the other order is permuted once.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable

from specfmt.targets.torch.expr import (
    Call,
    Expr,
    Method,
    OutWant,
    Rearrange,
    Relabel,
    Subscripts,
    Tensor,
    Want,
    tensors_in,
    torch_axis,
    torch_order,
)
from specfmt.targets.torch.steps import Step

KERAS, CHANNELS = "keras", "channels"
INFINITE = 1 << 30

Node = object


def choose(
    steps: list[Step],
    inputs: dict[Tensor, str],
    outputs: dict[Tensor, str],
) -> dict[Tensor, bool]:
    """Decide every tensor's layout.

    Args:
        steps: In order.
        inputs, outputs: The layout (``keras`` or ``channels``) that each model input and
            output must have.

    Returns:
        For each tensor with a layout, whether it stands channels-first.
    """
    for step in steps:
        if isinstance(step.expr, Relabel) and step.expr.either:
            _turn(step, steps, inputs, outputs)
    node_of, readers = _edges(steps, inputs, outputs)
    side = _min_cut(node_of, readers)
    return {tensor: side(node) for tensor, node in node_of.items()}


def _turn(
    step: Step, steps: list[Step], inputs: dict[Tensor, str], outputs: dict[Tensor, str]
) -> None:
    """Choose which way a swap of two axes is free, by the number of permutes it leaves."""
    costs: dict[tuple[Want, OutWant], int] = {}
    ways: tuple[tuple[Want, OutWant], ...] = (("channels", "keras"), ("keras", "channels"))
    for way in ways:
        step.want, step.out_want = way
        node_of, readers = _edges(steps, inputs, outputs)
        side = _min_cut(node_of, readers)
        costs[way] = sum(
            any(side(reader) != side(node) for reader in readers[tensor])
            for tensor, node in node_of.items()
        )
    step.want, step.out_want = min(costs, key=lambda way: costs[way])


def _edges(
    steps: list[Step], inputs: dict[Tensor, str], outputs: dict[Tensor, str]
) -> tuple[dict[Tensor, Node], dict[Tensor, list[Node]]]:
    """For each tensor with a layout, what decides it and what decides how it is read."""
    node_of: dict[Tensor, Node] = {t: layout for t, layout in inputs.items() if t.has_layout}
    readers: dict[Tensor, list[Node]] = defaultdict(list)
    shared: dict[object, Node] = {}
    for step in steps:
        key = step.module_def if step.module_def is not None else step
        here: Node = step.want if step.want != "any" else shared.setdefault(key, step)
        for tensor in dict.fromkeys(tensors_in(step.expr)):
            if tensor.has_layout:
                readers[tensor].append(here)
        for tensor in step.outputs:
            if tensor.has_layout:
                node_of[tensor] = tensor if step.out_want == "free" else step.out_want or here
    for tensor, layout in outputs.items():
        if tensor.has_layout:
            readers[tensor].append(layout)
    return node_of, readers


def _min_cut(node_of: dict[Tensor, Node], readers: dict[Tensor, list[Node]]) -> _Side:
    capacity: dict[Node, dict[Node, int]] = defaultdict(lambda: defaultdict(int))
    for tensor, producer in node_of.items():
        consumers = [node for node in dict.fromkeys(readers[tensor]) if node is not producer]
        if tensor.flat is not None:
            for consumer in consumers:
                capacity[producer][consumer] = capacity[consumer][producer] = INFINITE
        elif len(consumers) == 1:
            capacity[producer][consumers[0]] += 1
            capacity[consumers[0]][producer] += 1
        elif consumers:
            forth, back = object(), object()
            capacity[producer][forth] = capacity[back][producer] = 1
            for consumer in consumers:
                capacity[forth][consumer] = capacity[consumer][back] = INFINITE
    if CHANNELS in capacity and KERAS in capacity:
        while path := _augmenting_path(capacity):
            flow = min(capacity[a][b] for a, b in path)
            for a, b in path:
                capacity[a][b] -= flow
                capacity[b][a] += flow
    return _Side(set(_reachable(capacity)))


class _Side:
    """Which nodes of the cut stand channels-first."""

    def __init__(self, nodes: set[Node]) -> None:
        self.nodes = nodes

    def __call__(self, node: Node) -> bool:
        return node in self.nodes


def _reachable(capacity: dict[Node, dict[Node, int]]) -> Iterable[Node]:
    parents = _search(capacity, None)
    return parents.keys()


def _augmenting_path(capacity: dict[Node, dict[Node, int]]) -> list[tuple[Node, Node]]:
    parents = _search(capacity, KERAS)
    if KERAS not in parents:
        return []
    path: list[tuple[Node, Node]] = []
    node: Node = KERAS
    while (parent := parents[node]) is not None:
        path.append((parent, node))
        node = parent
    return path


def _search(capacity: dict[Node, dict[Node, int]], goal: Node | None) -> dict[Node, Node | None]:
    parents: dict[Node, Node | None] = {CHANNELS: None}
    queue: deque[Node] = deque([CHANNELS])
    while queue:
        node = queue.popleft()
        for neighbour, left in list(capacity[node].items()):
            if left > 0 and neighbour not in parents:
                parents[neighbour] = node
                if neighbour == goal:
                    return parents
                queue.append(neighbour)
    return parents


def insert_permutes(
    steps: list[Step], channels: dict[Tensor, bool], outputs: dict[Tensor, str]
) -> tuple[list[Step], dict[Tensor, Tensor]]:
    """Put in the permutes that the choice needs, each just before its first reader.

    Returns:
        The steps, and for each output the tensor that stands in the wanted order.  Tensors
        made here are added to ``channels``.
    """
    converted: dict[tuple[Tensor, bool], Tensor] = {}
    result: list[Step] = []

    def convert(tensor: Tensor, wanted: bool, node: object) -> Tensor:
        if not tensor.has_layout or channels[tensor] == wanted:
            return tensor
        key = (tensor, wanted)
        if key not in converted:
            new = Tensor(tensor.shape, tensor.dtype, tensor.name)
            channels[new] = wanted
            result.append(Step((new,), _permute(tensor, wanted), "any", node=node, same_line=True))
            converted[key] = new
        return converted[key]

    for step in steps:
        wanted = step_layout(step, channels)
        if wanted is not None:
            table = {
                tensor: convert(tensor, wanted, step.node)
                for tensor in dict.fromkeys(tensors_in(step.expr))
            }
            step.expr = substitute(step.expr, table)
        if isinstance(step.expr, Rearrange):
            step.expr = _rearranged(step.expr, step.outputs[0], channels)
        elif isinstance(step.expr, Call) and step.expr.args[:1]:
            step.expr = _subscripted(step, channels)
        result.append(step)
    final = {
        tensor: convert(tensor, layout == CHANNELS, None) for tensor, layout in outputs.items()
    }
    return result, final


def step_layout(step: Step, channels: dict[Tensor, bool]) -> bool | None:
    """Whether a step reads channels-first values; None if nothing it touches has a layout."""
    if step.want != "any":
        return step.want == CHANNELS
    for tensor in (*step.outputs, *tensors_in(step.expr)):
        if tensor.has_layout:
            if tensor in step.outputs and step.out_want is not None:
                continue
            return channels[tensor]
    return None


def written_layout(step: Step, channels: dict[Tensor, bool]) -> bool | None:
    """Whether a step's axes are written channels-first.

    As it gives, where that may differ from what it reads; but as it reads where both are
    fixed (a reduction over the channels, whose axes are the input's).
    """
    fixed = step.want != "any" and step.out_want in (KERAS, CHANNELS)
    if step.out_want is not None and len(step.outputs) == 1 and not fixed:
        return channels.get(step.outputs[0])
    return step_layout(step, channels)


def _rearranged(expr: Rearrange, output: Tensor, channels: dict[Tensor, bool]) -> Expr:
    """The torch call that a Permute comes to between the orders chosen for it."""
    source = expr.tensor
    first, rank = channels.get(source, False), source.rank
    wanted = torch_order((0, *expr.dims), channels.get(output, False))
    axes = tuple(torch_axis(axis, rank, first and rank > 2) for axis in wanted)
    moved = [place for place, axis in enumerate(axes) if place != axis]
    if not moved:
        return Relabel(source)
    if len(moved) == 2:
        return Method(source, "transpose", tuple(moved))
    return Method(source, "permute", axes)


def _subscripted(step: Step, channels: dict[Tensor, bool]) -> Call:
    """An einsum with its letters in the orders chosen for its operands and its result."""
    call: Call = step.expr
    names = call.args[0]
    if not isinstance(names, Subscripts):
        return call
    reads = bool(step_layout(step, channels))
    gives = channels.get(step.outputs[0], False)
    inputs = (_ordered(letters, reads) for letters in names.inputs)
    text = f"{','.join(inputs)}->{_ordered(names.output, gives)}"
    return Call(call.func, (text, *call.args[1:]), call.kwargs)


def _ordered(letters: str, first: bool) -> str:
    return "".join(torch_order(tuple(letters), first and len(letters) > 2))


def _permute(tensor: Tensor, to_channels: bool) -> Method:
    rank = tensor.rank
    if rank == 3:
        return Method(tensor, "transpose", (1, 2))
    axes = (0, rank - 1, *range(1, rank - 1)) if to_channels else (0, *range(2, rank), 1)
    return Method(tensor, "permute", axes)


def substitute(expr: object, table: dict[Tensor, Tensor]) -> object:
    """The same expression over other tensors."""
    from dataclasses import fields, is_dataclass

    from specfmt.targets.torch.expr import Expr

    if isinstance(expr, Tensor):
        return table.get(expr, expr)
    if isinstance(expr, (tuple, list)):
        return type(expr)(substitute(item, table) for item in expr)
    if isinstance(expr, dict):
        return {key: substitute(item, table) for key, item in expr.items()}
    if isinstance(expr, slice):
        return slice(
            substitute(expr.start, table),
            substitute(expr.stop, table),
            substitute(expr.step, table),
        )
    if isinstance(expr, Expr) and is_dataclass(expr):
        changed = {f.name: substitute(getattr(expr, f.name), table) for f in fields(expr)}
        return type(expr)(**changed)
    return expr
