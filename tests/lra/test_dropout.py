import pytest
import torch
import torch.nn.functional as F

from lra.dropout import Dropout


@pytest.mark.parametrize("p", [0.1, 0.5, 1 / 3, 0.9])
@pytest.mark.parametrize("shape", [(1_000_003,), (1001, 333)])
def test_entries_are_dropped_with_probability_p_and_the_mean_stays(shape, p):
    torch.manual_seed(0)
    x = torch.ones(shape, dtype=torch.float64, requires_grad=True)
    y = Dropout(p)(x)
    kept = y != 0
    assert torch.equal(y[kept], y[kept][:1].expand(int(kept.sum())))
    assert y[kept][0].item() == pytest.approx(1 / (1 - p), rel=1e-4)
    spread = (p * (1 - p) / x.numel()) ** 0.5
    for part in (kept, *(kept.flatten()[lane::4] for lane in range(4))):  # of one draw's 64 bits
        share = 1 - part.double().mean().item()
        assert abs(share - p) < 5 * spread * (x.numel() / part.numel()) ** 0.5
    y.sum().backward()
    assert torch.equal(x.grad, y)


def test_neighbours_are_independent():
    torch.manual_seed(0)
    kept = (Dropout(0.5)(torch.ones(400_000)) != 0).double() - 0.5
    for distance in (1, 2, 3, 4, 5):
        assert abs((kept[distance:] * kept[:-distance]).mean().item()) < 5 * 0.25 / 400_000**0.5


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_masks_follow_the_global_generator(dtype):
    x, module, drawn = torch.randn(3, 77, dtype=dtype), Dropout(0.3), []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        drawn.append(module(x))
    assert torch.equal(drawn[0], drawn[1]) and not torch.equal(drawn[0], drawn[2])
    assert drawn[0].dtype == dtype


def test_nothing_is_dropped_in_eval_or_with_p_0_and_all_with_p_1():
    x = torch.randn(50)
    assert Dropout(0.3).eval()(x) is x and Dropout(0.0)(x) is x
    assert not Dropout(1.0)(x).any() and Dropout(0.3)(x[:0]).shape == (0,)


def test_elsewhere_it_is_torchs_own(monkeypatch):
    called = []
    monkeypatch.setattr(F, "dropout", lambda x, p: called.append(p) or x)
    Dropout(0.3)(torch.randn(5, device="meta"))
    assert called == [0.3]
