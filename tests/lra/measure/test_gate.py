from dataclasses import replace

import pytest
import torch

from attention_zoo import names, register_filter
from attention_zoo.costs import count_flops
from attention_zoo.registry import FILTERS
from attention_zoo.spec import attention_of
from gfsa import GraphFilter
from lra.measure import formula, gate
from lra.measure.formula import subject_flops
from lra.measure.gate import CASES, CONTRACT, disagreement, errors, failure
from lra.measure.subject import applied, subject
from lra.model import build_model
from lra.protocols import get_protocol

from .conftest import SETTINGS, job

LAYER = replace(SETTINGS, level="layer", head_dim=32)
STEP = replace(SETTINGS, level="step", task="listops", protocol="google", modified={})
SHORT, LONG = CASES


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("name", names())
def test_every_attention_passes_in_every_dtype_it_takes(name, dtype):
    given = job(name + "+gfsa", replace(LAYER, dtype=dtype))
    if attention_of(name).unsupported("cpu", given.dtype, 32):
        pytest.skip("it does not run here")
    assert disagreement(given) is None


def test_errors_are_those_of_rounding():
    largest = {
        dtype: max(errors(job("softmax+gfsa", replace(LAYER, dtype=dtype)), SHORT).values())
        for dtype in ("float32", "bfloat16")
    }
    assert 1e-8 < largest["float32"] < 1e-5 < 1e-4 < largest["bfloat16"] < 0.05


def test_a_step_is_held_to_the_layers_of_its_model():
    protocol = get_protocol("google", "listops")
    given = job("sdpa+gfsa", replace(STEP, dtype="bf16-mixed", heads=8, head_dim=64))
    given = replace(given, protocol=protocol)
    assert {"result", "gradient of x", "gradient of qkv.weight"} <= set(errors(given, SHORT))
    assert disagreement(given) is None


def test_the_kit_comes_first(troubled, monkeypatch):
    assert "growth" not in CONTRACT and "reference" in CONTRACT
    assert failure(job("linear+gfsa", checks=CONTRACT)) is None
    raising = failure(job("troubled:at=1", checks=["declared", "reference"]))
    assert raising.startswith("reference: ") and "no such block" in raising


@pytest.fixture
def broken(monkeypatch):
    """A filter that computes something else from order 2 on, as GFSA with another K."""
    monkeypatch.setattr(FILTERS, "entries", dict(FILTERS.entries))

    class Broken(GraphFilter):
        def forward(self, operator, v):
            return super().forward(operator, v) * 1.5

    register_filter("broken")(Broken)


@pytest.mark.parametrize("options", ["", ":layers=2", ":layers=even", ":K=2,layers=2"])
def test_a_filter_is_checked_in_whichever_layers_it_stands(broken, options):
    given = job("linear+broken" + options)
    assert "result of the operator" in failure(given)
    assert "reference: " in failure(replace(given, checks=("reference",)))
    assert failure(job("linear+gfsa" + options)) is None


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("name", ["linformer", "softmax", "linear"])
def test_gradients_that_are_cut_off_are_found_in_every_dtype(monkeypatch, name, dtype):
    def cut(module, *words):
        apply = applied(module, *words)
        return lambda q, k, v: apply(q.detach(), k.detach(), v)

    given = job(name + "+gfsa", replace(SETTINGS, head_dim=32, dtype=dtype))
    assert failure(given) is None
    monkeypatch.setattr(gate, "applied", cut)
    assert "gradient of q of the operator" in (reason := failure(given))
    assert "1.0e+00 of its norm, or of 0.01 of the largest gradient's where that is more" in reason


def test_what_is_wrong_beyond_the_first_block_is_found(monkeypatch):
    def later(module, *words):
        apply = applied(module, *words)
        return lambda q, k, v: apply(q, k.roll(1, 2) if q.shape[2] > 64 else k, v)

    monkeypatch.setattr(gate, "applied", later)
    assert str(LONG) in failure(job("local"))


def test_the_formula_is_asked_for_the_dtype_and_device_that_are_measured(monkeypatch):
    asked = []
    monkeypatch.setattr(formula, "formula_flops", lambda *_, **given: asked.append(given) or 0)
    for settings in (
        replace(SETTINGS, dtype="bfloat16", accelerator="cuda"),
        replace(STEP, dtype="bf16-mixed", accelerator="cuda"),
    ):
        protocol = get_protocol("google", "listops") if settings.level == "step" else None
        given = replace(job("sdpa", settings), protocol=protocol)
        module = torch.nn.Identity()
        if protocol is not None:
            module = build_model(given.spec, protocol, "listops", seed=0, max_len=16)
        formula.subject_flops(given, module, 16, training=True)
    assert {(str(made["device"]), made["dtype"]) for made in asked} == {("cuda", torch.bfloat16)}
    assert len(asked) > 1


def test_where_rounding_decides_hashes_only_the_operator_is_held(monkeypatch):
    held = []
    monkeypatch.setattr(
        gate, "disagreement_of", lambda given, case: held.append(given.settings.level)
    )
    for name, dtype in (("yoso", "bfloat16"), ("yoso", "float32"), ("linear", "bfloat16")):
        assert disagreement(job(name, replace(LAYER, dtype=dtype))) is None
    both = ["operator", "layer"]
    assert held == ["operator", "operator", *both, "operator", *both, *both]


@pytest.mark.parametrize("task", ["listops", "retrieval"])
@pytest.mark.parametrize("protocol", ["nystromformer", "google"])
@pytest.mark.parametrize("spec", ["linear+gfsa", "softmax", "agf", "performer+gfsa:layers=2"])
def test_operations_of_a_step_are_those_of_its_formula(spec, protocol, task):
    """Two layers, feed-forward, head, a cls token, pairs; a batch in unequal parts."""
    settings = get_protocol(protocol, task)
    model = replace(settings.model, layers=2, dim=16, inner=16, heads=2, ffn=24, head=12)
    changed = replace(settings, model=model, training=replace(settings.training, batch=3))
    step = replace(STEP, batch=3, task=task, protocol=protocol, micro_batch=2)
    given = replace(job(spec, replace(step, dtype="32-true")), protocol=changed)
    steps = subject(given, 20, compile=False)
    steps.training()
    for training, call in ((False, steps.forward), (True, steps.training)):
        assert count_flops(call)[0] == subject_flops(given, steps.model, 20, training=training)


def test_the_same_subject_is_made_again():
    given = job("linformer", LAYER)
    first, second = (subject(given, 16, compile=False).model.state_dict() for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)
