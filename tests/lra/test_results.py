import csv
import dataclasses
import json
import random

import pytest

from attention_zoo import UsageError
from lra.measure.timing import Timing
from lra.measure.variant import Measurement
from lra.protocols import get_protocol, override, with_source
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
    read_records,
    write_record,
)
from lra.results.tables import groups, render, table
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
        "modified": {},
        "protocol": NYSTROMFORMER,
        "data": Data("generated", "f" * 16, {"majority class": 0.17, "root operator": 0.362}),
        "val": Evaluation(1.8, 0.31, 2000),
        "test": Evaluation(1.9, accuracy, 2000),
        "training": Training(3600.0, 4500, "0" * 64, "2026-01-01T00:00:00.000+00:00", [PART]),
        "gfsa": FilterWeights([[]], [[]]),
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
    assert len(content["protocol"]["deviations"]) == 6
    assert [path.name for path in tmp_path.iterdir()] == ["record.json"]


def change(**changes):
    return lambda content: content | changes


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda content: [], "value is no object of Record"),
        (change(schema=99), "made by a newer version: schema 99, this one reads up to 3"),
        (change(extra=1), "unknown key in Record 'extra'"),
        (change(seed="0"), "seed is '0', no <class 'int'>"),
        (change(test={"loss": 1.0, "accuracy": 0.5}), "test lacks count"),
        (change(data=None), "data is no object of Data"),
        (change(modified=[]), "modified is"),
    ],
)
def test_records_that_are_none_are_named(tmp_path, damage, message):
    content = damage(json.loads(json.dumps(dataclasses.asdict(RUNS[0]))))
    (tmp_path / "record.json").write_text(json.dumps(content))
    with pytest.raises(UsageError, match=message) as error:
        read_record(tmp_path / "record.json")
    assert "record.json: " in str(error.value)


def test_damaged_records_do_not_hide_the_others(tmp_path):
    for i, run in enumerate(RUNS):
        (tmp_path / "runs" / str(i)).mkdir(parents=True)
        write_record(tmp_path / "runs" / str(i), run)
    whole = (tmp_path / "runs" / "0" / "record.json").read_bytes()
    (tmp_path / "runs" / "0" / "record.json").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "runs" / "1" / "record.json").write_bytes(b"\xff\xfe")
    found = list(read_records(tmp_path))
    assert [isinstance(item, UsageError) for item in found] == [True, True] + [False] * 4


def test_statistics_of_a_table():
    frame = table(RUNS).set_index("attention")
    linear, gfsa = frame.loc["linear"], frame.loc["linear+gfsa"]
    assert (linear["n"], linear["accuracy"], linear["std"]) == pytest.approx((3, 37.0, 1.0))
    # Seeds 0 and 1 are shared: +2.0 and −1.0 points. Seed 7 has no partner.
    assert (gfsa["delta"], gfsa["delta n"]) == pytest.approx((0.5, 2))
    assert linear["step ms"] == 110.0 and linear["parameters"] == 209_802
    assert linear["allocator peak MB"] == 500 and linear["process RSS peak MB"] == 900
    assert frame.loc["(majority class)", "accuracy"] == 17.0
    assert frame.loc["(root operator)", "accuracy"] == pytest.approx(36.2)
    assert frame["delta"].isna()["linear"]


def test_a_table_as_people_read_it():
    text = render(RUNS, "github")
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines()[:6]]
    assert rows[0][:4] == ["attention", "n", "test accuracy %", "s.e."]
    assert rows[0][4:7] == ["learned", "Δ over base", "step ms"]
    assert rows[2][:7] == ["linear", "3", "37.0 ± 1.0", "1.1", "3 of 3", "–", "110"]
    assert rows[3][:6] == ["linear+gfsa", "3", "54.7 ± 30.6", "1.1", "3 of 3", "+0.5 (n=2)"]
    assert rows[5][:6] == ["(root operator)", "–", "36.2", "–", "–", "–"]
    assert "listops, auto data, protocol nystromformer: LRA under the small protocol" in text
    assert "Data: generated, fingerprint ffffffffffffffff, 2,000 test examples" in text
    assert "chance 10 %" in text
    assert "Some CPU, 2 threads, torch 2.13.0, Python 3.11.7; commit aaaaaaaaaaaa." in text


def test_runs_no_better_than_a_constant_answer_did_not_learn():
    """Chance is 10 %, the majority class 17 %, one standard error of 2,000 examples 0.85 points."""
    runs = [record(seed=seed, accuracy=p) for seed, p in enumerate((0.1, 0.186, 0.188, 0.36))]
    assert [learned(run) for run in runs] == [False, False, True, True]
    assert runs[3].test.standard_error == pytest.approx((0.36 * 0.64 / 2000) ** 0.5)
    assert "| 2 of 4 " in render(runs, "github")
    pathfinder = {"task": "pathfinder", "data": Data("official", "a" * 16, {})}
    halves = [record(accuracy=p, **pathfinder) for p in (0.522, 0.523)]
    assert [learned(run) for run in halves] == [False, True]  # 50 % and twice 1.12 points


