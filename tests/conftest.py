import pytest
import torch
from hypothesis import settings

settings.register_profile("here", deadline=None)  # wall time is never asserted
settings.load_profile("here")


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


@pytest.fixture
def xformers_on_cpu(monkeypatch):
    """A dense reference in the place of the one function that the xformers adapter imports."""
    ops = pytest.importorskip("xformers.ops", reason="xformers is not installed")

    def dense(q, k, v, attn_bias=None):  # (B, N, H, D)
        scores = torch.einsum("bihd,bjhd->bhij", q, k) * q.shape[-1] ** -0.5
        if attn_bias is not None:
            assert q.shape[0] == 1, "xformers packs a padded batch into one sequence"
            bias = attn_bias.materialize(scores.shape[-2:], device=q.device)
            scores = scores + bias.to(scores.dtype)
        at_least_float32 = torch.promote_types(scores.dtype, torch.float32)
        weights = scores.softmax(-1, dtype=at_least_float32).to(v.dtype)
        return torch.einsum("bhij,bjhd->bihd", weights, v)

    monkeypatch.setattr(ops, "memory_efficient_attention", dense)
