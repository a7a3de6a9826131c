"""Convolutions as long as the sequence: their kernels as sums of exponentials, and the FFT."""

import torch
import torch.nn.functional as F
from torch import Tensor

BLOCK = 64  # l = 64·a + b: exp(l z) = exp(64·a z) exp(b z), so that no (C, M, N) is written


def exponential_sum(
    weights: Tensor,  # (C, M), real or complex
    exponents: Tensor,  # (C, M), real part at most about 0
    N: int,
) -> Tensor:  # (C, N)
    """Σₘ wₘ exp(zₘ l) for l = 0 … N−1, the Vandermonde product of a diagonal state space."""
    fine = torch.arange(BLOCK, device=weights.device)
    # One block more than is needed: torch.export would take a length of 1 for the only one.
    coarse = BLOCK * torch.arange(N // BLOCK + 2, device=weights.device)
    left = weights[..., None] * (exponents[..., None] * coarse).exp()  # (C, M, a)
    right = (exponents[..., None] * fine).exp()  # (C, M, b)
    return (left.mT @ right).flatten(1)[:, :N]


def long_convolution(
    x: Tensor,  # (B, N, C), zero at pads
    kernel: Tensor,  # (C, N)
    reverse: Tensor | None = None,  # (C, N)
) -> Tensor:  # (B, N, C)
    """yᵢ = Σ_{j ≤ i} kernelᵢ₋ⱼ xⱼ, plus Σ_{j > i} reverseⱼ₋ᵢ₋₁ xⱼ where a reverse kernel is given;
    zeros after the last token change nothing. x and the kernels are float32 or float64, which is
    what an FFT takes."""
    N = x.shape[1]
    kernel = F.pad(kernel, (0, N))
    if reverse is not None:
        kernel = kernel + F.pad(reverse.flip(-1), (N, 0))  # of period 2N: −1 is 2N − 1
    spectrum = torch.fft.rfft(x.mT, 2 * N) * torch.fft.rfft(kernel, 2 * N)
    return torch.fft.irfft(spectrum, 2 * N)[..., :N].mT
