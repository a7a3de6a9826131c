from dataclasses import replace

import pytest

from lra.results.figures.analyses import mean_at
from lra.results.figures.palette import Looks
from lra.results.figures.paper import draw
from lra.results.figures.response import response_charts
from lra.results.figures.screen import draw as on_screen
from lra.results.figures.smoothing import smoothing_charts
from lra.results.figures.spectra import spectrum_charts
from lra.results.figures.weights import weight_charts
from tests.lra.results.analyses import analysis, depth, filtered, head, layer, state
from tests.lra.test_results import QUICK, failure, record

BOTH = [(record("linear"), analysis()), (record("linear+gfsa"), filtered())]
MAKERS = (smoothing_charts, weight_charts, spectrum_charts, response_charts)


def lines(panel):
    return {one.attention: dict(zip(one.x, one.y, strict=True)) for one in panel.series}


def test_smoothing_has_the_attention_beside_its_filtered_one():
    smooth = [depth(0), depth(1, 0.2, 0.9, 2.0), depth(2, 0.1, 0.99, 1.5)]
    runs = [(record("linear"), analysis(depths=smooth)), BOTH[1]]
    chart, _ = smoothing_charts(runs)
    assert [panel.y.title for panel in chart.panels] == [
        "HFC/LFC",
        "token cosine",
        "effective rank",
    ]
    ratio, cosine, rank = map(lines, chart.panels)
    assert ratio == {"linear": {0: 1, 1: 0.2, 2: 0.1}, "linear+gfsa": {0: 1, 1: 0.5, 2: 0.25}}
    assert cosine["linear"] == {0: 0.5, 1: 0.9, 2: 0.99} and rank["linear"][2] == 1.5
    assert "After the last block linear has the most similar tokens, cosine 0.99." in chart.summary
    rows = [row for row in chart.numbers if row["attention"] == "linear"]
    assert rows[2] == {
        **{"attention": "linear", "blocks": 2, "HFC/LFC": 0.1},
        **{"token cosine": 0.99, "effective rank": 1.5},
    }


def test_seeds_are_thin_beside_their_mean_and_missing_values_are_left_out():
    other = [depth(0, None, None), depth(1, 0.1, 0.7)]
    runs = [
        (record("linear", 0), analysis()),
        (record("linear", 1), analysis(seed=1, depths=other)),
    ]
    chart, _ = smoothing_charts(runs)
    ratio, cosine, _ = chart.panels
    assert [(one.name, one.thin, dict(zip(one.x, one.y, strict=True))) for one in ratio.series] == [
        ("linear, seed 0", True, {0: 1, 1: 0.5, 2: 0.25}),
        ("linear, seed 1", True, {1: 0.1}),
        ("linear", False, {1: pytest.approx(0.3)}),
    ]
    assert cosine.series[-1].y == [pytest.approx(0.6)]
    assert "Thin: each seed. Thick: their mean." in chart.notes


def test_singular_values_stand_before_the_first_block_and_after_the_last():
    _, chart = smoothing_charts(BOTH)
    assert [panel.y.title for panel in chart.panels] == [
        *("before the first block: σ/σ₁", "after block 2: σ/σ₁")
    ]
    assert list(lines(chart.panels[1]).values()) == [{1: 1, 2: 0.5}] * 2
    assert {"attention": "linear", "blocks": 2, "rank": 2, "σ/σ₁": 0.5} in chart.numbers


def test_weights_stand_by_layer_and_head_with_where_they_began():
    (chart,) = weight_charts(BOTH)
    w0, wK = chart.panels
    assert (w0.y.title, wK.y.title) == ("w0", "wK")
    assert wK.x.ticks == [(0.5, "1"), (2.5, "2")]
    marks, guide = wK.series
    assert [round(x) for x in marks.x] == [0, 1, 2, 3]
    assert marks.attention == "linear+gfsa" and marks.y == [0.5] * 4 and marks.bars is None
    assert guide.attention is None and guide.y == [0, 0]
    assert chart.numbers[-1] == {
        **{"attention": "linear+gfsa", "weight": "wK", "layer": 2, "head": 2},
        **{"learned": 0.5, "±": 0.0, "initial": 0.0},
    }
    assert "collapsed" not in " ".join(chart.notes)


