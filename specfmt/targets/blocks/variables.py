"""Variables for the tensors of a block, which are the same in all of its uses.

A chain of calls reassigns ``x``; a tensor that is read later has a variable of its own.  Where uses
read different tensors at one place, because a layer stands only in some of them, one variable holds
both: ``skip = x``, then ``if project: skip = ...(x)``.  What was chosen is run for each use with
the tensors' names as values, so that a wrong choice cannot reach generated code.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from specfmt.targets.blocks.lines import NoFitError
from specfmt.targets.blocks.merge import merged_order
from specfmt.targets.naming import Scope

CHAIN = "x"
"""The variable of a chain of calls."""

KEPT = "skip"
"""The variable of an input that is read again after ``x`` has been reassigned."""

Key = Hashable
Tensor = tuple[Key, int]
"""The key of the call whose output it is, and the index of the output."""

INPUT = "input"
"""The key of the inputs of a block."""

RETURN = "return"
"""The key of the last call, which reads what the block gives."""


@dataclass(frozen=True)
class Call:
    """A call in one use.

    Attributes:
        key: What is the same in all uses.
        reads: The tensors that it reads, in order.
        outputs: The number of its outputs.
        carried: For a loop the number of tensors that each turn reads from the one before.
    """

    key: Key
    reads: tuple[Tensor, ...]
    outputs: int = 1
    carried: int = 0


@dataclass(frozen=True)
class Copy:
    """The assignment ``target = source`` before a call.

    Attributes:
        before: The key of the call.
        of: The tensor; uses without it do not have the assignment.
        always: Whether uses without the call have it too.
    """

    before: Key
    target: str
    source: str
    of: Tensor
    always: bool = True


@dataclass
class Variables:
    """The variables of a block.

    Attributes:
        order: The keys of all calls, in the order of the code.
        reads: Key and position of what is read -> variable.
        outputs: Tensor -> variable; ``_`` for one that is not read.
        copies: Assignments of one variable to another.
    """

    order: list[Key]
    reads: dict[tuple[Key, int], str] = field(default_factory=dict)
    outputs: dict[Tensor, str] = field(default_factory=dict)
    copies: list[Copy] = field(default_factory=list)


def variables(
    uses: Sequence[Sequence[Call]],
    inputs: Sequence[str],
    preferred: Mapping[Tensor, str],
    scope: Scope,
    own: frozenset[Tensor] = frozenset(),
) -> Variables:
    """Choose the variables.

    Args:
        uses: The calls of each use, the last one with the key `RETURN`.
        inputs: The variables of the inputs.
        preferred: Tensor -> the name to prefer for its variable.
        scope: The names in use, with those of the inputs.
        own: Tensors that have variables of their own in any case.

    Raises:
        NoFitError: No choice was found that is right for every use.
    """
    chooser = _Chooser(uses, inputs, preferred, own)
    used = set(scope.used)
    for _ in range(len(chooser.webs) + 1):
        found = chooser.choose(Scope(used))
        wrong = _first_mistake(uses, inputs, found)
        if wrong is None:
            scope.used.update((*found.outputs.values(), *(c.target for c in found.copies)))
            return found
        web = chooser.web_at.get(wrong)
        if web is None or web in chooser.copied:
            break
        chooser.copied.add(web)
    raise NoFitError(["tensors"])


def _first_mistake(
    uses: Sequence[Sequence[Call]], inputs: Sequence[str], found: Variables
) -> tuple[Key, int] | None:
    """The first place where a variable does not hold the tensor that is read there."""
    copies: dict[Key, list[Copy]] = {}
    for copy in found.copies:
        copies.setdefault(copy.before, []).append(copy)
    for calls in uses:
        held: dict[str, Tensor] = {name: (INPUT, place) for place, name in enumerate(inputs)}
        stands = {call.key: call for call in calls}
        for key in found.order:
            for copy in copies.get(key, ()):
                if copy.source in held and (copy.always or key in stands):
                    held[copy.target] = held[copy.source]
            if key not in stands:
                continue
            call = stands[key]
            for place, tensor in enumerate(call.reads):
                if held.get(found.reads[call.key, place]) != tensor:
                    return call.key, place
            for index in range(call.outputs):
                name = found.outputs[call.key, index]
                if index < call.carried and name != found.reads[call.key, index]:
                    return call.key, index
                if call.carried and name in (
                    found.reads[call.key, place] for place in range(call.carried, len(call.reads))
                ):
                    return call.key, index
                held[name] = (call.key, index)
    return None


class _Chooser:
    """Chooses variables; `copied` holds the webs whose first tensor keeps a variable of its own.

    A web is a set of tensors that are read at one place, by different uses.
    """

    def __init__(
        self,
        given: Sequence[Sequence[Call]],
        inputs: Sequence[str],
        preferred: Mapping[Tensor, str],
        own: frozenset[Tensor],
    ) -> None:
        self.uses = uses = list(dict.fromkeys(map(tuple, given)))
        self.inputs = inputs
        self.preferred = preferred
        self.own = own
        self.order = merged_order([[call.key for call in calls] for calls in uses])
        self.place = {key: number for number, key in enumerate(self.order)} | {INPUT: -1}
        self.by_key = [{call.key: call for call in calls} for calls in uses]
        self.following = [
            {call.key: after for call, after in pairwise(calls)} for calls in self.uses
        ]
        self.read_by: list[dict[Tensor, list[tuple[Key, int]]]] = [{} for _ in self.uses]
        for calls, read_by in zip(self.uses, self.read_by, strict=True):
            for call in calls:
                for place, tensor in enumerate(call.reads):
                    read_by.setdefault(tensor, []).append((call.key, place))
        self.web_at: dict[tuple[Key, int], Tensor] = {}
        self.web_of: dict[Tensor, Tensor] = {}
        self.webs: dict[Tensor, list[Tensor]] = {}
        self.copied: set[Tensor] = set()
        self._find_webs()

    def _find_webs(self) -> None:
        """Tensors that are read at one place belong together; the first one stands for them."""
        read: dict[tuple[Key, int], dict[Tensor, None]] = {}
        for calls in self.uses:
            for call in calls:
                for place, tensor in enumerate(call.reads):
                    read.setdefault((call.key, place), {})[tensor] = None
        groups: dict[Tensor, set[Tensor]] = {}
        for tensors in read.values():
            if len(tensors) > 1:
                joined = set(tensors).union(*(groups.get(tensor, ()) for tensor in tensors))
                groups |= dict.fromkeys(joined, joined)
        for tensor, group in groups.items():
            first = min(group, key=self._rank)
            self.web_of[tensor] = first
            self.webs[first] = sorted(group, key=self._rank)
        for place_read, tensors in read.items():
            if len(tensors) > 1:
                self.web_at[place_read] = self.web_of[next(iter(tensors))]

    def _rank(self, tensor: Tensor) -> tuple[int, int]:
        return self.place[tensor[0]], tensor[1]

    # --------------------------------------------------------------------------- choosing

    def choose(self, scope: Scope) -> Variables:
        """Variables for all tensors; whether they are right is to be checked."""
        self.scope = scope
        self.found = found = Variables(self.order)
        self.home: dict[Tensor, str] = {
            (INPUT, place): name for place, name in enumerate(self.inputs)
        }
        self.holds: dict[str, list[Tensor]] = {
            name: [(INPUT, place)] for place, name in enumerate(self.inputs)
        }
        self.late: dict[Tensor, tuple[int, str]] = {}
        self.web_names: dict[Tensor, str] = {}
        self.reserved: dict[Tensor, str] = {}
        scope.used.update(self.inputs)
        for web in self.copied:
            wanted = KEPT if web[0] == INPUT else self.preferred[self.webs[web][-1]]
            self.web_names[web] = scope.claim(wanted)
        for key in self.order:
            self._name_outputs(key)
        for web, name in self.web_names.items():
            places = [
                self.place[tensor[0]]
                for tensor, own in self.home.items()
                if own == name and tensor[0] != INPUT
            ]
            if not places:
                raise NoFitError(["inputs"])
            before = min(places)
            found.copies.append(Copy(self.order[before], name, self.home[web], web))
        for tensor, (_, name) in self.late.items():
            found.copies.insert(0, Copy(self.order[0], name, self.home[tensor], tensor))
        for calls in self.uses:
            for call in calls:
                for place, tensor in enumerate(call.reads):
                    found.reads[call.key, place] = self._read(call.key, place, tensor)
        self._carry()
        found.outputs = {tensor: name for tensor, name in self.home.items() if tensor[0] != INPUT}
        return found

    def _read(self, key: Key, place: int, tensor: Tensor) -> str:
        web = self.web_at.get((key, place))
        if web is not None and web in self.web_names:
            return self.web_names[web]
        if tensor in self.late and self.place[key] > self.late[tensor][0]:
            return self.late[tensor][1]
        return self.home[tensor]

    def _carry(self) -> None:
        """A loop reads and writes the same variables; before it they get their first tensors."""
        for calls in self.uses:
            for call in calls:
                for index in range(call.carried):
                    read = self.found.reads[call.key, index]
                    name = self.home[call.key, index]
                    if read != name:
                        copy = Copy(call.key, name, read, call.reads[index], False)
                        if copy not in self.found.copies:
                            self.found.copies.append(copy)
                        self.found.reads[call.key, index] = name

    def _name_outputs(self, key: Key) -> None:
        count = max(calls[key].outputs for calls in self.by_key if key in calls)
        for index in range(count):
            tensor = (key, index)
            web = self.web_of.get(tensor)
            if web is not None and (web in self.copied or web in self.home):
                self.home[tensor] = self.web_names.get(web) or self.home[web]
            elif not self._readers(tensor):
                self.home[tensor] = "_"
            elif tensor not in self.own and (
                self._is_chained(tensor) if web is None else self._is_row(web)
            ):
                self.home[tensor] = self._chain_name(tensor)
            elif tensor in self.reserved:
                self.home[tensor] = self.reserved[tensor]
            else:
                last = tensor if web is None else self.webs[web][-1]
                self.home[tensor] = self.scope.claim(self.preferred[last])
            self.holds.setdefault(self.home[tensor], []).append(tensor)

    def _chain_name(self, tensor: Tensor) -> str:
        """The variable of a tensor in a chain: ``x``, or that of the chain's end if ``x`` is read later.

        A chain that runs into a call that reads the input itself leaves the input in a copy.
        """
        key = tensor[0]
        if not self._is_live(CHAIN, key):
            return CHAIN
        chain = self._chain(tensor)
        end = chain[-1]
        web = self.web_of.get(end)
        name = None if web is None else self.web_names.get(web) or self.home.get(web)
        if name is not None and name != CHAIN and not self._is_live(name, key):
            return name
        held = [
            (INPUT, place)
            for place, own in enumerate(self.inputs)
            if own == CHAIN and (INPUT, place) not in self.late
        ]
        joined = any(other[0] in self._reading_keys(item) for item in held for other in chain[1:])
        if web is None and not self._is_chained(end) and end[0] != RETURN and not joined:
            if end not in self.reserved:
                self.reserved[end] = self.scope.claim(self.preferred[end])
            if not self._is_live(self.reserved[end], key):
                return self.reserved[end]
        for item in held:
            self.late[item] = (self.place[key], self.scope.claim(KEPT))
            return CHAIN
        return self.scope.claim(self.preferred[tensor])

    def _reading_keys(self, tensor: Tensor) -> set[Key]:
        return {key for key, _ in self._readers(tensor)}

    # --------------------------------------------------------------------------- liveness

    def _readers(self, tensor: Tensor) -> set[tuple[Key, int]]:
        return {place for read_by in self.read_by for place in read_by.get(tensor, ())}

    def _is_chained(self, tensor: Tensor) -> bool:
        """Whether it is the first output of its call and read by the next call alone."""
        if tensor in self.web_of or tensor in self.own or tensor[1]:
            return False
        readers = {key for key, _ in self._readers(tensor)}
        stands = [n for n, calls in enumerate(self.by_key) if tensor[0] in calls]
        return len(readers) == 1 and all(
            self.following[n][tensor[0]].key in readers for n in stands
        )

    def _is_row(self, web: Tensor) -> bool:
        """Whether all calls from the first tensor of a web to its last reader are about the web."""
        members = self.webs[web]
        readers = {key for tensor in members for key, _ in self._readers(tensor)}
        makers = {tensor[0] for tensor in members}
        if web[0] == INPUT or any(tensor[1] for tensor in members):
            return False
        places = [self.place[key] for key in (*readers, *makers)]
        between = self.order[min(places) : max(places)]
        if any(key not in makers and key not in readers for key in between):
            return False
        last = self.order[max(places)]
        return all(key in makers or key == last or self._feeds(key, makers) for key in between)

    def _feeds(self, key: Key, makers: set[Key]) -> bool:
        return self._is_chained((key, 0)) and any(
            key_read in makers for key_read, _ in self._readers((key, 0))
        )

    def _chain(self, tensor: Tensor) -> list[Tensor]:
        """The tensors from this one to the first that is not read by the next call alone."""
        chain = [tensor]
        while self._is_chained(chain[-1]):
            ((reader, _),) = list(self._readers(chain[-1]))[:1]
            chain.append((reader, 0))
            if reader == RETURN:
                break
        return chain

    def _is_live(self, name: str, key: Key) -> bool:
        """Whether a variable holds a tensor that is read after a call, in a use with the call."""
        here = self.place[key]
        live = [
            tensor
            for tensor in self.holds.get(name, ())
            if self.place[tensor[0]] >= here
            or any(self._last_read(use, tensor, name) > here for use in range(len(self.uses)))
        ]
        self.holds[name] = live  # the others are read no more, here or later
        return any(
            self.place[tensor[0]] < here and self._last_read(use, tensor, name) > here
            for tensor in live
            for use, by_key in enumerate(self.by_key)
            if key in by_key
        )

    def _last_read(self, use: int, tensor: Tensor, name: str) -> int:
        """The place of the last call that reads a tensor from a variable."""
        return max(
            (
                self.place[key]
                for key, place in self.read_by[use].get(tensor, ())
                if self._read(key, place, tensor) == name
            ),
            default=-1,
        )
