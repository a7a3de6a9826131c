import pytest
import torch

from attention_zoo import UsageError, parse_spec
from lra.model import Encoder
from lra.protocols import ModelSettings

SETTINGS = ModelSettings(dim=16, ffn=32, head=16, positions=64)


def encoder(spec):
    torch.manual_seed(0)
    return Encoder(parse_spec(spec), SETTINGS, classes=10, max_len=64).double().eval()


@pytest.mark.parametrize("spec", ["softmax", "linear+gfsa", "performer+gfsa"])
def test_padding_changes_nothing_and_pooling_is_over_true_lengths(spec):
    model, tokens = encoder(spec), torch.randint(1, 16, (3, 40))
    lengths = torch.tensor([40, 17, 1])
    keep = torch.arange(40) < lengths[:, None]
    together = model(tokens, keep)
    for row, n in enumerate(lengths.tolist()):
        alone = model(tokens[row : row + 1, :n], torch.ones(1, n, dtype=torch.bool))
        torch.testing.assert_close(alone[0], together[row])
    further = torch.nn.functional.pad(tokens, (0, 20), value=9)
    keep = torch.nn.functional.pad(keep, (0, 20))
    torch.testing.assert_close(model(further, keep), together)


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
