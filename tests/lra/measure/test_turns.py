"""How long runs are measured, and what a ratio is, by a clock that only measuring moves."""

import pytest

from lra.failures import OutOfMemory
from lra.measure import runs, turns
from lra.measure.job import Count, Reply
from lra.measure.runs import MOST, ROUNDS, SHARE, measure_in_turns
from lra.measure.timing import LEAST, TURN_MOST, Ratio, Spread

from ..tiny import config

FORWARD = 0.25  # of a step
MEMORY = {"cpu_allocator_peak": 1, "process_rss_peak": 1}


class Clock:
    """Of processes that take what they are told to. asked: what was asked of each, in order."""

    def __init__(self):
        self.now, self.steps, self.asked, self.ends = 100.0, {}, [], {}

    def monotonic(self):
        return self.now

    def worker(self, job):
        return Fake(self, job.attention)


class Fake:
    def __init__(self, clock, attention):
        self.clock, self.attention = clock, attention

    def ready(self):
        return Reply()

    def close(self):
        pass

    def ask(self, request, seconds):
        clock = self.clock
        clock.asked.append((request.ask, self.attention))
        if self.attention in clock.ends:
            return Reply(*clock.ends[self.attention])
        steps = clock.steps.get(self.attention, [clock.steps.get("", 1.0)])
        step = steps.pop(0) if len(steps) > 1 else steps[0]
        if request.ask == "count":
            clock.now += 5 * step
            return Reply(content=Count(10, 0.0, MEMORY, ["aten.bmm"], (1, 3)))
        found = []
        for took in (FORWARD * step, step):
            n = min(TURN_MOST, max(request.least, int(request.seconds / took)))
            clock.now += (1 + n) * took
            found.append([1e3 * took] * n)
        return Reply(content=found)


@pytest.fixture
def clock(monkeypatch):
    made = Clock()
    monkeypatch.setattr(turns, "time", made)
    monkeypatch.setattr(runs, "time", made)
    monkeypatch.setattr(turns, "Worker", made.worker)
    return made


def training(steps):
    return lambda step_ms, forward_ms: steps * step_ms / 1e3


@pytest.mark.parametrize("beside", [[], ["linear+gfsa", "linear+mean"]])
@pytest.mark.parametrize("step", [0.001, 0.05, 1.0])
@pytest.mark.parametrize("steps", [1_000, 10_000_000])
def test_measuring_takes_a_tenth_of_its_training_and_at_most_half_a_minute(
    clock, steps, step, beside
):
    clock.steps[""] = step
    found = measure_in_turns(config(), beside, training(steps))
    assert list(found) == ["linear", *beside]
    assert clock.now - 100.0 <= len(found) * min(MOST, SHARE * steps * step)
    assert LEAST <= found["linear"].training_step.n <= ROUNDS * TURN_MOST


def test_however_short_the_training_there_are_three_repetitions(clock):
    (alone,) = measure_in_turns(config(), [], training(1)).values()
    assert alone.training_step.n == alone.forward.n == LEAST
    assert [ask for ask, _ in clock.asked] == ["count", "time"]
    group = measure_in_turns(config(), ["linear+gfsa"], training(1))
    assert [one.training_step.n for one in group.values()] == [LEAST, LEAST]


@pytest.mark.parametrize("steps", [10, 165, 1000])
def test_a_base_that_nobody_asks_for_is_timed_in_turns_where_they_fit_and_no_more(clock, steps):
    """Counting takes 2.5 s, three repetitions as long, three turns of three processes 11.25 s."""
    clock.steps[""] = 0.5
    (found,) = measure_in_turns(config("linear+gfsa"), [], training(2 * steps)).values()
    own = [("count", "linear+gfsa"), ("time", "linear+gfsa")]
    turn = [("time", name) for name in ("linear", "linear", "linear+gfsa")]
    count = len(clock.asked[2:]) // 3
    assert clock.asked == own + [one for i in range(count) for one in turn[:: 1 - 2 * (i % 2)]]
    if steps == 10:
        assert (count, found.ratio, found.training_step.n) == (0, None, LEAST)
    else:
        assert count >= LEAST and clock.now - 100.0 <= min(MOST, SHARE * steps)
        assert found.ratio == Ratio("linear", *2 * [Spread(1.0, 1.0, 1.0, count)])


def test_a_ratio_is_of_the_same_turns_however_the_machine_drifts(clock):
    """Steps of the base, its copy and the filtered one, in three turns of one repetition, the
    second the other way round."""
    clock.steps = {
        "linear": [1.0, 1.0, 1.0, 2.5, 2.0, 4.0, 3.0],  # counted first
        "linear+gfsa": [1.0, 1.5, 2.5, 4.5],
    }
    plain, filtered = measure_in_turns(config(), ["linear+gfsa"], training(1)).values()
    assert plain.ratio is None and filtered.ratio.base == "linear"
    assert filtered.ratio.times == Spread(1.25, 1.125, 1.5, 3)
    assert filtered.ratio.control == Spread(1.0, 0.75, 1.25, 3)


@pytest.mark.parametrize(
    ("low", "high", "within"),
    [(0.9, 1.0, True), (1.1, 1.3, True), (0.7, 1.4, True), (1.26, 1.3, False), (0.7, 0.79, False)],
)
def test_a_ratio_is_within_noise_where_its_spread_meets_that_of_equal_things(low, high, within):
    """Equal things from 0.8 to 0.9 might as well have been 1.11 to 1.25."""
    control = Spread(0.85, 0.8, 0.9, 5)
    ratio = Ratio("linear", Spread(low, low, high, 5), control)
    assert ratio.within_noise is within
    words = f"{low:.3f} (p20 {low:.3f}, p80 {high:.3f}; A/A p20 0.800, p80 0.900; n 5)"
    assert str(ratio) == words + ", within noise" * within


def test_what_fails_beside_a_run_is_left_out_and_its_own_failure_ends_it(clock):
    clock.ends = {"linear+gfsa": ("out of memory", "can't allocate memory")}
    assert list(measure_in_turns(config(), ["linear+gfsa"], training(1))) == ["linear"]
    with pytest.raises(OutOfMemory, match=r"^measuring linear\+gfsa: a smaller --set .*allocate"):
        measure_in_turns(config("linear+gfsa"), ["linear"], training(1))
