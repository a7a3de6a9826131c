"""Made-up runs, as a results folder has them."""

import itertools
import random
from dataclasses import replace

from lra.measure.sheet import OK, Limits, Pass, Row, Settings, Sheet
from lra.measure.timing import Timing
from lra.protocols import get_protocol, override
from lra.results.curves import Curve, Point
from lra.results.published import read_published
from lra.results.reading import Run
from lra.results.record import Data, FilterWeights, Part, Training
from lra.results.summary import accuracy_groups
from lra.results.table import Cell, Table
from lra.results.tables import published_tables, tables_of
from lra.system.files import fingerprint
from lra.training.evaluation import Evaluation
from tests.lra.test_results import ENVIRONMENT, failure, record

ATTENTIONS = (
    *("softmax", "linear", "performer", "linformer", "nystrom", "cosformer"),
    *("skyformer", "local", "longformer", "bigbird", "efficient", "informer"),
)
TASKS = ("listops", "text", "retrieval", "image", "pathfinder")
BEST = {"listops": 0.38, "text": 0.65, "retrieval": 0.8, "image": 0.41, "pathfinder": 0.72}
WEIGHTS = {"w0": [0.1, -0.2], "w1": [1.0, 0.9], "wK": [0.05, 0.0]}
START = {"w0": [0.0, 0.0], "w1": [1.0, 1.0], "wK": [0.0, 0.0]}


def run(attention="linear", task="listops", seed=0, *, points=100, name=None, **changes):
    """Of a made-up accuracy and cost that depend on what it is."""
    draw = random.Random(f"{attention} {task} {seed}")
    base, _, filters = attention.partition("+")
    fixed = random.Random(base)
    factor = 1.4 if filters else 1.0
    step = factor * 40 * 2 ** fixed.uniform(0, 4)
    accuracy = BEST[task] + fixed.uniform(-0.06, 0) + (0.015 if filters else 0)
    accuracy += draw.gauss(0, 0.006)
    whole = record(attention, seed, accuracy, step)
    measured = whole.measurement
    memory = {"cpu_allocator_peak": int(factor * 1e8 * 2 ** fixed.uniform(0, 5))}
    filtered = [[WEIGHTS]] * 2 if filters else [[]]
    settings = [f"{key}={value}" for key, value in changes.get("modified", {}).items()]
    given = {
        "identity": fingerprint(repr((attention, task, seed, changes))),
        "task": task,
        "protocol": override(get_protocol("nystromformer", task), settings)[0],
        "command": f"python run_lra.py --task {task} --attn {attention} --seed {seed}",
        "data": Data("official", f"{task:f<16}", {"majority class": 0.17}),
        "test": Evaluation(1.9, accuracy, 2000),
        "measurement": type(measured)(**{**vars(measured), "memory": memory}),
        "filters": FilterWeights([[START]] * 2 if filters else [[]], filtered),
        "training": Training(
            3600.0, 4500, "0" * 64, "2026-01-01", [Part(0, "a" * 40, "Some CPU", 1, 2, "2.13.0")]
        ),
    } | changes
    name = name or f"{task}-{attention}-nystromformer-s{seed}-{given['identity'][:8]}"
    return Run(name, record(attention, seed, accuracy, step, **given), curve(points, accuracy))


def failed(attention="softmax", task="text", seed=0, name=None, **changes):
    given = {
        "task": task,
        "protocol": get_protocol("nystromformer", task),
        "data": Data("official", f"{task:f<16}", {}),
    } | changes
    lost = failure(attention, seed, identity=f"{attention} {task} {seed} lost", **given)
    return Run(name or f"{task}-{attention}-s{seed}-lost", lost, Curve((), "it has no curve"))


def curve(points, end):
    draw = random.Random(end)
    grown = [end * (1 - 0.7 * 0.95 ** (100 * i / points)) for i in range(1, points + 1)]
    rows = []
    for i, accuracy in enumerate(grown, start=1):
        noisy = min(1.0, max(0.0, accuracy + draw.gauss(0, 0.03)))
        rows.append(Point(50 * i - 10, 3 - 3 * noisy, noisy, None, None))
        rows.append(Point(50 * i, None, None, 3 - 3 * accuracy, accuracy))
    return Curve(tuple(rows))


def runs(attentions=ATTENTIONS, tasks=TASKS, seeds=range(3), **changes):
    """Each attention with and without gfsa."""
    names = [name + filters for name in attentions for filters in ("", "+gfsa")]
    return [run(*what, **changes) for what in itertools.product(names, tasks, seeds)]


def many(seeds=5):
    """Six hundred runs, of which those of one attention differ by their seeds alone."""
    few = runs(seeds=[0], points=40)
    return [again(one, seed=seed) for one in few for seed in range(seeds)]


def again(one, **changes):
    """The run with changes: another one."""
    identity = fingerprint(repr((one.record.identity, changes)))
    changed = replace(one.record, identity=identity, **changes)
    return replace(one, name=f"{one.name}-{identity}", record=changed)


def page_of(runs):
    """With the tables that the command makes of them."""
    records = [one.record for one in runs]
    beside, reasons = published_tables(accuracy_groups(records), read_published())
    from lra.results.report.page import page

    return page(runs, tables=[*tables_of(records), *beside], reasons=reasons)


def sheet(attentions=("softmax", "linear"), lengths=(512, 1024, 2048, 4096)):
    rows = []
    for name, N in itertools.product(attentions, lengths):
        power = 2 if name == "softmax" else 1
        if power == 2 and max(lengths) == N:
            rows.append(Row(name, N, "out of memory", "it was too large"))
            continue
        time = 5 * (N / 512) ** power
        passed = Pass(Timing(time, 0.9 * time, 1.2 * time, 50), 10**9, 10**9, 10**8)
        memory = {"cpu_allocator_peak": int(10**7 * (N / 512) ** power)}
        rows.append(Row(name, N, OK, None, passed, passed, memory, ["aten.bmm"], 0))
    settings = Settings("operator", 1, 2, 32, "float32", "cpu", False)
    command = "python run_lra.py measure"
    return Sheet(1, "2026-01-01", command, settings, ENVIRONMENT, Limits(1e10, 1e12), rows)


def table(kind="accuracy"):
    """Texts whose order is not that of their values; a row lacks one."""
    rows = [
        (Cell("softmax", "softmax"), Cell("9.5 ± 0.1", 9.5), Cell("1,200", 1200.0)),
        (Cell("linear", "linear"), Cell("37.0 ± 0.4", 37.0, best=True), Cell("80", 80.0)),
        (Cell("linear+gfsa", "linear+gfsa"), Cell("10.2", 10.2, notes=("†",)), Cell("95", 95.0)),
        (Cell("local", "local"), Cell("–"), Cell("300", 300.0)),
    ]
    numbers = tuple({"task": "listops", "attention": row[0].value} for row in rows)
    return Table(
        kind=kind,
        title="Accuracy on made-up runs",
        columns=("attention", "ListOps", "step ms"),
        rows=tuple(rows),
        caption=("± is the standard deviation over 3 seeds.",),
        footer=("Some CPU, torch 2.13.0.",),
        notes={"†": "did not learn"},
        numbers=numbers,
    )
