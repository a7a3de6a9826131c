"""Mamba: a state space whose steps, inputs and outputs follow the token, between gates."""

import math
from importlib.util import find_spec
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from attention_zoo.attention import WITHOUT_FLOAT16, Support
from attention_zoo.errors import UnsupportedError, UsageError
from attention_zoo.mixer import Mixer
from attention_zoo.parts.ranks import from_front, to_front
from attention_zoo.parts.selective_scan import selective_scan
from attention_zoo.parts.steps import log_steps
from attention_zoo.precision import full_precision
from attention_zoo.registry import register_mixer


@register_mixer("mamba")
class Mamba(Mixer):
    """The selective state space, E = expand · C channels of `state` modes each:

        (u, z) = W_in x,  u ← silu(conv(u))                  causal, `taps` a channel, with a bias
        (δ, B, C) = W_x u,  Δ = softplus(W_Δ δ + b_Δ),  A = −exp(A_log)
        hᵢ = exp(Δᵢ A) ⊙ hᵢ₋₁ + Δᵢ uᵢ Bᵢᵀ,  yᵢ = hᵢ Cᵢ + D ⊙ uᵢ
        result = W_out (y ⊙ silu(z))

    Only A is by zero-order hold; B̄ = Δ B, as in the public code. i counts real tokens: a pad passes
    the states of the recurrence and of the convolution on unchanged, wherever it is. It is causal:
    a classifier that reads the first token sees that one alone.

    A starts at −1, −2, …, −state (S4D-real), D at 1, b_Δ where Δ is drawn between dt_min and
    dt_max, evenly in its logarithm, and at least 10⁻⁴, and W_Δ evenly within ±rank^(−½).

    Args:
        state: modes a channel.
        taps: of the convolution.
        expand: E / C.
        rank: of δ, 0 for C/16 rounded up.
        dt_min, dt_max: between which Δ starts.
        kernel: `torch`, a scan in chunks, or `mamba-ssm`, that package's CUDA kernel, refused where
            it is not installed or the input is not on a GPU; it has not been run here.

    The defaults are those of the public code (repository state-spaces/mamba, mamba_simple.py). We
    know of no Long Range Arena configuration by the authors. The paper's models are stacks of this
    alone, without feed-forward networks and with a norm before each; these belong to the model and
    are outside the comparable protocol.
    Gu and Dao 2023 (arXiv 2312.00752), eq. 2, algorithm 2 and §3.4, §3.6.
    """

    support = Support(
        paper="Gu and Dao 2023",
        time="N",
        memory="N",
        family="state spaces",
        causal="always",
        dtypes=WITHOUT_FLOAT16,  # products of three gates leave its range
        dynamic_length=False,  # how many chunks there are depends on N
    )
    check_also = ("state=3,taps=1,expand=1,rank=2",)

    def __init__(
        self,
        *,
        dim: int,
        max_len: int,
        state: int = 16,
        taps: int = 4,
        expand: int = 2,
        rank: int = 0,
        dt_min: float = 0.001,
        dt_max: float = 0.1,
        kernel: Literal["torch", "mamba-ssm"] = "torch",
    ) -> None:
        super().__init__(dim=dim, max_len=max_len)
        if min(state, taps, expand) < 1 or rank < 0:
            raise UsageError(
                "mamba: state, taps and expand must be positive, rank at least 0; got "
                f"{state}, {taps}, {expand} and {rank}"
            )
        if kernel == "mamba-ssm" and find_spec("mamba_ssm") is None:
            raise UnsupportedError(
                "mamba: kernel=mamba-ssm needs the package mamba-ssm, which is not installed; "
                "install it, or use kernel=torch"
            )
        self.kernel, self.state, self.rank = kernel, state, rank or math.ceil(dim / 16)
        E = expand * dim
        self.project = nn.Linear(dim, 2 * E, bias=False)
        self.conv = nn.Conv1d(E, E, taps, groups=E, padding=taps - 1)
        self.select = nn.Linear(E, self.rank + 2 * state, bias=False)
        self.step = nn.Linear(self.rank, E)
        dt = log_steps(E, dt_min, dt_max).exp().clamp(min=1e-4)
        with torch.no_grad():
            self.step.weight.uniform_(-(self.rank**-0.5), self.rank**-0.5)
            self.step.bias.copy_(dt + (-torch.expm1(-dt)).log())  # softplus of it is dt
        self.A_log = nn.Parameter(torch.arange(1.0, state + 1).log().repeat(E, 1))
        self.D = nn.Parameter(torch.ones(E))
        self.out = nn.Linear(E, dim, bias=False)

    def mix(self, x: Tensor, keep: Tensor | None) -> Tensor:
        if self.kernel == "mamba-ssm" and (not x.is_cuda or x.dtype == torch.float64):
            raise UnsupportedError(
                "mamba: kernel=mamba-ssm needs a GPU and at most 32 bits; got x on "
                f"{x.device} of {x.dtype}; use kernel=torch"
            )
        N, (u, z) = x.shape[1], self.project(to_front(x, keep)).chunk(2, -1)
        given = (u, self.conv.weight, self.conv.bias, self.select.weight, *self.step.parameters())
        with full_precision(*given, self.A_log, self.D) as wide:
            u, taps, bias, select, step, start, A_log, D = wide
            u = F.conv1d(u.mT, taps, bias, padding=taps.shape[-1] - 1, groups=len(taps))
            u = F.silu(u[..., :N].mT)
            delta, B, C = F.linear(u, select).split((self.rank, self.state, self.state), -1)
            delta = F.softplus(F.linear(delta, step, start))
            scan = selective_scan if self.kernel == "torch" else _by_mamba_ssm
            y = (scan(u, delta, -A_log.exp(), B, C) + D * u) * F.silu(z.to(u.dtype))
        return from_front(self.out(y.to(x.dtype)), keep)

    def reference(self, x: Tensor, keep: Tensor | None) -> Tensor:
        p = {name: value.double() for name, value in self.named_parameters()}
        examples = []
        for b, row in enumerate(x.double()):
            result = [torch.zeros_like(row[0])] * len(row)
            u, z = (row @ p["project.weight"].T).chunk(2, -1)
            h, past = torch.zeros_like(p["A_log"]), list[Tensor]()
            for i in range(len(row)):
                if keep is not None and not keep[b, i]:
                    continue
                past.append(u[i])
                s = p["conv.bias"]
                for back, tap in enumerate(p["conv.weight"][:, 0].flip(1).T[: len(past)]):
                    s = s + tap * past[-1 - back]
                s = s / (1 + (-s).exp())
                chosen = p["select.weight"] @ s
                low, B, C = chosen.split((self.rank, self.state, self.state))
                delta = (1 + (p["step.weight"] @ low + p["step.bias"]).exp()).log()
                decay = torch.exp(-delta[:, None] * p["A_log"].exp())
                h = decay * h + torch.outer(delta * s, B)
                y = h @ C + p["D"] * s
                result[i] = p["out.weight"] @ (y * z[i] / (1 + (-z[i]).exp()))
            examples.append(torch.stack(result))
        return torch.stack(examples)


def _by_mamba_ssm(u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor) -> Tensor:
    from mamba_ssm.ops.selective_scan_interface import selective_scan_fn

    y: Tensor = selective_scan_fn(u.mT, delta.mT, A, B.mT, C.mT)
    return y.mT
