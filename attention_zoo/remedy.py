"""What a remedy is: a change of a layer beside its operator, the same for every attention."""

from abc import abstractmethod
from typing import ClassVar

import torch
from torch import Tensor

from attention_zoo.filter import Modifier
from attention_zoo.flops import Products


class Remedy(Modifier):
    """Base class of `OnValues`, `OnOutput` and `OnProjections`, one for each place.

    Each has a `reference` from the paper's formula that shares no code with `forward`, and states
    the matrix products that it adds. Training gives its vectors no weight decay.
    """

    def products(self, B: int, N: int, C: int) -> Products | None:
        """Of one pass of a layer through x (B, N, C); None where it states none."""
        return ()


class OnValues(Remedy):
    """`(y, v, first) -> y` before the output projection, row by row."""

    acts_on = "values"

    @abstractmethod
    def forward(
        self,
        y: Tensor,  # (…, inner): Ā v, heads side by side
        v: Tensor,  # (…, inner): the values
        first: Tensor,  # (…, inner): those of the model's first layer; v itself there
    ) -> Tensor:  # (…, inner)
        ...

    @abstractmethod
    def reference(self, y: Tensor, v: Tensor, first: Tensor) -> Tensor: ...


class OnOutput(Remedy):
    """`(y, keep) -> y` on the layer's result, before it joins the residual stream. What stands at
    padded positions may not change a real row.

    causal: False unless a subclass says that it looks at no later token where `prefix` is set.
    by_token: whether it changes each token by itself, so that a layer with it can decode.
    """

    acts_on = "output"
    causal = False
    by_token: ClassVar[bool] = False

    @abstractmethod
    def forward(
        self,
        y: Tensor,  # (B, N, C)
        keep: Tensor | None,  # (B, N), True for a real token
    ) -> Tensor: ...  # (B, N, C)

    @abstractmethod
    def reference(self, y: Tensor, keep: Tensor | None) -> Tensor: ...

    def after_ffn(self, y: Tensor) -> Tensor:  # (…, C) -> (…, C)
        """What it does to the result of the feed-forward network, row by row, where its paper has
        it on both branches of a block."""
        return y


class OnProjections(Remedy):
    """`() -> (W_V, W_O)`, in place of those of the layer: values x W_V, heads side by side, and the
    result y W_O. There is no bias of values; that of the result stays."""

    acts_on = "projections"

    @abstractmethod
    def forward(self) -> tuple[Tensor, Tensor]:  # (C, C) twice
        ...

    @abstractmethod
    def reference(self) -> tuple[Tensor, Tensor]: ...


def token_mean(
    y: Tensor,  # (B, N, C)
    keep: Tensor | None,  # (B, N)
    prefix: bool = False,
) -> Tensor:  # (B, 1, C), or (B, N, C)
    """The mean over the real tokens, or over those up to each."""
    # float16 would overflow in the sum over N.
    wide = torch.promote_types(y.dtype, torch.float32)
    if prefix:
        real = y.new_ones(y.shape[:2], dtype=torch.bool) if keep is None else keep
        total = torch.where(real[..., None], y, 0.0).cumsum(1, dtype=wide)
        return (total / real.cumsum(1).clamp(min=1)[..., None]).to(y.dtype)
    if keep is None:
        return (y.sum(1, keepdim=True, dtype=wide) / max(1, y.shape[1])).to(y.dtype)
    total = torch.where(keep[..., None], y, 0.0).sum(1, keepdim=True, dtype=wide)
    return (total / keep.sum(1).clamp(min=1)[:, None, None]).to(y.dtype)
