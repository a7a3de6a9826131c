"""How an attention looks in every figure: its colour and marker, and those of its filters."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from attention_zoo.spec import base_of

# Okabe, Ito (2008) without its yellow, which white paper swallows.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
# matplotlib's markers and plotly's symbols; as many as have no factor in common with the colours.
MARKERS = "os^DvPX*<p>hd8H"
SYMBOLS = (
    *("circle", "square", "triangle-up", "diamond", "triangle-down", "cross", "x", "star"),
    *("triangle-left", "pentagon", "triangle-right", "hexagon", "diamond-tall", "octagon"),
    "hexagon2",
)
# Without a filter: the line in matplotlib and in plotly, how much of a mark matplotlib fills, and
# what plotly appends to its symbol. With filters lines and marks each have their own turn, so that
# len(LINES)·len(FILLS) differ, and neighbours in both.
PLAIN = ("-", "solid"), ("full", "")
LINES = (
    ((0, (4, 1.5)), "dash"),
    ((0, (1, 1.2)), "dot"),
    ((0, (5, 1.2, 1, 1.2)), "dashdot"),
    ((0, (9, 2)), "longdash"),
    ((0, (9, 1.5, 1, 1.5)), "longdashdot"),
)
FILLS = (("none", "-open"), ("left", "-open-dot"), ("bottom", "-dot"))
# Those most often seen together come first, so that their colours differ.
ORDER = (
    *("softmax", "linear", "efficient", "performer", "linformer", "yoso-e", "nystrom"),
    *("sdpa", "cosformer", "relu", "skyformer", "kernelized", "yoso", "reformer"),
    *("xformers", "flowformer", "focused", "hedgehog", "taylor", "rfa", "agf"),
    *("local", "sparse", "longformer", "bigbird", "sinkhorn", "synthesizer", "informer"),
    *("identity", "mean", "luna", "h1d", "mra", "soft", "lara"),
    *("s4d", "s5", "mega", "hyena", "hrr", "fnet", "lstm", "mamba", "mlp-mixer"),
    "eva",
)


@dataclass(frozen=True)
class Look:
    """marker, line and fill are matplotlib's, symbol and dash plotly's. plain: without a filter."""

    color: str
    marker: str
    line: Any
    fill: str
    symbol: str
    dash: str
    plain: bool


class Looks:
    """The look of each of a report's attentions, from their canonical specs.

    One of the zoo looks the same in every report. Whatever else is in `specs` is distinct from it
    and from each other: an attention with options has the colour of the one without, while that
    has markers left; filters share their base's colour and marker and have their own dashes.
    Colour and marker together are distinct for up to len(COLORS)·len(MARKERS) attentions, markers
    alone for the first len(MARKERS).
    """

    def __init__(self, specs: Iterable[str]) -> None:
        parts = {split(spec) for spec in specs}
        self._places = {name: i for i, name in enumerate(ORDER)}
        strangers = {base for base, _ in parts} - set(ORDER)
        for base in sorted(strangers, key=lambda base: (":" in base, base)):
            self._places[base] = self._free(base.partition(":")[0])
        filters = sorted({filters for _, filters in parts if filters}, key=lambda f: (len(f), f))
        self._filters = {filters: i for i, filters in enumerate(["", *filters])}

    def _free(self, family: str) -> int:
        """The first place that none has, of the family's colour where one of those is free."""
        most, colors = len(COLORS) * len(MARKERS), len(COLORS)
        taken = set(self._places.values())
        free = [place for place in range(most) if place not in taken]
        kin = self._places.get(family)
        same = [place for place in free if kin is not None and (place - kin) % colors == 0]
        return next(iter(same or free), len(self._places) % most)

    def __getitem__(self, spec: str) -> Look:
        base, filters = split(spec)
        place, filtered = self._places[base], self._filters[filters]
        # They come round again, but never to those of an attention without a filter.
        of_line, mark_of = PLAIN
        if filtered:
            of_line, mark_of = LINES[filtered % len(LINES) - 1], FILLS[filtered % len(FILLS) - 1]
        (line, dash), (fill, open_) = of_line, mark_of
        # The numbers of colours and markers have no common divisor: each pair comes up once.
        color, mark = COLORS[place % len(COLORS)], place % len(MARKERS)
        return Look(color, MARKERS[mark], line, fill, SYMBOLS[mark] + open_, dash, not filters)


def split(canonical: str) -> tuple[str, str]:
    """A canonical spec's attention, with its options, and its filters, without the first plus."""
    base = canonical
    while (shorter := base_of(base)) is not None:
        base = shorter
    return base, canonical[len(base) + 1 :]
