"""The one encoder that all variants share."""

from dataclasses import replace
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from attention_zoo import Spec, UsageError, build_layer
from attention_zoo.build import in_layers
from attention_zoo.inputs import require_mask
from attention_zoo.packing import Packing
from attention_zoo.spec import attention_of
from attention_zoo.state import check_on_load
from lra.dropout import Dropout
from lra.protocols import ModelSettings, Protocol
from lra.seeds import derive
from lra.tasks import get_task


def attention_dropout(spec: Spec, settings: ModelSettings) -> float:
    """`settings.attention_dropout`, or 0 where the attention does not support it."""
    return 0.0 if attention_of(spec).support.dropout == "none" else settings.attention_dropout


class Block(nn.Module):
    """Pre-norm: x + attention(LN x), then x + FFN(LN x)."""

    def __init__(self, spec: Spec, settings: ModelSettings, max_len: int, layer: int) -> None:
        super().__init__()
        C, width, p = settings.dim, settings.ffn, settings.dropout
        self.attention_norm = nn.LayerNorm(C)
        self.attention = build_layer(
            spec,
            dim=C,
            heads=settings.heads,
            max_len=max_len,
            layer=layer,
            bias=settings.bias,
            inner=settings.inner,
            attention_dropout=attention_dropout(spec, settings),
        )
        self.ffn_norm = nn.LayerNorm(C)
        self.ffn = nn.Sequential(
            nn.Linear(C, width), nn.GELU(), Dropout(p), nn.Linear(width, C), Dropout(p)
        )
        self.dropout = Dropout(p)

    def forward(
        self, x: Tensor, keep: Tensor | Packing, shared: dict[str, Tensor] | None = None
    ) -> Tensor:
        x = x + self.dropout(self.attention(self.attention_norm(x), keep, shared))
        return x + self.attention.after_ffn(self.ffn(self.ffn_norm(x)))


class Encoder(nn.Module):
    """Token ids to class logits: embeddings with positions, pre-norm blocks, pooling, a head (the
    settings' docstring says which there are). Two sequences go through the same encoder and meet in
    the head.

    max_len: the longest sequence of the task; sequences: how many an example has. keep_pads: work
    on padding, too, as torch.compile and torch.export do: for examples that have a token that
    changes nothing but the time (and which draw of dropout meets a token).
    Raises UsageError for a filter in no layer.
    """

    def __init__(
        self,
        spec: Spec,
        settings: ModelSettings,
        *,
        classes: int,
        max_len: int,
        sequences: int = 1,
        keep_pads: bool = False,
    ) -> None:
        super().__init__()
        C, self.keep_pads = settings.dim, keep_pads
        self.pooling, self.pairs = settings.pooling, settings.pairs
        self.padded = 1 << (max_len - 1).bit_length()
        if self.pooling == "padded_mean":
            check_on_load(self, padded=self.padded)
        self.tokens = nn.Embedding(settings.vocabulary, C)
        nn.init.normal_(self.tokens.weight, std=settings.token_std)
        if settings.encoding == "learned":
            self.positions = nn.Parameter(torch.empty(settings.positions, C).normal_(std=0.02))
        else:
            self.register_buffer("positions", sinusoidal(settings.positions, C), persistent=False)
            self.register_load_state_dict_post_hook(_restore_sinusoids)
        if self.pooling == "cls":
            self.cls = nn.Parameter(torch.zeros(C))
            max_len += 1
        self.dropout = Dropout(settings.dropout)
        self.blocks = nn.ModuleList(
            Block(spec, settings, max_len, layer) for layer in range(1, settings.layers + 1)
        )
        self.shares = any(b.attention.on_values is not None for b in self.blocks)
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
        """Class logits. Padding may stand anywhere: positions follow the real tokens."""
        if tokens.dim() == 2:
            return self.head(self.encode(tokens, keep))
        a, b = self.encode(tokens.flatten(0, 1), keep.flatten(0, 1)).unflatten(0, (-1, 2)).unbind(1)
        features = [a, b, a * b, a - b] if self.pairs == "product" else [a, b]
        return self.head(torch.cat(features, -1))

    def encode(self, tokens: Tensor, keep: Tensor) -> Tensor:  # (B, N), (B, N) -> (B, C)
        require_mask(keep, *tokens.shape)
        if self.pooling == "cls":
            tokens, keep = F.pad(tokens, (1, 0)), F.pad(keep, (1, 0), value=True)
        packing = Packing(keep, self.keep_pads)
        place = packing.place
        x = self.tokens(packing.pack(tokens))
        if self.pooling == "cls":
            x = torch.where((place == 0)[:, None], self.cls, x)
        x = self.dropout(x + F.embedding(place, self.positions))
        shared: dict[str, Tensor] | None = {} if self.shares else None
        for block in self.blocks:
            x = block(x, packing, shared)
        return self._pool(self.norm(x), packing, len(tokens))

    def _pool(self, x: Tensor, packing: Packing, B: int) -> Tensor:  # (T, C) -> (B, C)
        pooled = x.new_zeros(B, x.shape[1])
        if not packing.groups:
            return pooled + x.sum()  # of no tokens: zeros, with gradients as of any batch
        parts = packing.parts(x)
        if self.pooling in ("cls", "first"):
            results = [group.first(part) for group, part in parts]
        elif self.pooling == "padded_mean":
            results = [group.sum(part) / self.padded for group, part in parts]
        else:
            results = [group.sum(part) / group.lengths() for group, part in parts]
        return pooled.index_copy(0, packing.examples, torch.cat(results))


def sinusoidal(N: int, C: int) -> Tensor:  # (N, C)
    """sin(n / 10000^(2i/C)) and its cosine, in turn (Vaswani et al. 2017, §3.5)."""
    angles = torch.arange(N)[:, None] / 10_000 ** (torch.arange(0, C, 2) / C)
    return torch.stack([angles.sin(), angles.cos()], -1).flatten(1)


def _restore_sinusoids(model: Encoder, _: object) -> None:
    """No state has them, and a model built on the meta device has none."""
    model.positions.copy_(sinusoidal(*model.positions.shape))


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
