"""A measurement beside an earlier one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from attention_zoo import UsageError
from lra.measure.memory import headline
from lra.measure.sheet import OK, Level, Row, Settings, Sheet
from lra.measure.timing import Timing
from lra.system.environment import Environment

Verdict = Literal["regression", "improvement", "within spread"]
PACKAGES = ("torch", "xformers", "triton")  # whose kernels are timed


def pass_names(level: Level) -> dict[str, str]:
    """What the two passes of a row are called."""
    training = "training step" if level == "step" else "forward + backward"
    return {"forward": "forward", "training": training}


@dataclass(frozen=True)
class Change:
    """One figure of a row that both have; old and new in the same unit.

    old_spread, new_spread: (p80 − p20) / median, 0 for memory, of which there is one figure.
    """

    attention: str
    N: int
    quantity: str
    old: float
    new: float
    old_spread: float
    new_spread: float
    verdict: Verdict

    @property
    def ratio(self) -> float:
        return self.new / self.old


@dataclass(frozen=True)
class Lost:
    """A row that had figures and has none now, with what became of it."""

    attention: str
    N: int
    status: str


def require_same(old: Settings, new: Settings) -> None:
    """Raises UsageError that names what differs."""
    differing = [
        f"{name} {before!r}, now {now!r}"
        for name, before, now in (
            (name, getattr(old, name), getattr(new, name)) for name in Settings.__annotations__
        )
        if before != now
    ]
    if differing:
        raise UsageError(f"measured with other settings: {'; '.join(differing)}")


def elsewhere(old: Environment, new: Environment) -> list[str]:
    """What of the machine differs, so that a ratio says nothing of the code alone."""
    before, now = (
        {
            "device": where.device,
            "threads": where.threads,
            **{package: where.versions.get(package) for package in PACKAGES},
            "CUDA": where.cuda,
            "float32 products": where.matmul,
        }
        for where in (old, new)
    )
    return [f"{key} {before[key]}, now {now[key]}" for key in before if before[key] != now[key]]


def compare(old: Sheet, new: Sheet) -> tuple[list[Change], list[Lost]]:
    """Of the rows that both have, in the order of the new one."""
    earlier = {(row.attention, row.N): row for row in old.rows if row.status == OK}
    changes: list[Change] = []
    lost: list[Lost] = []
    for row in new.rows:
        before = earlier.get((row.attention, row.N))
        if before is not None and row.status == OK:
            changes += _changes(before, row, new.settings.level)
        elif before is not None:
            lost.append(Lost(row.attention, row.N, row.status))
    return changes, lost


def not_measured(old: Sheet, new: Sheet) -> list[str]:
    """Rows with figures that the new one is not about, each named."""
    now = {(row.attention, row.N) for row in new.rows}
    return [
        f"{row.attention} N={row.N:,}"
        for row in old.rows
        if row.status == OK and (row.attention, row.N) not in now
    ]


def _changes(old: Row, new: Row, level: Level) -> list[Change]:
    figures = {
        what: (getattr(old, name).time, getattr(new, name).time)
        for name, what in pass_names(level).items()
    }
    figures["memory"] = tuple(_exact(headline(row.memory)) for row in (old, new))
    return [
        Change(
            new.attention,
            new.N,
            quantity,
            before.median_ms,
            now.median_ms,
            before.spread,
            now.spread,
            verdict(before, now),
        )
        for quantity, (before, now) in figures.items()
    ]


def verdict(old: Timing, new: Timing) -> Verdict:
    """A regression where all but the fastest fifth of the new ones took longer than all but the
    slowest fifth of the old ones; an improvement the other way round."""
    if new.p20_ms > old.p80_ms and new.median_ms > old.median_ms:
        return "regression"
    if new.p80_ms < old.p20_ms and new.median_ms < old.median_ms:
        return "improvement"
    return "within spread"


def _exact(value: float) -> Timing:
    """A figure without a spread."""
    return Timing(value, value, value, 1)


def failures(changes: Sequence[Change], lost: Sequence[Lost], above: float) -> list[str]:
    """Regressions by more than a factor, and rows that were lost, each named in a few words."""
    return [
        *(
            f"{change.attention} N={change.N:,} {change.quantity} × {change.ratio:.2f}"
            for change in changes
            if change.verdict == "regression" and change.ratio > above
        ),
        *(f"{row.attention} N={row.N:,} {row.status}" for row in lost),
    ]