def test_weights_of_seeds_are_means_with_bars_and_collapsed_heads_are_counted():
    zero = [layer(1, [head(filters=[state(0.0, "zero")], response=(0.0, 0.0, 0.0))])]
    one = [layer(1, [head(filters=[state(1.0)], response=(1.5, 0.75, 0.5))])]
    runs = [
        (record("linear+gfsa", seed), filtered(seed, layers=layers))
        for seed, layers in enumerate((zero, one))
    ]
    (chart,) = weight_charts(runs)
    marks = chart.panels[1].series[0]
    assert marks.y == [0.5] and marks.bars[0] == [pytest.approx(0.5**0.5)]
    assert "Heads that collapsed, to within 1 %: linear+gfsa: 1 of 2 to zero." in chart.notes


def test_each_start_is_drawn_as_lines_of_few_and_dashes_of_many():
    def charted(*starts):
        heads = [
            head(filters=[replace(state(), initial={"w0": 0.0, "wK": start})], response=(1, 1, 1.0))
            for start in starts
        ]
        (chart,) = weight_charts([(record("linear+gfsa"), filtered(layers=[layer(1, heads)]))])
        return [(one.x, one.y) for one in chart.panels[1].series if one.attention is None]

    assert charted(0.25, 0.5, 0.25) == [([-0.5, 2.5], [0.25, 0.25]), ([-0.5, 2.5], [0.5, 0.5])]
    found = charted(0.1, 0.2, 0.3)
    assert [y for _, y in found] == [[0.1, 0.1], [0.2, 0.2], [0.3, 0.3]]
    assert [x for x, _ in found] == [pytest.approx([i - 0.2, i + 0.2]) for i in range(3)]


def test_lists_of_weights_and_second_filters_have_panels_of_their_own_four_to_a_chart():
    heads = [head(filters=[state(c=[0.1, 0.2]), state(0.7)], response=(1.5, 0.75, 0.5))]
    first, second = weight_charts([(record("linear+gfsa"), filtered(layers=[layer(1, heads)]))])
    titles = [panel.y.title for chart in (first, second) for panel in chart.panels]
    assert titles == ["w0", "wK", "c[0]", "c[1]", "2: w0", "2: wK"] and len(first.panels) == 4
    assert first.panels[3].series[0].y == [0.2] and second.panels[1].series[0].y == [0.7]
    assert first.name != second.name


def test_spectra_are_means_over_heads_without_what_is_rounding():
    heads = [head((1.0, 0.5, 1e-9)), head((1.0, 0.1, 1e-9))]
    eigenvalues, singular = spectrum_charts([(record(), analysis(layers=[layer(1, heads)]))])
    (panel,) = eigenvalues.panels
    assert lines(panel) == {"linear": {1: 1, 2: pytest.approx(0.3)}}
    assert lines(singular.panels[0]) == {"linear": {1: 2, 2: pytest.approx(0.6)}}
    assert panel.x.log and panel.y.log and panel.y.title == "layer 1: |λ|"
    assert "up to the ranks that the shortest sequence has" in eigenvalues.notes[0]
    assert "|λ₂| is largest for linear (0.3)" in eigenvalues.summary
    assert [row["rank"] for row in eigenvalues.numbers] == [1, 2]


def test_of_many_layers_four_are_drawn_from_the_first_to_the_last():
    deep = analysis(layers=[layer(i) for i in range(1, 13)])
    chart = spectrum_charts([(record(), deep)])[0]
    assert [panel.y.title for panel in chart.panels] == [f"layer {i}: |λ|" for i in (1, 5, 8, 12)]


def test_responses_stand_against_the_eigenvalues_beside_those_of_the_attention_itself():
    response, fourier = response_charts(BOTH)
    panel = response.panels[0]
    marks, guide = panel.series
    assert dict(zip(marks.x, marks.y, strict=True)) == {0.25: 0.5, 0.5: 0.75, 1.0: 1.5}
    assert not marks.joined and "Signs and phases of λ are left out" in response.notes[0]
    assert (guide.attention, guide.x, guide.y) == (None, [0.25, 1.0], [0.25, 1.0])
    assert response.numbers[0] == {
        **{"attention": "linear+gfsa", "layer": 1, "|λ|": 0.0, "|h(λ)|": 0.125}
    }
    drawn = [(one.attention, one.joined, one.x[0], one.y[0]) for one in fourier.panels[1].series]
    assert drawn == [
        *(("linear", True, 1 / 64, 0.5), ("linear", False, 0, 0.5)),
        *(("linear+gfsa", True, 1 / 64, 1.0), ("linear+gfsa", False, 0, 1.0)),
    ], "the mean over tokens is a mark of its own"
    legend = draw(fourier, Looks(["linear", "linear+gfsa"])).legends[0]
    assert [text.get_text() for text in legend.get_texts()] == ["linear", "linear+gfsa"]
    assert [row["cycles a token"] for row in fourier.numbers] == [0, 0.25, 0.5] * 4
    assert "only for a circulant Ā" in " ".join(fourier.notes)


