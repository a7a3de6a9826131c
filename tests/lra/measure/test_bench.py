"""Rows of whatever happens to a variant, without the kit's checks, which test_command has."""

from dataclasses import asdict, replace

import pytest

from lra.jobs import local
from lra.measure import dialogue
from lra.measure.bench import bench
from lra.measure.sheet import OK
from lra.measure.timing import LEAST
from lra.measure.turns import Variant

from .conftest import SETTINGS, job


def rows_of(jobs, lengths=(64, 32), time_limit=60.0, rounds=1):
    groups = bench(
        jobs, sorted(lengths), time_limit=time_limit, say=lambda line: None, rounds=rounds
    )
    return [row for group in groups for row in group]


def test_a_process_that_is_killed_ends_one_row_and_what_is_longer(troubled):
    """In processes of their own: the shorter length is measured in another one."""
    found = rows_of([job("troubled:how=kill")], (32, 256, 512))
    assert [row.status for row in found] == [OK, "killed", "killed"]
    assert "SIGKILL" in found[1].reason
    assert found[2].reason == "not tried: N=256 lost its process"
    assert found[0].training.formula == found[0].training.flops


@pytest.mark.parametrize(
    ("job_name", "status", "first", "second"),
    [
        ("silent", "error", *2 * ["its process was not ready after 1 s"]),
        ("ready", "time limit", *2 * ["its contract was not through after 1 s"]),
        ("checks", "time limit", "more than 1 s", "not tried: N=64 took too long"),
        ("leave", "error", *2 * ["its process ended with exit status 1: the device is on fire"]),
        (
            "mute",
            "error",
            *2 * ["its process gave up answering, and did not end: the device is on fire"],
        ),
    ],
)
def test_whatever_a_process_does_is_a_row(monkeypatch, job_name, status, first, second):
    monkeypatch.setattr(local, "GONE", 0.5)
    monkeypatch.setattr(dialogue, "START", 1.0 if job_name == "silent" else 60.0)
    monkeypatch.setattr(dialogue, "JOB", f"tests.lra.jobs:{job_name}")
    found = rows_of([job("linear")], (64, 128), time_limit=1.0)
    assert [(row.status, row.reason) for row in found] == [(status, first), (status, second)]
    assert found[0].forward is None


def test_where_memory_runs_out_shorter_lengths_have_a_fresh_process(inside):
    found = rows_of([job("troubled:how=memory")], (32, 256, 512))
    assert [row.status for row in found] == [OK, "out of memory", "out of memory"]
    assert found[2].reason == "not tried: N=256 ran out of memory"
    assert inside.started == 3  # one for the contract


def test_an_error_at_one_length_is_no_more_than_that(inside):
    found = rows_of([job("troubled:how=raise")], (32, 256, 512))
    assert [row.status for row in found] == [OK, "error", "error"]
    assert found[2].reason == "RuntimeError: no such block"
    assert inside.started == 2


def test_a_formula_that_counts_otherwise_leaves_no_figures(inside):
    found = rows_of([job("troubled:how=formula")])
    assert [row.status for row in found] == ["error"] * 2
    counted = 2 * 2 * 2 * 32 * 8 * 8
    assert found[0].reason == (
        f"{counted:,} operations counted in the forward pass, {2 * counted:,} by its formula"
    )
    assert found[0].training is None


def test_a_variant_that_is_wrong_in_the_measured_dtype_has_no_figures(inside):
    found = rows_of([job("troubled:how=wrong"), job("linear")])
    assert [row.status for row in found] == ["fails its contract"] * 2 + [OK] * 2
    assert "result of the operator in float32 on cpu is off by" in found[0].reason


def test_variants_of_one_attention_take_turns_with_a_copy_of_the_base(inside, monkeypatch):
    turns = []
    time = Variant.time

    def noted(variant, N, **how):
        turns.append((variant.job.attention, N))
        time(variant, N, **how)

    monkeypatch.setattr(Variant, "time", noted)
    plain, filtered = found = rows_of([job("linear"), job("linear+gfsa")], (8,), rounds=2)
    one = [("linear", 8), ("linear", 8), ("linear+gfsa", 8)]
    assert turns == one + one[::-1]
    assert all(row.training.time.n == row.forward.time.n > 2 for row in found)
    assert plain.ratio is None and filtered.ratio.base == "linear"
    assert filtered.ratio.times.n == filtered.ratio.control.n == 2
    assert rows_of([job("linear+gfsa")], (8,))[0].ratio is None


def test_rounds_beyond_the_least_stop_at_the_time_limit(inside):
    variant = Variant(job("linear"), [8], 60.0)
    variant.time(8, LEAST)
    variant.spent[8] = 59.9999
    variant.turn[8] = 1.0
    variant.time(8)
    assert len(variant.training[8]) == 1


@pytest.mark.parametrize("level", ["operator", "layer"])
def test_memory_is_that_of_a_runs_record_and_grows_with_the_level(inside, level):
    settings = replace(SETTINGS, level=level)
    (short, long), *_ = [rows_of([job("linear", settings)], (256, 512))]
    assert set(long.memory) == {"cpu_allocator_peak", "process_rss_peak"}
    assert long.memory["cpu_allocator_peak"] > 1.8 * short.memory["cpu_allocator_peak"]
    assert long.memory["process_rss_peak"] >= short.memory["process_rss_peak"]
    assert long.parameters == (0 if level == "operator" else 4 * 16 * 17)
    assert "aten.bmm" in long.kernels and asdict(long)["reason"] is None


@pytest.mark.parametrize("spec", ["identity", "mean"])
def test_memory_is_above_nothing_even_of_an_operator_that_is_nothing(inside, spec):
    (found,) = rows_of([job(spec)], (16,))
    assert found.memory["cpu_allocator_peak"] > 0
