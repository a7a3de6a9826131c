"""How long a training takes, from its first steps."""

import pytest

from lra.run.course import Course, Estimate
from lra.training.report import Report

from .test_results import record
from .tiny import config, store

COURSE = Course(steps=1000, validations=10, val=50, test=100, filled=0.5)


def said(*reports, course=COURSE):
    """What is said of reports, which are all handed on."""
    lines, handed = [], []
    estimate = Estimate(course, record(step=100.0).measurement, lines.append, handed.append)
    for report in reports:
        estimate(report)
    assert handed == list(reports)
    return lines


def test_what_a_training_goes_through():
    """200, 40 and 50 examples in batches of 8; 12 steps, a validation every 4."""
    found = Course.of(config(), store())
    assert (found.steps, found.validations, found.val, found.test) == (12, 3, 5, 7)
    shares = store().splits["train"].lengths / 32
    assert found.filled == pytest.approx(shares.mean()) and found.filled < 1
    assert Course.of(config("sdpa"), store()).filled == pytest.approx((shares**2).mean())


def test_the_least_that_a_training_takes_counts_its_evaluations():
    assert COURSE.least(100.0, 25.0) == 0.5 * (1000 * 0.1 + 600 * 0.025)


def test_the_first_steps_say_how_long_a_training_takes():
    """Ten steps of 2 s; a batch that is evaluated takes a quarter of it."""
    assert said(Report(0, 1000), Report(10, 1000, left=990 * 2.0), Report(20, 1000, left=1.0)) == [
        "training takes about 38 min on this CPU (1,000 steps of 2,000 ms, 10 validations)"
    ]


def test_a_validation_before_the_tenth_step_is_no_part_of_a_step():
    """Five steps of 2 s and a validation of 25 s."""
    spent = 5 * 2.0 + 50 * 0.5
    assert said(Report(5, 1000, validated=True, left=995 * spent / 5))[0].endswith(
        "(1,000 steps of 2,000 ms, 10 validations)"
    )


def test_nothing_is_said_of_a_training_that_is_over():
    assert said(Report(0, 9), Report(9, 9, validated=True, left=0.0), Report(9, 9, left=0.0)) == []
