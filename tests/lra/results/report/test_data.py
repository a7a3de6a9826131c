import json

import pytest

from lra.results.curves import Curve, Point
from lra.results.published import read_published
from lra.results.record import write_record
from lra.results.report.comparison import Comparison
from lra.results.report.data import POINTS, UNKNOWN, embedded_runs, facts, read_runs, thinned
from lra.results.report.embed import embedded

from .made_up import failed, run, runs


def carried(runs):
    comparison = Comparison([one.record for one in runs], read_published())
    return embedded_runs(runs, comparison)


def test_protocol_data_and_environment_are_carried_once():
    found = carried([*runs(("linear",), ("listops", "text")), failed("softmax", "text")])
    kept = {name: len(found[name]) for name in ("runs", "protocols", "data", "environments")}
    assert kept == {"runs": 13, "protocols": 2, "data": 3, "environments": 1}
    for one in found["runs"]:
        assert found["protocols"][one["protocol"]]["task"]["source"] == "auto"
        assert found["data"][one["data"]]["fingerprint"].startswith(one["task"])


def test_a_run_keeps_its_whole_record():
    one = run("linear+gfsa", "listops", 2, modified={"training.steps": 1000})
    (found,) = carried([one])["runs"]
    assert found["command"] == one.record.command and found["modified"] == {"training.steps": 1000}
    assert found["test"]["accuracy"] == pytest.approx(one.record.test.accuracy, rel=1e-5)
    assert found["gfsa"]["learned"][0][0]["w0"] == [0.1, -0.2]
    assert found["training"]["parts"][0]["torch"] == "2.13.0"
    assert found["filtered"] and found["learned"] is True
    assert found["memory"] == one.record.measurement.memory["cpu_allocator_peak"]


def test_a_run_without_a_result_keeps_its_reason():
    (found,) = carried([failed(kind="time limit", reason="after 8 h")])["runs"]
    assert (found["kind"], found["reason"]) == ("time limit", "after 8 h")
    assert found["curve"] == "it has no curve" and "learned" not in found


def test_an_attention_that_is_not_installed_has_no_family():
    assert facts("linear:kernel=elu+gfsa:K=4")["filtered"]
    assert facts("linear")["family"] not in (UNKNOWN, facts("nystrom")["family"])
    assert facts("theirs+gfsa")["family"] == UNKNOWN


def test_curves_of_few_points_are_whole():
    curve = Curve((Point(10, 2.0, 0.25, None, None), Point(20, None, None, 1.5, 0.5)))
    assert thinned(curve) == {"train": [[10], [2], [0.25]], "val": [[20], [1.5], [0.5]]}


def test_long_curves_keep_their_first_last_and_best_validation_and_means_of_training():
    n = 1000
    val = [Point(10 * i, None, None, 1.0, 0.9 if i == 503 else 0.3) for i in range(1, n + 1)]
    train = [Point(10 * i - 5, float(i), 0.5, None, None) for i in range(1, n + 1)]
    found = thinned(Curve(tuple(point for pair in zip(train, val, strict=True) for point in pair)))
    steps, _, accuracies = found["val"]
    assert len(steps) <= POINTS and steps[0] == 10 and steps[-1] == 10 * n
    assert accuracies[steps.index(5030)] == 0.9
    windows = n // POINTS
    assert found["train"][0] == [10 * i - 5 for i in range(windows, n + 1, windows)]
    assert found["train"][1][0] == pytest.approx((1 + windows) / 2)


def test_a_curve_is_bounded_in_bytes():
    assert len(embedded(thinned(run(points=10_000).curve))) < 2500


def test_runs_are_read_with_their_curves_and_damage_is_named_without_the_folder(tmp_path):
    for name in ("one", "two", "three"):
        (tmp_path / "runs" / name).mkdir(parents=True)
    write_record(tmp_path / "runs/one", run("linear", "listops").record)
    write_record(tmp_path / "runs/two", run("linear", "text").record)
    (tmp_path / "runs/three/record.json").write_text(json.dumps({"schema": 99}))
    (tmp_path / "runs/one/metrics.csv").write_text(
        "step,train.loss,train.accuracy,val.loss,val.accuracy\n10,2.0,0.5,,\n"
    )
    found, damaged = read_runs(tmp_path)
    assert [one.name for one in found] == ["one", "two"]
    assert found[0].curve.points == (Point(10, 2.0, 0.5, None, None),)
    assert found[1].curve.missing == "metrics.csv is not there"
    assert len(damaged) == 1 and damaged[0].startswith("runs/three/record.json: ")
    assert [one.name for one in read_runs(tmp_path, ["text"])[0]] == ["two"]
