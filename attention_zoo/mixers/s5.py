"""S5: one diagonal state space for all channels, by a parallel scan."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from attention_zoo.attention import Support
from attention_zoo.errors import UsageError
from attention_zoo.mixer import Mixer
from attention_zoo.parts.hippo import hippo_normal
from attention_zoo.parts.scan import diagonal_scan
from attention_zoo.parts.steps import log_steps
from attention_zoo.precision import full_precision
from attention_zoo.registry import register_mixer

Spread = Literal["lecun", "truncated", "complex"]


@register_mixer("s5")
class S5(Mixer):
    """One state of P/2 complex modes, the halves of P conjugate ones, for all C channels:

        x′(t) = Λ x(t) + B u(t),  y(t) = 2 Re(C x(t)) + D ⊙ u(t),  Λ (P/2,), B (P/2, C), C (C, P/2)
        Λ̄ = exp(Λ Δ),  B̄ = (Λ̄ − 1) / Λ · B                                   (zero-order hold)
        Λ̄ = (1 + Λ Δ/2) / (1 − Λ Δ/2),  B̄ = Δ / (1 − Λ Δ/2) · B              (bilinear)
        xᵢ = Λ̄ ⊙ xᵢ₋₁ + B̄ uᵢ,  yᵢ = 2 Re(C xᵢ) + D ⊙ uᵢ

    and, bidirectional, 2 Re(C′ x′ᵢ) more, where x′ is the scan from the last token; that starts at
    the last real one, as the state is 0 before it. The result is gelu(y) ⊙ σ(W gelu(y) + b), or,
    `gate=linear`, y ⊙ σ(W gelu(y) + b). Padding may be anywhere and counts as an input of 0, but
    steps are those of positions: give the real tokens first where the result must not depend on
    where padding is.

    Λ starts from HiPPO-N, the normal part of HiPPO-LegS: `blocks` copies of the eigenvalues of its
    matrix of size P/blocks. B and C start random, in the basis of its eigenvectors V: B = V⁻¹B₀
    with a real B₀ (P, C) of variance 1/P, C = C₀V with a complex C₀ (C, P) whose real and imaginary
    parts have variance 1/P (`truncated`), or 1/(P·C) (`lecun`); these variances are what the public
    code's initialisers give for those shapes. Or C itself is complex normal (`complex`).

    Args:
        state: P.
        blocks: J, into which the state is cut where it starts.
        bidirectional: whether later tokens are seen.
        discretisation: how Λ̄ and B̄ follow from Λ and B.
        gate: `gelu` or `linear`.
        spread: how C starts.
        clip: whether real parts of Λ are kept at −10⁻⁴ or below, so that no mode grows.
        dt_min, dt_max: between which Δ, one a mode, is drawn, evenly in its logarithm.

    The authors' Long Range Arena scripts (repository lindermanlab/S5, bin/run_experiments) are all
    bidirectional with `zoh` and

                    state blocks  gate    spread     clip   dt_min  width  layers
        ListOps        16      8  linear  lecun      false  0.001     128       8
        Text          192     12  linear  lecun      false  0.001     256       6
        Retrieval     256     16  gelu    truncated  false  0.001     128       6
        Image         384      3  gelu    lecun      true   0.001     512       6
        Pathfinder    256      8  gelu    truncated  false  0.001     192       6
        Path-X        256     16  gelu    complex    false  0.0001    128       6

    without a feed-forward network, with batch norm and learning rates by parameter. Width, layers,
    norm and training belong to the model, not to the mixer. The code's gelu is the tanh
    approximation, the default of its library; this is the exact one.
    Smith et al. 2023 (arXiv 2208.04933).
    """

    support = Support(
        paper="Smith et al. 2023",
        time="N",
        memory="N",
        family="state spaces",
        dynamic_length=False,  # how often chunks are taken together depends on N
    )
    check_also = (
        "bidirectional=false,discretisation=bilinear,state=8,blocks=1",
        "gate=linear,spread=lecun,clip=true",
        "spread=complex,state=16,blocks=8",
    )

    def __init__(
        self,
        *,
        dim: int,
        max_len: int,
        state: int = 64,
        blocks: int = 4,
        bidirectional: bool = True,
        discretisation: Literal["zoh", "bilinear"] = "zoh",
        gate: Literal["gelu", "linear"] = "gelu",
        spread: Spread = "truncated",
        clip: bool = False,
        dt_min: float = 0.001,
        dt_max: float = 0.1,
    ) -> None:
        super().__init__(dim=dim, max_len=max_len)
        if blocks < 1 or state < 2 or state % (2 * blocks):
            raise UsageError(f"s5: state must be a multiple of 2·blocks; got {state} and {blocks}")
        self.bidirectional, self.discretisation = bidirectional, discretisation
        self.gate, self.clip = gate, clip
        eigenvalues, V = hippo_normal(state // blocks)
        V = torch.block_diag(*[V] * blocks)  # (P, P/2)
        self.decay = nn.Parameter(eigenvalues.real.float().repeat(blocks))
        self.frequency = nn.Parameter(eigenvalues.imag.float().repeat(blocks))
        self.log_dt = nn.Parameter(log_steps(state // 2, dt_min, dt_max))
        B = V.mH @ (_truncated(state, dim) / state**0.5).to(V.dtype)
        C = [_output(spread, dim, state, V) for _ in range(1 + bidirectional)]
        self.B = nn.Parameter(torch.view_as_real(B).float())  # (P/2, C, 2)
        self.C = nn.Parameter(torch.view_as_real(torch.stack(C)).float())  # (1 or 2, C, P/2, 2)
        self.D = nn.Parameter(torch.randn(dim))
        self.out = nn.Linear(dim, dim)

    def mix(self, x: Tensor, keep: Tensor | None) -> Tensor:
        exponents, B_bar = self.discretised()
        with full_precision(x, self.C, self.D) as (u, C, D):
            inputs = torch.einsum("bnc,pcr->bnpr", u, torch.view_as_real(B_bar))
            inputs = torch.view_as_complex(inputs.contiguous())
            y = _real_part(C[0], diagonal_scan(inputs, exponents)) + D * u
            if self.bidirectional:
                backward = diagonal_scan(inputs.flip(1), exponents).flip(1)
                y = y + _real_part(C[1], backward)
        y = y.to(x.dtype)
        active = F.gelu(y)
        return (active if self.gate == "gelu" else y) * self.out(active).sigmoid()

    def discretised(self) -> tuple[Tensor, Tensor]:  # (P/2,), (P/2, C)
        """log Λ̄ and B̄."""
        given = (self.decay, self.frequency, self.log_dt, self.B)
        with full_precision(*given) as (decay, frequency, log_dt, B):
            decay = decay.clamp(max=-1e-4) if self.clip else decay
            eigenvalues, dt = torch.complex(decay, frequency), log_dt.exp()
            step = eigenvalues * dt
            if self.discretisation == "zoh":
                # expm1: of a small Λ Δ, exp(Λ Δ) − 1 has no digit left in float32.
                exponents, scale = step, torch.expm1(step) / eigenvalues
            else:
                exponents = (1 + step / 2).log() - (1 - step / 2).log()
                scale = dt / (1 - step / 2)
            return exponents, scale[:, None] * torch.view_as_complex(B)

    def reference(self, x: Tensor, keep: Tensor | None) -> Tensor:
        decay = self.decay.double()
        decay = torch.where(decay > -1e-4, -1e-4, decay) if self.clip else decay
        A, dt = torch.diag(decay + 1j * self.frequency.double()), self.log_dt.double().exp()
        one, half = torch.eye(len(A), dtype=A.dtype), A * dt / 2
        B, C = (part.double()[..., 0] + 1j * part.double()[..., 1] for part in (self.B, self.C))
        if self.discretisation == "zoh":
            A_bar = torch.linalg.matrix_exp(A * dt)
            B_bar = torch.linalg.solve(A, (A_bar - one) @ B)
        else:
            A_bar = torch.linalg.solve(one - half, one + half)
            B_bar = torch.linalg.solve(one - half, dt[:, None] * B)
        u = x.double()
        y, order = u * self.D.double(), list(range(x.shape[1]))
        for c, places in zip(C, (order, order[::-1]), strict=False):
            state = torch.zeros(len(x), len(A), dtype=A.dtype)
            states = dict[int, Tensor]()
            for i in places:
                state = state @ A_bar.T + u[:, i].to(A.dtype) @ B_bar.T
                states[i] = state
            y = y + 2 * (torch.stack([states[i] for i in order], 1) @ c.T).real
        active = y / 2 * (1 + torch.erf(y / 2**0.5))
        gate = active @ self.out.weight.double().T + self.out.bias.double()
        return (active if self.gate == "gelu" else y) / (1 + (-gate).exp())


def _real_part(C: Tensor, states: Tensor) -> Tensor:  # (C, P/2, 2), (B, N, P/2) -> (B, N, C)
    """2 Re(C x): the real part of a product is that of the real parts less that of the others."""
    signed = torch.stack((C[..., 0], -C[..., 1]), -1)
    return 2 * torch.einsum("bnpr,cpr->bnc", torch.view_as_real(states), signed)


def _truncated(*shape: int) -> Tensor:
    """Normal draws of variance 1, none beyond two deviations of the normal they are cut from."""
    drawn = nn.init.trunc_normal_(torch.empty(*shape, dtype=torch.float64), a=-2, b=2)
    return drawn / 0.87962566103423978


def _output(spread: Spread, dim: int, state: int, V: Tensor) -> Tensor:  # (C, P/2)
    if spread == "complex":
        return torch.randn(dim, state // 2, dtype=torch.complex128)
    variance = 1 / state if spread == "truncated" else 1 / (state * dim)
    return torch.complex(*(_truncated(2, dim, state) * variance**0.5)) @ V
