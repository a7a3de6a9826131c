"""What single attentions promise beyond the contract."""

import subprocess
import sys

import pytest
import torch
from torch.nn.attention import varlen
from torch.testing import assert_close

from attention_zoo import UnsupportedError, build_attention, build_layer
from attention_zoo.attentions.linear import _EluPlusOne
from attention_zoo.attentions.sdpa import SDPA
from attention_zoo.packing import Packing
from attention_zoo.parts.projections import orthogonal_gaussian
from attention_zoo.registry import ATTENTIONS


def build(spec, N=64, D=8):
    return build_attention(spec, heads=2, head_dim=D, max_len=N)


def qkv(N=64, D=8, dtype=torch.float64):
    return torch.randn(3, 2, 2, N, D, dtype=dtype).unbind()


def test_elu_plus_one_keeps_small_features_and_its_gradient():
    x = torch.tensor([-25.0, -1.0, -1e-3, 0.0, 1e-3, 5.0, 60.0], dtype=torch.float32)
    expected = torch.where(x > 0, x.double() + 1, x.double().exp())
    assert_close(_EluPlusOne(x).double(), expected, rtol=1e-6, atol=0)
    points = torch.tensor([-9.0, -1.0, -0.1, 0.1, 3.0], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(_EluPlusOne, points)


def test_orthogonal_features():
    omega = orthogonal_gaussian(20, 8, torch.Generator().manual_seed(0)).double()
    for block in omega.split(8):
        gram = block @ block.mT
        assert_close(gram - gram.diagonal().diag(), torch.zeros_like(gram), atol=1e-5, rtol=0)
    assert (omega[:8] @ omega[8:16].mT).abs().max() > 0.1  # blocks are independent
    many = orthogonal_gaussian(8000, 8, torch.Generator().manual_seed(1)).double()
    assert_close(many.square().sum(1).mean().item(), 8.0, atol=0.2, rtol=0)  # χ² of 8 degrees


def test_performer_redraws_by_the_generator_alone():
    performer = build("performer:features=20")
    first = performer.omega.clone()
    assert torch.equal(first, build("performer:features=20").omega)
    performer.resample(torch.Generator().manual_seed(1))
    assert not torch.equal(first, performer.omega)
    performer.resample(torch.Generator().manual_seed(0))
    assert torch.equal(first, performer.omega)


def test_building_draws_nothing_from_the_global_generator():
    """So that two variants with one seed start from the same shared weights."""
    states = []
    for spec in ("linear", "performer+gfsa", "softmax"):
        torch.manual_seed(5)
        build_layer(spec, dim=16, heads=2, max_len=8)
        states.append(torch.get_rng_state())
    assert all(torch.equal(states[0], state) for state in states)


@pytest.mark.parametrize("backend", ["math", "flash"])
def test_sdpa_backends_agree(backend):
    q, k, v = qkv()
    keep = torch.arange(64) < torch.tensor([64, 9])[:, None]
    exact = build("softmax")(q, k, keep) @ v
    assert_close(build(f"sdpa:backend={backend}")(q, k, keep) @ v, exact)


def test_an_sdpa_backend_that_cannot_run_is_refused_with_reasons():
    q, k, v = qkv()
    with pytest.raises(UnsupportedError, match=r"backend=efficient cannot run here \(cpu"):
        build("sdpa:backend=efficient")(q, k) @ v


def test_xformers_off_cuda_stops_with_reasons_and_names_sdpa():
    pytest.importorskip("xformers.ops", reason="xformers is not installed")
    q, k, v = qkv(dtype=torch.float32)
    with pytest.raises(UnsupportedError, match="sdpa"):
        build("xformers")(q, k) @ v
    reasons = ATTENTIONS.get("xformers").cls.unsupported("cpu", torch.float64, 12)
    assert len(reasons) == 4
    assert "cuda" in reasons[0] and "float64" in reasons[1] and "12" in reasons[2]
    assert "sdpa" in reasons[3]
    assert ATTENTIONS.get("xformers").cls.unsupported("cuda", torch.float32, 32) == []


def test_xformers_packs_real_tokens_in_its_own_layout(monkeypatch):
    ops = pytest.importorskip("xformers.ops", reason="xformers is not installed")
    seen = []

    def record(q, k, v, attn_bias=None, p=0.0):
        seen.append((q, k, v, attn_bias))
        return v

    monkeypatch.setattr(ops, "memory_efficient_attention", record)
    q, k, v = qkv(N=6)
    keep = torch.tensor([[1, 0, 1, 1, 0, 0], [1, 1, 1, 1, 1, 1]], dtype=torch.bool)
    out = build("xformers", N=6)(q, k, keep) @ v
    packed_q, packed_k, packed_v, bias = seen[0]
    assert packed_q.shape == packed_k.shape == packed_v.shape == (1, 9, 2, 8)
    assert torch.equal(packed_k[0, :3], k[0].transpose(0, 1)[keep[0]])
    assert torch.equal(packed_q[0, 3:], q[1].transpose(0, 1))
    assert bias.q_seqinfo.seqstart_py == [0, 3, 9]
    assert torch.equal(out, torch.where(keep[:, None, :, None], v, 0.0))
    assert build("xformers", N=6)(q, k) @ v is not None
    assert seen[1][0].shape == (2, 6, 2, 8) and seen[1][3] is None


@pytest.mark.parametrize("causal", [False, True])
def test_sdpa_gives_packed_batches_to_the_kernel_for_them(monkeypatch, causal):
    """As on a GPU: the layout, and the values by a reference of what the kernel documents."""
    calls = []

    def by_example(q, k, v, begins, begins_k, longest, longest_k, window_size):  # (T, H, D)
        assert begins is begins_k and begins.dtype == torch.int32 and longest == longest_k == 60
        assert window_size == (-1, 0 if causal else -1)
        calls.append(begins.tolist())
        parts = (x.transpose(0, 1).split(begins.diff().tolist(), 1) for x in (q, k, v))
        done = [
            torch.nn.functional.scaled_dot_product_attention(*given, is_causal=window_size[1] == 0)
            for given in zip(*parts, strict=True)
        ]
        return torch.cat(done, 1).transpose(0, 1)

    monkeypatch.setattr(varlen, "varlen_attn", by_example)
    monkeypatch.setattr(SDPA, "packs", lambda self, x: True)
    keep = torch.arange(60) < torch.tensor([60, 7, 0, 33])[:, None]
    x = torch.randn(4, 60, 16, dtype=torch.float64)
    layer = build_layer("sdpa+gfsa:wK=0.3", dim=16, heads=2, max_len=60, causal=causal).double()
    packing = Packing(keep, together=999)
    tokens = packing.pack(torch.arange(4 * 60).view(4, 60))
    expected = layer(x, keep).flatten(0, 1)[tokens]
    torch.testing.assert_close(layer(x.flatten(0, 1)[tokens], packing), expected)
    assert calls == [[0, 7, 40, 100]] * 2  # applications of Ā
    layer(x.flatten(0, 1), Packing(torch.ones_like(keep)))
    assert len(calls) == 2  # a batch without padding goes as it is


def test_everything_else_works_where_optional_packages_are_missing():
    code = (
        "import sys; sys.modules['xformers'] = None; sys.modules['triton'] = None\n"
        "import attention_zoo, gfsa, torch\n"
        "layer = attention_zoo.build_layer('linear+gfsa', dim=16, heads=2, max_len=8)\n"
        "layer(torch.randn(1, 8, 16)).sum().backward()\n"
        "bad = [m for m in sys.modules if m.startswith(('lra', 'pytorch_lightning', 'pandas'))]\n"
        "assert not bad, bad\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
