"""A measurement beside an earlier one."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from attention_zoo import UsageError
from lra.choices import Level
from lra.measure.memory import headline
from lra.measure.sheet import OK, Row, Settings, Sheet
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
    """One figure of a row that both have: milliseconds, or bytes of memory without a spread."""

    attention: str
    N: int
    quantity: str
    old: Timing
    new: Timing

    @property
    def ratio(self) -> float:
        return self.new.median_ms / self.old.median_ms

    @property
    def verdict(self) -> Verdict:
        return verdict(self.old, self.new)


def require_same(old: Settings, new: Settings) -> None:
    """Raises UsageError that names what differs."""
    differing = [
        f"{name} {before!r}, now {getattr(new, name)!r}"
        for name, before in asdict(old).items()
        if before != getattr(new, name)
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


def compare(old: Sheet, new: Sheet) -> tuple[list[Change], list[Row]]:
    """Of the rows that both have, in the order of the new one: each figure, and the rows that had
    figures and have none now."""
    earlier = {(row.attention, row.N): row for row in old.rows if row.status == OK}
    both = [(earlier[key], row) for row in new.rows if (key := (row.attention, row.N)) in earlier]
    changes = [
        change
        for before, row in both
        if row.status == OK
        for change in _changes(before, row, new.settings.level)
    ]
    return changes, [row for _, row in both if row.status != OK]


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
    figures["memory"] = tuple(Timing.of([headline(row.memory)]) for row in (old, new))
    return [Change(new.attention, new.N, name, *pair) for name, pair in figures.items()]


def verdict(old: Timing, new: Timing) -> Verdict:
    """A regression where all but the fastest fifth of the new ones took longer than all but the
    slowest fifth of the old ones; an improvement the other way round."""
    if new.p20_ms > old.p80_ms and new.median_ms > old.median_ms:
        return "regression"
    if new.p80_ms < old.p20_ms and new.median_ms < old.median_ms:
        return "improvement"
    return "within spread"


def failures(changes: Sequence[Change], lost: Sequence[Row], above: float) -> list[str]:
    """Regressions by more than a factor, and rows that were lost, each named in a few words."""
    return [
        *(
            f"{change.attention} N={change.N:,} {change.quantity} × {change.ratio:.2f}"
            for change in changes
            if change.verdict == "regression" and change.ratio > above
        ),
        *(f"{row.attention} N={row.N:,} {row.status}" for row in lost),
    ]
