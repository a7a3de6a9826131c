"""GFSA, or an attention of the zoo, in other people's models."""

from gfsa.adapters.apply import apply_attention, apply_gfsa

__all__ = ["apply_attention", "apply_gfsa"]
