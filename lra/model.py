"""The one encoder that all variants share."""

from dataclasses import replace
from itertools import pairwise

import torch
from torch import Tensor, nn

from attention_zoo import Spec, UsageError, build_layer
from attention_zoo.build import in_layers
from lra.protocols import ModelSettings, Protocol
from lra.seeds import derive
from lra.tasks import get_task


class Block(nn.Module):
    """Pre-norm: x + attention(LN x), then x + FFN(LN x)."""

    def __init__(self, spec: Spec, settings: ModelSettings, max_len: int, layer: int) -> None:
        super().__init__()
        C, F, p = settings.dim, settings.ffn, settings.dropout
        self.attention_norm = nn.LayerNorm(C)
        self.attention = build_layer(
            spec,
            dim=C,
            heads=settings.heads,
            max_len=max_len,
            layer=layer,
            bias=settings.bias,
            inner=settings.inner,
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
    """Token ids to class logits: embeddings with positions, pre-norm blocks, pooling, a head (the
    settings' docstring says which there are). Two sequences go through the same encoder and meet in
    the head.

    max_len: the longest sequence of the task; sequences: how many an example has. Raises UsageError
    for a filter in no layer.
    """

    def __init__(
        self,
        spec: Spec,
        settings: ModelSettings,
        *,
        classes: int,
        max_len: int,
        sequences: int = 1,
    ) -> None:
        super().__init__()
        C = settings.dim
        self.pooling, self.pairs = settings.pooling, settings.pairs
        self.padded = 1 << (max_len - 1).bit_length()
        self.tokens = nn.Embedding(settings.vocabulary, C)
        nn.init.normal_(self.tokens.weight, std=settings.token_std)
        if settings.encoding == "learned":
            self.positions = nn.Parameter(torch.empty(settings.positions, C).normal_(std=0.02))
        else:
            self.register_buffer("positions", sinusoidal(settings.positions, C), persistent=False)
        if self.pooling == "cls":
            self.cls = nn.Parameter(torch.zeros(C))
            max_len += 1
        self.dropout = nn.Dropout(settings.dropout)
        self.blocks = nn.ModuleList(
            Block(spec, settings, max_len, layer) for layer in range(1, settings.layers + 1)
        )
        self.norm = nn.LayerNorm(C)
        if sequences == 1:
            widths = [C, settings.head, classes]
        elif self.pairs == "product":
            widths = [4 * C, settings.head, classes]
        else:
            widths = [2 * C, settings.head, settings.head // 2, classes]
        *hidden, last = (nn.Linear(a, b) for a, b in pairwise(widths))
        self.head = nn.Sequential(*(part for layer in hidden for part in (layer, nn.ReLU())), last)
        layers = range(1, settings.layers + 1)
        for part in spec.filters:
            where = dict(part.options).get("layers", "all")
            if not any(in_layers(layer, where) for layer in layers):
                raise UsageError(f"{part} stands in none of the model's {settings.layers} layers")

    def forward(
        self,
        tokens: Tensor,  # (B, N) long, or (B, 2, N)
        keep: Tensor,  # (B, N) bool, True for a real token, or (B, 2, N)
    ) -> Tensor:  # (B, classes)
        if tokens.dim() == 2:
            return self.head(self.encode(tokens, keep))
        a, b = self.encode(tokens.flatten(0, 1), keep.flatten(0, 1)).unflatten(0, (-1, 2)).unbind(1)
        features = [a, b, a * b, a - b] if self.pairs == "product" else [a, b]
        return self.head(torch.cat(features, -1))

    def encode(self, tokens: Tensor, keep: Tensor) -> Tensor:  # (B, N), (B, N) -> (B, C)
        x = self.tokens(tokens)
        if self.pooling == "cls":
            x = torch.cat([self.cls.expand(len(x), 1, -1), x], 1)
            keep = nn.functional.pad(keep, (1, 0), value=True)
        x = self.dropout(x + self.positions[: x.shape[1]])
        for block in self.blocks:
            x = block(x, keep)
        return self._pool(self.norm(x), keep)

    def _pool(self, x: Tensor, keep: Tensor) -> Tensor:  # (B, N, C), (B, N) -> (B, C)
        if self.pooling in ("cls", "first"):
            return x[:, 0]
        total = torch.where(keep[..., None], x, 0.0).sum(1)
        if self.pooling == "padded_mean":
            return total / self.padded
        return total / keep.sum(1, keepdim=True).clamp(min=1)


def sinusoidal(N: int, C: int) -> Tensor:  # (N, C)
    """sin(n / 10000^(2i/C)) and its cosine, in turn (Vaswani et al. 2017, §3.5)."""
    angles = torch.arange(N)[:, None] / 10_000 ** (torch.arange(0, C, 2) / C)
    return torch.stack([angles.sin(), angles.cos()], -1).flatten(1)


def build_model(
    spec: Spec, protocol: Protocol, task: str, seed: int, max_len: int | None = None
) -> Encoder:
    """The seed's encoder: shared weights are the same for all variants.

    max_len: the longest sequence where not the task's; positions that the protocol lacks for it are
    added.
    """
    torch.manual_seed(derive(seed, "init"))
    about, settings = get_task(task).metadata, protocol.model
    max_len = max_len or protocol.task.max_len
    needed = max_len + (settings.pooling == "cls")
    return Encoder(
        spec,
        replace(settings, positions=max(settings.positions, needed)),
        classes=about.classes,
        max_len=max_len,
        sequences=about.sequences,
    )
