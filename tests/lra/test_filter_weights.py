"""The parameters of anybody's filter are on record, by their names."""

import pytest
import torch
from torch import nn

from attention_zoo import Filter, register_filter
from attention_zoo.build import FilteredAttention
from attention_zoo.registry import FILTERS
from lra.cli.results.text import filter_weights as shown
from lra.results.record import FilterWeights, read_record, write_record
from lra.training.weights import filter_weights

from .test_results import record
from .tiny import tiny_train


@pytest.fixture
def theirs(monkeypatch):
    """A filter with parameters of every shape, one of them in a module of its own, and a filter
    inside, whose parameters are its own too."""
    monkeypatch.setattr(FILTERS, "entries", dict(FILTERS.entries))

    @register_filter("theirs")
    class Theirs(Filter):
        def __init__(self, heads: int, inner: bool = True) -> None:
            super().__init__(heads)
            self.gain = nn.Parameter(torch.ones(()))
            self.table = nn.Parameter(torch.arange(3.0).expand(heads, 3).clone())
            self.cube = nn.Parameter(torch.zeros(heads, 2, 2))
            self.net = nn.Linear(1, 1, bias=False)
            self.inside = Theirs(heads, False) if inner else None

        def forward(self, operator, v):
            weight = self.gain + self.table.mean() + self.cube.sum() + self.net.weight.sum()
            return (operator @ v) * weight

        def reference(self, matrix, keep=None):
            raise NotImplementedError


def test_every_parameter_of_every_filter_is_kept(tmp_path, theirs):
    few = ["training.steps=3", "training.warmup=2"]
    outcome = tiny_train(tmp_path, "linear+theirs:layers=2+gfsa", settings=few)
    first, second = outcome.learned_filters
    assert [set(weights) for weights in first] == [{"w0", "w1", "wK"}]
    own = {"gain", "table", "cube", "net.weight"}
    assert [set(weights) for weights in second] == [
        own | {f"inside.{name}" for name in own},
        {"w0", "w1", "wK"},
    ]
    before, after = outcome.initial_filters[1][0], second[0]
    assert before["gain"] == 1.0 and before["table"] == [[0.0, 1.0, 2.0]] * 2
    assert before["cube"] == [[0.0] * 4] * 2
    assert all(before[name] != after[name] for name in own)

    weights = FilterWeights(outcome.initial_filters, outcome.learned_filters)
    write_record(tmp_path, record(filters=weights))
    assert read_record(tmp_path / "record.json").filters == weights
    lines = "\n".join(shown(weights))
    assert "layer 2, filter 1  gain  1 → " in lines and "layer 2, filter 2  w0  0 → " in lines
    assert lines.count(" → ") == 3 * 2 + 2 * (1 + 6 + 8 + 1) + 3 * 2


DTYPES = (torch.bool, torch.uint8, torch.int64, torch.float16, torch.bfloat16, torch.float64)
SHAPES = ((), (0,), (3,), (2, 3), (0, 2), (2, 0), (2, 3, 2), (0, 2, 2), (1, 2, 1, 2))


def test_what_is_kept_of_any_dtype_and_shape_is_read_back(tmp_path):
    frozen = nn.Module()
    for dtype in (*DTYPES, torch.complex64, torch.complex128):
        for shape in SHAPES:
            values = torch.full(shape, 1, dtype=dtype)
            name = f"{dtype}{len(frozen._parameters)}".replace(".", "_")
            frozen.register_parameter(name, nn.Parameter(values, requires_grad=False))
    for shape in SHAPES:
        for value in (torch.inf, -torch.inf, torch.nan, complex(1, torch.nan)):
            values = torch.zeros(shape, dtype=torch.tensor(value).dtype)
            values.view(-1)[1:2] = value
            values = torch.full((), value) if shape == () else values
            name = f"not_finite{len(frozen._parameters)}"
            frozen.register_parameter(name, nn.Parameter(values, requires_grad=False))
    frozen.flag = nn.Parameter(torch.tensor([True, False]), requires_grad=False)
    frozen.open = nn.Parameter(torch.tensor([0.5, -torch.inf]))
    frozen.phase = nn.Parameter(torch.tensor(1 + 2j).conj())
    found = filter_weights(nn.ModuleList([FilteredAttention(nn.Module(), [frozen])]))
    [[kept]] = found
    assert (kept["flag"], kept["open"], kept["phase"]) == ([1, 0], [0.5, None], [1, -2])
    weights = FilterWeights(found, found)
    write_record(tmp_path, record(filters=weights))
    assert read_record(tmp_path / "record.json").filters == weights
    assert "  layer 1, filter 1  open  0.5 → 0.5, nan → nan" in list(shown(weights))


def test_many_entries_are_summed_up():
    before = {"few": [0.0] * 16, "many": [0.0] * 17, "table": [[0.0] * 64] * 64}
    after = {
        "few": [0.0] * 16,
        "many": [*map(float, range(16)), None],
        "table": [[-1.0, *[0.0] * 62, 3.0]] * 64,
    }
    _, few, many, table, _ = shown(FilterWeights([[before]], [[after]]))
    assert few.count(" → ") == 16
    assert many.endswith("many  17 entries: mean 0 (0 to 0) → mean 7.5 (0 to 15), 1 not finite")
    assert table.endswith("4,096 entries: mean 0 (0 to 0) → mean 0.03125 (-1 to 3)")
