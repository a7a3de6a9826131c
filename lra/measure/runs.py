"""What is measured before a run: its variant, in turns with those that it is compared with."""

import math
import time
from collections.abc import Callable, Iterable

from attention_zoo.spec import base_of
from lra.config import RunConfig
from lra.failures import SMALLER, Killed, OutOfMemory, RunFailure
from lra.measure.job import Job, step_settings
from lra.measure.timing import LEAST, TURN_BUDGET
from lra.measure.turns import Group, Variant
from lra.measure.variant import Measurement

SHARE, MOST = 0.1, 30.0  # of its training, seconds: what measuring a variant may take
ROUNDS = 9  # of turns, at most
KINDS = {failure.kind: failure for failure in (Killed, OutOfMemory)}
Training = Callable[[float, float], float]


def measure_in_turns(
    config: RunConfig,
    beside: Iterable[str],
    training: Training,
    memory: int | None = None,
) -> dict[str, Measurement]:
    """The measurements of a run's variant and of those beside it, by attention.

    It ends when they have had SHARE of their training together, or MOST seconds each, but not
    before LEAST repetitions, and turns where their bases are among them. Turns with a base that is
    not are taken where LEAST of them fit into that time; else there is no ratio. Of those beside,
    one that fails is left out.

    Args:
        beside: attentions that differ from the run's in their filters alone.
        training: seconds that training takes at least, from the milliseconds of a training step
            and of a forward pass.
        memory: bytes of main memory that a process may take, on the CPU.

    Raises RunFailure where there is no measurement of the run's own.
    """
    own, N = str(config.attention), config.protocol.task.max_len
    asked = list(dict.fromkeys((own, *beside)))
    names = dict.fromkeys(one for name in asked for one in (base_of(name) or name, name))
    jobs = [job_of(config, name, memory) for name in names]
    with Group(jobs, [N], math.inf) as group:
        wanted = [variant for variant in group.variants if variant.job.attention in asked]
        started = time.monotonic()
        for member in group.members:
            member.start()
        for variant in wanted:
            variant.count(N)
            require_figures(group, config, N)
        if len(names) == len(asked) or fits(group, wanted, N, started, training):
            take_turns(group, wanted, N, started, training)
        require_figures(group, config, N)
        return {
            variant.job.attention: measurement(group, variant, N)
            for variant in wanted
            if N not in variant.ended
        }


def fits(group: Group, wanted: list[Variant], N: int, started: float, training: Training) -> bool:
    """Whether there is time for turns, after LEAST repetitions without them."""
    for variant in wanted:
        variant.time(N, LEAST)
        variant.apart = 1
    longest = max(variant.turn.get(N, 0.0) for variant in wanted)
    turns = LEAST * len(group.members) * longest * 2 / (1 + LEAST)  # one pass of each is not timed
    return time.monotonic() + turns <= started + budget(wanted, N, training)


def take_turns(
    group: Group, wanted: list[Variant], N: int, started: float, training: Training
) -> None:
    """Times the group until its time is over. The first turn has the fewest repetitions that there
    may be, which says how many the others may have."""
    members = group.members
    least, rounds = (1, LEAST) if group.copy else (LEAST, 1)
    seconds = shortest = 0.0
    for round in range(1, ROUNDS + 1):
        began = time.monotonic()
        for member in members[:: 1 if round % 2 else -1]:  # none always follows the same one
            member.time(N, least, seconds)
        now = time.monotonic()
        end = started + budget(wanted, N, training)
        shortest = shortest or (now - began) / len(members)
        if round >= rounds and now + (now - began) > end:
            return
        turn = (end - now) / max(1, ROUNDS - round) / len(members)
        seconds = min(TURN_BUDGET, max(0.0, turn - shortest) / 2)


def budget(wanted: list[Variant], N: int, training: Training) -> float:
    """Seconds for measuring them."""
    times = [variant.times(N) for variant in wanted if N not in variant.ended]
    return sum(min(MOST, SHARE * training(step.median_ms, f.median_ms)) for f, step in times)


def require_figures(group: Group, config: RunConfig, N: int) -> None:
    row = group.named(str(config.attention)).ended.get(N)
    if row is not None:
        short = row.status == OutOfMemory.kind
        reason = f"{SMALLER} ({row.reason:.120})" if short else row.reason
        raise KINDS.get(row.status, RunFailure)(f"measuring {config.attention}: {reason}")


def measurement(group: Group, variant: Variant, N: int) -> Measurement:
    count, (forward, step) = variant.counts[N], variant.times(N)
    settings = variant.job.settings
    return Measurement(
        batch=settings.batch,
        micro_batch=settings.micro_batch,
        length=N,
        parameters=count.parameters,
        over_softmax=count.over_softmax,
        training_step=step,
        forward=forward,
        examples_per_second=settings.batch / step.median_ms * 1e3,
        seconds_per_1000_steps=step.median_ms,
        memory=count.memory,
        training_flops=count.flops[1],
        forward_flops=count.flops[0],
        kernels=count.kernels,
        ratio=group.ratio(variant, N),
    )


def job_of(config: RunConfig, attention: str, memory: int | None) -> Job:
    settings = step_settings(
        config.task,
        config.protocol,
        label=config.protocol.label,
        modified=config.modified,
        precision=config.precision,
        accelerator=config.accelerator,
        micro_batch=config.micro_batch,
    )
    return Job(attention, settings, config.protocol, config.plugins, memory, ())
