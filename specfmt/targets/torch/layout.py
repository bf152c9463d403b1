"""The layout pass: chooses channels-first or channels-last for every value, with few permutes.

Every value with three or more axes (and every flattened one) has either Keras's axis order or
its channels at axis 1.  Some steps require one layout; the others take either, as long as their
inputs and outputs agree.  Choosing theirs with the fewest permuted values is a minimum cut between
the two layouts; a value that several steps read in the other layout is permuted once.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Hashable, Iterator
from itertools import pairwise

from specfmt.targets.torch.expr import (
    Call,
    Expr,
    Layout,
    Method,
    OutputLayout,
    Rearrange,
    Relabel,
    Subscripts,
    Tensor,
    substitute,
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
    alike: Callable[[Step], Hashable] = lambda _: None,
) -> dict[Tensor, bool]:
    """Choose the layout of every tensor.

    Args:
        steps: The steps in order.
        inputs, outputs: The required layout (``keras`` or ``channels``) of each model input and
            output.
        alike: Returns the same key for steps that should have one layout, if that needs no
            further permute; None for other steps.

    Returns:
        Tensor -> whether it is channels-first, for each tensor that has a layout.
    """
    swaps = [step for step in steps if isinstance(step.expr, Relabel) and step.expr.either]
    if swaps:
        regions = _Regions(steps)
        for step in swaps:
            _turn(step, regions.around(step), inputs, outputs)
    node_of, readers = _edges(steps, inputs, outputs)
    sides = _channels_sides(node_of, readers)
    found = [{tensor: node in side for tensor, node in node_of.items()} for side in sides]
    return min(found, key=lambda channels: _kinds(steps, channels, alike))


def _kinds(
    steps: list[Step], channels: dict[Tensor, bool], alike: Callable[[Step], Hashable]
) -> int:
    """The number of different layouts of steps that should be alike."""
    layouts = {
        (key, tuple(channels.get(tensor) for tensor in (*step.reads, *step.outputs)))
        for step in steps
        if (key := alike(step)) is not None
    }
    return len(layouts)


class _Regions:
    """The steps that a step's layout can affect: those connected by steps that take either."""

    def __init__(self, steps: list[Step]) -> None:
        self.places = {step: place for place, step in enumerate(steps)}
        self.joined: defaultdict[object, list[Step]] = defaultdict(list)
        for step in steps:
            for link in self._links(step):
                self.joined[link].append(step)

    @staticmethod
    def _links(step: Step) -> Iterator[object]:
        yield from (tensor for tensor in step.outputs if tensor.has_layout)
        yield from (tensor for tensor in step.reads if tensor.has_layout)
        if step.module_def is not None:
            yield step.module_def

    def around(self, step: Step) -> list[Step]:
        """The region of a step, itself included, in order."""
        found = {step}
        waiting = [step]
        while waiting:
            for link in self._links(waiting.pop()):
                new = {other for other in self.joined[link] if other not in found}
                found |= new
                waiting += (other for other in new if other.layout == "any")
        return sorted(found, key=self.places.__getitem__)


def _turn(
    step: Step, region: list[Step], inputs: dict[Tensor, str], outputs: dict[Tensor, str]
) -> None:
    """Choose in which direction a swap of two axes is free: the one with fewer permutes."""
    costs: dict[tuple[Layout, OutputLayout], int] = {}
    ways: tuple[tuple[Layout, OutputLayout], ...] = (("channels", "keras"), ("keras", "channels"))
    for way in ways:
        step.layout, step.output_layout = way
        node_of, readers = _edges(region, inputs, outputs)
        first = _channels_sides(node_of, readers)[0]
        costs[way] = sum(
            any((reader in first) != (node in first) for reader in readers[tensor])
            for tensor, node in node_of.items()
        )
    step.layout, step.output_layout = min(costs, key=lambda way: costs[way])


def _edges(
    steps: list[Step], inputs: dict[Tensor, str], outputs: dict[Tensor, str]
) -> tuple[dict[Tensor, Node], dict[Tensor, list[Node]]]:
    """Tensor -> the node that decides its layout, and the nodes that decide its readers'."""
    node_of: dict[Tensor, Node] = {t: layout for t, layout in inputs.items() if t.has_layout}
    readers: dict[Tensor, list[Node]] = defaultdict(list)
    shared: dict[object, Node] = {}
    for step in steps:
        key = step.module_def if step.module_def is not None else step
        here: Node = step.layout if step.layout != "any" else shared.setdefault(key, step)
        for tensor in dict.fromkeys(step.reads):
            if tensor.has_layout:
                readers[tensor].append(here)
        for tensor in step.outputs:
            if tensor.has_layout:
                node_of[tensor] = (
                    tensor if step.output_layout == "free" else step.output_layout or here
                )
    for tensor, layout in outputs.items():
        if tensor.has_layout:
            readers[tensor].append(layout)
    return node_of, readers


Capacities = dict[Node, dict[Node, int]]


