"""The module that stands in an attention of transformers, and the functions that call it."""

import inspect
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor, nn
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS, AttentionMaskInterface
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS, AttentionInterface

from attention_zoo import UnsupportedError, UsageError
from attention_zoo.filter import Filter
from attention_zoo.operators import FilteredOperator
from gfsa.adapters.huggingface.decoding import cache_of
from gfsa.adapters.huggingface.modules import Found, eager_function
from gfsa.adapters.huggingface.operator import ModelOperator, real_tokens

PLACE = "gfsa"  # where it stands in the attention module, and so in the names of its weights
IMPLEMENTATIONS = {"sdpa": "gfsa_sdpa", "eager": "gfsa_eager"}
Attend = Callable[..., tuple[Tensor, Tensor | None]]


class Adapter(nn.Module):
    """The filters of one attention module, and what its forward was given besides q, k and v."""

    def __init__(self, found: Found, filters: list[Filter], depth: int) -> None:
        super().__init__()
        self.filters = cast("Sequence[Filter]", nn.ModuleList(filters))
        self.name, self.causal = str(found), found.causal
        self.layer = getattr(found.module, "layer_idx", None)
        self.depth = depth  # layers of the model that have keys and values in its cache
        self.given: dict[str, Any] | None = None

    def forward(
        self,
        attend: Attend,  # the model's own attention function
        eager: bool,
        query: Tensor,  # (B, H, n, D)
        key: Tensor,  # (B, H, N, D)
        value: Tensor,  # (B, H, N, D)
        mask: Tensor | None,
        **options: Any,
    ) -> tuple[Tensor, Tensor | None]:  # (B, n, H, D), and Ā where it is written down
        given, self.given = self.given, None
        if given is None:
            raise UsageError(f"{self.name}: call the module, not its forward")
        n, N = query.shape[2], key.shape[2]
        cache = cache_of(given.get("past_key_values"), self.layer, self.depth, N - n, self.name)
        if cache is None and n != N:
            raise UnsupportedError(
                f"{self.name}: {n} queries of {N} keys: powers of Ā need a square Ā, or a cache of "
                "the tokens before"
            )
        if cache is not None:
            cache.begin(n)
        weights = None
        if eager:
            # Of no values: the weights alone are wanted, after whatever dropout the model has.
            _, weights = attend(query, key, value[..., :0], mask, **options)
            product = partial(torch.matmul, weights)
        elif options.get("dropout"):
            raise UnsupportedError(dropout_error(self.name))
        else:

            def product(v: Tensor) -> Tensor:
                return attend(query, key, v, mask, **options)[0].transpose(1, 2)

        keep = real_tokens(mask, query)
        inner = ModelOperator(value, n, keep, product, self.causal, cache)
        operator: Any = inner
        for one in self.filters:
            operator = FilteredOperator(operator, one)
            operator.keep = None  # the first of them masks
        return (operator @ inner.like).transpose(1, 2), weights


def dropout_error(name: str) -> str:
    return (
        f"{name}: a fused kernel draws another attention dropout at each application of Ā, and a "
        "filter needs one Ā: load the model with attention dropout 0, or with "
        "attn_implementation='eager'"
    )


def function_of(implementation: str, module: nn.Module, *arguments: Any, **options: Any) -> Any:
    """What is registered as the attention function: the model's own, through the adapter of a
    module that has one."""
    eager = implementation == "eager"
    own: Any = eager_function(module) if eager else ALL_ATTENTION_FUNCTIONS[implementation]
    adapter = getattr(module, PLACE, None)
    if adapter is None:
        return own(module, *arguments, **options)
    return adapter(partial(own, module), eager, *arguments, **options)


def before(module: nn.Module, arguments: tuple[Any, ...], options: dict[str, Any]) -> None:
    """A forward pre-hook: what the attention function is not given."""
    bound = inspect.signature(module.forward).bind(*arguments, **options).arguments
    given = bound | bound.get("kwargs", {})
    if any(given.get(name) is not None for name in ("key_value_states", "encoder_hidden_states")):
        raise UnsupportedError(f"{module.gfsa.name}: cross-attention has no square Ā to filter")
    module.gfsa.given = given


def after(module: nn.Module, *_: Any) -> None:
    """A forward hook."""
    if module.gfsa.given is not None:
        module.gfsa.given = None
        raise UsageError(
            f"{module.gfsa.name}: its filter was not used, since the model's attn_implementation "
            f"was changed: set it to one of {', '.join(IMPLEMENTATIONS.values())}"
        )


def register() -> None:
    """The attention functions, and for each the masks of the one that it stands for."""
    for implementation, name in IMPLEMENTATIONS.items():
        AttentionInterface.register(name, partial(function_of, implementation))
        masks = ALL_MASK_ATTENTION_FUNCTIONS[implementation]
        AttentionMaskInterface.register(name, masks)
