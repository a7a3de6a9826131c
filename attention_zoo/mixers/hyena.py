"""Hyena: long convolutions with implicit filters between gates."""

import math
from itertools import pairwise
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from attention_zoo.attention import WITHOUT_FLOAT16, Support
from attention_zoo.errors import UsageError
from attention_zoo.mixer import Mixer
from attention_zoo.parts.long_convolution import long_convolution
from attention_zoo.precision import full_precision
from attention_zoo.registry import register_mixer
from attention_zoo.state import check_on_load

SLOW, FAST, TARGET = 1.5, 0.3, 0.01  # where in max_len the slowest and fastest windows are at 0.01


@register_mixer("hyena")
class Hyena(Mixer):
    """The order-n operator: projections v, x¹ … xⁿ of the input, and n long convolutions:

        z¹ = v,  zᵐ⁺¹ = xᵐ ⊙ (hᵐ * zᵐ + dᵐ ⊙ zᵐ),  y = W zⁿ⁺¹ + b
        hᵐ(l) = window(l) ⊙ FFN(e(l))ᵐ,  window(l) = exp(−δ l/(L − 1)) + shift
        e(l) = (l/(L − 1), cos(2πfl/L), −sin(2πfl/L)),  f from 10⁻⁴ to bands − 1,  L = max_len

    v, x¹ … xⁿ come from a linear layer and a causal convolution of 3 taps a channel. The FFN has
    three hidden layers with sin(ω ·), ω learned, and makes all filters; δ is spread evenly over the
    channels, so that the windows are at 0.01 after 0.3 to 1.5 times L. It is causal: a classifier
    that reads the first token sees that one alone. Padding may be anywhere and counts as a 0, but
    distances are those of positions: give the real tokens first where the result must not depend on
    where padding is.

    Departures from the public code (repository HazyResearch/safari): its order counts the gates and
    starts with one, without the first convolution here, so that its order 3 with a first gate of 1
    is order 2 here; its δ is spread over all filters together. dᵐ is in the code, not in the
    paper's recurrence.

    Args:
        order: n, convolutions and gates.
        width: of the FFN's hidden layers.
        bands: frequencies f.
        frequency: ω to begin with.
        shift: what the window keeps of a filter at every distance.

    The defaults are those of the code's associative recall configuration. It has none of Hyena for
    Long Range Arena.
    Poli et al. 2023 (arXiv 2302.10866), definition 3.1 and §3.3.
    """

    support = Support(
        paper="Poli et al. 2023",
        time="N log N",
        memory="N",
        family="long convolutions",
        causal="always",
        dtypes=WITHOUT_FLOAT16,  # a product of n + 1 projections leaves float16's range
    )
    exceptions: ClassVar = {
        "float32": "filters are sines of a network's values, many periods long: rounding grows",
    }
    check_also = ("order=1,bands=1", "order=3,width=8,shift=0.1")

    def __init__(
        self,
        *,
        dim: int,
        max_len: int,
        order: int = 2,
        width: int = 64,
        bands: int = 2,
        frequency: float = 10.0,
        shift: float = 0.0,
    ) -> None:
        super().__init__(dim=dim, max_len=max_len)
        if min(order, width, bands) < 1:
            raise UsageError(
                f"hyena: order, width and bands must be positive; got {order}, {width} and {bands}"
            )
        check_on_load(self, max_len=max_len)
        self.order, self.bands, self.shift = order, bands, shift
        streams = (order + 1) * dim
        self.project = nn.Linear(dim, streams)
        bound = 3**-0.5
        self.taps = nn.Parameter(torch.empty(streams, 1, 3).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(streams).uniform_(-bound, bound))
        sizes = (2 * bands + 1, width, width, width)
        self.hidden = nn.ModuleList(nn.Linear(*pair) for pair in pairwise(sizes))
        self.omega = nn.Parameter(torch.full((width,), frequency))
        self.filters = nn.Linear(width, order * dim, bias=False)
        self.d = nn.Parameter(torch.randn(order, dim))
        self.out = nn.Linear(dim, dim)

    def mix(self, x: Tensor, keep: Tensor | None) -> Tensor:
        N, streams = x.shape[1], self.project(x)
        with full_precision(streams, self.taps, self.bias, self.d) as (wide, taps, bias, d):
            wide = _masked(wide, keep).mT
            wide = F.conv1d(wide, taps, bias, padding=2, groups=len(taps))[..., :N].mT
            z, *gates = _masked(wide, keep).chunk(self.order + 1, -1)
            for gate, kernel, passed in zip(gates, self.kernels(N), d, strict=True):
                z = gate * (long_convolution(z, kernel) + passed * z)
        return self.out(z.to(x.dtype))

    def kernels(self, N: int) -> Tensor:  # (n, C, N)
        given = (self.omega, self.filters.weight, *self.hidden.parameters())
        with full_precision(*given) as (omega, last, *hidden):
            place = torch.arange(N, device=omega.device, dtype=omega.dtype)
            t = place[:, None] / max(1, self.max_len - 1)
            f = _evenly(1e-4, self.bands - 1, self.bands, omega)
            angle = 2 * math.pi / self.max_len * place[:, None] * f
            y = torch.cat((t, angle.cos(), -angle.sin()), -1)
            for weight, bias in zip(hidden[::2], hidden[1::2], strict=True):
                y = (omega * F.linear(y, weight, bias)).sin()
            decays = -math.log(TARGET) * _evenly(1 / SLOW, 1 / FAST, self.dim, omega)
            window = (-t * decays).exp() + self.shift
            filters = F.linear(y, last).unflatten(-1, (self.order, -1)) * window[:, None]
            return filters.permute(1, 2, 0)

    def reference(self, x: Tensor, keep: Tensor | None) -> Tensor:
        p = {name: value.double() for name, value in self.named_parameters()}
        B, N, C = x.shape
        real = torch.ones(B, N, 1) if keep is None else keep[..., None].double()
        streams = (x.double() @ p["project.weight"].T + p["project.bias"]) * real
        shifted = [F.pad(streams, (0, 0, back, 0))[:, :N] for back in (2, 1, 0)]
        taps = p["taps"][:, 0].unbind(-1)
        streams = taps[0] * shifted[0] + taps[1] * shifted[1] + taps[2] * shifted[2] + p["bias"]
        streams = streams * real
        h = torch.stack([self._filter_at(p, place) for place in range(N)])  # (N, n, C)
        z = streams[..., :C]
        for m in range(self.order):
            gate = streams[..., (m + 1) * C : (m + 2) * C]
            rows = [(h[: i + 1, m].flip(0) * z[:, : i + 1]).sum(1) for i in range(N)]
            z = gate * (torch.stack(rows, 1) + p["d"][m] * z)
        return z @ p["out.weight"].T + p["out.bias"]

    def _filter_at(self, p: dict[str, Tensor], place: int) -> Tensor:  # (n, C)
        L, K = self.max_len, self.bands
        f = [1e-4 + (K - 1 - 1e-4) * k / (K - 1) if K > 1 else 1e-4 for k in range(K)]
        t = place / (L - 1) if L > 1 else 0.0
        angles = [2 * math.pi * place * k / L for k in f]
        y = torch.tensor(
            [t, *map(math.cos, angles), *(-math.sin(a) for a in angles)], dtype=torch.float64
        )
        for layer in range(3):
            y = (p["omega"] * (p[f"hidden.{layer}.weight"] @ y + p[f"hidden.{layer}.bias"])).sin()
        first, last = math.log(100) / 1.5, math.log(100) / 0.3
        steps = max(1, self.dim - 1)
        window = [math.exp(-t * (first + (last - first) * c / steps)) for c in range(self.dim)]
        shifted = torch.tensor(window, dtype=torch.float64) + self.shift
        return (p["filters.weight"] @ y).unflatten(0, (self.order, -1)) * shifted


def _masked(x: Tensor, keep: Tensor | None) -> Tensor:  # (B, N, C)
    return x if keep is None else torch.where(keep[..., None], x, 0.0)


def _evenly(first: float, last: float, count: int, like: Tensor) -> Tensor:
    return torch.linspace(first, last, count, dtype=like.dtype, device=like.device)
