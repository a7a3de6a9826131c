"""Angular locality-sensitive hashing by random rotations."""

import torch
from torch import Tensor


def axes_for(bits: int, most: int) -> int:
    """How many axes tell 2^bits buckets apart in factors of at most 2^most buckets: one of b
    buckets has b/2. Unfactorised, the hashes of N tokens would cost N² where b grows with N."""
    factors, rest = divmod(bits, most)
    return max(1, factors * 2 ** (most - 1) + 2**rest // 2)


@torch.no_grad()
def angular_buckets(
    x: Tensor,  # (B, H, N, D)
    rotations: Tensor,  # (H, R, D, axes)
    bits: Tensor,  # (B,) long: an example has 2^bits buckets
    most: int,
) -> Tensor:  # (B, H, R, N) long
    """R hashes argmax([xΩ; −xΩ]) of each token, Ω of b/2 columns for b buckets. More than 2^most
    buckets are numbered by several such digits, the lowest first, each with its own columns."""
    omega = rotations.to(x.dtype).transpose(1, 2)  # (H, D, R, axes)
    rotated = (x @ omega.flatten(2)).unflatten(-1, omega.shape[2:])  # (B, H, N, R, axes)
    bucket = torch.zeros((), dtype=torch.long, device=x.device)
    for f, part in enumerate(rotated.split(2 ** (most - 1), -1)):
        digits = (bits - f * most).clamp(0, most)[:, None, None, None]  # (B, 1, 1, 1)
        half = 2**digits // 2
        unused = torch.arange(part.shape[-1], device=x.device) >= half[..., None].clamp(min=1)
        axis = part.abs().masked_fill(unused, -1.0).argmax(-1)  # (B, H, N, R)
        negative = part.gather(-1, axis[..., None])[..., 0] < 0
        bucket = bucket + ((axis + half * negative) << f * most)
    return bucket.mT
