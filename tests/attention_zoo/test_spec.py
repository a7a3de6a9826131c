import sys
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

import attention_zoo
from attention_zoo import (
    Attention,
    UsageError,
    build_attention,
    build_layer,
    parse_spec,
    register_attention,
)
from attention_zoo.options import parse_value, spell
from attention_zoo.registry import ATTENTIONS, load_plugin
from attention_zoo.spec import base_of

finite = st.floats(allow_nan=False, allow_infinity=False)


def test_the_package_offers_its_public_names():
    assert set(attention_zoo.public.__all__) <= set(dir(attention_zoo))
    with pytest.raises(AttributeError, match=r"module 'attention_zoo' has no attribute 'nope'"):
        attention_zoo.nope  # noqa: B018


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("linear", "linear"),
        ("linear:", None),
        (" linear + gfsa:K=2 ", "linear+gfsa:K=2"),
        ("linear+gfsa:K=3,mode=taylor", "linear+gfsa"),
        (
            "performer:features=128,redraw=1000+gfsa:mode=power,K=4",
            "performer:features=128+gfsa:K=4,mode=power",
        ),
        ("linear+gfsa:learn=w0/wK,layers=2/4", "linear+gfsa:layers=2/4,learn=w0/wK"),
        ("linear+gfsa:layers=4/2/2,learn=wK/w1/w0", "linear+gfsa:layers=2/4"),
        ("linear+gfsa:w0=1e+20", "linear+gfsa:w0=1e+20"),
        ("sdpa:backend=auto+gfsa+gfsa:K=2", "sdpa+gfsa+gfsa:K=2"),
    ],
)
def test_canonical_spelling_leaves_defaults_out(text, canonical):
    if canonical is None:
        with pytest.raises(UsageError):
            parse_spec(text)
        return
    assert str(parse_spec(text)) == canonical
    assert parse_spec(canonical) == parse_spec(text)


@given(
    K=st.integers(1, 99),
    mode=st.sampled_from(["taylor", "power"]),
    w=st.tuples(finite, finite, finite),
    layers=st.one_of(
        st.sampled_from(["all", "even", "odd"]),
        st.lists(st.integers(1, 9), min_size=1, max_size=4).map(frozenset),
    ),
)
def test_any_options_survive_the_round_trip(K, mode, w, layers):
    text = (
        f"linear+gfsa:K={K},mode={mode},w0={w[0]!r},w1={w[1]!r},wK={w[2]!r},layers={spell(layers)}"
    )
    spec = parse_spec(text)
    assert parse_spec(str(spec)) == spec
    options = {"K": 3, "mode": "taylor", "w0": 0.0, "w1": 1.0, "wK": 0.0, "layers": "all"}
    options |= dict(spec.filters[0].options)
    assert list(options.values()) == [K, mode, *w, layers]


def test_the_base_of_a_spelling_needs_no_registry():
    assert base_of("linear") is None
    assert base_of("linear+gfsa") == "linear"
    assert base_of("mine:x=1e+20+gfsa:w0=1e+3+other") == "mine:x=1e+20+gfsa:w0=1e+3"


@given(st.text(max_size=30))
def test_no_text_is_a_traceback(text):
    try:
        parse_spec(text)
    except UsageError as error:
        assert "\n" not in str(error) or "\n" in text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("linaer", "did you mean 'linear'"),
        ("nothing-like-it", "choose from agf, "),
        ("linear+gsfa", "did you mean 'gfsa'"),
        ("performer:feature=3", "did you mean 'features'"),
        ("performer:features=many", "performer: features: expected an integer, got 'many'"),
        ("linear+gfsa:mode=tylor", "mode: expected taylor|power, got 'tylor'"),
        ("linear+gfsa:layers=some", "expected all|even|odd|int/…, got 'some'"),
        ("linear+gfsa:learn=w2", "learn: expected "),
        ("linear+gfsa:w0=nan", "w0: expected a finite number, got 'nan'"),
        ("linear:causal=true", "causal is no option of a spec"),
        ("performer:features=8,causal", "causal is no option of a spec"),
        ("linear:Causal=true", "causal is no option of a spec"),
        ("linear:Is_Causal", "causal is no option of a spec"),
        ("linear+", "the name of a filter is missing after"),
        ("linear + :K=2", "the name of a filter is missing after"),
        ("linear++gfsa", "the name of a filter is missing after"),
        ("softmax:cross=true", "cross-attention is not supported"),
        ("linear+gfsa:cross_attention=true", "cross-attention is not supported"),
        ("linear+gfsa:K", "write options as key=value"),
        ("linear+gfsa:K=2,K=3", "given twice"),
        ("", "unknown attention ''"),
    ],
)
def test_mistakes_name_what_exists(text, message):
    with pytest.raises(UsageError, match=message.replace("|", r"\|")):
        parse_spec(text)


