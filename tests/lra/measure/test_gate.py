from dataclasses import replace

import pytest
import torch

from attention_zoo import names
from attention_zoo.costs import count_flops
from attention_zoo.spec import attention_of
from lra.measure import gate
from lra.measure.formula import subject_flops
from lra.measure.gate import CONTRACT, disagreement, errors, failure
from lra.measure.subject import subject
from lra.protocols import get_protocol
from lra.tasks import TASKS

from .conftest import SETTINGS, job

LAYER = replace(SETTINGS, level="layer", head_dim=32)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("name", names())
def test_every_attention_passes_in_every_dtype_it_takes(name, dtype):
    given = job(name + "+gfsa", replace(LAYER, dtype=dtype))
    if attention_of(name).unsupported("cpu", given.dtype, 32):
        pytest.skip("it does not run here")
    assert disagreement(given) is None


def test_errors_are_those_of_rounding():
    """float64 has next to none, float32 about its epsilon, bfloat16 its own."""
    largest = {
        dtype: max(errors(job("softmax+gfsa", replace(LAYER, dtype=dtype))).values())
        for dtype in ("float32", "bfloat16")
    }
    assert 1e-8 < largest["float32"] < 1e-5 < 1e-4 < largest["bfloat16"] < 0.05


def test_a_step_is_held_to_the_layers_of_its_model():
    protocol = get_protocol("google", "listops")
    given = job("sdpa+gfsa", replace(SETTINGS, level="step", dtype="bf16-mixed", heads=8))
    given = replace(given, settings=replace(given.settings, head_dim=64), protocol=protocol)
    assert {"result", "gradient of x", "gradient of qkv.weight"} <= set(errors(given))
    assert disagreement(given) is None


def test_the_kit_comes_first(troubled, monkeypatch):
    assert "growth" not in CONTRACT and "reference" in CONTRACT
    assert failure(job("linear+gfsa", checks=CONTRACT)) is None
    raising = failure(job("troubled:at=1", checks=["declared", "reference"]))
    assert raising.startswith("reference: ") and "no such block" in raising


def test_where_rounding_decides_hashes_only_the_operator_is_held(monkeypatch):
    held = []
    monkeypatch.setattr(gate, "errors", lambda given: held.append(given.settings.level) or {})
    for name, dtype in (("yoso", "bfloat16"), ("yoso", "float32"), ("linear", "bfloat16")):
        assert disagreement(job(name, replace(LAYER, dtype=dtype))) is None
    assert held == ["operator", *2 * ["operator", "layer"]]


@pytest.mark.parametrize("task", ["listops", "retrieval"])
@pytest.mark.parametrize("protocol", ["nystromformer", "google"])
@pytest.mark.parametrize("spec", ["linear+gfsa", "softmax", "agf", "performer+gfsa:layers=2"])
def test_operations_of_a_step_are_those_of_its_formula(spec, protocol, task):
    """Two layers, feed-forward, head, a cls token, pairs; a batch in unequal parts."""
    assert task in TASKS
    settings = get_protocol(protocol, task)
    model = replace(settings.model, layers=2, dim=16, inner=16, heads=2, ffn=24, head=12)
    changed = replace(settings, model=model, training=replace(settings.training, batch=3))
    step = replace(SETTINGS, level="step", batch=3, task=task, protocol=protocol, micro_batch=2)
    given = replace(job(spec, replace(step, dtype="32-true", modified={})), protocol=changed)
    steps = subject(given, 20, compile=False)
    steps.training()
    for training, call in ((False, steps.forward), (True, steps.training)):
        assert count_flops(call)[0] == subject_flops(given, steps.model, 20, training=training)


def test_the_same_subject_is_made_again():
    given = job("linformer", LAYER)
    first, second = (subject(given, 16, compile=False).model.state_dict() for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)
