"""What only a GPU can show; the rest of the suite needs none."""

import contextlib
import copy
from dataclasses import replace

import pytest
import torch

from attention_zoo import UnsupportedError, build_attention, build_layer, names, parse_spec
from attention_zoo.registry import ATTENTIONS
from attention_zoo.testing.cases import MAX_LEN, C, Case, D, H, attention, operator_of
from lra.cli import main
from lra.config import require_support
from lra.failures import OutOfMemory, memory_errors
from lra.measure.runs import measure_in_turns
from lra.model import Encoder
from lra.protocols import ModelSettings
from lra.training import checkpoints
from lra.training.fit import train

from .lra.test_precision import check_float16
from .lra.tiny import SETTINGS, config, store

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA device")


def on_cuda(spec):
    try:
        require_support(config(spec, accelerator="cuda"))
    except UnsupportedError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("suffix", ["", "+gfsa", "+gfsa:K=4,mode=power"])
@pytest.mark.parametrize("name", names())
@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float32, 1e-3), (torch.bfloat16, 0.05)], ids=["f32", "bf16"]
)
@pytest.mark.parametrize("lengths", [None, (64, 40, 1)], ids=["full", "padded"])
def test_cuda_agrees_with_float64_on_the_cpu(name, suffix, dtype, tolerance, lengths):
    on_cuda(name)
    exact, rough = Case(64, lengths), Case(64, lengths, dtype=dtype)
    # What a low precision rounds q and k to decides hashes and choices: both see the same.
    rounded = [x.detach() for x in rough.tensors()]
    outputs = []
    # The CPU's truth of every exact kernel is `softmax`; xformers has no CPU kernel.
    truth = name.replace("xformers", "softmax")
    for spec, case, device in ((truth, exact, "cpu"), (name, rough, "cuda")):
        q, k, v, x = (part.to(device, case.dtype).requires_grad_() for part in rounded)
        keep = None if lengths is None else case.keep.to(device)
        module = attention(spec + suffix, torch.float64 if case is exact else torch.float32)
        y = operator_of(module.to(device), q, k, keep, x) @ v
        rows = case.rows.to(device)
        y.backward(torch.where(rows, torch.ones_like(y).cumsum(-1), 0.0))
        found = [y * rows, *(part.grad for part in (q, k, v) if part.grad is not None)]
        outputs.append([part.detach().cpu().double() for part in found])
    for a, b in zip(*outputs, strict=True):
        assert (a - b).norm() <= tolerance * a.norm()


@pytest.mark.parametrize("name", ["softmax", "sdpa", "xformers", "longformer:window=6"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["f32", "bf16"])
def test_attention_dropout_on_cuda(name, dtype):
    on_cuda(name)
    torch.manual_seed(0)
    q, k, v = torch.randn(3, 1, H, 16, D, device="cuda", dtype=dtype).expand(-1, 400, -1, -1, -1)
    q = q.clone().requires_grad_()
    module = build_attention(name, heads=H, head_dim=D, max_len=MAX_LEN, dropout=0.3).cuda()
    expected = (module.eval()(q, k) @ v)[0].detach().double()
    draws = module.train()(q, k) @ v
    draws.float().sum().backward()
    assert q.grad.isfinite().all()
    draws = draws.detach().double()
    error = (draws.mean(0) - expected).abs() / (draws.std(0) / 20).clamp(min=1e-9)
    assert draws.std(0).max() > 0.01 and error.mean() < (1.2 if dtype == torch.float32 else 2)
    assert torch.equal((module.eval()(q, k) @ v)[0].double(), expected)


def test_xformers_and_sdpa_are_one_attention():
    on_cuda("xformers")
    case = Case(64, (64, 40, 1), dtype=torch.float32)
    q, k, v, x = (part.detach().cuda() for part in case.tensors())
    a, b = (
        torch.where(case.rows.cuda(), operator_of(build(name), q, k, case.keep.cuda(), x) @ v, 0.0)
        for name in ("sdpa", "xformers")
    )
    torch.testing.assert_close(a, b)


@pytest.mark.parametrize("name", [name + suffix for name in names() for suffix in ("", "+gfsa")])
def test_derivatives_on_cuda(name):
    """Second and forward-mode derivatives and vmap are those of the CPU, or raise."""
    on_cuda(name)
    support = ATTENTIONS.get(name.removesuffix("+gfsa")).cls.support
    dtype = support.dtypes[0]
    found = {}
    for device in ("cpu", "cuda") if "cpu" in support.devices else ("cuda",):
        found[device] = derivatives_of(attention(name, dtype).to(device), support, device, dtype)
    if "cpu" in found:
        for kind in found["cpu"].keys() & found["cuda"].keys():  # kernels differ in what they have
            for a, b in zip(found["cpu"][kind], found["cuda"][kind], strict=True):
                torch.testing.assert_close(b.cpu(), a, rtol=1e-6, atol=1e-6)


def derivatives_of(module, support, device, dtype):
    case = Case(17, (17, 9, 1), dtype=dtype)
    given = [part.detach().to(device) for part in case.tensors()]
    keep, found = case.keep.to(device), {}

    def apply(q, k, v, x, keep=keep):
        return operator_of(module, q, k, keep, x) @ v

    def asked(kind, can, compute):
        with contextlib.nullcontext() if can else contextlib.suppress(RuntimeError):
            found[kind] = compute()

    def second():
        leaves = [part.clone().requires_grad_() for part in given]
        y = (apply(*leaves) * keep[:, None, :, None]).square().sum()
        first = torch.autograd.grad(y, leaves[:3], create_graph=True, allow_unused=True)
        total = sum(part.square().sum() for part in first if part is not None)
        curvature = torch.autograd.grad(total, leaves[:3], allow_unused=True)
        return [part for part in curvature if part is not None]

    def forward_mode():
        return [torch.func.jvp(apply, tuple(given), tuple(given))[1] * keep[:, None, :, None]]

    def by_example():
        def one(*parts):
            *parts, real = (part[None] for part in parts)
            return apply(*parts, keep=real)[0]

        return [torch.func.vmap(one)(*given, keep) * keep[:, None, :, None]]

    asked("second", support.second_derivatives, second)
    asked("forward mode", support.second_derivatives, forward_mode)
    asked("vmap", support.vmap, by_example)
    return found


def build(name):
    return build_attention(name, heads=H, head_dim=D, max_len=MAX_LEN)


@pytest.mark.parametrize("name", [name + suffix for name in names() for suffix in ("", "+gfsa")])
def test_autocast_on_cuda(name):
    on_cuda(name)
    layer = build_layer(name, dim=C, heads=H, max_len=MAX_LEN).cuda()
    x, keep = torch.randn(3, 17, C).cuda(), Case(17, (17, 9, 1)).keep.cuda()
    with torch.autocast("cuda", torch.bfloat16):
        y = layer(x, keep)
    y[keep].float().sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in layer.parameters())