@pytest.mark.parametrize(
    "spec", ["linear+gfsa:K=0", "performer:features=0", "linear+gfsa:layers=0"]
)
def test_values_that_mean_nothing_are_refused(spec):
    with pytest.raises(UsageError):
        build_attention(spec, heads=2, head_dim=4, max_len=8)


@pytest.mark.parametrize("sizes", [{"heads": 0}, {"dim": 0}, {"max_len": 0}, {"max_len": -3}])
def test_sizes_are_positive(sizes):
    with pytest.raises(UsageError, match=r"positive|divisible"):
        build_layer("linformer", **{"dim": 8, "heads": 2, "max_len": 8} | sizes)


@pytest.mark.parametrize(
    ("annotation", "text", "value"),
    [
        (bool, "true", True),
        (int | None, "none", None),
        (int | None, "7", 7),
        (tuple[int, ...], "4/2", (4, 2)),
        (frozenset[int], "4/2", frozenset((2, 4))),
        (Literal["a", "b"], "b", "b"),
        (float, "1e-3", 1e-3),
    ],
)
def test_values_as_text(annotation, text, value):
    assert parse_value(text, annotation) == value
    assert parse_value(spell(value), annotation) == value


def test_layers_choose_where_a_filter_stands():
    def has(layers, layer):
        spec = f"linear+gfsa:layers={layers}"
        module = build_attention(spec, heads=2, head_dim=4, max_len=8, layer=layer)
        return hasattr(module, "filters")

    assert [has("even", n) for n in (1, 2, 3)] == [False, True, False]
    assert [has("odd", n) for n in (1, 2, 3)] == [True, False, True]
    assert [has("2/3", n) for n in (1, 2, 3)] == [False, True, True]
    assert all(has("all", n) for n in (1, 2, 3))


@pytest.fixture
def registry():
    """The registry, put back as it was."""
    before = dict(ATTENTIONS.entries)
    yield ATTENTIONS
    ATTENTIONS.entries.clear()
    ATTENTIONS.entries.update(before)


def test_strangers_register_and_are_refused_clearly(registry):
    @register_attention("mine")
    class Mine(attention_zoo.attentions.linear.Linear):
        pass

    assert "mine" in attention_zoo.names()
    assert str(parse_spec("mine+gfsa")) == "mine+gfsa"
    with pytest.raises(UsageError, match="already registered by"):
        register_attention("linear")(Mine)
    with pytest.raises(UsageError, match="must be a subclass of Attention"):
        register_attention("other")(object)
    with pytest.raises(UsageError, match="may only contain letters"):
        register_attention("a+b")(Mine)
    with pytest.raises(UsageError, match="an option cannot be a"):

        @register_attention("unwritable")
        class Unwritable(attention_zoo.attentions.linear.Linear):
            def __init__(self, *, heads, head_dim, max_len, option: dict | None = None):
                pass

    with pytest.raises(UsageError, match="needs a type and a default"):

        @register_attention("untyped")
        class Untyped(attention_zoo.attentions.linear.Linear):
            def __init__(self, *, heads, head_dim, max_len, option):
                pass

    with pytest.raises(UsageError, match="needs support, a Support of its class"):

        @register_attention("undeclared")
        class Undeclared(Attention):
            pass

    with pytest.raises(UsageError, match="needs check_also, a tuple"):

        @register_attention("one-text")
        class OneText(attention_zoo.attentions.linear.Linear):
            check_also = "block=4"


def test_a_plugin_that_fails_gives_one_line(tmp_path, monkeypatch):
    (tmp_path / "broken_plugin.py").write_text("import does_not_exist_anywhere\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UsageError, match="plugin 'broken_plugin' does not import") as error:
        load_plugin("broken_plugin")
    assert "\n" not in str(error.value)
    sys.modules.pop("broken_plugin", None)
