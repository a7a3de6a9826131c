"""What only a GPU can show; the rest of the suite needs none."""

import pytest
import torch

from attention_zoo import UnsupportedError, build_attention, build_layer
from lra.cli import main
from lra.failures import OutOfMemory, memory_errors
from lra.measure.process import measure_apart
from lra.run_config import require_support
from lra.training import checkpoints
from lra.training.fit import train

from .contract.cases import HEADS, MAX_LEN, WIDTH, attention, every_spec, inputs, padding, real
from .lra.tiny import SETTINGS, config, store

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA device")


def on_cuda(spec):
    try:
        require_support(config(spec, accelerator="cuda"))
    except UnsupportedError as error:
        pytest.skip(str(error))


@every_spec
@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float32, 1e-3), (torch.bfloat16, 0.05)], ids=["f32", "bf16"]
)
@pytest.mark.parametrize("padded", [False, True], ids=["full", "padded"])
def test_cuda_agrees_with_float64_on_the_cpu(spec, dtype, tolerance, padded):
    on_cuda(spec)
    keep = padding([64, 40, 1], 64) if padded else torch.ones(3, 64, dtype=torch.bool)
    exact = [x.to(dtype).double().requires_grad_() for x in inputs(N=64)]
    rough = [x.detach().to("cuda", dtype).requires_grad_() for x in exact]
    upstream = torch.where(real(keep), torch.randn_like(exact[2]), 0.0)
    outputs = []
    # The CPU's truth of every exact kernel is `softmax`; xformers has no CPU kernel.
    truth = spec.replace("xformers", "softmax")
    for q, k, v in (exact, rough):
        device = q.device
        on_cpu = device.type == "cpu"
        module = attention(truth if on_cpu else spec, torch.float64 if on_cpu else torch.float32)
        y = module.to(device)(q, k, keep.to(device) if padded else None) @ v
        y.backward(upstream.to(y))
        outputs.append([y * real(keep).to(device), q.grad, k.grad, v.grad])
    for a, b in zip(*outputs, strict=True):
        error = (a - b.cpu().double()).norm() / a.norm()
        assert error < tolerance


def test_xformers_and_sdpa_are_one_attention():
    on_cuda("xformers")
    q, k, v = (x.cuda() for x in inputs(N=64, dtype=torch.float32))
    keep = padding([64, 40, 1], 64).cuda()
    a, b = (
        build_attention(name, heads=HEADS, head_dim=WIDTH, max_len=MAX_LEN)(q, k, keep) @ v
        for name in ("sdpa", "xformers")
    )
    torch.testing.assert_close(a * real(keep), b * real(keep))


@every_spec
def test_autocast_on_cuda(spec):
    on_cuda(spec)
    layer = build_layer(spec, dim=HEADS * WIDTH, heads=HEADS, max_len=MAX_LEN).cuda()
    x, keep = torch.randn(3, 17, HEADS * WIDTH).cuda(), padding([17, 9, 1], 17).cuda()
    with torch.autocast("cuda", torch.bfloat16):
        y = layer(x, keep)
    y[keep].float().sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in layer.parameters())


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
@pytest.mark.parametrize("name", ["linear+gfsa", "sdpa+gfsa", "xformers+gfsa"])
def test_a_variant_trains_and_is_measured_on_cuda(tmp_path, name, precision):
    on_cuda(name)
    job = config(name, accelerator="cuda", precision=precision)
    measured = measure_apart(job)
    assert set(measured.memory) == {"cuda_allocated_peak", "cuda_reserved_peak"}
    assert 0 < measured.memory["cuda_allocated_peak"] <= measured.memory["cuda_reserved_peak"]
    assert measured.kernels and measured.training_flops > measured.forward_flops > 0
    outcome = train(job, store(), tmp_path, lambda report: None)
    assert outcome.test.count == 50


def test_a_resumed_run_has_the_same_curve_to_rounding(tmp_path, monkeypatch):
    variant = config("performer:features=8+gfsa", accelerator="cuda")
    curves = []
    for cut in (False, True):
        folder = tmp_path / str(cut)
        folder.mkdir()
        with monkeypatch.context() as patch:
            patch.setattr(checkpoints, "EVERY", 0.0)
            if cut:
                patch.setattr(checkpoints.interrupts, "requested", lambda: True)
                with pytest.raises(checkpoints.interrupts.Stopped):
                    train(variant, store(), folder, lambda report: None)
        train(variant, store(), folder, lambda report: None)
        rows = (folder / "metrics.csv").read_text().splitlines()[1:]
        curves.append([float(cell) for row in rows for cell in row.split(",") if cell])
    assert curves[1] == pytest.approx(curves[0], rel=1e-3)


def test_memory_that_runs_out_on_the_gpu_is_a_failure_of_its_kind():
    with pytest.raises(OutOfMemory, match="a smaller --set"), memory_errors():
        torch.empty(1 << 45, device="cuda")


def test_two_runs_share_one_gpu(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    words = ["--task", "listops", "--protocol", "quick", "--set", *SETTINGS, "--jobs", "2"]
    words += ["--attn", "linear", "linear+gfsa", "--accelerator", "cuda"]
    folders = ["--results", str(tmp_path), "--data-dir", str(store().path.parent.parent)]
    assert main([*words, *folders]) == 0
    assert "| linear+gfsa" in capsys.readouterr().out
