"""An analysis as tables: a row a head, a row a depth, a row a swap."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean

from lra.results.analysis import Analysis, Depth, Head, Layer, Number, Swap
from lra.results.numbers import MISSING, counted, figure, minus
from lra.results.table import Column, Table, Value

WEIGHTS, MOVED, COLLAPSED = "weights", "moved", "collapsed to"
DISTANCE, GAP = "distance to c Ā", "‖Taylor − power‖ / ‖power‖"


@dataclass(frozen=True)
class Row:
    layer: Layer
    head: int
    of: Head

    @property
    def gap(self) -> Number:
        """Of the first filter, which stands on Ā itself."""
        gap = self.of.filters[0].gap if self.of.filters else None
        return gap.distance / gap.power if gap and gap.distance is not None and gap.power else None

    @property
    def moved(self) -> Number:
        """In all filters together; None where they have no weights."""
        norms = [one.moved for one in self.of.filters if one.learned]
        return None if None in norms or not norms else math.hypot(*norms)

    @property
    def verdicts(self) -> str | None:
        """Of each filter; None where no filter is a polynomial of Ā."""
        said = [one.verdict for one in self.of.filters]
        texts = [MISSING if one is None else "no" if one == "filter" else one for one in said]
        return "; ".join(texts) if any(said) else None

    @property
    def weights(self) -> str | None:
        """`w0 0 → 0.01, w1 1 → 0.9` of each filter, from start to end: numbers alone; lists are
        long, and stand in the file."""
        texts = [
            ", ".join(
                f"{name} {change(start, end)}"
                for name, end in one.learned.items()
                if isinstance(end, float) and isinstance(start := one.initial[name], float)
            )
            for one in self.of.filters
        ]
        return "; ".join(text or MISSING for text in texts) if any(texts) else None


def change(start: float, end: float) -> str:
    """Both with as many digits, from three to six, as it takes to tell them apart."""
    for digits in range(3, 7):
        texts = [minus(f"{x:.{digits}g}") for x in (start, end)]
        if start == end or texts[0] != texts[1]:
            break
    return " → ".join(texts)


def _percent(value: Number) -> Number:
    return None if value is None else 100 * value


def _known(value: Callable[[Row], Value]) -> Callable[[Sequence[Row]], bool]:
    return lambda rows: any(value(row) is not None for row in rows)


HEADS: list[Column[Row]] = [
    Column("layer", lambda row: row.layer.layer, format=str),
    Column("head", lambda row: row.head, format=str),
    Column("|λ₂|", lambda row: row.of.second),
    Column("‖Ā‖", lambda row: row.of.singular_values[0]),
    *(
        Column(name, value, unit, shown=_known(value))
        for name, unit, value in (
            (WEIGHTS, "", lambda row: row.weights),
            (MOVED, "", lambda row: row.moved),
            (COLLAPSED, "", lambda row: row.verdicts),
            (DISTANCE, "%", lambda row: _percent(row.of.base_distance)),
            (GAP, "", lambda row: row.gap),
        )
    ),
    Column("smoothing", lambda row: _percent(row.of.dominance.smoothing), "%"),
    Column("sharpening", lambda row: _percent(row.of.dominance.sharpening), "%"),
    *(
        Column(
            f"{name}, filtered",
            lambda row, name=name: (
                row.of.dominance_filtered and _percent(getattr(row.of.dominance_filtered, name))
            ),
            "%",
            shown=lambda rows: any(row.of.dominance_filtered for row in rows),
        )
        for name in ("smoothing", "sharpening")
    ),
]
DEPTHS: list[Column[Depth]] = [
    Column("after block", lambda one: one.blocks, format=str),
    Column("HFC/LFC", lambda one: one.high_over_low),
    Column("token cosine", lambda one: one.cosine),
    Column("effective rank", lambda one: one.effective_rank),
    Column("σ₂/σ₁", lambda one: one.singular_values[1] if len(one.ranks) > 1 else None),
]
SWAPS: list[Column[Swap]] = [
    Column("changed to", lambda one: one.mode),
    Column("on", lambda one: one.split),
    Column("examples", lambda one: one.before.count),
    Column("accuracy before", lambda one: 100 * one.before.accuracy, "%", format="{:.2f}".format),
    Column("after", lambda one: 100 * one.after.accuracy, "%", format="{:.2f}".format),
    Column("predictions changed", lambda one: 100 * one.changed, "%", format="{:.2f}".format),
]


# What stands under the tables of each column that has numbers.
SAID = {
    WEIGHTS: "Weights: a head's numbers before and after training; of several filters in order.",
    MOVED: "Moved: the norm of the change of all of a head's weights{moved}.",
    COLLAPSED: "Collapsed to: what the filter's polynomial h has become on [−1, 1], to within 1 %.",
    DISTANCE: "Distance to c Ā: from the nearest multiple of Ā on its eigenvalues, the largest "
    "difference over the largest value of h.",
    GAP: "Taylor and power: GFSA's polynomial and the power Āᴷ that it stands for, in spectral "
    "norm{first}.",
}
DEPTH = (
    "HFC/LFC: deviations of the tokens from their mean over the mean, in Frobenius norm, 0 where "
    "all are equal. Token cosine: mean over pairs of tokens. Effective rank: exp of the entropy of "
    "the singular values σ, 1 where all tokens lie along one direction.",
)


def analysis_tables(found: Analysis) -> list[Table]:
    """Those that have rows."""
    subset = found.subset
    about = f"{found.task} {found.attention} seed {found.seed}"
    rows = [
        Row(layer, h, of) for layer in found.layers for h, of in enumerate(layer.heads, start=1)
    ]
    tables = [
        Table.of("heads", f"{about}: heads", HEADS, rows, _heads_caption(found, rows)),
        Table.of("depth", f"{about}: hidden states", DEPTHS, found.depth, DEPTH),
    ]
    if found.swaps:
        changes = ", ".join(figure(_percent(layer.output_change)) for layer in found.layers)
        mixed = "; mixed: some had one, some the other" * any(
            one.mode == "mixed" for one in found.swaps
        )
        caption = [
            "Each filter of K ≥ 3 has the other of its two forms, Taylor and power, with the "
            f"weights as they are{mixed}. Change of each layer's output on its own input: "
            f"{changes} %."
        ]
        title = f"{about}: Taylor and power in each other's place, without training"
        tables.append(Table.of("swaps", title, SWAPS, found.swaps, caption))
    lines = (
        f"{counted(subset.examples, 'example')} of the validation split, seed {subset.seed}"
        f"{', ' * bool(subset.cut)}{subset.cut}: "
        f"{counted(subset.tokens, 'token')} in {counted(subset.sequences, 'sequence')} of "
        f"{subset.shortest:,} to {subset.longest:,}.",
        f"Machine: {found.environment.machine}; {found.precision}.",
    )
    last = tables.pop()
    return [*tables, Table(**{**vars(last), "footer": lines})]


def _heads_caption(found: Analysis, rows: Sequence[Row]) -> list[str]:
    longest = found.subset.longest
    ranks = sorted({layer.rank for layer in found.layers if layer.rank and layer.rank < longest})
    exact = (
        f"the factors of Ā, of rank {', '.join(map(str, ranks))}" if ranks else "Ā, written down"
    )
    if ranks and found.subset.shortest <= ranks[-1]:
        exact += "; of sequences of no more tokens than that, from Ā, written down"
    moved = [row.moved for row in rows if any(one.learned for one in row.of.filters)]
    mean = f", {figure(fmean(moved))} on average" if moved and None not in moved else ""
    first = ", of the first filter" if any(len(row.of.filters) > 1 for row in rows) else ""
    shown = [column.name for column in HEADS if not callable(column.shown) or column.shown(rows)]
    return [
        f"Spectra from {exact}. λ₂: the second largest eigenvalue of Ā in magnitude; ‖Ā‖: its "
        "spectral norm, the largest singular value.",
        *[text.format(moved=mean, first=first) for name, text in SAID.items() if name in shown],
        "Smoothing, sharpening: shares of the eigenvalues of W_V W_O with which the constant "
        "vector, or the eigenvector of the smallest eigenvalue of Ā, grows most; this "
        f"{found.assumptions}.",
    ]
