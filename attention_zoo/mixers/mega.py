"""Mega: a damped moving average, then gated attention of one head."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from attention_zoo.attention import WITHOUT_FLOAT16, Support
from attention_zoo.errors import UsageError
from attention_zoo.mixer import Mixer
from attention_zoo.parts.long_convolution import exponential_sum, long_convolution
from attention_zoo.precision import full_precision, lowest
from attention_zoo.registry import register_mixer


class DampedAverage(nn.Module):
    """The multi-dimensional damped moving average, h dimensions a channel:

        hᵢ = α ⊙ β xᵢ + (1 − α ⊙ δ) ⊙ hᵢ₋₁,  yᵢ = ηᵀhᵢ / √h,  α, δ in (0, 1) by a sigmoid

    as the convolution with Kₗ = Σ η α β (1 − α δ)ˡ / √h. Bidirectional, the average from the last
    token with parameters of its own is added. The result is silu(y + ω ⊙ x). ω, the silu and 1/√h
    are those of the public code.
    """

    def __init__(self, dim: int, size: int, bidirectional: bool) -> None:
        super().__init__()
        shape = (1 + bidirectional, dim, size)
        signs = (-1.0) ** torch.arange(size)
        self.alpha = nn.Parameter(0.2 * torch.randn(shape))
        self.delta = nn.Parameter(0.2 * torch.randn(shape))
        self.beta = nn.Parameter(signs + 0.02 * torch.randn(shape))
        self.eta = nn.Parameter(torch.randn(shape))
        self.omega = nn.Parameter(torch.randn(dim))

    def forward(self, x: Tensor) -> Tensor:  # (B, N, C), zero at pads
        with full_precision(x, self.omega) as (u, omega):
            y = long_convolution(u, *self.kernels(x.shape[1])) + omega * u
            return F.silu(y).to(x.dtype)

    def kernels(self, N: int) -> tuple[Tensor, ...]:
        """Of earlier tokens and this one, and of later ones, each (C, N)."""
        with full_precision(self.alpha, self.delta, self.beta, self.eta) as given:
            alpha, delta, beta, eta = given
            alpha = alpha.sigmoid()
            weights = eta * alpha * beta / alpha.shape[-1] ** 0.5
            exponents = torch.log1p(-alpha * delta.sigmoid())
            first, *back = (
                exponential_sum(*pair, N + 1) for pair in zip(weights, exponents, strict=True)
            )
            if not back:
                return (first[:, :N],)
            # Both directions see the token itself.
            return first[:, :N] + F.pad(back[0][:, :1], (0, N - 1)), back[0][:, 1:]

    def reference(self, x: Tensor) -> Tensor:  # float64
        N, y = x.shape[1], x * self.omega.double()
        parts = (self.alpha, self.delta, self.beta, self.eta)
        for d, part in enumerate(zip(*parts, strict=True)):
            alpha, delta, beta, eta = (number.double() for number in part)
            alpha, delta = 1 / (1 + (-alpha).exp()), 1 / (1 + (-delta).exp())
            h, averages = torch.zeros(len(x), *alpha.shape, dtype=x.dtype), [x[:, 0]] * N
            for i in reversed(range(N)) if d else range(N):
                h = alpha * beta * x[:, i, :, None] + (1 - alpha * delta) * h
                averages[i] = (eta * h).sum(-1) / alpha.shape[-1] ** 0.5
            y = y + torch.stack(averages, 1)
        return y / (1 + (-y).exp())


@register_mixer("mega")
class Mega(Mixer):
    """Of the moving average X′ = EMA(X), a single head whose queries and keys share a projection,
    and two gates:

        Z = silu(X′ W_z + b_z),  Q = κ_q ⊙ Z + μ_q,  K = κ_k ⊙ Z + μ_k,  V = silu(X W_v + b_v)
        O = f(Q Kᵀ / τ + b) V                               bᵢⱼ a learned number for each j − i
        γ = silu(X′ W_γ + b_γ),  φ = σ(X′ W_φ + b_φ),  H = silu(X′ W_h + (γ ⊙ O) U_h + b_h)
        Y = φ ⊙ H + (1 − φ) ⊙ X

    with f = softmax and τ = √z, or f(x) = ½ (1 + erf((x − μ) / (σ√2))), μ = √½, σ = 1/√(4π), the
    Laplace function, and τ the number of tokens that are seen. With `chunk`, tokens attend within
    chunks only, counted from position 0. Padding may be anywhere, but give the real tokens first
    where the result must not depend on where it is. X is the mixer's input, behind the model's
    norm, and the model adds a residual connection; in the paper the last line has the residual
    stream in the place of X, and nothing is added.

    Args:
        function: f.
        z: width of Q and K.
        expand: width of V and γ, as a multiple of C.
        ema: h, dimensions of the moving average.
        chunk: tokens of a chunk, 0 for all.
        bidirectional: whether later tokens are seen.

    The authors' Long Range Arena commands (repository facebookresearch/mega, README.lra.md and
    fairseq/models/lra/model.py) have expand=2 and ema=16 throughout, softmax and z=64 for ListOps,
    Text and Retrieval, laplace for Image (z=96), Pathfinder (z=64) and Path-X (z=32), in 4 to 8
    layers of width 64 to 160 with layer, scale or batch norm. They leave the chunk open, and cut
    the kernel of the moving average after 1024 tokens (4096 in Path-X), which this does not.
    Ma et al. 2023 (arXiv 2209.10655).
    """

    support = Support(
        paper="Ma et al. 2023",
        time="N²",
        memory="N²",
        family="gated attention",
        dtypes=WITHOUT_FLOAT16,  # of large inputs, the gradient of κ does not fit float16
    )
    check_also = ("chunk=8,function=laplace", "bidirectional=false", "function=laplace")

    def __init__(
        self,
        *,
        dim: int,
        max_len: int,
        function: Literal["softmax", "laplace"] = "softmax",
        z: int = 64,
        expand: int = 2,
        ema: int = 16,
        chunk: int = 0,
        bidirectional: bool = True,
    ) -> None:
        super().__init__(dim=dim, max_len=max_len)
        if min(z, expand, ema) < 1 or chunk < 0:
            raise UsageError(
                "mega: z, expand and ema must be positive, chunk 0 or more; got "
                f"{z}, {expand}, {ema} and {chunk}"
            )
        self.function, self.chunk, self.bidirectional = function, chunk, bidirectional
        self.sizes = (dim, dim, expand * dim, z)
        self.ema = DampedAverage(dim, ema, bidirectional)
        self.values = nn.Linear(dim, expand * dim)
        self.base = nn.Linear(dim, sum(self.sizes))  # of φ, H, γ and Z
        self.U = nn.Linear(expand * dim, dim, bias=False)
        self.kappa = nn.Parameter(0.02 * torch.randn(2, z))
        self.mu = nn.Parameter(torch.zeros(2, z))
        self.span = chunk or max_len
        self.relative = nn.Parameter(0.02 * torch.randn(2 * self.span - 1))
        for linear in (self.values, self.base, self.U):
            nn.init.normal_(linear.weight, std=0.02)
        for linear in (self.values, self.base):
            nn.init.zeros_(linear.bias)

    def mix(self, x: Tensor, keep: Tensor | None) -> Tensor:
        phi, h, gamma, z = self.base(self.ema(x)).split(self.sizes, -1)
        q, k = (F.silu(z)[..., None, :] * self.kappa + self.mu).unbind(-2)
        o = self.attend(q, k, F.silu(self.values(x)), keep)
        h = F.silu(h + self.U(F.silu(gamma) * o))
        phi = phi.sigmoid()
        return phi * h + (1 - phi) * x

    def attend(self, q: Tensor, k: Tensor, v: Tensor, keep: Tensor | None) -> Tensor:
        B, N, _ = q.shape
        S = self.chunk or N
        real = torch.ones(B, N, dtype=torch.bool, device=q.device) if keep is None else keep
        q, k, v = (F.pad(part, (0, 0, 0, -N % S)).unflatten(1, (-1, S)) for part in (q, k, v))
        seen = F.pad(real, (0, -N % S)).unflatten(1, (-1, 1, S))  # (B, n, 1, S)
        place = torch.arange(S, device=q.device)
        offset = place - place[:, None]
        if not self.bidirectional:
            seen = seen & (offset <= 0)
        with full_precision(q, k, self.relative) as (wide_q, wide_k, relative):
            scores, bias = wide_q @ wide_k.mT, relative[offset + self.span - 1]
            if self.function == "softmax":
                scores = scores / q.shape[-1] ** 0.5 + bias
                weights = scores.masked_fill(~seen, lowest(scores)).softmax(-1)
            else:
                scores = scores / seen.sum(-1, keepdim=True).clamp(min=1) + bias
                # (x − μ) / (σ√2), where σ√2 = 1/√(2π)
                weights = (1 + torch.erf((scores - 0.5**0.5) * (2 * torch.pi) ** 0.5)) / 2
            weights = weights.masked_fill(~seen, 0.0).to(v.dtype)
        return (weights @ v).flatten(1, 2)[:, :N]

    def reference(self, x: Tensor, keep: Tensor | None) -> Tensor:
        def silu(y: Tensor) -> Tensor:
            return y / (1 + (-y).exp())

        def linear(layer: nn.Linear, y: Tensor) -> Tensor:
            bias = 0 if layer.bias is None else layer.bias.double()
            return y @ layer.weight.double().T + bias

        x = x.double()
        phi, h, gamma, z = linear(self.base, self.ema.reference(x)).split(self.sizes, -1)
        kappa, mu, b = self.kappa.double(), self.mu.double(), self.relative.double()
        q, k = silu(z) * kappa[0] + mu[0], silu(z) * kappa[1] + mu[1]
        v, N, o = silu(linear(self.values, x)), x.shape[1], []
        for e, i in ((e, i) for e in range(len(x)) for i in range(N)):
            start = i // self.chunk * self.chunk if self.chunk else 0
            end = min(N, start + self.chunk) if self.chunk else N
            end = end if self.bidirectional else i + 1
            tokens = [j for j in range(start, end) if keep is None or keep[e, j]]
            if not tokens:
                o.append(0 * v[e, i])
                continue
            dots = k[e, tokens] @ q[e, i]
            bias = torch.stack([b[j - i + self.span - 1] for j in tokens])
            if self.function == "softmax":
                scores = (dots / self.sizes[-1] ** 0.5 + bias).exp()
                weights = scores / scores.sum()
            else:
                sigma = (1 / (4 * torch.pi)) ** 0.5
                scores = dots / len(tokens) + bias
                weights = 0.5 * (1 + torch.erf((scores - 0.5**0.5) / (sigma * 2**0.5)))
            o.append(weights @ v[e, tokens])
        attended = torch.stack(o).unflatten(0, x.shape[:2])
        h = silu(h + linear(self.U, silu(gamma) * attended))
        phi = 1 / (1 + (-phi).exp())
        return phi * h + (1 - phi) * x
