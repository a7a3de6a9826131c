from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from attention_zoo import UsageError, names, parse_spec
from lra.model import Encoder
from lra.protocols import ModelSettings
from lra.training.loss import training_loss

SETTINGS = ModelSettings(dim=16, ffn=32, head=16, positions=64)


def encoder(spec, **settings):
    torch.manual_seed(0)
    given = replace(SETTINGS, **settings)
    max_len = given.positions - 1
    return Encoder(parse_spec(spec), given, classes=10, max_len=max_len).double().eval()


@pytest.mark.parametrize("pooling", ["mean", "padded_mean", "cls"])
@pytest.mark.parametrize("spec", ["softmax", "linear+gfsa", "performer+gfsa"])
def test_padding_changes_nothing_and_pooling_is_over_true_lengths(spec, pooling):
    model, tokens = encoder(spec, pooling=pooling), torch.randint(1, 16, (3, 40))
    lengths = torch.tensor([40, 17, 1])
    keep = torch.arange(40) < lengths[:, None]
    together = model(tokens, keep)
    for row, n in enumerate(lengths.tolist()):
        alone = model(tokens[row : row + 1, :n], torch.ones(1, n, dtype=torch.bool))
        torch.testing.assert_close(alone[0], together[row])
    further = torch.nn.functional.pad(tokens, (0, 20), value=9)
    keep = torch.nn.functional.pad(keep, (0, 20))
    torch.testing.assert_close(model(further, keep), together)


