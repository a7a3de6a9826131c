"""Made-up analyses."""

from lra.results.analysis import (
    FREQUENCIES,
    SCHEMA,
    Analysis,
    Depth,
    FilterState,
    Gap,
    Head,
    Layer,
    Shares,
    Subset,
    Swap,
)
from lra.training.evaluation import Evaluation
from tests.lra.test_results import ENVIRONMENT

SHARES = Shares(smoothing=0.5, sharpening=0.25, smooths=1.0, sharpens=0.0)


def head(spectrum=(1.0, 0.5, 0.25), filters=(), response=None, fourier=0.5):
    """A filter's Fourier form is twice that of Ā."""
    filtered = [2 * fourier] * len(FREQUENCIES) if filters else None
    return Head(
        eigenvalue_magnitudes=list(spectrum),
        singular_values=[value and 2 * value for value in spectrum],
        second=spectrum[1],
        fourier=[fourier] * len(FREQUENCIES),
        dominance=SHARES,
        response=response and list(response),
        at_zero=0.125 if response else None,
        fourier_filtered=filtered,
        base_distance=0.1 if response else None,
        dominance_filtered=SHARES if response else None,
        filters=list(filters),
    )


def state(wK=0.5, verdict="filter", w0=0.0, **more):
    gap = Gap(3, "taylor", 0.25, 1.0)
    before, after = {"w0": 0.0, "wK": 0.0}, {"w0": w0, "wK": wK, **more}
    before |= {name: [0.0] * len(value) for name, value in more.items()}
    return FilterState("GraphFilter", before, after, 0.5, verdict, 1.0, 0.1, gap)


def layer(number=1, heads=None, ranks=(1, 2, 3), change=None):
    heads = [head()] if heads is None else heads
    return Layer(number, "FactoredOperator", 8, list(ranks), heads, change)


def depth(blocks, ratio=1.0, cosine=0.5, rank=4.0):
    return Depth(blocks, ratio, cosine, rank, [1, 2], [1.0, 0.5])


def analysis(attention="linear", seed=0, layers=None, depths=None, swaps=(), **subset):
    given = {"split": "val", "seed": 0, "examples": 16, "sequences": 16, "length": None}
    given |= {"tokens": 160, "shortest": 8, "longest": 12}
    return Analysis(
        schema=SCHEMA,
        identity=f"{attention}{seed}",
        checkpoint="0" * 64,
        task="listops",
        attention=attention,
        seed=seed,
        finished="2026-01-02T00:00:00+00:00",
        command="python run_lra.py analyze",
        precision="model float32, spectra float64",
        assumptions="assumes one head",
        subset=Subset(**given | subset),
        frequencies=FREQUENCIES,
        layers=[layer(1), layer(2)] if layers is None else layers,
        depth=[depth(0), depth(1, 0.5), depth(2, 0.25)] if depths is None else depths,
        swaps=list(swaps),
        environment=ENVIRONMENT,
    )


def filtered(seed=0, wK=0.5, **changes):
    """Of linear+gfsa, two layers of two heads."""
    heads = [head(filters=[state(wK)], response=(1.5, 0.75, 0.5)) for _ in range(2)]
    evaluations = Evaluation(1.0, 0.5, 16), Evaluation(1.1, 0.25, 16)
    given = {
        "layers": [layer(1, heads, change=0.01), layer(2, heads, change=0.02)],
        "swaps": [Swap("power", "val subset", *evaluations, 0.5)],
    }
    return analysis("linear+gfsa", seed, **given | changes)
