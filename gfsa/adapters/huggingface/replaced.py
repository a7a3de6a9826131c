"""Attentions of the zoo in place of a model's own."""

from typing import Any

from torch import Tensor
from transformers import PreTrainedModel

from attention_zoo import UnsupportedError, UsageError
from gfsa.adapters.apply import Change
from gfsa.adapters.huggingface.adapter import Adapter, Attend
from gfsa.adapters.huggingface.modules import Found

RELATIVE = ("relative_position_bias", "has_relative_attention_bias", "distance_embedding")


class ZooAdapter(Adapter):
    """`build_attention`'s module on the model's q, k and v."""

    def __init__(self, found: Found, change: Change, depth: int, model: PreTrainedModel) -> None:
        super().__init__(found, depth)
        if any(getattr(found.module, name, None) is not None for name in RELATIVE):
            raise UnsupportedError(
                f"{found} adds position biases to the scores, which attentions of the zoo do not "
                "have: apply_gfsa keeps them"
            )
        sizes = found.heads, found.head_dim, longest(model, change), found.number
        dim = model.config.hidden_size
        try:
            self.attention = change.attention(
                *sizes, dim=dim, causal=found.causal, dropout=found.dropout
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
        x = given["hidden_states"] if self.attention.needs_input else None
        operator = self.attention(query, key[:, :, -n:], keep, x, cache)
        y = self.attention.finish(operator @ value[:, :, -n:])
        return y.transpose(1, 2), None


def longest(model: PreTrainedModel, change: Change) -> int:
    """max_len of an attention: as given; else the model's number of positions, or of patches and
    two further tokens; of a model of speech the frames of 30 s at 16 kHz."""
    config: Any = model.config
    if change.max_len is not None:
        return change.max_len
    if positions := getattr(config, "max_position_embeddings", None):
        return int(positions)
    if hasattr(config, "image_size") and hasattr(config, "patch_size"):
        sizes = [
            x if isinstance(x, int) else max(x) for x in (config.image_size, config.patch_size)
        ]
        return (sizes[0] // sizes[1]) ** 2 + 2
    if frames := getattr(model, "_get_feat_extract_output_lengths", None):
        return int(frames(30 * 16_000))
    raise UsageError(f"{type(model).__name__} states no greatest length: give max_len")
