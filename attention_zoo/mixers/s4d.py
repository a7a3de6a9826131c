"""S4D: a diagonal state space for each channel, as one long convolution."""

import math
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from attention_zoo.attention import Support
from attention_zoo.errors import UsageError
from attention_zoo.mixer import Mixer
from attention_zoo.parts.hippo import hippo_input, hippo_normal
from attention_zoo.parts.long_convolution import exponential_sum, long_convolution
from attention_zoo.parts.steps import log_steps
from attention_zoo.precision import full_precision
from attention_zoo.registry import register_mixer

Start = Literal["legs", "lin", "inv", "real"]


@register_mixer("s4d")
class S4D(Mixer):
    """Each channel has a state of M = N/2 complex modes, the halves of N conjugate ones:

        x′(t) = A x(t) + B u(t),  y(t) = 2 Re(C x(t)) + D u(t),  A = −exp(log_decay) + i·frequency
        Ā = exp(Δ A),  B̄ = (Ā − 1) / A · B                        (zero-order hold)
        yᵢ = Σ_{j ≤ i} Kᵢ₋ⱼ uⱼ + D uᵢ,  Kₗ = 2 Re Σₙ Cₙ B̄ₙ Āₙˡ

    and, bidirectional, Σ_{j > i} K′ⱼ₋ᵢ₋₁ uⱼ with another C. The result is GLU(W gelu(y) + b), W
    (2C, C). Padding may be anywhere and counts as an input of 0, but distances are those of
    positions: give the real tokens first where the result must not depend on where padding is.

    The modes start, for n = 0 … M − 1, from

        legs  the eigenvalues of HiPPO-LegS' normal part, and B its input in their basis
        lin   Aₙ = −1/2 + iπn,  B = 1
        inv   Aₙ = −1/2 + i·N/π·(N/(2n + 1) − 1),  B = 1
        real  Aₙ = −(n + 1),  B = 1

    In legs the theory takes B/2 for a diagonal state space; as in the public code, B is not halved,
    and C is random in any case. That code clips the imaginary part of this B to ±2; this does not.

    Args:
        init: what the modes start from.
        state: N.
        bidirectional: whether later tokens are seen.
        dt_min, dt_max: between which Δ, one a channel, is drawn, evenly in its logarithm.

    The defaults are those of the authors' Long Range Arena configurations of their third version
    (repository state-spaces/s4, configs/experiment/lra/old/v3-s4-*.yaml), whose change log names
    this paper as one that reports them; Path-X has dt_min=0.0001. The other settings there belong
    to the model and its training, not to the mixer: 6 or 8 layers of width 128, 256 or 512 without
    a feed-forward network, batch or layer norm, and for A and B a learning rate of 0.001 or less
    without weight decay.
    Gu et al. 2022 (arXiv 2206.11893).
    """

    support = Support(
        paper="Gu et al. 2022",
        time="N log N",
        memory="N",
        family="state spaces",
    )
    check_also = ("init=lin,bidirectional=false", "init=inv,state=8", "init=real")

    def __init__(
        self,
        *,
        dim: int,
        max_len: int,
        init: Start = "legs",
        state: int = 64,
        bidirectional: bool = True,
        dt_min: float = 0.001,
        dt_max: float = 0.1,
    ) -> None:
        super().__init__(dim=dim, max_len=max_len)
        self.bidirectional = bidirectional
        A, B = initial(init, state)
        M = len(A)
        self.log_dt = nn.Parameter(log_steps(dim, dt_min, dt_max))
        self.log_decay = nn.Parameter((-A.real).log().float().repeat(dim, 1))
        self.frequency = nn.Parameter(A.imag.float().repeat(dim, 1))
        self.B = nn.Parameter(torch.view_as_real(B).float().repeat(dim, 1, 1))
        # A complex normal C of variance 1.
        self.C = nn.Parameter(torch.randn(1 + bidirectional, dim, M, 2) / math.sqrt(2))
        self.D = nn.Parameter(torch.randn(dim))
        self.out = nn.Linear(dim, 2 * dim)

    def mix(self, x: Tensor, keep: Tensor | None) -> Tensor:
        with full_precision(x, self.D) as (u, D):
            y = long_convolution(u, *self.kernels(x.shape[1])) + D * u
        return F.glu(self.out(F.gelu(y).to(x.dtype)), -1)

    def kernels(self, N: int) -> tuple[Tensor, ...]:
        """K, and K′ where it is bidirectional, each (C, N)."""
        given = (self.log_dt, self.log_decay, self.frequency, self.B, self.C)
        with full_precision(*given) as (log_dt, log_decay, frequency, B, C):
            A = torch.complex(-log_decay.exp(), frequency)
            exponents = A * log_dt.exp()[:, None]
            # expm1: of a small Δ A, exp(Δ A) − 1 has no digit left in float32.
            B_bar = torch.expm1(exponents) / A * torch.view_as_complex(B)
            return tuple(
                2 * exponential_sum(c * B_bar, exponents, N).real for c in torch.view_as_complex(C)
            )

    def reference(self, x: Tensor, keep: Tensor | None) -> Tensor:
        A = -self.log_decay.double().exp() + 1j * self.frequency.double()
        B, C = (part.double()[..., 0] + 1j * part.double()[..., 1] for part in (self.B, self.C))
        A_bar = (A * self.log_dt.double().exp()[:, None]).exp()
        u = x.double()
        y = list((u * self.D.double()).unbind(1))
        state = torch.zeros(len(x), *A.shape, dtype=A.dtype)  # (B, C, M)
        for i in range(x.shape[1]):
            state = A_bar * state + (A_bar - 1) / A * B * u[:, i, :, None]
            y[i] = y[i] + 2 * (C[0] * state).sum(-1).real
        state = torch.zeros_like(state)
        for i in reversed(range(x.shape[1] if self.bidirectional else 0)):
            y[i] = y[i] + 2 * (C[1] * state).sum(-1).real
            state = A_bar * state + (A_bar - 1) / A * B * u[:, i, :, None]
        gelu = torch.stack(y, 1) / 2 * (1 + torch.erf(torch.stack(y, 1) / math.sqrt(2)))
        a, b = (gelu @ self.out.weight.double().T + self.out.bias.double()).chunk(2, -1)
        return a / (1 + (-b).exp())


def initial(init: Start, state: int) -> tuple[Tensor, Tensor]:  # (M,), (M,) complex128
    """The A and B that the modes start from."""
    if state < 2 or state % 2:
        raise UsageError(f"s4d: state must be even and at least 2; got {state}")
    n = torch.arange(state // 2, dtype=torch.float64)
    half, ones = torch.full_like(n, -0.5), torch.ones(state // 2, dtype=torch.complex128)
    if init == "legs":
        A, V = hippo_normal(state)
        return A, V.mH @ hippo_input(state).to(V.dtype)
    if init == "lin":
        return torch.complex(half, math.pi * n), ones
    if init == "inv":
        return torch.complex(half, state / math.pi * (state / (2 * n + 1) - 1)), ones
    return torch.complex(-(n + 1), torch.zeros_like(n)), ones
