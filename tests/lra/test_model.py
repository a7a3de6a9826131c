from dataclasses import replace

import pytest
import torch

from attention_zoo import UsageError, parse_spec
from lra.model import Encoder
from lra.protocols import ModelSettings

SETTINGS = ModelSettings(dim=16, ffn=32, head=16, positions=64)


def encoder(spec, **settings):
    torch.manual_seed(0)
    given = replace(SETTINGS, **settings)
    return Encoder(parse_spec(spec), given, classes=10, max_len=63).double().eval()


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
