"""Groups of what may be compared, and what the runs of an attention come to."""

import dataclasses

import pytest

from lra.results.summary import accuracy_groups, cost_groups

from ..test_results import ENVIRONMENT, failure, record

OTHER = dataclasses.replace(ENVIRONMENT, device="Other CPU")


def test_a_summary_is_over_seeds():
    runs = [record(seed=seed, accuracy=p, step=s) for seed, p, s in ((0, 0.3, 90), (1, 0.4, 130))]
    (group,) = accuracy_groups([*runs, failure("linear", 2, identity="f")])
    summary = group.attentions["linear"]
    assert summary.accuracies == pytest.approx({0: 30.0, 1: 40.0})
    assert summary.mean == pytest.approx(35.0) and summary.std == pytest.approx(50**0.5)
    assert summary.error == pytest.approx((35 * 65 / 2000) ** 0.5)
    assert summary.step_ms == 110 and summary.memory == 500_000_000
    assert len(summary.failures) == 1 and summary.learned == 2


def test_nothing_comes_of_failures_alone():
    (group,) = accuracy_groups([failure()])
    summary = group.attentions["softmax"]
    assert summary.mean is summary.std is summary.error is summary.step_ms is summary.memory is None
    assert summary.learned == 0 and group.first.kind == "out of memory"


def test_two_machines_share_accuracies_and_no_costs():
    here, there = record(seed=0), record(seed=1, environment=OTHER)
    assert [len(group.records) for group in accuracy_groups([here, there])] == [2]
    assert [len(group.records) for group in cost_groups([here, there])] == [1, 1]


def test_one_run_of_two_machines_counts_once_in_accuracy():
    twice = [record(), record(environment=OTHER, finished="2026-02-01T00:00:00+00:00")]
    for records in (twice, twice[::-1]):
        (group,) = accuracy_groups(records)
        assert group.records == [twice[1]]
        assert len(cost_groups(records)) == 2


def test_a_result_stands_before_a_later_failure_of_the_same_run():
    late = failure("linear", 0, finished="2026-03-01T00:00:00+00:00")
    (group,) = accuracy_groups([late, record()])
    assert group.records == [record()]


def test_a_difference_is_over_the_seeds_that_both_have():
    runs = [record("linear", seed, p) for seed, p in ((0, 0.36), (1, 0.37), (2, 0.38))]
    runs += [record("linear+gfsa", seed, p) for seed, p in ((0, 0.38), (1, 0.36), (7, 0.9))]
    (group,) = accuracy_groups(runs)
    found = group.difference("linear+gfsa")
    assert found.n == 2 and found.mean == pytest.approx(0.5)  # +2.0 and −1.0 points
    assert group.difference("linear") is None and group.base_of("linear+gfsa").attention == "linear"


def test_of_a_pair_that_did_not_learn_nothing_is_separable():
    runs = [record("linear", seed, 0.11 + seed / 1000) for seed in range(3)]
    runs += [record("linear+gfsa", seed, 0.15 + seed / 1000) for seed in range(3)]
    (group,) = accuracy_groups(runs)
    found = group.difference("linear+gfsa")
    assert found.interval == pytest.approx((4.0, 4.0)) and not found.separable


def test_a_run_under_two_identities_counts_once_and_the_later_one():
    old = record("linear", 0, 0.30, identity="z", finished="2025-01-01T00:00:00+00:00")
    new = record("linear", 0, 0.40, identity="a", finished="2026-01-01T00:00:00+00:00")
    for runs in ([old, new], [new, old]):
        (group,) = accuracy_groups([*runs, failure("linear", 0, identity="y")])
        assert group.attentions["linear"].accuracies == {0: 40.0}
        assert not group.attentions["linear"].failures
