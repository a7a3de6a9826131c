"""The one encoder that all variants share."""

import torch
from torch import Tensor, nn

from attention_zoo import Spec, UsageError, build_layer
from attention_zoo.build import in_layers
from lra.protocols import ModelSettings


class Block(nn.Module):
    """Pre-norm: x + attention(LN x), then x + FFN(LN x)."""

    def __init__(self, spec: Spec, settings: ModelSettings, max_len: int, layer: int) -> None:
        super().__init__()
        C, F, p = settings.dim, settings.ffn, settings.dropout
        self.attention_norm = nn.LayerNorm(C)
        self.attention = build_layer(
            spec, dim=C, heads=settings.heads, max_len=max_len, layer=layer
        )
        self.ffn_norm = nn.LayerNorm(C)
        self.ffn = nn.Sequential(
            nn.Linear(C, F), nn.GELU(), nn.Dropout(p), nn.Linear(F, C), nn.Dropout(p)
        )
        self.dropout = nn.Dropout(p)

    def forward(self, x: Tensor, keep: Tensor | None) -> Tensor:
        x = x + self.dropout(self.attention(self.attention_norm(x), keep))
        return x + self.ffn(self.ffn_norm(x))


class Encoder(nn.Module):
    """Token ids to class logits: embeddings with learned positions, pre-norm blocks, the mean of
    the real tokens, a two-layer head.

    max_len: the longest sequence of the task. Raises UsageError for a filter in no layer.
    """

    def __init__(self, spec: Spec, settings: ModelSettings, *, classes: int, max_len: int) -> None:
        super().__init__()
        C = settings.dim
        self.tokens = nn.Embedding(settings.vocabulary, C)
        self.positions = nn.Embedding(settings.positions, C)
        for table in (self.tokens, self.positions):
            nn.init.normal_(table.weight, std=0.02)
        self.dropout = nn.Dropout(settings.dropout)
        self.blocks = nn.ModuleList(
            Block(spec, settings, max_len, layer) for layer in range(1, settings.layers + 1)
        )
        self.norm = nn.LayerNorm(C)
        self.head = nn.Sequential(
            nn.Linear(C, settings.head), nn.ReLU(), nn.Linear(settings.head, classes)
        )
        layers = range(1, settings.layers + 1)
        for part in spec.filters:
            where = dict(part.options).get("layers", "all")
            if not any(in_layers(layer, where) for layer in layers):
                raise UsageError(f"{part} stands in none of the model's {settings.layers} layers")

    def forward(
        self,
        tokens: Tensor,  # (B, N) long
        keep: Tensor,  # (B, N) bool, True for a real token
    ) -> Tensor:  # (B, classes)
        positions = torch.arange(tokens.shape[1], device=tokens.device)
        x = self.dropout(self.tokens(tokens) + self.positions(positions))
        for block in self.blocks:
            x = block(x, keep)
        x = torch.where(keep[..., None], self.norm(x), 0.0)
        count = keep.sum(1, keepdim=True).clamp(min=1)
        return self.head(x.sum(1) / count)