@pytest.mark.parametrize("name", [name + suffix for name in names() for suffix in ("", "+gfsa")])
def test_edges_on_cuda(name):
    """Nothing given, copies and the meta device, and Ā² in every declared dtype."""
    on_cuda(name)
    layer = build_layer(name, dim=C, heads=H, max_len=512).cuda()
    for B, N in ((0, 5), (2, 0)):
        y = layer(torch.zeros(B, N, C).cuda(), torch.ones(B, N, dtype=torch.bool).cuda())
        y.sum().backward()
        assert y.shape == (B, N, C)
        assert not any(parameter.grad.any() for parameter in layer.parameters())
    case = Case(17, (17, 9, 1), dtype=torch.float32)
    x, keep = case.tensors()[3].cuda(), case.keep.cuda()
    layer(x, keep)[keep].sum().backward()
    with torch.device("meta"):
        other = build_layer(name, dim=C, heads=H, max_len=512)
    other = other.to_empty(device="cuda")
    other.load_state_dict(layer.state_dict())
    expected = layer.eval()(x, keep)[keep]
    for copied in (other.eval(), copy.deepcopy(layer)):
        torch.testing.assert_close(copied(x, keep)[keep], expected)
    support = ATTENTIONS.get(name.removesuffix("+gfsa")).cls.support
    for dtype in support.dtypes:
        alike = torch.ones(1, H, 512, D, dtype=dtype, device="cuda")
        given = torch.ones(1, 512, C, dtype=dtype, device="cuda")
        operator = operator_of(copy.deepcopy(layer.attention).to(dtype), alike, alike, None, given)
        assert operator.polynomial([0.0, 0.0, 1.0], alike).isfinite().all()


@pytest.mark.parametrize("spec", ["local", "linformer", "cosformer+gfsa"])
def test_padding_on_the_left_changes_nothing_on_cuda(spec):
    settings = ModelSettings(dim=16, ffn=32, head=16, positions=64)
    model = Encoder(parse_spec(spec), settings, classes=10, max_len=64).cuda().eval()
    tokens, keep = torch.randint(1, 16, (1, 40)).cuda(), (torch.arange(40) < 17).cuda()[None]
    torch.testing.assert_close(model(tokens.roll(23, 1), keep.flip(1)), model(tokens, keep))


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed", "16-mixed"])
@pytest.mark.parametrize("name", ["linear+gfsa", "sdpa+gfsa", "xformers+gfsa"])
def test_a_variant_trains_and_is_measured_on_cuda(tmp_path, name, precision):
    on_cuda(name)
    job = config(name, accelerator="cuda", precision=precision)
    measured = measure_in_turns(job, [], lambda *_: 0.0)[name]
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


@pytest.mark.parametrize("micro_batch", [None, 3])
def test_float16_trains_as_float32_does_and_its_scaler_goes_on(tmp_path, monkeypatch, micro_batch):
    plain = config("linear+gfsa", accelerator="cuda", micro_batch=micro_batch)
    check_float16(tmp_path, monkeypatch, plain, lambda: replace(plain, precision="16-mixed"))


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
