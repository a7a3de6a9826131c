"""An analysis as tables: a row a head, a row a depth, a row a swap."""

from dataclasses import dataclass

from lra.results.analysis import Analysis, Depth, FilterState, Head, Layer, Number, Swap
from lra.results.numbers import MISSING, counted, figure
from lra.results.table import Column, Table


@dataclass(frozen=True)
class Row:
    layer: Layer
    head: int
    of: Head

    @property
    def last(self) -> FilterState | None:
        return self.of.filters[-1] if self.of.filters else None


def _percent(value: Number) -> Number:
    return None if value is None else 100 * value


def _weights(row: Row) -> str | None:
    """`w0 0.01, w1 0.9`: each number that was learned; lists are long, and stand in the file."""
    return (
        "; ".join(
            ", ".join(
                f"{name} {figure(x)}" for name, x in one.learned.items() if isinstance(x, float)
            )
            for one in row.of.filters
        )
        or None
    )


def _gap(row: Row) -> Number:
    gap = row.of.filters[0].gap if row.of.filters else None
    return gap.distance / gap.power if gap and gap.distance is not None and gap.power else None


HEADS: list[Column[Row]] = [
    Column("layer", lambda row: row.layer.layer, format=str),
    Column("head", lambda row: row.head, format=str),
    Column("|λ₂|", lambda row: row.of.second),
    Column("‖Ā‖", lambda row: row.of.singular_values[0]),
    Column("learned", _weights, shown=lambda rows: any(row.last for row in rows)),
    Column(
        "moved",
        lambda row: row.last and row.last.moved,
        shown=lambda rows: any(row.last for row in rows),
    ),
    Column(
        "collapsed to",
        lambda row: row.last and (row.last.verdict if row.last.verdict != "filter" else "no"),
        shown=lambda rows: any(row.last for row in rows),
    ),
    Column(
        "from c Ā",
        lambda row: _percent(row.of.base_distance),
        "%",
        shown=lambda rows: any(row.of.base_distance is not None for row in rows),
    ),
    Column(
        "‖Taylor − power‖ / ‖power‖",
        _gap,
        shown=lambda rows: any(_gap(row) is not None for row in rows),
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
    Column("put in", lambda one: one.mode),
    Column("on", lambda one: one.split),
    Column("examples", lambda one: one.before.count),
    Column("accuracy before", lambda one: 100 * one.before.accuracy, "%", format="{:.2f}".format),
    Column("after", lambda one: 100 * one.after.accuracy, "%", format="{:.2f}".format),
    Column("predictions changed", lambda one: 100 * one.changed, "%", format="{:.2f}".format),
]


def analysis_tables(found: Analysis) -> list[Table]:
    """Those that have rows."""
    subset = found.subset
    about = f"{found.task} {found.attention} seed {found.seed}"
    rows = [
        Row(layer, h, of) for layer in found.layers for h, of in enumerate(layer.heads, start=1)
    ]
    tables = [
        Table.of("heads", f"{about}: heads", HEADS, rows, _heads_caption(found)),
        Table.of("depth", f"{about}: hidden states", DEPTHS, found.depth),
    ]
    if found.swaps:
        changes = ", ".join(figure(_percent(layer.output_change)) for layer in found.layers)
        caption = [f"Change of each layer's output on its own input: {changes} %."]
        title = f"{about}: Taylor and power in each other's place, without training"
        tables.append(Table.of("swaps", title, SWAPS, found.swaps, caption))
    cut = f", cut to {subset.length:,} tokens" if subset.length else ""
    lines = (
        f"{counted(subset.examples, 'example')} of the validation split, seed {subset.seed}{cut}: "
        f"{counted(subset.tokens, 'token')} in {counted(subset.sequences, 'sequence')} of "
        f"{subset.shortest:,} to {subset.longest:,}.",
        f"Machine: {found.environment.machine}; {found.precision}.",
    )
    last = tables.pop()
    return [*tables, Table(**{**vars(last), "footer": lines})]


def _heads_caption(found: Analysis) -> list[str]:
    ranks = sorted({layer.rank for layer in found.layers if layer.rank})
    exact = (
        f"the factors of Ā, of rank {', '.join(map(str, ranks))}" if ranks else "Ā, written down"
    )
    lines = [f"Spectra from {exact}; |λ₂| is the second largest."]
    heads = [head for layer in found.layers for head in layer.heads if head.filters]
    if heads:
        moved = [head.filters[-1].moved for head in heads]
        mean = figure(sum(moved) / len(moved)) if None not in moved else MISSING
        lines.append(
            f"Moved: the norm of the change of a head's weights in training, {mean} on average. "
            "Collapsed to: the filter's polynomial on [−1, 1]. From c Ā: its distance from the "
            "nearest multiple of Ā on the spectrum."
        )
    shares = "Smoothing, sharpening: shares of the eigenvalues of W_V W_O for which it dominates"
    return [*lines, f"{shares}; this {found.assumptions}."]
