"""Variants over lengths: a process each, in turns, and a row for whatever comes of it."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from lra.failures import OutOfMemory, RunFailure
from lra.measure.dialogue import Ended, Worker
from lra.measure.job import Count, Job, Machine, Reply, Request, Work
from lra.measure.sheet import OK, TIME_LIMIT, Pass, Row
from lra.measure.timing import LEAST, Timing

ROUNDS = 5  # of turns
LIMITS_WITHIN = 120.0  # seconds
NOT_TRIED = {TIME_LIMIT: "took too long", OutOfMemory.kind: "ran out of memory"}


@dataclass
class Variant:
    """One attention: its process while it has one, and what is known of each length.

    spent: seconds. ended: rows of the lengths that have come to their end without figures. tried:
    lengths that have been run at all.
    """

    job: Job
    lengths: Sequence[int]
    time_limit: float
    worker: Worker | None = None
    spent: dict[int, float] = field(default_factory=dict)
    ended: dict[int, Row] = field(default_factory=dict)
    tried: set[int] = field(default_factory=set)
    counts: dict[int, Count] = field(default_factory=dict)
    forward: dict[int, list[float]] = field(default_factory=dict)
    training: dict[int, list[float]] = field(default_factory=dict)
    turn: dict[int, float] = field(default_factory=dict)

    def check(self) -> None:
        """In a process that does nothing else: its memory and its hooks are not the figures'."""
        try:
            reply = self._started().ask(Request("check"), self.time_limit)
        except Ended as end:
            status, reason = end.status, end.reason
            if status == TIME_LIMIT:
                reason = f"its contract was not through after {self.time_limit:g} s"
        else:
            status, reason = reply.status, reply.reason
        finally:
            self.close()
        if status != OK:
            for N in self.lengths:
                self._end(N, status, reason)

    def warm(self, N: int) -> None:
        self._ask("warm", N)

    def count(self, N: int) -> None:
        reply = self._ask("count", N)
        if reply is None:
            return
        self.counts[N] = reply.count
        for name, work in (("forward", reply.count.forward), ("training", reply.count.training)):
            if work.formula not in (None, work.flops):
                self._end(
                    N,
                    RunFailure.kind,
                    f"{work.flops:,} operations counted in the {name} pass, {work.formula:,} by "
                    "its formula",
                )

    def time(self, N: int) -> None:
        """One more turn, where another fits into the time limit or is still needed."""
        if (
            len(self.training.get(N, [])) >= LEAST
            and self.spent[N] + self.turn[N] > self.time_limit
        ):
            return
        before = self.spent.get(N, 0.0)
        reply = self._ask("time", N)
        if reply is not None:
            self.forward.setdefault(N, []).extend(reply.times.forward)
            self.training.setdefault(N, []).extend(reply.times.training)
            self.turn[N] = max(self.turn.get(N, 0.0), self.spent[N] - before)

    def row(self, N: int) -> Row:
        if N in self.ended:
            return self.ended[N]
        count = self.counts[N]
        return Row(
            self.job.attention,
            N,
            OK,
            forward=_pass(self.forward[N], count.forward),
            training=_pass(self.training[N], count.training),
            memory=count.memory,
            kernels=count.kernels,
            parameters=count.parameters,
        )

    def _ask(self, what: str, N: int) -> Reply | None:
        """None where the length has come to its end."""
        if N in self.ended:
            return None
        self.tried.add(N)
        started = time.monotonic()
        try:
            worker = self._started()
            started = time.monotonic()
            reply = worker.ask(Request(what, N), self.time_limit - self.spent.get(N, 0.0))
        except Ended as end:
            self._lost(N, end)
            return None
        finally:
            self.spent[N] = self.spent.get(N, 0.0) + time.monotonic() - started
        if reply.status == OutOfMemory.kind:  # what is left of its memory is in pieces
            self._lost(N, Ended(reply.status, reply.reason))
        elif reply.status != OK:
            self._end(N, reply.status, reply.reason)
        else:
            return reply
        return None

    def _lost(self, N: int, end: Ended) -> None:
        """The process is done with; what is longer, and has not been run yet, is not tried."""
        self.close()
        reason = end.reason
        if end.status == TIME_LIMIT:
            reason = f"more than {self.time_limit:g} s"
        self._end(N, end.status, reason)
        for longer in self.lengths:
            if longer > N and longer not in self.tried:
                why = NOT_TRIED.get(end.status, "lost its process")
                self._end(longer, end.status, f"not tried: N={N:,} {why}")

    def _end(self, N: int, status: str, reason: str | None) -> None:
        self.ended.setdefault(N, Row(self.job.attention, N, status, reason))

    def _started(self) -> Worker:
        if self.worker is None:
            self.worker = Worker(self.job)
            self.worker.ready()
        return self.worker

    def close(self) -> None:
        if self.worker is not None:
            self.worker.close()
            self.worker = None


def bench(
    jobs: Sequence[Job],
    lengths: Sequence[int],
    *,
    time_limit: float,
    say: Callable[[str], None],
    rounds: int = ROUNDS,
) -> Iterator[list[Row]]:
    """The rows of each base attention with its filtered forms, whose processes live together.

    The contract first, in a process of its own; then in another every length is run, from the
    shortest on; then memory and operations are counted; then those of one base attention take turns
    at being timed, round after round, so that a drift of the machine hits x and x+filter alike.
    Another base attention is measured after it, in whatever state the machine is then. Never do two
    processes compute at a time.

    time_limit: seconds that a variant may spend on a length, and on its contract.
    """
    groups: dict[str, list[Job]] = {}
    for job in jobs:
        groups.setdefault(str(job.spec.attention), []).append(job)
    for group in groups.values():
        variants = [Variant(job, lengths, time_limit) for job in group]
        try:
            for variant in variants:
                say(f"{variant.job.attention}: its contract, then {len(lengths)} lengths")
                variant.check()
                for N in lengths:
                    variant.warm(N)
            for variant in variants:
                for N in lengths:
                    variant.count(N)
            for _ in range(rounds):
                for N in lengths:
                    for variant in variants:
                        variant.time(N)
            yield [variant.row(N) for variant in variants for N in lengths]
        finally:
            for variant in variants:
                variant.close()


def machine_of(job: Job) -> Machine:
    """The environment of a measurement and its limits, measured in a process of its own, whatever
    memory a variant's may take."""
    worker = Worker(replace(job, memory=None))
    try:
        worker.ready()
        reply = worker.ask(Request("machine"), LIMITS_WITHIN)
    except Ended as end:
        raise RunFailure(f"the machine's limits: {end.reason}") from end
    finally:
        worker.close()
    if reply.machine is None:
        raise RunFailure(f"the machine's limits: {reply.reason}")
    return reply.machine


def _pass(samples: list[float], work: Work) -> Pass:
    return Pass(Timing.of(samples), work.flops, work.formula, work.bytes)
