"""Hrrformer's layer against its sums, padding, precision and two tokens by hand."""

import pytest
import torch
from torch.testing import assert_close

from attention_zoo.errors import UsageError
from attention_zoo.mixers.hrr import HRR


def build(dim=12, heads=2):
    torch.manual_seed(0)
    return HRR(dim=dim, max_len=40, heads=heads).double()


@pytest.mark.parametrize("heads", [1, 2, 4])
def test_values_and_gradients_are_those_of_the_reference(heads):
    mixer, keep = build(heads=heads), torch.arange(9) < torch.tensor([[9], [4]])
    keep[0, 2] = False
    for mask in (None, keep):
        real = torch.ones_like(keep) if mask is None else mask
        x = (torch.randn(2, 9, 12, dtype=torch.float64) * real[..., None]).requires_grad_()
        ours, theirs = mixer.mix(x, mask)[real], mixer.reference(x, mask)[real]
        assert_close(ours, theirs)
        upstream, wanted = torch.randn_like(ours), [x, *mixer.parameters()]
        for a, b in zip(
            *(torch.autograd.grad(y, wanted, upstream) for y in (ours, theirs)), strict=True
        ):
            assert_close(a, b)


def test_two_tokens_by_hand():
    """With D = 1, v̂ = q Σ k v and the cosine is the sign of v v̂."""
    mixer = build(dim=1, heads=1)
    for layer in (mixer.query, mixer.key, mixer.value, mixer.out):
        layer.weight.data.fill_(1.0)
    x = torch.tensor([2.0, -1.0], dtype=torch.float64).view(1, 2, 1)
    assert_close(mixer(x), x / 2)  # Σ k v = 5, v v̂ = 5 x² > 0: both cosines are 1
    mixer.query.weight.data.zero_()
    assert_close(mixer(x), x / 2)  # both are 0


def test_padding_changes_no_real_row():
    mixer, x = build(), torch.randn(2, 7, 12, dtype=torch.float64)
    padded = torch.cat([x, x.new_full((2, 5, 12), float("nan"))], 1)
    keep = (torch.arange(12) < 7).expand(2, -1)
    assert_close(mixer(padded, keep)[:, :7], mixer(x))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_sixteen_bits(dtype):
    rough, exact, x = build().to(dtype), build(), torch.randn(2, 30, 12).to(dtype)
    exact.load_state_dict(rough.state_dict())
    y, expected = rough(x), exact(x.double())
    assert y.dtype == dtype
    assert (y.double() - expected).norm() < 0.03 * expected.norm()


def test_heads_that_do_not_divide_the_width_are_refused():
    with pytest.raises(UsageError, match="hrr needs heads that divide the width 12, not 5"):
        build(heads=5)
