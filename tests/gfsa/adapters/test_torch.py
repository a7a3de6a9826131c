"""GFSA and attentions of the zoo in nn.MultiheadAttention and what else calls torch's kernel."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.testing import assert_close
from torch.utils.checkpoint import checkpoint

from attention_zoo import UnsupportedError, UsageError, build_attention
from gfsa.adapters import apply_attention, apply_gfsa
from tests.gfsa.adapters.models import Made

B, N, C, H = 2, 9, 16, 2
PADDING = torch.arange(N) >= torch.tensor([[N], [5]])  # True at pads, as torch has it
CAUSAL = nn.Transformer.generate_square_subsequent_mask(N, dtype=torch.float64)
BIAS = torch.randn(B * H, N, N, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
MASKS = {
    "none": {},
    "padding": {"src_key_padding_mask": PADDING},
    "causal": {"mask": CAUSAL},
    "causal, said so": {"mask": CAUSAL, "is_causal": True},
    "bias": {"mask": BIAS},
    "bias and padding": {"mask": BIAS, "src_key_padding_mask": PADDING},
}
every_mask = pytest.mark.parametrize("mask", MASKS)


def encoder(layers=2, batch_first=True, dtype=torch.float64):
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(C, H, 32, dropout=0.0, batch_first=batch_first)
    made = nn.TransformerEncoder(layer, layers).to(dtype)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return made


def given(dtype=torch.float64, batch_first=True):
    x = torch.randn(B, N, C, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    return (x if batch_first else x.transpose(0, 1)).to(dtype)


def disturbed(model):
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if ".gfsa." in name:
                parameter.copy_(torch.linspace(0.2, 0.7, parameter.numel()))
    return model


class Dense(nn.Module):
    """An encoder layer with H = f(Ā) written down, after torch's documentation."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x, mask=None, padding=None):
        attention = self.layer.self_attn
        q, k, v = F.linear(x, attention.in_proj_weight, attention.in_proj_bias).chunk(3, -1)
        q, k, v = (part.unflatten(-1, (H, -1)).transpose(1, 2) for part in (q, k, v))
        scores = q @ k.mT / q.shape[-1] ** 0.5
        if mask is not None:
            scores = scores + (mask if mask.ndim == 2 else mask.view(B, H, N, N))
        if padding is not None:
            scores = scores.masked_fill(padding[:, None, None], -torch.inf)
        matrix = scores.softmax(-1)
        filters = attention.gfsa.filters if hasattr(attention, "gfsa") else []
        for one in filters:
            one.prefix = mask is not None and mask.ndim == 2
            matrix = one.reference(matrix, None if padding is None else ~padding)
        if padding is not None:
            v = v.masked_fill(padding[:, None, :, None], 0.0)
        y = attention.out_proj((matrix @ v).transpose(1, 2).flatten(2))
        x = self.layer.norm1(x + y)
        return self.layer.norm2(x + self.layer.linear2(self.layer.linear1(x).relu()))


@every_mask
@pytest.mark.parametrize("training", [False, True])
def test_at_its_start_no_bit_changes(mask, training):
    for dtype in (torch.float64, torch.float32):
        model, options = encoder(dtype=dtype).train(training), MASKS[mask]
        options = {n: m.to(dtype) if n == "mask" else m for n, m in options.items()}
        before = model(given(dtype), **options)
        assert apply_gfsa(model, layers="all") is model
        assert torch.equal(model(given(dtype), **options), before)


@every_mask
@pytest.mark.parametrize("filter", ["gfsa:K=3", "mean", "gfsa:K=4,mode=power+identity"])
@pytest.mark.parametrize("grad", [False, True])
def test_it_is_the_filter_written_down(mask, filter, grad):
    """Also where torch would take a fast path that calls no attention function."""
    model, options = disturbed(apply_gfsa(encoder().eval(), filter, "all")), MASKS[mask]
    with torch.set_grad_enabled(grad):
        found = model(given(), **options)
        expected = given()
        for layer in model.layers:
            dense = Dense(layer)
            expected = dense(expected, options.get("mask"), options.get("src_key_padding_mask"))
    real = ~PADDING if "padding" in mask else slice(None)
    assert_close(found[real], expected[real])


def test_parameters_layers_state_and_copies():
    model = encoder(4)
    before = sum(p.numel() for p in model.parameters())
    apply_gfsa(model, "gfsa:learn=wK")
    changed = [i for i, layer in enumerate(model.layers, 1) if hasattr(layer.self_attn, "gfsa")]
    assert changed == [2, 4]
    one = apply_gfsa(encoder(4), layers=3)
    assert [hasattr(layer.self_attn, "gfsa") for layer in one.layers] == [False, False, True, False]
    learned = sum(p.numel() for p in model.parameters() if p.requires_grad)
    assert learned - before == 2 * H
    other = apply_gfsa(encoder(4), "gfsa:learn=wK")
    other.load_state_dict(disturbed(model).state_dict())
    expected = model(given())
    assert torch.equal(other(given()), expected)
    assert torch.equal(copy.deepcopy(model)(given()), expected)


@pytest.mark.parametrize("reentrant", [False, True])
def test_it_trains_under_checkpointing(reentrant):
    model = disturbed(apply_gfsa(encoder(), layers="all")).train()
    x = given().requires_grad_()
    gradients = []
    for step in (model, lambda x: checkpoint(model, x, use_reentrant=reentrant)):
        model.zero_grad()
        step(x).square().sum().backward()
        gradients.append({name: p.grad.clone() for name, p in model.named_parameters()})
    assert all((g != 0).any() for name, g in gradients[0].items() if ".gfsa." in name)
    assert_close(*gradients)


