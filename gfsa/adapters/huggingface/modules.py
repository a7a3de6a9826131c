"""Which modules of a model of transformers are self-attentions, and how wide."""

import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import nn

from attention_zoo import UnsupportedError

HEADS = ("num_attention_heads", "num_heads", "n_heads")
HEAD_DIM = ("attention_head_size", "head_dim", "key_value_proj_dim")
DROPOUT = ("attn_dropout", "attention_dropout", "dropout")


@dataclass(frozen=True)
class Found:
    """One module that calls the model's attention function.

    stack: where its layers are, `encoder.block`; number: of its layer there, from 1.
    """

    name: str
    module: Any
    stack: str
    number: int

    @property
    def heads(self) -> int:
        if getattr(self.module, "num_key_value_groups", 1) > 1:
            raise UnsupportedError(
                f"{self}: grouped-query attention is not supported: a filter mixes each head's Āv "
                "with its own v"
            )
        return self._first(HEADS)

    @property
    def head_dim(self) -> int:
        return self._first(HEAD_DIM)

    def _first(self, names: tuple[str, ...]) -> int:
        for holder in (self.module, getattr(self.module, "config", None)):
            for name in names:
                if getattr(holder, name, None) is not None:
                    return int(getattr(holder, name))
        raise UnsupportedError(f"{self}: none of {', '.join(names)} was found in it")

    @property
    def dropout(self) -> float:
        for name in DROPOUT:
            value = getattr(self.module, name, None)
            if value is not None:
                return float(getattr(value, "p", value))
        return 0.0

    @property
    def causal(self) -> bool:
        return bool(getattr(self.module, "is_causal", False))

    def __str__(self) -> str:
        return f"{self.name} ({type(self.module).__name__})"


def attentions(model: nn.Module) -> dict[str, list[Found]]:
    """The self-attentions of each stack of layers, in order."""
    stacks: dict[str, list[Found]] = {}
    for name, module in model.named_modules():
        if dispatches(module) and not is_cross(model, name):
            parts = name.split(".")
            first = next((i for i, part in enumerate(parts) if part.isdigit()), len(parts))
            stack = stacks.setdefault(".".join(parts[:first]), [])
            stack.append(Found(name, module, ".".join(parts[:first]), len(stack) + 1))
    return stacks


def dispatches(module: nn.Module) -> bool:
    """Whether its forward looks up the registry of attention functions."""
    forward = inspect.unwrap(type(module).forward)
    code = getattr(forward, "__code__", None)
    return code is not None and "ALL_ATTENTION_FUNCTIONS" in code.co_names


def is_cross(model: nn.Module, name: str) -> bool:
    """Whether an attention of the model looks at other tokens than its own; the library tells them
    apart by their classes, by a flag, or by nothing but the names in the layer."""
    module, (parent, _, last) = model.get_submodule(name), name.rpartition(".")
    names = [type(module).__name__, last]
    names += [type(model.get_submodule(parent)).__name__] if name else []
    words = ("cross", "encdec", "encoder_attn")
    return getattr(module, "is_cross_attention", False) or any(
        word in one.lower() for one in names for word in words
    )


def eager_function(module: nn.Module) -> Callable[..., Any] | None:
    """The attention function that the model's own file has for `eager`."""
    for cls in type(module).__mro__:
        if found := getattr(sys.modules[cls.__module__], "eager_attention_forward", None):
            return found
    return None
