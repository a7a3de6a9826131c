"""FNet and Mamba against the implementations in transformers."""

import pytest
import torch

from attention_zoo.mixers.fnet import FNet
from attention_zoo.mixers.mamba import Mamba

pytestmark = pytest.mark.parity


def test_fnet():
    from transformers import FNetConfig
    from transformers.models.fnet.modeling_fnet import FNetBasicFourierTransform

    x = torch.randn(2, 11, 6)
    theirs = FNetBasicFourierTransform(FNetConfig(hidden_size=6))(x)[0]
    torch.testing.assert_close(FNet(dim=6, max_len=11)(x), theirs)


def test_mamba():
    from transformers import MambaConfig, MambaModel

    torch.manual_seed(0)
    config = MambaConfig(vocab_size=5, hidden_size=24, state_size=3, num_hidden_layers=1)
    model = MambaModel(config)
    theirs = model.layers[0].mixer.eval()
    ours = Mamba(dim=24, max_len=150, state=3)
    names = {
        "project": "in_proj",
        "conv": "conv1d",
        "select": "x_proj",
        "step": "dt_proj",
        "out": "out_proj",
    }
    given = theirs.state_dict()
    ours.load_state_dict(
        {
            name: given[".".join([names.get(first, first), *rest])]
            for name in ours.state_dict()
            for first, *rest in [name.split(".")]
        }
    )
    x = torch.randn(2, 150, 24)
    keep = torch.arange(150) < torch.tensor([[150], [90]])
    with torch.no_grad():
        expected = theirs(x * keep[..., None], attention_mask=keep.long())
    torch.testing.assert_close(ours(x, keep)[keep], expected[keep], rtol=1e-4, atol=1e-5)
