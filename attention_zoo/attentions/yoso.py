"""YOSO: attention by the collisions of random hashes."""

import math
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from attention_zoo.attention import WITHOUT_FLOAT16, Attention, Support
from attention_zoo.derivatives import Rules, autograd_function, save
from attention_zoo.errors import UsageError
from attention_zoo.flops import Cost, Inputs, Product
from attention_zoo.operators import AttentionOperator, CollisionOperator, DenseOperator
from attention_zoo.parts.hyperplanes import random_hyperplanes, side_codes
from attention_zoo.precision import full_precision
from attention_zoo.registry import register_attention
from attention_zoo.state import check_on_load


@register_attention("yoso")
class Yoso(Attention):
    """Bernoulli sampling: Āᵢⱼ = (1/m) Σₕ 1[fₕ(qᵢ) = fₕ(kⱼ)], fₕ the sides of τ random hyperplanes,
    whose expectation is (1 − arccos(q̂ᵢ·k̂ⱼ)/π)^τ with q̂ = q/|q|, k̂ = k/|k|. Rows do not sum to 1;
    `finish` divides each token of the result by its ℓ₂ norm (0 stays 0).

    The gradient is the paper's: exact for v, and for q̂ and k̂ the lower bound (τ/2) Āᵢⱼ in place of
    the derivative of the expectation, which is unbounded. It costs O(N m D²) and no N×N. (Released
    code has two versions; the second takes the derivative at a choice of the colliding pairs.)
    hashes: m; 16 as in the public LRA configurations. bits: τ; auto is ⌈log₂ max_len⌉, the 10, 11
    and 12 of those. redraw: training steps between two draws; the paper samples at every pass.
    `yoso-e` is the expectation itself, with the same gradient.
    It holds planes (H, m, τ, D), of each head its own. The public code draws them anew for each
    example, and in evaluation; here they are shared in a batch and fixed in evaluation, so that no
    result depends on other examples. Its Hadamard hashing and its depthwise convolution beside the
    attention are left out. Zeng et al. 2021 (arXiv 2111.09714).
    """

    support = Support(
        paper="Zeng et al. 2021",
        rows_sum_to_one=False,
        time="N",
        memory="N",
        family="hashing and sampling",
        surrogate_gradient=True,
        dtypes=WITHOUT_FLOAT16,  # rows sum to as much as N
    )
    exceptions: ClassVar = {
        "autocast": "a hash is not continuous: rounding q or k to bfloat16 "
        "moves tokens to other buckets"
    }
    # Few bits fill the buckets at the kit's N; one bit has the largest.
    check_also = ("hashes=3,bits=2", "hashes=1,bits=1")
    planes: Tensor  # (H, m, τ, D)

    def __init__(
        self,
        *,
        heads: int,
        head_dim: int,
        max_len: int,
        hashes: int = 16,
        bits: int | Literal["auto"] = "auto",
        redraw: int = 1,
    ) -> None:
        super().__init__(heads=heads, head_dim=head_dim, max_len=max_len)
        self.bits = _bits(bits, max_len)
        if hashes < 1 or redraw < 0:
            raise UsageError(f"yoso needs hashes ≥ 1 and redraw ≥ 0, not {hashes} and {redraw}")
        self.redraw = redraw
        self.register_buffer("planes", torch.empty(heads, hashes, self.bits, head_dim))
        self.resample(torch.Generator().manual_seed(0))

    def resample(self, generator: torch.Generator) -> None:
        self.planes.copy_(random_hyperplanes(self.planes.shape, generator))

    def operator(self, q: Tensor, k: Tensor, keep: Tensor | None) -> AttentionOperator:
        like = q
        with full_precision(q, k) as (q, k):
            q, k = _unit(q), _unit(k)
            planes = self.planes.to(q.dtype)
            with torch.no_grad():
                codes = side_codes(q, planes), side_codes(k, planes)
        return CollisionOperator(like, q, k, *codes, 2**self.bits, self.bits / 2, keep)

    def cost(self, inputs: Inputs) -> Cost:
        (B, H, N, D), (_, m, bits, _) = inputs.shape, self.planes.shape
        return CollisionOperator.cost(inputs).made_by(
            Product(N, D, bits, 2 * m * B * H, backward=0)
        )

    def finish(self, y: Tensor) -> Tensor:
        return _normalised(y)

    def reference(self, q: Tensor, k: Tensor, keep: Tensor | None) -> Tensor:
        sides = [torch.einsum("bhnd,hmtd->bhmnt", x, self.planes.to(x.dtype)) > 0 for x in (q, k)]
        equal = (sides[0][..., :, None, :] == sides[1][..., None, :, :]).all(-1)
        return _straight_through(equal.to(q.dtype).mean(2), _cosines(q, k), self.bits, keep)


