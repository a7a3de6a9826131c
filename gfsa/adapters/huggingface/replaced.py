"""Attentions of the zoo in place of a model's own."""

from typing import Any

from torch import Tensor

from attention_zoo import UnsupportedError, UsageError
from gfsa.adapters.apply import Change
from gfsa.adapters.huggingface.adapter import Adapter, Attend
from gfsa.adapters.huggingface.modules import Found

RELATIVE = ("relative_position_bias", "has_relative_attention_bias", "distance_embedding")


class ZooAdapter(Adapter):
    """`build_attention`'s module on the model's q, k and v."""

    def __init__(self, found: Found, change: Change, depth: int, max_len: int, dim: int) -> None:
        super().__init__(found, depth)
        if any(getattr(found.module, name, None) is not None for name in RELATIVE):
            raise UnsupportedError(
                f"{found} adds position biases to the scores, which attentions of the zoo do not "
                "have: apply_gfsa keeps them"
            )
        options = {"dim": dim, "causal": found.causal, "dropout": found.dropout}
        try:
            self.attention = change.attention(
                found.heads, found.head_dim, max_len, found.number, **options
            )
        except UsageError as error:
            hint = "; load the model with attention dropout 0" if "dropout" in str(error) else ""
            raise type(error)(f"{found}: {error}{hint}") from error

    def forward(
        self,
        attend: Attend,
        kernel: str,
        query: Tensor,  # (B, H, n, D)
        key: Tensor,  # (B, H, N, D)
        value: Tensor,  # (B, H, N, D)
        mask: Tensor | None,  # (B, N)
        **options: Any,
    ) -> tuple[Tensor, None]:
        given, cache = self.take(query, key)
        n, D = query.shape[2], query.shape[3]
        if options.get("position_bias") is not None or (mask is not None and mask.ndim != 2):
            raise UnsupportedError(
                f"{self.name}: attentions of the zoo take a padding mask (B, N), not a mask or "
                "bias for each pair of tokens"
            )
        if (scaling := options.get("scaling")) is not None and scaling != D**-0.5:
            query = query * (scaling * D**0.5)
        keep = None if mask is None else mask[:, -n:].bool()
        x = next(iter(given.values())) if self.attention.needs_input else None
        operator = self.attention(query, key[:, :, -n:], keep, x, cache)
        y = self.attention.finish(operator @ value[:, :, -n:])
        return y.transpose(1, 2), None
