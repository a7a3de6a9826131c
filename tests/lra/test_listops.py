import random
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attention_zoo import UsageError
from lra.tasks.listops import LISTOPS, generate
from lra.tasks.listops.expressions import (
    CLOSE_ID,
    MAX_ID,
    OPERATORS,
    VOCABULARY,
    decode,
    encode,
    evaluate,
)
from lra.tasks.listops.generate import CHUNK, Shape, chunk, distinct_expressions, draw
from lra.tasks.listops.settings import ListOpsSettings

from .tiny import split_of

OFFICIAL = Shape(min_length=500, max_length=2000, max_depth=10, max_args=10)
SMALL = Shape(min_length=4, max_length=40, max_depth=5, max_args=4)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("7", 7),
        ("[MAX 2 9 [MIN 4 7 ] 0 ]", 9),
        ("[MIN 2 9 [MAX 4 7 ] 3 ]", 2),
        ("[MED 1 5 9 ]", 5),
        ("[MED 1 4 ]", 2),  # 2.5, cut down
        ("[MED 9 1 8 2 ]", 5),
        ("[SM 9 8 7 ]", 4),
        ("[SM 5 [SM 9 9 ] [MED 0 9 ] ]", 7),
        ("( ( ( ( [MAX 3 ) 4 ) [MIN 1 ) ] )", None),
        ("( ( ( [MAX 3 ) 4 ) ] )", 4),
    ],
)
def test_worked_examples(text, value):
    if value is None:
        with pytest.raises(UsageError):
            evaluate(encode(text))
    else:
        assert evaluate(encode(text)) == value


trees = st.recursive(
    st.integers(0, 9),
    lambda inner: st.tuples(st.sampled_from(OPERATORS), st.lists(inner, min_size=1, max_size=5)),
    max_leaves=40,
)


def surface(tree):
    """The official files' spelling: a left-leaning nest of parentheses around each operator."""
    if isinstance(tree, int):
        return str(tree)
    operator, arguments = tree
    text = f"{operator} {surface(arguments[0])}"
    for part in [*map(surface, arguments[1:]), "]"]:
        text = f"( {text} ) {part}"
    return f"( {text} )"


def value(tree):
    if isinstance(tree, int):
        return tree
    operator, arguments = tree[0], [value(argument) for argument in tree[1]]
    if operator == "[MED":
        return int(statistics.median(arguments))
    if operator == "[SM":
        return int(np.sum(arguments)) % 10
    return {"[MAX": max, "[MIN": min}[operator](arguments)


@given(trees)
def test_the_evaluator_is_the_recursive_definition(tree):
    ids = encode(surface(tree))
    assert evaluate(ids) == value(tree)
    assert encode(decode(ids)) == ids


@given(st.lists(st.integers(1, 15), max_size=12).map(bytes))
def test_any_ids_are_a_digit_or_refused(ids):
    try:
        assert 0 <= evaluate(ids) <= 9
    except UsageError as error:
        assert "ListOps expression" in str(error)


def test_the_vocabulary_is_fixed_and_sorted():
    assert VOCABULARY[0] == "<pad>" and list(VOCABULARY[1:]) == sorted(VOCABULARY[1:])
    assert len(VOCABULARY) == 16 and VOCABULARY[CLOSE_ID] == "]"
    with pytest.raises(UsageError, match="no token 'FIRST'"):
        encode("[MAX FIRST ]")


@pytest.fixture(scope="module")
def sample():
    return [tokens for number in range(32) for tokens in chunk(0, OFFICIAL, number)]


def root_arguments(tokens):
    depth = count = 0
    for token in tokens:
        depth -= token == CLOSE_ID
        count += depth == 1 and token != CLOSE_ID
        depth += MAX_ID <= token < CLOSE_ID
    return count


def depth_of(tokens):
    depths = np.cumsum([(MAX_ID <= t < CLOSE_ID) - (t == CLOSE_ID) for t in tokens])
    return depths.max() + 1


def test_the_generator_has_the_measured_distribution(sample):
    """The figures are of 100,000 trees of an independent implementation; 8,000 here, so each
    tolerance is some four standard errors."""
    lengths = np.array([len(tokens) for tokens in sample])
    assert len(sample) == 32 * CHUNK
    assert 500 < lengths.min() and lengths.max() < 2000
    assert abs(lengths.mean() - 1035) < 18
    quantiles = np.percentile(lengths, [10, 25, 50, 75, 90])
    assert (abs(quantiles - [578, 703, 954, 1310, 1644]) < [10, 15, 26, 35, 30]).all()

    arguments = np.bincount([root_arguments(tokens) for tokens in sample[:4000]], minlength=11)
    expected = [0.045, 0.064, 0.084, 0.102, 0.118, 0.132, 0.143, 0.151, 0.161]
    assert (abs(arguments[2:] / 4000 - expected) < 0.022).all()

    roots = np.bincount([tokens[0] for tokens in sample], minlength=16)[MAX_ID:CLOSE_ID]
    assert (abs(roots / len(sample) - 0.25) < 0.02).all()
    assert all(depth_of(tokens) == 10 for tokens in sample[:200])


def test_labels_and_trivial_rules_are_as_measured(sample):
    labels = np.array([evaluate(tokens) for tokens in sample])
    expected = [0.170, 0.091, 0.077, 0.082, 0.090, 0.085, 0.077, 0.072, 0.087, 0.169]
    assert (abs(np.bincount(labels, minlength=10) / len(labels) - expected) < 0.017).all()
    split = split_of(list(zip(sample, labels.tolist(), strict=True)))
    rules = LISTOPS.baselines({"train": split, "test": split})
    assert abs(rules["majority class"] - 0.170) < 0.017
    assert abs(rules["root operator"] - 0.362) < 0.022


def test_acceptance_rate():
    rng = random.Random(0)
    accepted = sum(draw(rng, OFFICIAL) is not None for _ in range(20_000))
    assert abs(accepted / 20_000 - 0.0829) < 0.008


def test_data_are_the_seeds_whatever_the_number_of_workers():
    one, two = (distinct_expressions(700, 3, SMALL, workers) for workers in (1, 2))
    assert one == two
    assert len({tokens for tokens, _ in one}) == 700
    assert all(evaluate(tokens) == value for tokens, value in one)
    assert one != distinct_expressions(700, 4, SMALL, 1)


def test_impossible_settings_are_refused(monkeypatch):
    with pytest.raises(UsageError, match="found only 10 distinct ListOps expressions"):
        distinct_expressions(1_000, 0, Shape(0, 3, 5, 4), 1)
    monkeypatch.setattr(generate, "MAX_DRAWS", 20_000)
    with pytest.raises(UsageError, match="in 20,000 draws 0 ListOps expressions of 501 to 1999"):
        distinct_expressions(100_000, 0, Shape(500, 2000, 3, 10), 1)
    for settings in ({"min_length": 9, "max_length": 9}, {"train": 0}, {"max_args": 1}):
        with pytest.raises(UsageError):
            ListOpsSettings(**settings)
