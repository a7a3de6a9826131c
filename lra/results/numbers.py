"""Numbers as people read them."""

from lra.results.table import MISSING


def figure(value: float | None, digits: int = 3) -> str:
    """Three significant digits; whole numbers, and those from 100 on, whole."""
    if value is None:
        return MISSING
    if value == int(value) or abs(value) >= 10 ** (digits - 1):
        return minus(f"{value:,.0f}")
    return minus(f"{value:.{digits}g}")


def signed(value: float, digits: int = 1) -> str:
    return minus(f"{round(value, digits) + 0.0:+.{digits}f}")  # no −0.0


def minus(text: str) -> str:
    return text.replace("-", "−")
