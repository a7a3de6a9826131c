"""Made-up runs of sweeps, and their folders."""

from dataclasses import replace

from lra.measure.timing import Ratio, Spread
from lra.results.analysis import Gap, write_analysis
from lra.results.distances import Distance
from tests.lra.results.analyses import analysis, head, layer, state
from tests.lra.results.folders import put
from tests.lra.test_results import record

EQUAL = Spread(1.0, 0.98, 1.02, 5)


def swept(attention, seed, accuracy, step=100.0, ratio=None, **changes):
    changes.setdefault("identity", f"{attention} {seed}")
    made = record(attention, seed, accuracy, step, **changes)
    if ratio is None:
        return made
    turns = Ratio("linear", Spread(ratio, ratio - 0.02, ratio + 0.02, 5), EQUAL)
    return replace(made, measurement=replace(made.measurement, ratio=turns))


# K = 2, 3 and 5 in both forms but for the power of 3; the base; layers; an attention's own option.
ORDERS = [
    swept("linear", 0, 0.34),
    swept("linear", 1, 0.36, step=104.0),
    swept("linear+gfsa:K=2", 0, 0.350, step=110.0, ratio=1.1),
    swept("linear+gfsa:K=2", 1, 0.370, step=112.0, ratio=1.2),
    swept("linear+gfsa:K=2,mode=power", 0, 0.351, step=111.0, ratio=1.1),
    swept("linear+gfsa", 0, 0.36, step=110.0),
    swept("linear+gfsa:K=5", 0, 0.33, step=110.0, ratio=1.3),
    swept("linear+gfsa:K=5,mode=power", 0, 0.38, step=120.0, ratio=1.2),
]
LAYERS = [
    swept("linear+gfsa:layers=even", 0, 0.35, step=105.0),
    swept("linear+gfsa:layers=1/2", 0, 0.36, step=109.0),
]
FEATURES = [
    swept("performer:features=64", 0, 0.30, step=80.0),
    swept("performer:features=64+gfsa", 0, 0.31, step=100.0),
    swept("performer", 0, 0.32, step=100.0),
    swept("performer+gfsa", 0, 0.33, step=110.0),
]
ALL = [*ORDERS, *LAYERS, *FEATURES]


def apart(distance, name="gfsa", **subset):
    """What was found in an analysed run."""
    return Distance(analysis(**subset).subset, {name: distance})


def put_analysed(results, run, *distances, checkpoint=None, name=None):
    """A run's folder with what `analyze` leaves of these heads, where any is given."""
    folder = put(results, run, name or f"{run.attention}-{run.seed}".replace("/", "-"))
    if distances:
        filters = [replace(state(), gap=Gap(3, "taylor", one, 1.0)) for one in distances]
        found = analysis(layers=[layer(1, [head(filters=[one]) for one in filters]), layer(2)])
        found = replace(found, checkpoint=checkpoint or run.training.checkpoint)
        write_analysis(folder, found)
    return folder
