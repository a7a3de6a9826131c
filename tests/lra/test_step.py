"""What is measured is what is trained."""

import pytest
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader

from attention_zoo import parse_spec
from lra.measure.variant import SEED, made_up_batch, steps_of
from lra.model import build_model
from lra.protocols import override
from lra.training.module import Classifier

from .tiny import PROTOCOL

CPU = torch.device("cpu")
CLIPPED = {"value": ["training.clip_value=0.001"], "norm": ["training.clip_norm=0.05"], "": []}


def trained(spec, protocol, steps, micro, precision):
    """The weights after `steps` of Lightning's on the batch that is measured."""
    batch = made_up_batch("listops", protocol.training.batch, protocol.task.max_len, CPU)
    model = build_model(spec, protocol, "listops", seed=SEED)
    trainer = pl.Trainer(
        accelerator="cpu",
        max_steps=steps,
        precision=precision,
        logger=False,
        enable_checkpointing=False,
        enable_model_summary=False,
        enable_progress_bar=False,
    )
    batches = DataLoader([batch] * steps, batch_size=None)
    trainer.fit(Classifier(model, protocol.training, SEED, micro), batches)
    assert trainer.global_step == steps
    return model.state_dict()


@pytest.mark.parametrize(
    ("schedule", "clip", "micro", "precision"),
    [
        ("onecycle", "value", None, "32-true"),
        ("rsqrt", "norm", None, "32-true"),
        ("cosine", "", 3, "32-true"),
        ("onecycle", "norm", 3, "bf16-mixed"),
    ],
)
def test_measured_steps_leave_the_weights_that_trained_ones_do(schedule, clip, micro, precision):
    """Bit for bit, draws and dropout among them."""
    settings = [f"training.schedule={schedule}", "training.learning_rate=0.05", *CLIPPED[clip]]
    protocol, _ = override(PROTOCOL, [*settings, "training.weight_decay=0.1"])
    spec = parse_spec("performer:features=8,redraw=3+gfsa")
    steps = steps_of(spec, "listops", protocol, device=CPU, precision=precision, micro=micro)
    start = {name: weight.clone() for name, weight in steps.model.state_dict().items()}
    for _ in range(5):
        steps.training()
        steps.forward()
    measured = steps.model.state_dict()
    for name, weight in trained(spec, protocol, 5, micro, precision).items():
        assert torch.equal(weight, measured[name]), name
    assert any(not torch.equal(start[name], measured[name]) for name in start)


@pytest.mark.parametrize(("clip", "largest"), [("value", 0.001), ("norm", 0.05)])
def test_gradients_are_clipped(clip, largest):
    protocol, _ = override(PROTOCOL, CLIPPED[clip])
    given = {"device": CPU, "precision": "32-true"}
    steps = steps_of(parse_spec("linear+gfsa"), "listops", protocol, **given)
    steps.training()
    gradients = torch.cat([p.grad.flatten() for p in steps.model.parameters()])
    found = gradients.norm() if clip == "norm" else gradients.abs().max()
    assert found.item() == pytest.approx(largest, rel=1e-4)


def test_a_measurement_may_take_more_steps_than_a_protocol_has():
    settings = ["training.steps=4", "training.warmup=2"]
    protocol, _ = override(PROTOCOL, settings)
    given = {"device": CPU, "precision": "32-true"}
    steps = steps_of(parse_spec("linear"), "listops", protocol, **given)
    for _ in range(9):
        steps.training()
    assert all(weight.isfinite().all() for weight in steps.model.state_dict().values())