@register_attention("yoso-e")
class YosoE(Attention):
    """YOSO-E: Āᵢⱼ = (1 − arccos(q̂ᵢ·k̂ⱼ)/π)^τ, what `yoso` estimates, with its gradient and its
    `finish`, written down: O(N²) memory. bits: τ, as there. Rows do not sum to 1.
    Zeng et al. 2021 (arXiv 2111.09714).
    """

    support = Support(
        paper="Zeng et al. 2021",
        rows_sum_to_one=False,
        time="N²",
        memory="N²",
        family="hashing and sampling",
        surrogate_gradient=True,
        dropout="fixed",
        dtypes=WITHOUT_FLOAT16,  # rows sum to as much as N
    )
    check_also = ("bits=1", "bits=9")

    def __init__(
        self, *, heads: int, head_dim: int, max_len: int, bits: int | Literal["auto"] = "auto"
    ) -> None:
        super().__init__(heads=heads, head_dim=head_dim, max_len=max_len)
        self.bits = _bits(bits, max_len)
        check_on_load(self, bits=self.bits)

    def operator(self, q: Tensor, k: Tensor, keep: Tensor | None) -> DenseOperator:
        dtype = q.dtype
        with full_precision(q, k) as (q, k):
            matrix = _Expected(_unit(q) @ _unit(k).mT, self.bits, keep)
        return DenseOperator(matrix.to(dtype), keep)

    def cost(self, inputs: Inputs) -> Cost:
        B, H, N, D = inputs.shape
        return DenseOperator.cost(inputs).made_by(Product(N, D, N, B * H))

    def finish(self, y: Tensor) -> Tensor:
        return _normalised(y)

    def reference(self, q: Tensor, k: Tensor, keep: Tensor | None) -> Tensor:
        cosines = _cosines(q, k)
        expected = (1 - cosines.detach().clamp(-1, 1).arccos() / torch.pi).pow(self.bits)
        return _straight_through(expected, cosines, self.bits, keep)


@autograd_function
class _Expected(Rules):
    """(1 − arccos(c)/π)^τ of cosines; for its derivative (τ/2) times itself, as a constant."""

    @staticmethod
    def forward(cosines: Tensor, bits: int, keep: Tensor | None) -> Tensor:
        matrix = cosines.clamp(-1, 1).acos_().div_(-math.pi).add_(1).pow_(bits)
        # In place: k was masked before, so that the cosines are of as many examples as `keep`.
        return matrix if keep is None else matrix.masked_fill_(~keep[:, None, None], 0)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        save(ctx, output)
        ctx.slope = inputs[1] / 2

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        (matrix,) = ctx.saved_tensors
        return (grad * matrix.detach()).mul_(ctx.slope), None, None

    @staticmethod
    def jvp(ctx: Any, change: Tensor, *_: None) -> Tensor:
        (matrix,) = ctx.saved_tensors
        return change * matrix.detach() * ctx.slope


def _bits(bits: int | Literal["auto"], max_len: int) -> int:
    number = max(1, math.ceil(math.log2(max_len))) if bits == "auto" else bits
    if not 1 <= number <= 16:
        raise UsageError(f"yoso needs bits in 1–16, not {number}")
    return number


def _normalised(y: Tensor) -> Tensor:
    with full_precision(y) as (wide,):
        return _unit(wide).to(y.dtype)


def _cosines(q: Tensor, k: Tensor) -> Tensor:
    """q̂ k̂ᵀ, for references."""
    q, k = (torch.nn.functional.normalize(x, dim=-1, eps=1e-12) for x in (q, k))
    return torch.einsum("bhid,bhjd->bhij", q, k)


def _straight_through(matrix: Tensor, cosines: Tensor, bits: int, keep: Tensor | None) -> Tensor:
    """The matrix with the gradient of its lower bound, for references."""
    if keep is not None:
        matrix = matrix * keep[:, None, None]
    return matrix + bits / 2 * matrix * (cosines - cosines.detach())


def _unit(x: Tensor) -> Tensor:
    """x / |x|, and 0 with gradient 0 where x is 0, or so small that 1/|x|³ is no number."""
    square = x.square().sum(-1, keepdim=True)
    zero = square < 1e-24
    return torch.where(zero, 0.0, x * torch.where(zero, 1.0, square).rsqrt())
