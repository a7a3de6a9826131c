"""The module that is put into an attention of transformers, and the functions that call it."""

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from typing import Any

from torch import Tensor, nn
from transformers.cache_utils import Cache
from transformers.masking_utils import (
    ALL_MASK_ATTENTION_FUNCTIONS,
    AttentionMaskInterface,
    bidirectional_mask_function,
    causal_mask_function,
)
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS, AttentionInterface

from attention_zoo import DecodingCache, UnsupportedError, UsageError
from gfsa.adapters.huggingface.decoding import cache_of
from gfsa.adapters.huggingface.modules import Found, eager_function

PLACE = "gfsa"  # where it is in the attention module, and so in the names of its weights
KERNELS = ("sdpa", "eager")
Attend = Callable[..., tuple[Tensor, Tensor | None]]


class Adapter(nn.Module, ABC):
    """What is computed in one attention module in place of its own attention function, with all
    that its forward was given."""

    def __init__(self, found: Found, depth: int) -> None:
        super().__init__()
        self.name, self.causal = str(found), found.causal
        self.layer: int | None = getattr(found.module, "layer_idx", None)
        self.depth = depth  # layers of the model that have keys and values in its cache
        self.names = list(inspect.signature(type(found.module).forward).parameters)[1:]
        self.given: dict[str, Any] | None = None

    @abstractmethod
    def forward(
        self,
        attend: Attend,  # the model's own attention function
        kernel: str,
        query: Tensor,  # (B, H, n, D)
        key: Tensor,  # (B, H, N, D)
        value: Tensor,  # (B, H, N, D)
        mask: Tensor | None,
        **options: Any,
    ) -> tuple[Tensor, Tensor | None]:  # (B, n, H, D), and Ā where it is written down
        """n new tokens of N: fewer only where the model has a cache."""

    def take(self, query: Tensor, key: Tensor) -> tuple[dict[str, Any], DecodingCache | None]:
        """What the module's forward was given, and what this has in the model's cache."""
        given, self.given = self.given, None
        if given is None:
            raise UsageError(f"{self.name}: call the module, not its forward")
        n, N = query.shape[2], key.shape[2]
        # Its name is not the same in all models.
        model_cache = next((x for x in given.values() if isinstance(x, Cache)), None)
        if model_cache is None:
            if n != N:
                raise UnsupportedError(
                    f"{self.name}: {n} queries of {N} keys: powers of Ā need a square Ā, or a "
                    "cache of the tokens before"
                )
            return given, None
        return given, cache_of(model_cache, self.layer, self.depth, N - n, self.name)


def name_of(own: bool, kernel: str) -> str:
    """The attn_implementation of a model with filters on its own attention, or with others."""
    return f"gfsa_{kernel}" if own else f"gfsa_zoo_{kernel}"


def register() -> None:
    """The attention functions, and the masks that each is given: the kernel's, or, where a model
    has attentions of the zoo, the padding mask as it came, (B, N)."""
    for kernel in KERNELS:
        AttentionInterface.register(name_of(True, kernel), partial(attend, kernel, False))
        AttentionInterface.register(name_of(False, kernel), partial(attend, kernel, True))
        AttentionMaskInterface.register(name_of(True, kernel), ALL_MASK_ATTENTION_FUNCTIONS[kernel])
        AttentionMaskInterface.register(name_of(False, kernel), padding_mask)


def attend(
    kernel: str,
    expand: bool,
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor | None,
    **options: Any,
) -> tuple[Tensor, Tensor | None]:
    """The attention function of one kernel: the model's own, or the adapter of its module."""
    own: Any = eager_function(module) if kernel == "eager" else ALL_ATTENTION_FUNCTIONS[kernel]
    adapter = getattr(module, PLACE, None)
    if adapter is not None:
        return adapter(partial(own, module), kernel, query, key, value, mask, **options)
    if expand:
        mask = expanded(kernel, getattr(module, "is_causal", False), query, key, mask)
    return own(module, query, key, value, mask, **options)


def padding_mask(
    kv_length: int,
    mask_function: Callable[..., Any] = causal_mask_function,
    attention_mask: Tensor | None = None,
    **_: Any,
) -> Tensor | None:
    if mask_function not in (causal_mask_function, bidirectional_mask_function):
        raise UnsupportedError(
            "attentions of the zoo take a padding mask, not a mask of windows or packed sequences"
        )
    if attention_mask is None or attention_mask.all():
        return None
    return attention_mask[:, -kv_length:]


def expanded(
    kernel: str, causal: bool, query: Tensor, key: Tensor, mask: Tensor | None
) -> Tensor | None:
    """The mask that the model would have given to an attention that was left as it is."""
    if (mask is None and not causal) or (mask is not None and mask.ndim == 4):
        return mask
    return ALL_MASK_ATTENTION_FUNCTIONS[kernel](
        batch_size=query.shape[0],
        q_length=query.shape[2],
        kv_length=key.shape[2],
        q_offset=key.shape[2] - query.shape[2] if causal else 0,
        mask_function=causal_mask_function if causal else bidirectional_mask_function,
        attention_mask=mask,
        dtype=query.dtype,
        device=query.device,
    )


def put(module: nn.Module, adapter: Adapter) -> None:
    adapter.train(module.training)
    module.add_module(PLACE, adapter)
    module.register_forward_pre_hook(before, with_kwargs=True)
    module.register_forward_hook(after)


def before(module: Any, arguments: tuple[Any, ...], options: dict[str, Any]) -> None:
    given = dict(zip(module.gfsa.names, arguments, strict=False)) | options
    if any(given.get(name) is not None for name in ("key_value_states", "encoder_hidden_states")):
        raise UnsupportedError(f"{module.gfsa.name}: cross-attention has no square Ā")
    module.gfsa.given = given


def after(module: Any, *_: Any) -> None:
    if module.gfsa.given is not None:
        module.gfsa.given = None
        raise UsageError(
            f"{module.gfsa.name}: attn_implementation was changed, which leaves out what was put "
            "into the model: choose it when the model is loaded"
        )
