import dataclasses
import json

import pytest

from attention_zoo import UsageError
from lra.measure.timing import Timing
from lra.measure.variant import Measurement
from lra.protocols import get_protocol
from lra.results.reading import read_records
from lra.results.record import (
    SCHEMA,
    Data,
    Failure,
    FilterWeights,
    Part,
    Record,
    Training,
    learned,
    read_record,
    write_record,
)
from lra.system.environment import Environment
from lra.training.module import Evaluation

NYSTROMFORMER, QUICK = (get_protocol(name, "listops") for name in ("nystromformer", "quick"))
ENVIRONMENT = Environment(
    "Some CPU", 2, 2, 24.0, "Linux", "3.11.7", {"torch": "2.13.0"}, None, "highest", "a" * 40
)


PART = Part(0, "a" * 40, "Some CPU", 1, 2, "2.13.0")


def record(attention="linear", seed=0, accuracy=0.3, step=100.0, **changes):
    given = {
        "schema": SCHEMA,
        "identity": f"{attention}{seed}",
        "finished": "2026-01-01T00:00:00+00:00",
        "command": "python run_lra.py",
        "task": "listops",
        "attention": attention,
        "seed": seed,
        "precision": "32-true",
        "accelerator": "cpu",
        "micro_batch": None,
        "attention_dropout": 0.0,
        "modified": {},
        "protocol": NYSTROMFORMER,
        "data": Data("generated", "f" * 16, {"majority class": 0.17, "root operator": 0.362}),
        "val": Evaluation(1.8, 0.31, 2000),
        "test": Evaluation(1.9, accuracy, 2000),
        "training": Training(3600.0, 4500, "0" * 64, "2026-01-01T00:00:00.000+00:00", [PART]),
        "filters": FilterWeights([[]], [[]]),
        "measurement": Measurement(
            batch=32,
            micro_batch=None,
            length=2000,
            parameters=209_802,
            over_softmax=0.0,
            training_step=Timing(step, step - 1, step + 1, 50),
            forward=Timing(step / 4, 1.0, 2.0, 50),
            examples_per_second=32e3 / step,
            seconds_per_1000_steps=step,
            memory={"cpu_allocator_peak": 500_000_000, "process_rss_peak": 900_000_000},
            training_flops=10**10,
            forward_flops=3 * 10**9,
            kernels=["aten.bmm"],
        ),
        "environment": ENVIRONMENT,
    }
    return Record(**given | changes)


def failure(attention="softmax", seed=0, kind="out of memory", **changes):
    whole = record(attention, seed)
    given = {field.name: getattr(whole, field.name, None) for field in dataclasses.fields(Failure)}
    given |= {"kind": kind, "reason": "it was too large", "data": Data("generated", "f" * 16, {})}
    return Failure(**given | changes)


RUNS = [
    record("linear", 0, 0.360),
    record("linear", 1, 0.370, step=110.0),
    record("linear", 2, 0.380, step=120.0),
    record("linear+gfsa", 0, 0.380, step=130.0),
    record("linear+gfsa", 1, 0.360, step=130.0),
    record("linear+gfsa", 7, 0.900, step=130.0),
]


def test_round_trip(tmp_path):
    write_record(tmp_path, RUNS[0])
    assert read_record(tmp_path / "record.json") == RUNS[0]
    content = json.loads((tmp_path / "record.json").read_text())
    assert content["val"]["loss"] == 1.8 and content["test"]["accuracy"] == 0.360
    assert len(content["protocol"]["deviations"]) == 7
    assert [path.name for path in tmp_path.iterdir()] == ["record.json"]


def change(**changes):
    return lambda content: content | changes


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda content: [], "value=[] must be an object"),
        (change(schema=4), "made by another version of lra-gfsa: schema 4, this one reads 1"),
        (change(schema=True), "schema=True must be a valid integer"),
        (change(extra=1), "extra is unknown"),
        (change(seed="0"), "seed='0' must be a valid integer"),
        (change(test={"loss": 1.0, "accuracy": 0.5}), "test.count is missing"),
        (change(data=None), "data=None must be an object"),
        (change(modified=[]), "modified=[] must be an object"),
    ],
)
def test_records_that_are_none_are_named(tmp_path, damage, message):
    content = damage(json.loads(json.dumps(dataclasses.asdict(RUNS[0]))))
    (tmp_path / "record.json").write_text(json.dumps(content))
    with pytest.raises(UsageError) as error:
        read_record(tmp_path / "record.json")
    assert str(error.value) == f"{tmp_path / 'record.json'}: {message}"


def test_damaged_records_do_not_hide_the_others(tmp_path):
    for i, run in enumerate(RUNS):
        (tmp_path / "runs" / str(i)).mkdir(parents=True)
        write_record(tmp_path / "runs" / str(i), run)
    whole = (tmp_path / "runs" / "0" / "record.json").read_bytes()
    (tmp_path / "runs" / "0" / "record.json").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "runs" / "1" / "record.json").write_bytes(b"\xff\xfe")
    found = list(read_records(tmp_path))
    assert [isinstance(item, UsageError) for item in found] == [True, True] + [False] * 4


def test_runs_no_better_than_a_constant_answer_did_not_learn():
    """Chance is 10 %, the majority class 17 %, one standard error of 2,000 examples 0.85 points."""
    runs = [record(seed=seed, accuracy=p) for seed, p in enumerate((0.1, 0.186, 0.188, 0.36))]
    assert [learned(run) for run in runs] == [False, False, True, True]
    assert runs[3].test.standard_error == pytest.approx((0.36 * 0.64 / 2000) ** 0.5)
    pathfinder = {"task": "pathfinder", "data": Data("official", "a" * 16, {})}
    halves = [record(accuracy=p, **pathfinder) for p in (0.522, 0.523)]
    assert [learned(run) for run in halves] == [False, True]  # 50 % and twice 1.12 points


def test_failures_survive_a_round_trip(tmp_path):
    write_record(tmp_path, failure())
    assert read_record(tmp_path / "failure.json") == failure()
    (tmp_path / "runs" / "a").mkdir(parents=True)
    write_record(tmp_path / "runs" / "a", failure("linear"))
    assert list(read_records(tmp_path)) == [failure("linear")]
    unmeasured = record(measurement=None)
    write_record(tmp_path / "runs" / "a", unmeasured)
    assert list(read_records(tmp_path)) == [unmeasured]