def test_models_beyond_lras_rule_are_marked():
    large = dataclasses.replace(RUNS[0].measurement, over_softmax=10.4)
    assert "| 10.4 (LRA allows 10)" in render([record(measurement=large)], "github")


def test_failures_are_rows_and_enter_no_figure():
    failures = [failure("softmax", 0), failure("softmax", 1), failure("linear", 3, "time limit")]
    assert len(groups([*RUNS, *failures])) == 1
    frame = table([*failures, *RUNS]).set_index("attention")
    assert frame.loc["softmax", "failed"] == "2 out of memory" and frame.loc["softmax", "n"] == 0
    assert frame.loc["linear", "failed"] == "1 time limit" and frame.loc["linear", "n"] == 3
    assert frame.loc["linear", "accuracy"] == pytest.approx(37.0)
    text = render([*RUNS, *failures], "github")
    rows = {line.split("|")[1].strip(): line for line in text.splitlines() if "|" in line}
    cells = [cell.strip() for cell in rows["softmax"].split("|")[1:-1]]
    assert cells[:5] == ["softmax", "0", "2 out of memory", "–", "–"]
    assert "failed" not in render(RUNS, "github")
    alone = render(failures, "github")
    assert "2 out of memory" in alone and "No run has ended with a result." in alone
    assert "time limit" in render(failures, "csv")


def test_failures_survive_a_round_trip(tmp_path):
    write_record(tmp_path, failure())
    assert read_record(tmp_path / "failure.json") == failure()
    (tmp_path / "runs" / "a").mkdir(parents=True)
    write_record(tmp_path / "runs" / "a", failure("linear"))
    assert list(read_records(tmp_path)) == [failure("linear")]
    write_record(tmp_path / "runs" / "a", RUNS[0])
    assert list(read_records(tmp_path)) == [RUNS[0]]


def test_official_and_generated_data_never_share_a_table():
    official = [record(data=Data("official", "a" * 16, {"majority class": 0.17}))]
    text = render([*RUNS, *official], "github")
    assert text.count("test accuracy %") == 2
    assert "Data: official, fingerprint aaaa" in text and "Data: generated, finger" in text
    assert {row["source"] for row in csv.DictReader(render([*RUNS, *official], "csv").splitlines())}


def test_the_order_of_records_changes_nothing():
    shuffled = random.Random(0).sample(RUNS, len(RUNS))
    assert render(shuffled, "github") == render(RUNS, "github")


def test_one_seed_has_no_spread_and_a_missing_base_no_difference():
    frame = table([record("sdpa+gfsa", 0, 0.4)]).set_index("attention")
    assert frame["std"].isna().all() and frame["delta"].isna().all()
    assert "| sdpa+gfsa" in render([record("sdpa+gfsa")], "github")


def test_what_is_not_comparable_never_shares_a_table():
    modified, changes = override(NYSTROMFORMER, ["training.steps=1000"])
    other_machine = dataclasses.replace(ENVIRONMENT, device="Other CPU")
    others = [
        record("linear+gfsa", protocol=QUICK),
        record("linear+gfsa", protocol=modified, modified=changes),
        record("linear+gfsa", precision="bf16-mixed"),
        record("linear+gfsa", micro_batch=8),
        record("linear+gfsa", environment=other_machine),
        record("linear+gfsa", data=Data("generated", "0" * 16, {"majority class": 0.17})),
    ]
    assert [len(group) for group in groups([RUNS[0], *others])] == [1] * 7
    text = render([RUNS[0], *others], "github")
    assert text.count("test accuracy %") == 7 and "batch 32 in parts of 8" in text
    assert "protocol nystromformer modified (training.steps=1000, training.warmup=200)" in text


def test_csv_is_numbers():
    lines = render(RUNS, "csv").splitlines()
    assert lines[0].startswith(
        "attention,n,accuracy,std,s.e.,learned,delta,delta n,step ms,forward ms"
    )
    cells = next(csv.DictReader(lines))
    assert float(cells["accuracy"]) == pytest.approx(37.0)
    assert cells["protocol"] == "nystromformer" and cells["machine"] == "Some CPU"


def test_made_up_data_are_called_so():
    sample = override(with_source(get_protocol("nystromformer", "text"), "sample"), [])[0]
    text = render([record(task="text", protocol=sample)], "github")
    assert "text, sample data, protocol nystromformer: not comparable with LRA: made-up" in text
    assert "LRA under" not in text
    rows = csv.DictReader(render([record(task="text", protocol=sample)], "csv").splitlines())
    assert "not comparable" in next(rows)["comparable"]
