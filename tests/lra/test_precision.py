"""Float16 with a gradient scaler, which is for CUDA; what of it the CPU can do is shown here."""

from dataclasses import replace

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.plugins.precision import MixedPrecision

from attention_zoo import UnsupportedError
from attention_zoo.registry import ATTENTIONS
from lra.cli import main
from lra.config import require_support
from lra.measure.variant import steps_of
from lra.model import build_model
from lra.protocols import override
from lra.training import checkpoints, fit
from lra.training.checkpoints import newest_checkpoint
from lra.training.fit import train
from lra.training.module import Classifier

from .tiny import PROTOCOL, config, gradients_in, store


@pytest.mark.parametrize("command", ["", "measure"])
def test_on_the_cpu_it_is_refused_in_one_line(command, capsys):
    words = ["--task", "listops", "--protocol", "quick", "--attn", "linear", "softmax"]
    line = [*command.split(), *words, "--accelerator", "cpu", "--precision", "16-mixed"]
    assert main(line) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1
    assert "--precision 16-mixed needs CUDA for its gradient scaler, not cpu: use bf16-" in err


@pytest.mark.parametrize(
    ("known", "slow"),
    [
        ({"avx2": True, "avx512_bf16": False, "amx_bf16": False}, True),
        ({"avx512_bf16": True, "amx_bf16": False}, False),
        ({"neon": True, "bf16": False}, True),
        ({"architecture": "unknown"}, False),
    ],
)
def test_bfloat16_without_instructions_for_it_is_warned_of(known, slow, capsys, monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: known, raising=False)
    line = ["--task", "listops", "--protocol", "quick", "--attn", "linear", "--accelerator", "cpu"]
    assert main([*line, "--precision", "bf16-mixed", "--dry-run"]) == 0
    warned = "this CPU has no instructions for bfloat16: bf16-mixed takes 4 to 5 times as long"
    assert (warned in capsys.readouterr().err) == slow


def test_training_on_the_cpu_never_takes_bfloat16_in_its_place(tmp_path):
    with pytest.raises(UnsupportedError, match="needs CUDA for its gradient scaler"):
        train(config(precision="16-mixed"), store(), tmp_path, lambda report: None)


def test_an_attention_that_does_not_declare_float16_is_refused(monkeypatch):
    cls = ATTENTIONS.get("linear").cls
    few = replace(cls.support, dtypes=(torch.float32, torch.bfloat16))
    given = {"accelerator": "cuda", "precision": "16-mixed"}
    require_support(config("linear+gfsa", **given))
    monkeypatch.setattr(cls, "support", few)
    with pytest.raises(UnsupportedError, match="its dtypes are float32, bfloat16, not float16"):
        require_support(config("linear+gfsa", **given))
    require_support(config("linear+gfsa", **given | {"precision": "bf16-mixed"}))


def test_a_causal_mixer_is_refused_where_the_first_token_is_read():
    for spec, pooling, refused in (("hyena", "cls", 1), ("hyena", "mean", 0), ("s4d", "cls", 0)):
        protocol, _ = override(PROTOCOL, [f"model.pooling={pooling}", "model.positions=33"])
        if not refused:
            require_support(config(spec, protocol=protocol))
            continue
        with pytest.raises(UnsupportedError, match="reads the first token, which sees no other"):
            require_support(config(spec, protocol=protocol))


def test_the_parts_of_a_batch_are_scaled_alike():
    batch = (torch.randint(1, 15, (8, 16)), torch.ones(8, 16, dtype=torch.bool), torch.arange(8))
    gradients = []
    for micro, factor in ((None, 1.0), (3, 1024.0)):
        model = build_model(config().attention, PROTOCOL, "listops", seed=0).eval()
        gradients_in(model, batch, micro, lambda loss, factor=factor: (factor * loss).backward())
        gradients.append([p.grad / factor for p in model.parameters() if p.grad is not None])
    torch.testing.assert_close(*gradients)


def test_the_scaler_works_and_goes_on_where_it_was(tmp_path, monkeypatch):
    """With Lightning's own plug-in, whose scaler torch has for the CPU, too; but for the dtype, in
    which the CPU is slow."""

    def trainer(**options):
        scaler = torch.amp.GradScaler("cpu", init_scale=2.0**16)
        plugins = [*options.pop("plugins", ()), MixedPrecision("16-mixed", "cpu", scaler)]
        return made(**options | {"precision": None}, plugins=plugins)

    few = ["training.steps=4", "training.warmup=2", "training.eval_every=2"]
    plain = config("linear+gfsa", micro_batch=4, protocol=override(PROTOCOL, few)[0])
    made = pl.Trainer
    disabled = torch.autocast("cpu", enabled=False)
    monkeypatch.setattr(MixedPrecision, "autocast_context_manager", lambda plugin: disabled)

    def start():
        monkeypatch.setattr(fit.pl, "Trainer", trainer)
        return replace(plain, data=plain.data + " in float16")

    check_float16(tmp_path, monkeypatch, plain, start)


def check_float16(folder, monkeypatch, plain, start):
    """That a run in float16, whose config `start` gives, has the gradients of `plain`, in float32,
    and, cut, ends where it ends whole."""
    folders = [folder / name for name in ("plain", "whole", "cut")]
    for one in folders:
        one.mkdir()
    norms = []

    clip = Classifier.on_before_optimizer_step

    def watched(module, optimizer):
        clip(module, optimizer)
        gradients = [p.grad.norm() for p in module.parameters() if p.grad is not None]
        norms.append(torch.stack(gradients).norm().item())

    steps = plain.protocol.training.steps
    with monkeypatch.context() as patch:
        patch.setattr(Classifier, "on_before_optimizer_step", watched)
        train(plain, store(), folders[0], lambda report: None)
        mixed = start()
        whole = train(mixed, store(), folders[1], lambda report: None)
    assert len(norms) == 2 * steps and norms[steps:] == pytest.approx(norms[:steps], rel=0.02)
    with monkeypatch.context() as patch:
        done = []
        patch.setattr(checkpoints.interrupts, "requested", lambda: done[-1:] > [0])
        with pytest.raises(checkpoints.interrupts.Stopped):
            train(mixed, store(), folders[2], lambda report: done.append(report.step))
    _, content = newest_checkpoint(folders[2], mixed.identity)
    state, step = content["MixedPrecision"], content["global_step"]
    assert 0 < step < steps and state["scale"] == 2.0**16 and state["_growth_tracker"] == step
    resumed = train(mixed, store(), folders[2], lambda report: None)
    _, content = newest_checkpoint(folders[2], mixed.identity)
    assert content["MixedPrecision"]["_growth_tracker"] == steps
    for name, weight in whole.weights.items():
        torch.testing.assert_close(resumed.weights[name], weight, rtol=1e-2, atol=1e-3)


def test_a_measured_step_scales_its_loss_and_unscales_before_it_clips():
    clipped = replace(PROTOCOL, training=replace(PROTOCOL.training, clip_norm=0.01))
    device = {"device": torch.device("cpu"), "precision": "16-mixed", "micro": 3}
    steps = steps_of(config().attention, "listops", clipped, **device)
    steps.training()
    gradients = [p.grad for p in steps.model.parameters() if p.grad is not None]
    norm = torch.stack([gradient.norm() for gradient in gradients]).norm().item()
    assert norm == pytest.approx(0.01, rel=1e-3)
