"""Models of transformers, through its registry of attention functions."""

import sys

from torch import nn

from gfsa.adapters.apply import Change


def matches(model: nn.Module) -> bool:
    return "transformers" in sys.modules and type(model).__module__.startswith("transformers.")


def apply(model: nn.Module, change: Change) -> None:
    """See `apply_gfsa` and `apply_attention`."""
    from gfsa.adapters.huggingface.change import change_model

    change_model(model, change)
