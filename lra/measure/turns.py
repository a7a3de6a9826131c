"""Variants of one attention that take turns at being timed, a process each."""

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import chain

from attention_zoo.spec import base_of
from lra.failures import OutOfMemory, RunFailure
from lra.measure.dialogue import Worker
from lra.measure.job import Count, Job, Reply, Request, Work
from lra.measure.sheet import OK, TIME_LIMIT, Pass, Row
from lra.measure.timing import LEAST, Ratio, Spread, Timing

NOT_TRIED = {TIME_LIMIT: "took too long", OutOfMemory.kind: "ran out of memory"}


@dataclass(eq=False)
class Variant:
    """One attention: its process while it has one, and what is known of each length.

    spent: seconds, on the lengths that have been run at all. ended: rows of those that have come to
    their end without figures. forward, training: milliseconds, a list a turn. apart: how many of
    the turns others had no part in, the first ones.
    """

    job: Job
    lengths: Sequence[int]
    time_limit: float
    worker: Worker | None = None
    ready: bool = False
    spent: dict[int, float] = field(default_factory=dict)
    ended: dict[int, Row] = field(default_factory=dict)
    counts: dict[int, Count] = field(default_factory=dict)
    works: dict[int, tuple[Work, Work]] = field(default_factory=dict)
    forward: dict[int, list[list[float]]] = field(default_factory=dict)
    training: dict[int, list[list[float]]] = field(default_factory=dict)
    turn: dict[int, float] = field(default_factory=dict)
    apart: int = 0

    def check(self) -> None:
        """In a process that does nothing else: its memory and its hooks are not the figures'."""
        reply = self._wait()
        if reply.status == OK:
            reply = self.worker.ask(Request("check"), self.time_limit)
        self.close()
        if reply.status == TIME_LIMIT:
            late = f"its contract was not through after {self.time_limit:g} s"
            reply = replace(reply, reason=late)
        if reply.status != OK:
            for N in self.lengths:
                self._end(N, reply)

    def warm(self, N: int) -> None:
        self._ask(Request("warm", N))

    def count(self, N: int) -> None:
        reply = self._ask(Request("count", N))
        if reply is not None:
            self.counts[N] = reply.content

    def compare(self, N: int) -> None:
        """The row ends where the operations that are counted are not those of the formula."""
        reply = self._ask(Request("work", N))
        if reply is None:
            return
        self.works[N] = reply.content
        flops = self.counts[N].flops
        for name, counted, work in zip(("forward", "training"), flops, reply.content, strict=True):
            if work.formula not in (None, counted):
                found = f"{counted:,} operations counted in the {name} pass"
                self._end(N, Reply(RunFailure.kind, f"{found}, {work.formula:,} by its formula"))

    def time(self, N: int, least: int = 1, seconds: float = 0.0) -> None:
        """One more turn, where another fits into the time limit or is still needed. least, seconds:
        of each pass."""
        turns = self.training.get(N, [])
        if sum(map(len, turns)) >= LEAST and self.spent[N] + self.turn[N] > self.time_limit:
            return
        before = self.spent.get(N, 0.0)
        reply = self._ask(Request("time", N, least, seconds))
        if reply is not None:
            for samples, found in zip((self.forward, self.training), reply.content, strict=True):
                samples.setdefault(N, []).append(found)
            self.turn[N] = max(self.turn.get(N, 0.0), self.spent[N] - before)

    def times(self, N: int) -> tuple[Timing, Timing]:
        """Of the forward and the training pass."""
        forward, training = (
            Timing.of([*chain.from_iterable(turns[N])]) for turns in (self.forward, self.training)
        )
        return forward, training

    def row(self, N: int, ratio: Ratio | None = None) -> Row:
        if N in self.ended:
            return self.ended[N]
        count, times, works = self.counts[N], self.times(N), self.works[N]
        forward, training = (
            Pass(time, flops, work.formula, work.bytes)
            for time, flops, work in zip(times, count.flops, works, strict=True)
        )
        return Row(
            self.job.attention,
            N,
            OK,
            forward=forward,
            training=training,
            memory=count.memory,
            kernels=count.kernels,
            parameters=count.parameters,
            ratio=ratio,
        )

    def _ask(self, request: Request) -> Reply | None:
        """None where the length has come to its end."""
        N = request.N
        if N in self.ended:
            return None
        reply = self._wait()
        started, spent = time.monotonic(), self.spent.get(N, 0.0)
        if reply.status == OK:
            reply = self.worker.ask(request, self.time_limit - spent)
        self.spent[N] = spent + time.monotonic() - started
        if reply.status == OK:
            return reply
        if reply.status == TIME_LIMIT:
            reply = replace(reply, reason=f"more than {self.time_limit:g} s")
        self._end(N, reply)
        if reply.over or reply.status == OutOfMemory.kind:  # its memory's rest is in pieces
            self.close()
            why = NOT_TRIED.get(reply.status, "lost its process")
            for longer in self.lengths:
                if longer > N and longer not in self.spent:
                    self._end(longer, Reply(reply.status, f"not tried: N={N:,} {why}"))
        return None

    def _end(self, N: int, reply: Reply) -> None:
        self.ended.setdefault(N, Row(self.job.attention, N, reply.status, reply.reason))

    def start(self) -> None:
        """Its process, which imports what it needs while others start."""
        if self.worker is None:
            self.worker = Worker(self.job)

    def _wait(self) -> Reply:
        """What the process says of being ready, which may be for long."""
        self.start()
        if self.ready:
            return Reply()
        reply = self.worker.ready()
        self.ready = reply.status == OK
        return reply

    def close(self) -> None:
        if self.worker is not None:
            self.worker.close()
            self.worker, self.ready = None, False


