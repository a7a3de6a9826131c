import dataclasses
import json

import pytest

from attention_zoo import UsageError
from lra.measure.compare import compare, elsewhere, failures, require_same, verdict
from lra.measure.limits import shares
from lra.measure.sheet import OK, SCHEMA, Limits, Pass, Row, Sheet, read_sheet, write_sheet
from lra.measure.timing import Timing

from .conftest import MACHINE, SETTINGS

STEP = dataclasses.replace(
    SETTINGS, level="step", task="listops", protocol="quick", modified={}, dtype="32-true"
)


def row(attention, N, p20, median, p80, memory=1000):
    passed = Pass(Timing(median, p20, p80, 50), 10**6, 10**6, 10**5)
    return Row(
        *(attention, N, OK, None, passed, passed, {"cpu_allocator_peak": memory}, ["bmm"], 0),
    )


def sheet(*rows, environment=MACHINE.environment):
    return Sheet(SCHEMA, "2026", "python …", SETTINGS, environment, MACHINE.limits, list(rows))


def test_a_sheet_comes_back_as_it_was_written(tmp_path):
    path = tmp_path / "made" / "sheet.json"
    written = sheet(row("linear", 64, 1, 2, 3), Row("softmax", 64, "killed", "by SIGKILL"))
    write_sheet(path, written)
    # Whole milliseconds come back as numbers of their own type.
    assert dataclasses.asdict(read_sheet(path)) == dataclasses.asdict(written)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda text: text[:-20], "Expecting|delimiter"),
        (lambda text: text.replace('"schema": 1', '"schema": 2'), "schema is 2, not 1"),
        (
            lambda text: text.replace('"batch": 1', '"batch": "one"'),
            "settings.batch='one' must be a valid integer",
        ),
        (lambda text: text.replace('"rows"', '"lines"'), "rows is missing"),
        (lambda text: "[]", "value=\\[\\] must be an object"),
    ],
)
def test_a_damaged_sheet_is_named_with_what_is_wrong(tmp_path, damage, message):
    path = tmp_path / "sheet.json"
    write_sheet(path, sheet())
    path.write_text(damage(path.read_text()))
    with pytest.raises(UsageError, match=f"sheet.json: .*({message})"):
        read_sheet(path)


@pytest.mark.parametrize(
    ("where", "value", "message"),
    [
        *(
            (f"rows.0.{name}", None, f"the row linear N=64 is ok and has no {name}")
            for name in ("forward", "training", "memory", "kernels", "parameters")
        ),
        ("rows.0.memory", {}, "has no memory"),
        ("rows.0.memory", {"process_rss_peak": 5}, "has no memory"),
        ("rows.0.memory.cpu_allocator_peak", 0, "has no memory"),
        ("rows.1.status", "ok", "the row softmax N=64 is ok and has no forward, training, memory"),
        ("settings.level", "step", "settings of level step without task, protocol, modified"),
        ("limits.flops_per_second", 0, "limits.flops_per_second=0 must be greater than 0"),
    ],
)
def test_a_row_with_figures_has_all_and_a_step_its_protocol(tmp_path, where, value, message):
    path = tmp_path / "sheet.json"
    write_sheet(path, sheet(row("linear", 64, 1, 2, 3), Row("softmax", 64, "killed", "by SIGKILL")))
    content = inner = json.loads(path.read_text())
    *steps, last = (int(step) if step.isdecimal() else step for step in where.split("."))
    for step in steps:
        inner = inner[step]
    inner[last] = value
    path.write_text(json.dumps(content))
    with pytest.raises(UsageError, match=f"sheet.json: .*{message}"):
        read_sheet(path)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ((9, 10, 11), (12, 13, 14), "regression"),
        ((9, 10, 11), (11, 13, 14), "within spread"),
        ((12, 13, 14), (9, 10, 11), "improvement"),
        ((12, 13, 14), (9, 10, 12), "within spread"),
        ((9, 10, 11), (9, 10, 11), "within spread"),
    ],
)
def test_a_regression_is_beyond_both_spreads(old, new, expected):
    def timing(p20, median, p80):
        return Timing(median, p20, p80, 50)

    assert verdict(timing(*old), timing(*new)) == expected


def test_changes_are_of_the_rows_that_both_have():
    old = sheet(
        row("linear", 64, 9, 10, 11), row("linear", 128, 9, 10, 11), row("relu", 64, 1, 1, 1)
    )
    new = sheet(
        row("linear", 64, 14, 15, 18, memory=1200),
        Row("linear", 128, "out of memory"),
        row("linear", 256, 1, 1, 1),
    )
    changes, lost = compare(old, new)
    assert [(change.attention, change.N, change.quantity) for change in changes] == [
        ("linear", 64, "forward"),
        ("linear", 64, "forward + backward"),
        ("linear", 64, "memory"),
    ]
    assert [change.ratio for change in changes] == [1.5, 1.5, 1.2]
    assert [change.old.spread for change in changes] == [0.2, 0.2, 0.0]
    assert changes[0].new.spread == pytest.approx(4 / 15)
    assert {change.verdict for change in changes} == {"regression"}
    assert [(row.N, row.status) for row in lost] == [(128, "out of memory")]
    assert failures(changes, lost, 1.3) == [
        "linear N=64 forward × 1.50",
        "linear N=64 forward + backward × 1.50",
        "linear N=128 out of memory",
    ]
    assert len(failures(changes, [], 1.1)) == 3 and failures(changes, [], 1.5) == []


def test_what_differs_is_named():
    require_same(SETTINGS, SETTINGS)
    with pytest.raises(UsageError, match="batch 1, now 4; dtype 'float32', now 'bfloat16'"):
        require_same(SETTINGS, dataclasses.replace(SETTINGS, batch=4, dtype="bfloat16"))
    here = MACHINE.environment
    assert elsewhere(here, dataclasses.replace(here, commit="another", cores=64)) == []
    there = dataclasses.replace(here, threads=8, versions={"torch": "2.12"})
    assert elsewhere(here, there) == ["threads 1, now 8", "torch 2.13, now 2.12"]
    for package in ("xformers", "triton"):
        there = dataclasses.replace(here, versions=here.versions | {package: "3"})
        assert elsewhere(here, there) == [f"{package} None, now 3"]
    assert elsewhere(here, dataclasses.replace(here, cuda="13.0")) == ["CUDA None, now 13.0"]
    numpy = dataclasses.replace(here, versions=here.versions | {"numpy": "9"})
    assert elsewhere(here, numpy) == []


def test_a_step_is_called_one():
    steps = [
        dataclasses.replace(one, settings=STEP)
        for one in (sheet(row("linear", 64, 1, 2, 3)), sheet(row("linear", 64, 1, 2, 3)))
    ]
    changes, _ = compare(*steps)
    assert [change.quantity for change in changes] == ["forward", "training step", "memory"]


def test_shares_are_the_times_that_the_machine_needs_at_least():
    limits = Limits(bytes_per_second=1e9, flops_per_second=1e10)
    timing = Timing(10.0, 9.0, 11.0, 5)
    found = shares(Pass(timing, 10**6, None, 5 * 10**6), limits)
    assert found == (pytest.approx(0.5), pytest.approx(0.01))