def test_without_filters_there_are_no_weights_and_no_responses():
    assert weight_charts(BOTH[:1]) == []
    (fourier,) = response_charts(BOTH[:1])
    assert fourier.title.startswith("Fourier form")


def test_what_is_not_comparable_or_not_analyzed_is_apart_and_named():
    other = record("linear", protocol=QUICK, identity="quick")
    runs = [*BOTH, (record("relu"), None), (failure("softmax"), None), (other, analysis())]
    for make in MAKERS[:1] + MAKERS[2:]:
        charts = make(runs)
        assert len({chart.name for chart in charts}) == len(charts) > 1
    chart = next(one for one in smoothing_charts(runs) if "nystromformer" in one.title)
    assert "Not analyzed: relu, softmax." in chart.notes
    assert smoothing_charts([(record(), None)]) == []


def test_subsets_and_machines_are_stated():
    chart, _ = smoothing_charts([BOTH[0], (record("relu"), analysis("relu", length=12))])
    note = next(one for one in chart.notes if one.startswith("Analyzed on"))
    assert (
        "different subsets: 16 validation examples; 16 validation examples cut to at most 12 tokens"
        in note
    )
    assert "Some CPU" in note
    uncut = [(record(), analysis(length=13)), (record("relu"), analysis("relu"))]
    assert "Analyzed on 16 validation examples." in " ".join(smoothing_charts(uncut)[0].notes)


def test_equally_similar_tokens_name_no_most_similar_attention():
    ends = {"linear": 0.9961, "relu": 0.9962, "softmax": 0.5}
    runs = [(record(n), analysis(n, depths=[depth(0, 1, x)])) for n, x in ends.items()]
    assert "linear, relu have the most similar tokens, cosine 0.996." in (
        smoothing_charts(runs)[0].summary
    )
    assert "all have equally similar tokens, cosine 0.996." in smoothing_charts(runs[:2])[0].summary


def test_curves_of_other_ranks_meet_where_both_are():
    layers = [layer(1, ranks=(1, 2, 5)), layer(1, [head((0.0, 1.0, None))], ranks=(1, 5, 9))]
    found = mean_at(layers, lambda one: one.ranks, lambda one: one.eigenvalue_magnitudes)
    assert found == {1: 0.5, 5: pytest.approx(0.625)}


def test_narrow_panels_have_few_ticks_and_every_head_its_mark():
    heads = [head(filters=[state(0.1 * h, c=[0.1])], response=(1.5, 0.75, 1e-5)) for h in range(2)]
    deep = filtered(layers=[layer(i, heads) for i in range(1, 13)])
    (weights,) = weight_charts([(record("linear+gfsa"), deep)])
    assert [text for _, text in weights.panels[0].x.ticks] == ["3", "6", "9", "12"]
    drawn = draw(weights, Looks(["linear+gfsa"])).axes[0].containers[0].lines[0]
    assert drawn.get_markevery() == 1 and len(drawn.get_xdata()) == 24
    spread = head((1.0, 1e-3, 2e-6), filters=[state()], response=(1.0, 1e-3, 1e-3))
    several = filtered(layers=[layer(i, [spread]) for i in range(1, 5)])
    response, _ = response_charts([(record("linear+gfsa"), several)])
    assert len(response.panels) == 4 and len(response.panels[0].x.ticks) == 3


@pytest.mark.parametrize("make", MAKERS)
def test_each_chart_can_be_drawn_for_paper_and_screen(make):
    looks = Looks(["linear", "linear+gfsa"])
    for chart in make(BOTH):
        assert draw(chart, looks).axes
        made = on_screen(chart.panels, looks)
        assert len(made["traces"]) >= len(chart.panels)
