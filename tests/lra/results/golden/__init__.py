"""Made-up records, and a table of each kind that they make, each in another format, as files.

`python -m tests.lra.results.golden` writes the files anew; their diff is to be read.
"""

from dataclasses import replace
from pathlib import Path

from lra.measure.timing import Ratio, Spread, Timing
from lra.protocols import get_protocol, override, with_source
from lra.results.published import Published
from lra.results.record import Data
from lra.results.summary import accuracy_groups
from lra.results.tables import published_tables, render, tables_of
from lra.results.tables.by import by_tables
from tests.lra.results.swept import ALL, apart
from tests.lra.test_results import ENVIRONMENT, failure, record

HERE = Path(__file__).parent
OTHER = replace(ENVIRONMENT, device="Other CPU_2 50% <b>", threads=8, commit="b" * 40 + "+")
ODD = "toy:kernel=a|b_c%,name=ü&<i>"
NOTHING = record().measurement


def run(task, attention, seed, accuracy, *, make=record, machine=ENVIRONMENT, **changes):
    """A run of a task from a source of data, under a protocol with `--set` settings."""
    source = changes.pop("source", "generated")
    settings, name = changes.pop("settings", ()), changes.pop("name", "nystromformer")
    protocol = with_source(get_protocol(name, task), source)
    protocol, modified = override(protocol, settings)
    rules = {"majority class": 0.17, "root operator": 0.362} if task == "listops" else {}
    data = Data(source, (task[0] + source[0]) * 8, rules if make is record else {})
    shared = {"task": task, "protocol": protocol, "modified": modified, "data": data}
    shared |= {"environment": machine, "identity": f"{name} {task} {source} {attention} {seed}"}
    if make is failure:
        return failure(attention, seed, **shared, **changes)
    return record(attention, seed, accuracy, **shared, **changes)


def costing(step=100.0, spread=1.0, **changes):
    time = Timing(step, step - spread, step + spread, 50)
    return {"measurement": replace(NOTHING, training_step=time, **changes)}


DROPPED = {"source": "official", "settings": ["task.brackets=drop"], "name": "skyformer"}
FILTER = {"parameters": 209_814, "over_softmax": 0.006}
EQUAL = Spread(1.0, 0.98, 1.02, 5)  # what a copy of the base takes
TURNS = {"ratio": Ratio("linear", Spread(1.08, 1.05, 1.12, 5), EQUAL)}
NOISE = {"ratio": Ratio("linear", Spread(1.04, 1.01, 1.07, 5), EQUAL)}
RECORDS = [
    # Three tasks, complete rows and others, under one protocol.
    run("listops", "linear", 0, 0.360, **costing(100.0)),
    run("listops", "linear", 1, 0.370, **costing(110.0)),
    run("listops", "linear", 2, 0.380, **costing(120.0, 30.0)),
    run("listops", "linear", 3, None, make=failure, kind="time limit"),
    run("listops", "linear+gfsa", 0, 0.380, **costing(130.0, **FILTER)),
    run("listops", "linear+gfsa", 1, 0.360, **costing(131.0, **FILTER)),
    run("listops", "linear+gfsa", 7, 0.600, **costing(132.0, **FILTER)),
    run("listops", "softmax", 0, None, make=failure),
    run("listops", "softmax", 1, None, make=failure),
    run("listops", ODD, 0, 0.171, **costing(9.5, over_softmax=10.4)),
    run("text", "linear", 0, 0.620, source="sample"),
    run("text", "linear+gfsa", 0, 0.640, source="sample", **costing(140.0, **FILTER, **TURNS)),
    run("text", ODD, 0, 0.6404, source="sample"),
    run("image", "linear", 0, 0.102, source="official"),
    run("image", "linear", 1, 0.350, source="official"),
    run("image", "linear+gfsa", 0, 0.340, source="official", **costing(140.0, **FILTER, **NOISE)),
    run("image", "linear+gfsa", 1, 0.350, source="official", **costing(141.0, **FILTER, **NOISE)),
    # The same two runs from another machine: once in accuracy, apart in cost.
    run("listops", "linear", 0, 0.360, machine=OTHER, **costing(50.0)),
    run("listops", "linear+gfsa", 0, 0.380, machine=OTHER, **costing(70.0, **FILTER)),
    # One task in two columns, and data as the paper had them.
    run("listops", "softmax", 0, 0.366, name="skyformer"),
    *(run("listops", "softmax", seed, 0.380 + seed / 100, **DROPPED) for seed in range(3)),
    run("listops", "linear", 0, 0.374, **DROPPED),
    run("listops", "sdpa", 0, 0.377, **DROPPED),
    run("listops", "skyformer", 0, None, make=failure, kind="not finite", **DROPPED),
]


def published(model, spec, value, **changes):
    given = dict.fromkeys(Published.__dataclass_fields__, "") | {"length": None, "std": None}
    given |= {"paper": "Someone et al. 1999", "table": "Table 1", "task": "listops", "n": None}
    given |= {"metric": "accuracy %", "protocol": "skyformer", "source": "official"}
    given |= {"settings": "task.brackets=drop", "model": model, "spec": spec, "value": value}
    return Published(**given | changes)


PUBLISHED = [
    published("Self-attention", "softmax", 38.37, std=0.5, n=4, note="100 % | of it"),
    published("Skyformer", "skyformer", 38.69),
    published("Failing", "linear", None, differs="ε = 1e-6, √D & more"),
    published("Elsewhere", "softmax", 45.0, settings=""),
    published("Other metric", "softmax", 5.0, metric="hours"),
    published(
        "Image",
        "linear",
        41.0,
        task="image",
        protocol="nystromformer",
        settings="task.black=padding",
    ),
]


def texts():
    """Every file's name and what is in it."""
    arguments = " --task listops"
    command = f"python run_lra.py table --published{arguments}"
    beside, _ = published_tables(accuracy_groups(RECORDS), PUBLISHED, command)
    distances = {id(run): apart(0.25 * len(run.attention)) for run in ALL if "K=5" in run.attention}
    sweeps = by_tables("K", ALL, distances, "python run_lra.py table --by K")
    return {
        "by.md": render(sweeps, "github"),
        "accuracy.md": render(tables_of(RECORDS, ["accuracy"], arguments), "github"),
        "pairs.tex": render(tables_of(RECORDS, ["pairs"], arguments), "latex"),
        "cost.csv": render(tables_of(RECORDS, ["cost"], arguments), "csv"),
        "published.html": render(beside, "html"),
    }