@pytest.mark.parametrize("pooling", ["mean", "padded_mean", "first", "cls"])
@pytest.mark.parametrize("spec", ["agf", "linear+gfsa", "nystrom", "synthesizer", "xformers"])
def test_work_on_padding_or_none_gives_the_same_loss_and_gradients(spec, pooling, xformers_on_cpu):
    """In training, the terms of the loss included."""
    lengths = torch.tensor([300, 5, 280, 40, 300])
    tokens, labels = torch.randint(1, 16, (5, 310)), torch.randint(10, (5,))
    keep = torch.arange(310) < lengths[:, None]
    found = []
    for keep_pads in (False, True):
        torch.manual_seed(0)
        given = replace(SETTINGS, pooling=pooling, dropout=0.0, positions=320)
        model = Encoder(parse_spec(spec), given, classes=10, max_len=319, keep_pads=keep_pads)
        loss, right = training_loss(model.double(), (tokens, keep, labels))
        wanted = [p for p in model.parameters() if p.requires_grad]
        grads = torch.autograd.grad(loss, wanted, allow_unused=True, materialize_grads=True)
        found.append([loss, right, *grads])
    for packed, padded in zip(*found, strict=True):
        torch.testing.assert_close(packed, padded, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("lengths", [(300, 300, 300), (300, 20, 290)])
def test_kernels_get_a_mask_where_something_is_padded_alone(lengths, monkeypatch):
    """On a CPU long examples go alone, and on any device a batch without padding goes as it is."""
    masks, kernel = [], F.scaled_dot_product_attention

    def recorded(q, k, v, attn_mask=None, *arguments):
        masks.append(attn_mask)
        return kernel(q, k, v, attn_mask, *arguments)

    monkeypatch.setattr(F, "scaled_dot_product_attention", recorded)
    model = encoder("sdpa", positions=320)
    tokens, keep = (
        torch.randint(1, 16, (3, 300)),
        torch.arange(300) < torch.tensor(lengths)[:, None],
    )
    model(tokens, keep)
    assert masks == [None] * len(set(lengths)) * 2  # layers
    model.keep_pads = True
    model(tokens, keep)
    assert all((mask is None) == keep.all() for mask in masks[-2:])


@pytest.mark.parametrize("spec", ["linear+gfsa", "nystrom"])
def test_it_compiles_to_one_graph_and_exports_for_any_lengths(spec):
    model, tokens = encoder(spec), torch.randint(1, 16, (3, 40))
    first, second = (
        torch.arange(40) < torch.tensor(n)[:, None] for n in ((40, 17, 5), (9, 40, 23))
    )
    compiled = torch.compile(model, fullgraph=True, backend="aot_eager")
    exported = torch.export.export(model, (tokens, first)).module()
    for keep in (first, second):
        for made in (compiled, exported):
            torch.testing.assert_close(made(tokens, keep), model(tokens, keep))


def pooled(model, x, keep):
    """What the head gets of the last norm's output (B, N, C), an example at a time."""
    rows = []
    for row, kept in zip(x, keep, strict=True):
        total = row[kept].sum(0)
        divisor = {"mean": kept.sum(), "padded_mean": 64}.get(model.pooling)
        rows.append(row[0] if divisor is None else total / divisor)
    return torch.stack(rows)


@pytest.mark.parametrize("pooling", ["mean", "padded_mean", "cls"])
@pytest.mark.parametrize("encoding", ["learned", "sinusoidal"])
def test_the_options_are_what_they_say(pooling, encoding):
    """The model, written out with its own parts."""
    model = encoder("softmax", pooling=pooling, encoding=encoding, bias=False)
    tokens, keep = torch.randint(1, 16, (2, 30)), torch.arange(30) < torch.tensor([[30], [11]])
    expected, x = keep, model.tokens(tokens)
    if pooling == "cls":
        assert not model.cls.any()
        torch.nn.init.normal_(model.cls)
        x = torch.cat([model.cls.expand(2, 1, 16), x], 1)
        expected = torch.cat([torch.ones(2, 1, dtype=torch.bool), keep], 1)
    if encoding == "sinusoidal":
        n, i = torch.arange(x.shape[1])[:, None], torch.arange(8)
        angles = n / 10_000 ** (2 * i / 16)
        torch.testing.assert_close(model.positions[: len(n), 0::2], angles.sin().double())
        torch.testing.assert_close(model.positions[: len(n), 1::2], angles.cos().double())
        assert "positions" not in model.state_dict()
    x = x + model.positions[: x.shape[1]]
    for block in model.blocks:
        x = block(x, expected)
        assert block.attention.qkv.bias is None and block.attention.out.bias is None
    logits = model.head(pooled(model, model.norm(x), expected))
    torch.testing.assert_close(model(tokens, keep), logits)


def test_shared_weights_start_the_same_for_all_variants():
    reference = dict(encoder("softmax").named_parameters())
    for spec in ("linear", "performer+gfsa", "sdpa+gfsa"):
        for name, weight in encoder(spec).named_parameters():
            if "filters" not in name:
                assert torch.equal(weight, reference[name])


@pytest.mark.parametrize("name", ["linear", "performer", "softmax", "sdpa"])
def test_gfsa_starts_as_its_base_bit_for_bit(name):
    tokens, keep = torch.randint(1, 16, (2, 30)), torch.arange(30) < torch.tensor([[30], [11]])
    base, filtered = encoder(name).float(), encoder(name + "+gfsa").float()
    assert torch.equal(base(tokens, keep), filtered(tokens, keep))


def test_a_filter_in_no_layer_is_refused():
    with pytest.raises(UsageError, match="stands in none of the model's 2 layers"):
        encoder("linear+gfsa:layers=3")


@pytest.mark.parametrize("pooling", ["mean", "first", "cls"])
@pytest.mark.parametrize("name", [name for name in names() if name != "xformers"])
def test_positions_follow_the_real_tokens_wherever_padding_stands(name, pooling):
    model, tokens = encoder(name, pooling=pooling), torch.randint(1, 16, (3, 40))
    lengths = torch.tensor([40, 17, 1])
    keep = torch.arange(40) < lengths[:, None]
    expected = model(tokens, keep)
    left = torch.stack([row.roll(40 - n) for row, n in zip(tokens, lengths.tolist(), strict=True)])
    assert torch.equal(model(left, keep.flip(1)), expected)
    apart, holes = (part.repeat_interleave(2, 1)[:, :63] for part in (tokens, keep))
    holes &= torch.arange(63) % 2 == 0  # padding between all tokens
    kept = torch.arange(40) < 32
    torch.testing.assert_close(model(apart, holes), model(tokens, keep & kept))


@pytest.mark.parametrize("encoding", ["learned", "sinusoidal"])
def test_a_model_from_the_meta_device_computes_as_the_one_whose_state_it_is_given(encoding):
    expected = encoder("performer+gfsa", encoding=encoding)
    with torch.device("meta"):
        model = encoder("performer+gfsa", encoding=encoding)
    model = model.to_empty(device="cpu")
    with torch.no_grad():
        for tensor in (*model.parameters(), *model.buffers()):
            tensor.fill_(float("nan"))
    model.load_state_dict(expected.state_dict())
    tokens, keep = torch.randint(1, 16, (2, 30)), torch.arange(30) < torch.tensor([[30], [11]])
    assert torch.equal(model(tokens, keep), expected(tokens, keep))


def test_a_mean_over_another_padded_length_is_refused_on_load():
    given = replace(SETTINGS, pooling="padded_mean")
    short, long = (Encoder(parse_spec("linear"), given, classes=10, max_len=N) for N in (30, 63))
    with pytest.raises(RuntimeError, match="saved with padded=32, this module has padded=64"):
        long.load_state_dict(short.state_dict())


def test_a_mask_of_numbers_is_refused_by_the_model_too():
    tokens = torch.randint(1, 16, (2, 30))
    with pytest.raises(UsageError, match=r"keep must be a bool tensor .* write keep.bool\(\)"):
        encoder("linear")(tokens, torch.ones(2, 30))
