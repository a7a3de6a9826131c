"""The encoder around the peers' attentions: as large as the protocol's, on padded batches."""

import torch
from torch import nn

from benchmarks.peers.attentions import Linear, Linformer, Nystrom, Performer, Sdpa, Softmax


class Heads(nn.Module):
    """W_q, W_k and W_v apart, an attention over the heads, and the output projection."""

    def __init__(self, attention, settings):
        super().__init__()
        C, self.heads = settings.dim, settings.heads
        self.W_q, self.W_k, self.W_v, self.out = (nn.Linear(C, C) for _ in range(4))
        self.attention = attention

    def forward(self, x, real):
        q, k, v = (
            W(x).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for W in (self.W_q, self.W_k, self.W_v)
        )
        return self.out(self.attention(q, k, v, real).transpose(1, 2).flatten(2))


class PreNorm(nn.Module):
    """x + attention(LN x), then x + FFN(LN x)."""

    def __init__(self, attention, settings):
        super().__init__()
        C, width, p = settings.dim, settings.ffn, settings.dropout
        self.heads, self.drop = Heads(attention, settings), nn.Dropout(p)
        self.norm1, self.norm2 = nn.LayerNorm(C), nn.LayerNorm(C)
        self.ffn = nn.Sequential(
            nn.Linear(C, width), nn.GELU(), nn.Dropout(p), nn.Linear(width, C), nn.Dropout(p)
        )

    def forward(self, x, real):
        x = self.drop(self.heads(self.norm1(x), real)) + x
        return self.ffn(self.norm2(x)) + x


class PostNorm(nn.Module):
    """LN(x + attention(x)), then LN(x + FFN(x)), as BERT's layers in transformers."""

    def __init__(self, attention, settings):
        super().__init__()
        C, width, p = settings.dim, settings.ffn, settings.dropout
        self.heads, self.drop = Heads(attention, settings), nn.Dropout(p)
        self.norm1, self.norm2 = nn.LayerNorm(C), nn.LayerNorm(C)
        self.ffn = nn.Sequential(nn.Linear(C, width), nn.GELU(), nn.Linear(width, C), nn.Dropout(p))

    def forward(self, x, real):
        x = self.norm1(self.drop(self.heads(x, real)) + x)
        return self.norm2(self.ffn(x) + x)


class Frame(nn.Module):
    """Token ids to class logits around an encoder (x, real) -> x: learned positions before it, the
    mean over the padded length and an MLP after it."""

    def __init__(self, encoder, settings, classes):
        super().__init__()
        C = settings.dim
        self.tokens = nn.Embedding(settings.vocabulary, C)
        self.positions = nn.Embedding(settings.positions, C)
        for table in (self.tokens, self.positions):
            nn.init.normal_(table.weight, std=0.02)
        self.drop, self.encoder, self.norm = nn.Dropout(settings.dropout), encoder, nn.LayerNorm(C)
        self.head = nn.Sequential(
            nn.Linear(C, settings.head), nn.ReLU(), nn.Linear(settings.head, classes)
        )

    def forward(self, tokens, keep):
        places = torch.arange(tokens.shape[1], device=tokens.device).expand_as(tokens)
        real = keep.float()
        x = self.encoder(self.drop(self.tokens(tokens) + self.positions(places)), real)
        return self.head((self.norm(x) * real[..., None]).mean(1))


class Layers(nn.ModuleList):
    def forward(self, x, real):
        for layer in self:
            x = layer(x, real)
        return x


# A peer's attention by name: how to make it of the model's settings, and in which layer.
PEERS = {
    "linear": (PreNorm, lambda s: Linear()),
    "performer": (PreNorm, lambda s: Performer(s.dim // s.heads)),
    "nystrom": (PreNorm, lambda s: Nystrom(s.heads)),
    "linformer": (PreNorm, lambda s: Linformer(s.heads, s.positions)),
    "softmax": (PreNorm, lambda s: Softmax()),
    "hf": (PostNorm, lambda s: Softmax()),
    "hf-sdpa": (PostNorm, lambda s: Sdpa()),
}


def build_peer(name, settings, classes):
    """The padded model of a peer: `settings` are the protocol's model."""
    layer, attention = PEERS[name]
    torch.manual_seed(0)
    layers = Layers(layer(attention(settings), settings) for _ in range(settings.layers))
    return Frame(layers, settings, classes)
