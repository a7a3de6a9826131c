"""Remedies against oversmoothing besides polynomials of Ā, wherever in a layer they act."""

from gfsa.remedies.centered import AttnScale, Centered
from gfsa.remedies.contranorm import ContraNorm
from gfsa.remedies.neutreno import NeuTRENO
from gfsa.remedies.scales import FeatScale, LayerScale
from gfsa.remedies.vit import ViTMinus, ViTPlus

__all__ = [
    "AttnScale",
    "Centered",
    "ContraNorm",
    "FeatScale",
    "LayerScale",
    "NeuTRENO",
    "ViTMinus",
    "ViTPlus",
]
