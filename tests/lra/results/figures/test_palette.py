import itertools
import random

import attention_zoo
from attention_zoo import filters
from attention_zoo.registry import ATTENTIONS
from lra.results.figures.palette import COLORS, LINES, MARKERS, ORDER, Looks, split


def pair(look):
    return look.color, look.marker


def test_every_attention_of_the_zoo_has_its_place():
    attention_zoo.names()
    own = [n for n, e in ATTENTIONS.entries.items() if e.cls.__module__.startswith("attention_zoo")]
    assert sorted(ORDER) == sorted(own)


def test_the_zoo_looks_the_same_whatever_else_is_shown():
    alone = Looks(["linear"])["linear"]
    crowd = Looks([*ORDER, "aaa", "zzz:k=1", "linear:x=2", "linear+gfsa", "linear+other"])
    assert crowd["linear"] == alone
    assert crowd["linear+gfsa"].color == alone.color and not crowd["linear+gfsa"].plain
    assert crowd["linear+gfsa"].marker == alone.marker and alone.plain and alone.dash == "solid"


def test_colour_and_marker_together_are_distinct():
    specs = [*ORDER, *(f"stranger{i}" for i in range(20)), *(f"linear:k={i}" for i in range(8))]
    looks = Looks(specs)
    assert len({pair(looks[spec]) for spec in specs}) == len(specs)
    first = [looks[spec] for spec in ORDER[: len(MARKERS)]]
    assert len({look.marker for look in first}) == len(MARKERS)  # distinct in grey print
    assert len({look.color for look in first[: len(COLORS)]}) == len(COLORS)
    assert looks["linear:k=3"].color == looks["linear"].color


def test_every_filter_and_remedy_on_one_attention_looks_different():
    specs = ["linear", *(f"linear+{name}" for name in filters())]
    looks = Looks(specs)
    assert len({looks[spec] for spec in specs}) == len(specs) > 12
    assert looks["linear"].plain and looks["linear"].dash == "solid"
    assert "solid" not in {looks[spec].dash for spec in specs[1:]}


def test_the_order_of_the_specs_changes_nothing():
    specs = ["b", "a", "linear+f:k=1", "linear+f", "performer:x=1", "a:y=2+f"]
    looks = Looks(specs)
    for seed in range(5):
        other = Looks(random.Random(seed).sample(specs, len(specs)))
        assert [other[spec] for spec in specs] == [looks[spec] for spec in specs]


def test_more_than_there_are_looks_still_have_one():
    specs = [f"s{i}+f{j}" for i, j in itertools.product(range(100), range(7))]
    looks = Looks(specs)
    assert {looks[spec].dash for spec in specs} == {dash for _, dash in LINES}


def test_a_spec_is_split_at_its_first_filter():
    assert split("linear") == ("linear", "")
    assert split("a:eps=1e+3+gfsa:K=4+gfsa") == ("a:eps=1e+3", "gfsa:K=4+gfsa")
