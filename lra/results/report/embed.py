"""Data inside a page: what a browser must read back as it was, and never as markup."""

import json
import math
from typing import Any

DIGITS = 6  # significant ones of a float


def embedded(content: Any) -> str:
    """JSON for a <script type="application/json">, in ASCII.

    No `<`, `>` or `&` stands in it, so that neither `</script>` nor `<!--` can end or change the
    element, and no U+2028, which older scripts take for the end of a line.
    """
    text = json.dumps(content, separators=(",", ":"), allow_nan=False)
    for mark in "<>&":
        text = text.replace(mark, f"\\u{ord(mark):04x}")
    return text


def rounded(value: Any, digits: int = DIGITS) -> Any:
    """The same structure with its floats to so many significant digits, whole ones as integers."""
    if isinstance(value, dict):
        return {str(key): rounded(item, digits) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(item, digits) for item in value]
    if not isinstance(value, float) or not math.isfinite(value):
        return value
    short = float(f"{value:.{digits}g}")
    return int(short) if short.is_integer() else short


class Shared:
    """Contents that many runs have in common, each kept once and named by its place."""

    def __init__(self) -> None:
        self.contents: list[Any] = []
        self._places: dict[str, int] = {}

    def place(self, content: Any) -> int:
        key = json.dumps(content, sort_keys=True)
        if key not in self._places:
            self._places[key] = len(self.contents)
            self.contents.append(content)
        return self._places[key]