def test_sequence_first_autocast_and_after_an_error():
    model = disturbed(apply_gfsa(encoder(batch_first=False), layers="all"))
    other = disturbed(apply_gfsa(encoder(), layers="all"))
    assert_close(model(given(batch_first=False)).transpose(0, 1), other(given()))
    single = copy.deepcopy(other).float()
    with torch.autocast("cpu", torch.bfloat16):
        rough = single(given(torch.float32))
    assert_close(rough.double(), other(given()), atol=0.3, rtol=0.1)
    with pytest.raises(AssertionError, match="expecting embedding dimension of 16"):
        other(given()[..., :7])
    plain = F.scaled_dot_product_attention(*[given()[:, None]] * 3)
    assert plain.isfinite().all()  # nothing is left in its place


def test_weights_are_those_of_the_attention():
    attention = nn.MultiheadAttention(C, H, batch_first=True).double()
    x = given()
    expected = attention(x, x, x)
    y, weights = apply_gfsa(attention, layers="all")(x, x, x)
    assert_close((y, weights), expected)


class Own(nn.Module):
    """Somebody's attention, with torch's kernel."""

    def __init__(self, masked):
        super().__init__()
        self.n_head, self.embed_dim, self.masked = H, C, masked
        self.qkv = nn.Linear(C, 3 * C)

    def forward(self, x):
        q, k, v = self.qkv(x).unflatten(-1, (3, H, -1)).permute(2, 0, 3, 1, 4)
        mask = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).tril() if self.masked else None
        y = F.scaled_dot_product_attention(q, k, v, mask, is_causal=not self.masked)
        return y.transpose(1, 2).flatten(2)


@pytest.mark.parametrize("masked", [False, True])
def test_a_module_of_ones_own_is_filtered_and_stays_causal(masked):
    model = nn.Sequential(Own(masked), Own(masked)).double()
    model = disturbed(apply_gfsa(model, "gfsa+mean", "all"))
    x = given().requires_grad_()
    model(x)[:, :4].sum().backward()
    assert (x.grad[:, :4] != 0).all() and not x.grad[:, 4:].any()


def test_no_tensor_of_all_pairs_is_made():
    model, n = disturbed(apply_gfsa(encoder(dtype=torch.float32), layers="all")), 300
    x = torch.randn(1, n, C, requires_grad=True)
    with Made(n) as made:
        model(x).sum().backward()
    assert made.calls and not made.square


@pytest.mark.parametrize("spec", ["linear+gfsa", "nystrom:landmarks=4", "performer:features=8"])
def test_attentions_of_the_zoo_take_its_place(spec):
    model = apply_attention(encoder(1).eval(), spec, max_len=N)
    layer = model.layers[0]
    own = build_attention(spec, heads=H, head_dim=C // H, max_len=N).double().eval()
    own.load_state_dict(layer.self_attn.gfsa.attention.state_dict())
    qkv = F.linear(given(), layer.self_attn.in_proj_weight, layer.self_attn.in_proj_bias)
    q, k, v = (part.unflatten(-1, (H, -1)).transpose(1, 2) for part in qkv.chunk(3, -1))
    y = layer.self_attn.out_proj((own(q, k, ~PADDING) @ v).transpose(1, 2).flatten(2))
    x = layer.norm1(given() + y)
    expected = layer.norm2(x + layer.linear2(layer.linear1(x).relu()))
    found = model(given(), src_key_padding_mask=PADDING)
    assert_close(found[~PADDING], expected[~PADDING])


def test_what_cannot_be_changed_is_named():
    dropped = nn.TransformerEncoderLayer(C, H, 32, dropout=0.1)
    with pytest.raises(UnsupportedError, match=r"self_attn .*: its fused kernel draws another"):
        apply_gfsa(dropped, layers="all")
    with pytest.raises(UnsupportedError, match="add_zero_attn adds a key"):
        apply_gfsa(nn.MultiheadAttention(C, H, add_zero_attn=True), layers="all")
    with pytest.raises(UnsupportedError, match="bias_k adds a key"):
        apply_gfsa(nn.MultiheadAttention(C, H, add_bias_kv=True), layers="all")
    with pytest.raises(UnsupportedError, match="Linear has no nn"):
        apply_gfsa(nn.Linear(2, 2))
    with pytest.raises(UsageError, match=r"self_attn .*: give max_len="):
        apply_attention(encoder(), "linear")
    with pytest.raises(UsageError, match="changed before"):
        apply_gfsa(apply_gfsa(encoder(), layers="all"))
    crossed = apply_gfsa(nn.MultiheadAttention(C, H, batch_first=True), layers="all").double()
    with pytest.raises(UnsupportedError, match=r"9 queries of 4 keys, which is cross-attention"):
        crossed(given(), given()[:, :4], given()[:, :4], need_weights=False)
    replaced = apply_attention(encoder(), "linear", max_len=N)
    with pytest.raises(UnsupportedError, match="take a padding mask here"):
        replaced(given(), mask=CAUSAL)
    with pytest.raises(UnsupportedError, match="layer's input besides"):
        apply_attention(encoder(), "agf", max_len=N)
