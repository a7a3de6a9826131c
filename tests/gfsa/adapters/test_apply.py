"""What is refused before a library is asked."""

import pytest
from torch import nn

from attention_zoo import UsageError
from gfsa.adapters import apply_attention, apply_gfsa


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"filter": "layerscale"}, "layerscale acts on the output of a layer"),
        ({"filter": "vit+"}, "acts on the projections"),
        ({"filter": "gfsaa"}, "did you mean 'gfsa'"),
        ({"filter": "gfsa:layers=even"}, "give layers to the function"),
        ({"filter": "linear+gfsa"}, "unknown filter 'linear'"),
        ({"layers": "2-4"}, r"layers: expected all\|even\|odd\|int/…, got '2-4'"),
    ],
)
def test_apply_gfsa_refuses(options, message):
    with pytest.raises(UsageError, match=message):
        apply_gfsa(nn.Linear(2, 2), **options)


def test_apply_attention_refuses():
    with pytest.raises(UsageError, match="unknown attention 'gfsa'"):
        apply_attention(nn.Linear(2, 2), "gfsa")
    with pytest.raises(UsageError, match="neutreno acts on the values"):
        apply_attention(nn.Linear(2, 2), "linear+neutreno")


def test_models_of_no_library_that_is_known():
    with pytest.raises(UsageError, match=r"takes models of .*, not Linear"):
        apply_gfsa(nn.Linear(2, 2))
    with pytest.raises(UsageError, match="apply_attention takes models of"):
        apply_attention(nn.Linear(2, 2), "linear")
