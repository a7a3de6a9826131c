"""Another attention where a module calls torch's own."""

import types
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from attention_zoo import Attention, UnsupportedError
from attention_zoo.build import FilteredAttention
from attention_zoo.filter import Filter
from attention_zoo.operators import AttentionOperator, FilteredOperator
from gfsa.adapters.operator import ModelOperator, real_tokens

PLACE = "gfsa"  # where an adapter is in the attention module, and so in the names of its weights


class Call(NamedTuple):
    """Of `scaled_dot_product_attention`, with a mask of four dimensions."""

    q: Tensor
    k: Tensor
    v: Tensor
    mask: Tensor | None
    dropout: float
    causal: bool
    scale: float | None


class Adapter(nn.Module, ABC):
    """What is computed in one module where it calls `scaled_dot_product_attention`."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
        self._modes: list[Intercept] = []

    def begin(self) -> None:
        mode = Intercept(self)
        mode.__enter__()
        self._modes.append(mode)

    def end(self) -> None:
        self._modes.pop().__exit__(None, None, None)

    def attend(
        self,
        query: Tensor,  # (B, H, N, D)
        key: Tensor,  # (B, H, N, D)
        value: Tensor,  # (B, H, N, D)
        attn_mask: Tensor | None = None,  # broadcast to (B, H, N, N): True, or added to the scores
        dropout_p: float = 0.0,
        is_causal: bool = False,
        scale: float | None = None,
        enable_gqa: bool = False,
    ) -> Tensor:  # (B, H, N, D)
        if query.shape[2] != key.shape[2]:
            raise UnsupportedError(
                f"{self.name}: {query.shape[2]} queries of {key.shape[2]} keys, which is "
                "cross-attention: powers of Ā need a square Ā"
            )
        if enable_gqa:
            raise UnsupportedError(f"{self.name}: grouped-query attention is not supported")
        while attn_mask is not None and attn_mask.ndim < 4:
            attn_mask = attn_mask[None]
        return self.compute(Call(query, key, value, attn_mask, dropout_p, is_causal, scale))

    @abstractmethod
    def compute(self, call: Call) -> Tensor: ...  # (B, H, N, D)


class FilterAdapter(Adapter):
    """f(Ā) v, Ā as torch's kernel computes it."""

    def __init__(self, name: str, filters: list[Filter]) -> None:
        super().__init__(name)
        self.filters = cast("Sequence[Filter]", nn.ModuleList(filters))

    def compute(self, call: Call) -> Tensor:
        q, k, v, mask, dropout, causal, scale = call
        if dropout:
            raise UnsupportedError(dropout_error(self.name))
        kernel = partial(
            F.scaled_dot_product_attention, q, k, attn_mask=mask, is_causal=causal, scale=scale
        )
        operator: AttentionOperator = MaskedOperator(v, mask, kernel, causal)
        for one in self.filters:
            operator = FilteredOperator(operator, one)
            operator.keep = None  # the operator below masks
        return operator @ v


class MaskedOperator(ModelOperator):
    """Ā under a mask of which it is not known whether it is causal."""

    def __init__(
        self,
        v: Tensor,  # (B, H, N, D)
        mask: Tensor | None,  # broadcast to (B, H, N, N)
        kernel: Callable[[Tensor], Tensor],
        causal: bool,
    ) -> None:
        super().__init__(v, v.shape[2], real_tokens(mask, v), kernel, causal, None)
        self.mask = mask

    def mean(self, v: Tensor) -> Tensor:
        self.causal = self.causal or is_triangular(self.mask)
        return super().mean(v)


class ZooAdapter(Adapter):
    """`build_attention`'s module on the model's q, k and v."""

    def __init__(self, name: str, attention: Attention | FilteredAttention) -> None:
        super().__init__(name)
        self.attention = attention
        if attention.needs_input:
            raise UnsupportedError(f"{name}: the attention needs the layer's input besides q and k")

    def compute(self, call: Call) -> Tensor:
        q, k, v, mask, _, causal, scale = call
        if causal or (mask is not None and mask.shape[-2] != 1):
            raise UnsupportedError(
                f"{self.name}: attentions of the zoo take a padding mask here, not a causal mask "
                "or a bias for each pair of tokens: apply_gfsa keeps them"
            )
        if scale is not None:
            q = q * (scale * q.shape[3] ** 0.5)
        keep = real_tokens(mask, v)
        return self.attention.finish(self.attention(q, k, keep) @ v)


class Intercept(TorchFunctionMode):
    """The calls of attention functions of one forward pass of a module."""

    def __init__(self, adapter: Adapter) -> None:
        super().__init__()
        self.adapter = adapter

    def __torch_function__(
        self, function: Any, kinds: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if function is F.scaled_dot_product_attention:
            return self.adapter.attend(*args, **kwargs)
        if function is F.multi_head_attention_forward:
            return multi_head(self.adapter, *args, **kwargs)
        return function(*args, **kwargs)


def multi_head(adapter: Adapter, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor | None]:
    """torch's own function for `nn.MultiheadAttention`, with the adapter for the attention function
    that it calls; the weights it may return are Ā, before the filter."""
    theirs = F.multi_head_attention_forward
    weights = theirs(*args, **kwargs)[1] if kwargs.get("need_weights", True) else None
    names = vars(F) | {"scaled_dot_product_attention": adapter.attend}
    ours = types.FunctionType(theirs.__code__, names, theirs.__name__, theirs.__defaults__)
    return ours(*args, **kwargs | {"need_weights": False})[0], weights


def is_triangular(mask: Tensor | None) -> bool:
    """Whether a mask for each pair of tokens hides all later ones from each."""
    if mask is None or mask.shape[-2] != mask.shape[-1] or mask.shape[-1] == 1:
        return False
    hidden = ~mask if mask.dtype == torch.bool else mask < torch.finfo(mask.dtype).min / 2
    later = torch.ones_like(hidden).triu(1)
    return bool((hidden | ~later).all())


def dropout_error(name: str) -> str:
    return (
        f"{name}: its fused kernel draws another attention dropout at each application of Ā, and a "
        "filter needs one Ā: set this module's attention dropout to 0"
    )


def put(module: nn.Module, adapter: Adapter) -> None:
    adapter.train(module.training)
    module.add_module(PLACE, adapter)
    module.register_forward_pre_hook(_before)
    module.register_forward_hook(_after, always_call=True)


def _before(module: Any, *_: Any) -> None:
    module.gfsa.begin()


def _after(module: Any, *_: Any) -> None:
    module.gfsa.end()


def already(module: nn.Module) -> bool:
    return any(hasattr(part, PLACE) for part in module.modules())
