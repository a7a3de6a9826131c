import pytest

from attention_zoo.costs import count_flops
from benchmarks import event_loop
from lra.measure.formula import subject_flops
from lra.measure.sheet import OK, Pass, Row
from lra.measure.subject import subject
from lra.measure.timing import Timing

from .conftest import job


@pytest.mark.parametrize("name", ["agf", "linear+gfsa"])
def test_the_loop_runs_the_passes_that_measure_runs(monkeypatch, name):
    """An attention's own term of the loss among them."""
    seen = []
    monkeypatch.setattr(event_loop, "peak", lambda step: 3 * 10**6)
    monkeypatch.setattr(event_loop, "loop", lambda step: seen.append(count_flops(step)[0]) or 2.0)
    passed, memory = Pass(Timing(2.1, 2.0, 2.2, 9), 1, 1, 1), {"cuda_allocated_peak": 3 * 10**6}
    row = Row(name, 32, OK, None, passed, passed, memory, [], 0)
    cells, deviations = event_loop.compared(row, job(name))
    module = subject(job(name), 32, compile=False).model
    assert seen == [
        subject_flops(job(name), module.train(how), 32, training=how) for how in (True, False)
    ]
    assert deviations == pytest.approx([5.0, 5.0])
    assert cells["peak MB"] == cells["torch's"] == "3.0"
    assert cells["forward off by %"] == "+5.0"


def test_more_than_five_percent_is_a_failure():
    assert event_loop.verdict([4.9, -5.0]) == ("Largest deviation of a median: -5.0 %.", 0)
    assert event_loop.verdict([1.0, -5.1])[1] == event_loop.verdict([5.1])[1] == 1
