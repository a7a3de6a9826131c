"""Several specs in one text: `linear+gfsa:K={2,3}` is linear+gfsa:K=2 and linear+gfsa:K=3."""

import itertools
import math
import re
from collections.abc import Sequence

from attention_zoo.errors import UsageError, quoted

MOST = 10_000  # specs of one text: each is made, and checked, before anything runs


def expand_specs(text: str) -> list[str]:
    """The specs that a text with braces stands for, as a shell expands them: every combination, the
    first braces slowest; a text without braces stands for itself.

    Braces hold a comma-separated list of anything that a spec may have there, an empty text too, or
    a range of integers (`{2..5}`, `{2..10..4}`). Lists within one value keep `/`. What is returned
    is not parsed: two of its specs may have one canonical spelling.

    Raises UsageError where braces are not closed, are empty or contain others, where names are
    separated by commas without braces, and for more than MOST specs.

    >>> expand_specs("performer:features={64,256}+gfsa:layers={even,1/2}")[1:3]
    ['performer:features=64+gfsa:layers=1/2', 'performer:features=256+gfsa:layers=even']
    >>> expand_specs("linear{,+gfsa}")
    ['linear', 'linear+gfsa']
    """
    pieces = re.split(r"\{([^{}]*)\}", text)
    if any(set("{}") & set(outside) for outside in pieces[::2]):
        raise UsageError(f"{quoted(text)}: {_misplaced(text)}")
    choices: list[Sequence[object]] = [[piece] for piece in pieces]
    choices[1::2] = [_choices(inside, text) for inside in pieces[1::2]]
    if (count := math.prod(map(len, choices))) > MOST:
        raise UsageError(f"{quoted(text)} stands for {count:,} specs; at most {MOST:,}")
    specs = ["".join(map(str, combination)) for combination in itertools.product(*choices)]
    for part in (part for spec in specs for part in re.split(r"\+(?!\d)", spec)):
        _require_one_name(part, text)
    return specs


def _misplaced(text: str) -> str:
    depth = list(itertools.accumulate({"{": 1, "}": -1}.get(letter, 0) for letter in text))
    if depth[-1] == 0 <= min(depth):
        return "braces within braces are not supported; write one list, such as {a,b,c}"
    return "unbalanced braces; write several values as {a,b}, in quotes if there are spaces"


def _choices(inside: str, text: str) -> Sequence[object]:
    if found := re.fullmatch(r"(-?\d{1,9})\.\.(-?\d{1,9})(?:\.\.(-?\d{1,9}))?", inside.strip()):
        first, last, step = (int(number or 1) for number in found.groups())
        sign = 1 if first <= last else -1
        return range(first, last + sign, sign * (abs(step) or 1))
    items = [item.strip() for item in inside.split(",")]
    if not any(items):
        raise UsageError(f"{quoted(text)}: empty braces; write several values as {{a,b}}")
    return items


def _require_one_name(part: str, text: str) -> None:
    names, _, _ = part.partition(":")
    name, comma, rest = names.partition(",")
    if not comma:
        return
    if "=" in rest:
        raise UsageError(f"{quoted(text)}: options follow a colon: {name}:{rest}")
    raise UsageError(
        f"{quoted(text)}: separate specs by spaces, or put names in braces: {{{names}}}"
    )
