"""FNet: the Fourier transform over tokens and channels."""

import math
from typing import Literal

import torch
from torch import Tensor

from attention_zoo.attention import WITHOUT_FLOAT16, Support
from attention_zoo.mixer import Mixer
from attention_zoo.parts.ranks import from_front, to_front
from attention_zoo.precision import full_precision
from attention_zoo.registry import register_mixer


@register_mixer("fnet")
class FNet(Mixer):
    """Re(F_seq(F_h(x))), where F_h is the discrete Fourier transform over channels and F_seq that
    over tokens, of each example's true length n. Nothing is learned:

        y_kd = Re Σ_{j < n} Σ_{c < C} x_jc exp(−2πi (jk/n + cd/C))

    j and k are ranks of real tokens, so that neither the amount nor the place of padding matters.
    transformers' FNet transforms the padded length, so that a result there depends on it.

    Without padding it is one fast transform. With padding, examples of different lengths are
    transformed together by Bluestein's algorithm, jk = (j² + k² − (k − j)²)/2, a convolution with
    a chirp for each length: three transforms of at least 2N − 1 places, still O(N log N).

    Args:
        norm: `backward`, the paper's, multiplies by nothing, so that y is larger than x by a factor
            of about √(nC); `ortho` divides by √(nC), which is not in the paper.

    The paper's models have norms after the residual connections; this and their widths and depths
    belong to the model, not to the mixer, and are outside the comparable protocol. The paper
    reports Long Range Arena results; we have read no configuration of them.
    Lee-Thorp et al. 2022 (arXiv 2105.03824), eq. 3.
    """

    support = Support(
        paper="Lee-Thorp et al. 2022",
        time="N log N",
        memory="N",
        family="Fourier transforms",
        dtypes=WITHOUT_FLOAT16,  # the sum of all entries leaves float16's range
        dynamic_length=False,  # the transform's length is a power of 2 that follows N
    )
    check_also = ("norm=ortho",)

    def __init__(
        self, *, dim: int, max_len: int, norm: Literal["backward", "ortho"] = "backward"
    ) -> None:
        super().__init__(dim=dim, max_len=max_len)
        self.norm = norm

    def mix(self, x: Tensor, keep: Tensor | None) -> Tensor:
        with full_precision(x) as (wide,):
            if keep is None:
                return torch.fft.fft2(wide, norm=self.norm).real.to(x.dtype)
            n = keep.sum(1).clamp(min=1)
            y = dft_of_lengths(torch.fft.fft(to_front(wide, keep), norm=self.norm), n).real
            if self.norm == "ortho":
                y = y * n.to(y.dtype).rsqrt()[:, None, None]
            return from_front(y, keep).to(x.dtype)

    def reference(self, x: Tensor, keep: Tensor | None) -> Tensor:
        y = torch.zeros_like(x, dtype=torch.float64)
        for b, row in enumerate(x.double()):
            real = torch.ones(len(row), dtype=torch.bool) if keep is None else keep[b]
            tokens, channels = _dft_matrix(int(real.sum())), _dft_matrix(x.shape[2])
            mixed = (tokens @ row[real].to(tokens.dtype) @ channels).real
            size = mixed.numel() if self.norm == "ortho" else 1
            y[b] = y[b].masked_scatter(real[:, None], mixed / math.sqrt(max(1, size)))
        return y


def dft_of_lengths(
    x: Tensor,  # (B, N, C) complex, zero from place n on
    n: Tensor,  # (B,) from 1 to N
) -> Tensor:  # (B, N, C)
    """Σ_{j < n} x_j exp(−2πi jk/n) of each example; places k from n on hold no result."""
    N = x.shape[1]
    size = 1 << (2 * N - 2).bit_length()
    place = torch.arange(N, device=x.device)
    # j² as an integer modulo 2n: as a float, a large angle would lose its digits.
    turns = (place * place % (2 * n[:, None])).to(x.real.dtype) / n[:, None]
    angle = math.pi * turns
    chirp = torch.polar(torch.ones_like(angle), -angle)[..., None]  # (B, N, 1)
    kernel = torch.cat(
        (
            chirp.conj(),
            chirp.new_zeros(x.shape[0], size - 2 * N + 1, 1),
            chirp.conj()[:, 1:].flip(1),
        ),
        1,
    )
    product = torch.fft.fft(x * chirp, size, dim=1) * torch.fft.fft(kernel, dim=1)
    return torch.fft.ifft(product, dim=1)[:, :N] * chirp


def _dft_matrix(n: int) -> Tensor:  # (n, n) complex128
    place = torch.arange(n, dtype=torch.float64)
    return torch.exp(-2j * math.pi / max(1, n) * torch.outer(place, place))
