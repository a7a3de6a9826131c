"""What is told of a training, without what trains."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Report:
    """step: done, of `steps`. shown: what a person wants to read, smoothed, by name. validated:
    whether this step's validation has just ended. left: seconds, None at the start."""

    step: int
    steps: int
    shown: dict[str, str] = field(default_factory=dict)
    validated: bool = False
    left: float | None = None


def duration(seconds: float) -> str:
    """Seconds as people say them: 40 s, 12 min, 3 h 20 min."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"