class Group:
    """Variants whose processes live together and compute in turns, never two at a time. Where one
    is another with a filter more, a second copy of the first such base is timed, too: how far the
    ratio of equal things strays (A/A)."""

    def __init__(self, jobs: Sequence[Job], lengths: Sequence[int], time_limit: float) -> None:
        self.variants = [Variant(job, lengths, time_limit) for job in jobs]
        bases = {base_of(job.attention) for job in jobs}
        first = next((job for job in jobs if job.attention in bases), None)
        self.copy = Variant(first, lengths, time_limit) if first else None

    def __enter__(self) -> "Group":
        return self

    def __exit__(self, *_: object) -> None:
        for variant in self.members:
            variant.close()

    @property
    def members(self) -> list[Variant]:
        """The copy stands beside what it is a copy of."""
        made = list(self.variants)
        if self.copy:
            names = [variant.job.attention for variant in made]
            made.insert(names.index(self.copy.job.attention) + 1, self.copy)
        return made

    def named(self, attention: str | None) -> Variant | None:
        return next((one for one in self.variants if one.job.attention == attention), None)

    def ratio(self, variant: Variant, N: int) -> Ratio | None:
        """Of its training passes to its base's; None where the group has no base, or one of the
        three has no figures."""
        base = self.named(base_of(variant.job.attention))
        if base is None or self.copy is None:
            return None
        times, control = over(variant, base, N), over(self.copy, self._copied, N)
        return Ratio(base.job.attention, times, control) if times and control else None

    @property
    def _copied(self) -> Variant | None:
        return self.named(self.copy.job.attention)


def over(variant: Variant, base: Variant, N: int) -> Spread | None:
    """The ratio of the medians of each turn that both had; None where there is none, or one of them
    has no figures."""
    if N in variant.ended or N in base.ended:
        return None
    turns = (one.training.get(N, [])[one.apart :] for one in (variant, base))
    ratios = [
        statistics.median(ours) / statistics.median(theirs)
        for ours, theirs in zip(*turns, strict=False)
    ]
    return Spread.of(ratios) if ratios else None
