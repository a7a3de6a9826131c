"""Attentions as other code computes them: on padded batches, pads included.

Each is a module (q, k, v, real) -> (B, H, N, D) with real (B, N) float, 1 for a real token. The
formulas are those of Nyströmformer's LRA code and of performer-pytorch, written anew. Attention
dropout is left out, as in the models that they are compared with.
"""

import torch
import torch.nn.functional as F
from torch import nn


def log_mask(real):
    """What is added to logits: 0 at real tokens, very little at pads."""
    return (real - 1)[:, None, None, :] * 1e6


class Softmax(nn.Module):
    """softmax(q kᵀ/√D) written down."""

    def forward(self, q, k, v, real):
        scores = q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5 + log_mask(real)
        return scores.softmax(-1) @ v


class Sdpa(nn.Module):
    """torch's fused kernel with an additive mask, as transformers calls it."""

    def forward(self, q, k, v, real):
        return F.scaled_dot_product_attention(q, k, v, attn_mask=log_mask(real).to(q.dtype))


class Linear(nn.Module):
    """φ(q) φ(k)ᵀ v / √N with φ = elu + 1 and no normaliser."""

    def forward(self, q, k, v, real):
        real, scale = real[:, None, :, None], q.shape[2] ** 0.25
        q = (F.elu(q) + 1) / scale
        k = (F.elu(k) + 1) * real / scale
        return q @ (k.transpose(-2, -1) @ (v * real))


class Linformer(nn.Module):
    """softmax(q (E k)ᵀ/√D) E v, an E for each head."""

    def __init__(self, heads, max_len, rank=256):
        super().__init__()
        self.E = nn.Parameter(0.02 * torch.randn(heads, rank, max_len))

    def forward(self, q, k, v, real):
        E, real = self.E[..., : q.shape[2]], real[:, None, :, None]
        keys, values = E @ (k * real), E @ (v * real)
        return (q @ keys.transpose(-2, -1) / q.shape[-1] ** 0.5).softmax(-1) @ values


class Nystrom(nn.Module):
    """Softmax attention by way of landmarks, the means of equal segments of the padded sequence,
    and a convolution of the values. Sequences are padded until the landmarks divide their length.
    """

    def __init__(self, heads, landmarks=64, width=35, iterations=6):
        super().__init__()
        self.landmarks, self.iterations = landmarks, iterations
        size, pad = (width, 1), (width // 2, 0)
        self.conv = nn.Conv2d(heads, heads, size, padding=pad, groups=heads, bias=False)

    def forward(self, q, k, v, real):
        N, R, scale = q.shape[2], self.landmarks, q.shape[-1] ** 0.25
        more = -N % R
        if more:
            q, k, v = (F.pad(x, (0, 0, 0, more)) for x in (q, k, v))
            real = F.pad(real, (0, more))
        rows = real[:, None, :, None]
        q, k = q * rows / scale, k * rows / scale
        q_means, k_means = (x.unflatten(2, (R, -1)).mean(3) for x in (q, k))
        left = (q @ k_means.transpose(-2, -1)).softmax(-1)
        middle = (q_means @ k_means.transpose(-2, -1)).softmax(-1)
        right = (q_means @ k.transpose(-2, -1) + log_mask(real)).softmax(-1)
        result = (left @ self._inverse(middle)) @ (right @ v)
        return (result + self.conv(v * rows))[:, :, :N]

    def _inverse(self, A):
        """Steps of a third-order iteration, from a start that the largest column sum of the whole
        batch scales."""
        eye = torch.eye(A.shape[-1], device=A.device)
        Z = A.transpose(-2, -1) / A.sum(-2).max()
        for _ in range(self.iterations):
            product = A @ Z
            inner = 15 * eye - product @ (7 * eye - product)
            Z = 0.25 * Z @ (13 * eye - product @ inner)
        return Z


class Performer(nn.Module):
    """FAVOR+ of performer-pytorch, which scales q and k once more after the model has: features of
    the exponents' differences to the largest, plus ε. Keys of pads are zeroed before the features
    are made, so that they count in the normaliser."""

    omega: torch.Tensor  # (R, D)

    def __init__(self, head_dim, features=256, epsilon=1e-4):
        super().__init__()
        self.epsilon = epsilon
        blocks = [
            torch.linalg.qr(torch.randn(head_dim, head_dim)).Q.T
            for _ in range(-(-features // head_dim))
        ]
        norms = torch.randn(features, head_dim).norm(dim=1, keepdim=True)
        self.register_buffer("omega", norms * torch.cat(blocks)[:features])

    def forward(self, q, k, v, real):
        real, scale = real[:, None, :, None], q.shape[-1] ** 0.25
        queries = self._features(q / scale, -1)
        keys = self._features(k / scale * real, (-2, -1))
        context = keys.transpose(-2, -1) @ (v * real)
        return queries @ context / (queries @ keys.sum(-2).unsqueeze(-1))

    def _features(self, x, dims):
        x = x * x.shape[-1] ** -0.25
        exponents = x @ self.omega.T
        largest = exponents.amax(dims, keepdim=True).detach()
        half = (x**2).sum(-1, keepdim=True) / 2
        return len(self.omega) ** -0.5 * ((exponents - half - largest).exp() + self.epsilon)
