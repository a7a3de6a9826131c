"""GFSA, or an attention of the zoo, in other people's models."""

from typing import Any

from gfsa.adapters.apply import apply_attention, apply_gfsa

__all__ = ["apply_attention", "apply_gfsa", "from_pretrained"]


def __getattr__(name: str) -> Any:
    if name == "from_pretrained":
        from gfsa.adapters.huggingface.load import from_pretrained

        return from_pretrained
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
