"""How long a training takes: its steps, its validations and the test."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from attention_zoo.spec import attention_of
from lra.config import RunConfig
from lra.data.store import Store
from lra.measure.variant import Measurement
from lra.training.report import Report, duration


@dataclass(frozen=True)
class Course:
    """val, test: batches of one evaluation. filled: the share of the work at full length that
    training examples need at least: mean length / N where an attention's time is declared to grow
    as N, else its square's mean."""

    steps: int
    validations: int
    val: int
    test: int
    filled: float

    @classmethod
    def of(cls, config: RunConfig, store: Store) -> "Course":
        training, N = config.protocol.training, config.protocol.task.max_len
        validations = max(1, training.steps // training.eval_every)
        val, test = (-(-len(store.splits[name]) // training.batch) for name in ("val", "test"))
        power = 1 if attention_of(config.attention).support.time == "N" else 2
        filled = float(np.mean((store.splits["train"].lengths / N) ** power))
        return cls(training.steps, validations, val, test, filled)

    @property
    def passes(self) -> int:
        """Batches that are evaluated."""
        return self.validations * self.val + self.test

    def least(self, step_ms: float, forward_ms: float) -> float:
        """Seconds that it takes at least, where these are of full length."""
        return self.filled * (self.steps * step_ms + self.passes * forward_ms) / 1e3


class Estimate:
    """Hands reports on, and after the first steps says once how long the training takes. By then
    these have shown what real batches take, whose padding varies; a batch that is evaluated takes
    as much less than a step as it does in the measurement."""

    def __init__(
        self,
        course: Course,
        measurement: Measurement,
        say: Callable[[str], None],
        report: Callable[[Report], None],
    ) -> None:
        self.course, self.say, self.report = course, say, report
        self.share = measurement.forward.median_ms / measurement.training_step.median_ms
        self.said = False

    def __call__(self, report: Report) -> None:
        self.report(report)
        if not self.said and report.left:
            self.said = True
            self.say(self._words(report))

    def _words(self, report: Report) -> str:
        course = self.course
        spent = report.left * report.step / (report.steps - report.step)
        step = spent / (report.step + report.validated * course.val * self.share)
        seconds = step * (course.steps + course.passes * self.share)
        plural = "s" * (course.validations != 1)
        return (
            f"training takes about {duration(seconds)} on this CPU ({course.steps:,} steps of "
            f"{1e3 * step:,.0f} ms, {course.validations} validation{plural})"
        )