def _channels_sides(
    node_of: dict[Tensor, Node], readers: dict[Tensor, list[Node]]
) -> tuple[set[Node], set[Node]]:
    """The nodes on the channels-first side of a minimum cut: the smallest such set, and the largest."""
    capacity: Capacities = defaultdict(lambda: defaultdict(int))
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
    # The maximum flow from one layout to the other, by Dinic's algorithm.
    while KERAS in (distances := _distances(capacity)):
        _saturate(capacity, distances)
    return set(distances), set(capacity) - _reaching(capacity)


def _reaching(capacity: Capacities) -> set[Node]:
    """The nodes from which ``keras`` can be reached along edges with capacity left."""
    found: set[Node] = {KERAS}
    waiting: list[Node] = [KERAS]
    while waiting:
        node = waiting.pop()
        for neighbour in capacity[node]:  # each edge has one back
            if neighbour not in found and capacity[neighbour][node] > 0:
                found.add(neighbour)
                waiting.append(neighbour)
    return found


def _distances(capacity: Capacities) -> dict[Node, int]:
    """Reachable node -> the number of edges from ``channels``, along edges with capacity left."""
    distances: dict[Node, int] = {CHANNELS: 0}
    queue: deque[Node] = deque([CHANNELS])
    while queue:
        node = queue.popleft()
        for neighbour, left in capacity[node].items():
            if left > 0 and neighbour not in distances:
                distances[neighbour] = distances[node] + 1
                queue.append(neighbour)
    return distances


def _saturate(capacity: Capacities, distances: dict[Node, int]) -> None:
    """Send flow along shortest paths to ``keras`` until none has capacity left."""
    ahead: dict[Node, list[Node]] = {}
    path: list[Node] = [CHANNELS]
    while path:
        node = path[-1]
        if node == KERAS:
            edges = list(pairwise(path))
            flow = min(capacity[a][b] for a, b in edges)
            for a, b in edges:
                capacity[a][b] -= flow
                capacity[b][a] += flow
            path = path[: 1 + next(n for n, (a, b) in enumerate(edges) if not capacity[a][b])]
            continue
        if node not in ahead:
            further = distances[node] + 1
            ahead[node] = [n for n in capacity[node] if distances.get(n) == further]
        while ahead[node] and capacity[node][ahead[node][-1]] <= 0:
            ahead[node].pop()
        if ahead[node]:
            path.append(ahead[node][-1])
        else:
            path.pop()
            if path:
                ahead[path[-1]].pop()


def insert_permutes(
    steps: list[Step], channels: dict[Tensor, bool], outputs: dict[Tensor, str]
) -> tuple[list[Step], dict[Tensor, Tensor]]:
    """Insert the permutes that the chosen layouts need, each just before its first reader.

    Args:
        steps: The steps in order.
        channels: Tensor -> whether it is channels-first; permuted tensors are added.
        outputs: The required layout of each model output.

    Returns:
        The steps, and output -> the tensor with the required layout.
    """
    converted: dict[tuple[Tensor, bool], Tensor] = {}
    result: list[Step] = []

    def convert(tensor: Tensor, wanted: bool, node: object) -> Tensor:
        if not tensor.has_layout or channels[tensor] == wanted:
            return tensor
        key = (tensor, wanted)
        if key not in converted:
            new = Tensor(tensor.shape, tensor.dtype, tensor.name, sizes=tensor.sizes)
            channels[new] = wanted
            result.append(Step((new,), _permute(tensor, wanted), "any", node=node, same_line=True))
            converted[key] = new
        return converted[key]

    for step in steps:
        wanted = step_layout(step, channels)
        if wanted is not None:
            table = {
                tensor: new
                for tensor in dict.fromkeys(step.reads)
                if (new := convert(tensor, wanted, step.node)) is not tensor
            }
            if table:
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
    """Whether a step reads channels-first values; None if none of its tensors has a layout."""
    if step.layout != "any":
        return step.layout == CHANNELS
    if step.output_layout is None:
        for tensor in step.outputs:
            if tensor.has_layout:
                return channels[tensor]
    for tensor in step.reads:
        if tensor.has_layout:
            return channels[tensor]
    return None


def written_layout(step: Step, channels: dict[Tensor, bool]) -> bool | None:
    """Whether the axis numbers in a step's source are channels-first.

    They follow the output's layout if it can differ from the inputs', and the inputs' if both
    are fixed (a reduction over the channels, whose axes are the input's).
    """
    fixed = step.layout != "any" and step.output_layout in (KERAS, CHANNELS)
    if step.output_layout is not None and len(step.outputs) == 1 and not fixed:
        return channels.get(step.outputs[0])
    return step_layout(step, channels)


def _rearranged(expr: Rearrange, output: Tensor, channels: dict[Tensor, bool]) -> Expr:
    """The PyTorch call for Keras's `Permute` between the chosen layouts."""
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
    """An einsum with its letters in the layouts of its operands and its result."""
    call: Call = step.expr
    names = call.args[0]
    if not isinstance(names, Subscripts):
        return call
    reads = bool(step_layout(step, channels))
    gives = channels.get(step.outputs[0], False)
    # A weight stands in Keras's order, whatever the layout of what it is multiplied with.
    operands = zip(names.inputs, call.args[1:], strict=True)
    inputs = (_ordered(letters, reads and bool(tensors_in(x))) for letters, x in operands)
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
