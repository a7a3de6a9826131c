"""Models of transformers, through its registry of attention functions."""

from torch import nn

from gfsa.adapters.apply import Change


def matches(model: nn.Module) -> bool:
    """A model, or a part of one, also of a class that is derived from the library's."""
    return any(cls.__module__.startswith("transformers.") for cls in type(model).__mro__)


def apply(model: nn.Module, change: Change) -> None:
    """See `apply_gfsa` and `apply_attention`."""
    from gfsa.adapters.huggingface.change import change_model

    change_model(model, change)
