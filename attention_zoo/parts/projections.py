"""Random projections."""

import torch
from torch import Tensor

from attention_zoo.errors import UsageError

MOST = 1 << 16  # rows: more would take minutes to draw, and no paper comes near


def orthogonal_gaussian(rows: int, width: int, generator: torch.Generator) -> Tensor:
    """(rows, width) Gaussian rows, orthogonal within each block of `width` of them, with the
    lengths of independent Gaussian vectors (Choromanski et al. 2021, §2.4)."""
    if rows > MOST:
        raise UsageError(f"{rows:,} random features are too many: at most {MOST:,}")
    blocks = []
    for _ in range(-(-rows // width)):
        gaussian = torch.randn(width, width, generator=generator, dtype=torch.float64)
        directions, triangle = torch.linalg.qr(gaussian)
        # The sign of R's diagonal makes Q uniform over rotations, which QR alone does not.
        blocks.append((directions * triangle.diagonal().sign()).mT)
    lengths = torch.randn(rows, width, generator=generator, dtype=torch.float64).norm(dim=1)
    return (torch.cat(blocks)[:rows] * lengths[:, None]).float()
