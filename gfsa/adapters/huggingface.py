"""Models of transformers, through its registry of attention functions."""

import sys

from torch import nn

from gfsa.adapters.apply import Change


def matches(model: nn.Module) -> bool:
    transformers = sys.modules.get("transformers")
    return transformers is not None and isinstance(model, transformers.PreTrainedModel)


def apply(model: nn.Module, change: Change) -> None:
    raise NotImplementedError
