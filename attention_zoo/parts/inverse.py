"""The inverse of a small matrix by matrix products alone."""

import torch
from torch import Tensor

from attention_zoo.flops import Product


def iterative_inverse(
    a: Tensor,  # (…, R, R) with entries ≥ 0, in float32 or float64
    iterations: int,
) -> Tensor:
    """What a fixed number of steps of Z ← ¼ Z (13I − AZ(15I − AZ(7I − AZ))) makes of
    Z₀ = Aᵀ / ‖A‖₁, the largest column sum: A⁻¹ (or A⁺) in the limit, of order 3.

    It converges where ‖A‖∞ = 1 (rows that sum to 1), or A is symmetric with ‖A‖₂ ≤ 1: I − AZ₀ then
    has no eigenvalue outside [0, 1]. A singular value σ with σ² ≪ ‖A‖₁/3.25^iterations stays near 0
    instead of becoming 1/σ. The norm is each matrix's own: a common one would make every example
    depend on its batch.
    """
    eye = torch.eye(a.shape[-1], dtype=a.dtype, device=a.device)
    z = a.mT / a.sum(-2).amax(-1)[..., None, None]
    for _ in range(iterations):
        az = a @ z
        z = 0.25 * z @ (13 * eye - az @ (15 * eye - az @ (7 * eye - az)))
    return z


def inverse_product(R: int, iterations: int, heads: int) -> Product:
    """The four products of each step."""
    return Product(R, R, R, 4 * iterations * heads)
