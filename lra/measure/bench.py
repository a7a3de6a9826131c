"""Variants over lengths: a row for whatever comes of each."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from lra.failures import RunFailure
from lra.measure.dialogue import Worker
from lra.measure.job import Job, Machine, Request
from lra.measure.sheet import OK, Row
from lra.measure.timing import TURN_BUDGET
from lra.measure.turns import Group

ROUNDS = 5  # of turns
LIMITS_WITHIN = 120.0  # seconds


def bench(
    jobs: Sequence[Job],
    lengths: Sequence[int],
    *,
    time_limit: float,
    say: Callable[[str], None],
    rounds: int = ROUNDS,
) -> Iterator[list[Row]]:
    """The rows of each base attention with its filtered forms, which are one Group.

    The contract first, in a process of its own; then in another every length is run, from the
    shortest on; then memory and operations are counted; then those of one base attention take turns
    at being timed, round after round, so that a drift of the machine hits x and x+filter alike.
    Another base attention is measured after it, in whatever state the machine is then.

    time_limit: seconds that a variant may spend on a length, and on its contract.
    """
    groups: dict[str, list[Job]] = {}
    for job in jobs:
        groups.setdefault(str(job.spec.attention), []).append(job)
    for those in groups.values():
        with Group(those, lengths, time_limit) as group:
            for variant in group.variants:
                say(f"{variant.job.attention}: its contract, then {len(lengths)} lengths")
                variant.check()
                for N in lengths:
                    variant.warm(N)
            for variant in group.variants:
                for N in lengths:
                    variant.count(N)
                    variant.compare(N)
            for round in range(rounds):
                for N in lengths:
                    for member in group.members[:: -1 if round % 2 else 1]:
                        member.time(N, seconds=TURN_BUDGET)
            yield [one.row(N, group.ratio(one, N)) for one in group.variants for N in lengths]


def machine_of(job: Job) -> Machine:
    """The environment of a measurement and its limits, measured in a process of its own, whatever
    memory a variant's may take."""
    worker = Worker(replace(job, memory=None))
    try:
        reply = worker.ready()
        if reply.status == OK:
            reply = worker.ask(Request("machine"), LIMITS_WITHIN)
    finally:
        worker.close()
    if reply.status != OK:
        raise RunFailure(f"the machine's limits: {reply.reason}")
    return reply.content
