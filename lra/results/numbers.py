"""Numbers as people read them."""

import math

MISSING = "–"


def readable(value: str | float) -> str:
    """A text as it is; a number as `figure` has it."""
    return value if isinstance(value, str) else figure(value)


def figure(value: float | None) -> str:
    """Three significant digits; whole numbers, and those from 100 on, whole."""
    if value is None:
        return MISSING
    if not math.isfinite(value):
        return "not finite"
    whole = value == int(value) or abs(value) >= 100
    return minus(f"{value:,.0f}" if whole else f"{value:.3g}")


def signed(value: float) -> str:
    return minus(f"{round(value, 1) + 0.0:+.1f}")  # no −0.0


def minus(text: str) -> str:
    return text.replace("-", "−")


def counted(n: int, what: str) -> str:
    return f"{n:,} {what}{'s' * (n != 1)}"
