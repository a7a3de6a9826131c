"""ViT− and ViT+: projections whose product has eigenvalues of one sign."""

import torch
from torch import Tensor, nn

from attention_zoo import OnProjections, Product, Products, UsageError, register_filter


class SymmetricProjections(OnProjections):
    """W_V W_O = H = V_H Λ V_Hᵀ, V_H the Q of a QR decomposition of a learned Θ (C, C), Λ = ∓ψ² with
    ψ (C,) learned: values x V_H, whose column blocks are those of the heads, and the output
    projection Λ V_Hᵀ. In place of 2 C² weights it has C² + C. The values have no bias.
    Where the residual stream adds X to Ā X H, the update has the eigenvalues 1 + λ(Ā) λ(H): with
    those of H in [−1, 0] nothing smooth can come to dominate.
    Dovonon, Bronstein & Kusner 2024 (arXiv 2401.04301), the reparametrisation of their ViT− and
    ViT+. Where Θ and ψ start there is not known to us: here Θ is Gaussian, so that V_H is uniform.

    Args:
        dim: C of the layer, whose heads must be C wide together.
        start: where every entry of ψ starts; H begins with ∓start² for every eigenvalue.
    """

    sign: float

    def __init__(self, dim: int, start: float = 0.5) -> None:
        super().__init__()
        if not start:
            raise UsageError("ψ learns nothing from start=0: its gradient is 0 there")
        self.theta = nn.Parameter(torch.randn(dim, dim))
        self.psi = nn.Parameter(torch.full((dim,), start))

    def forward(self) -> tuple[Tensor, Tensor]:
        # There is no QR in 16 bits.
        dtype = torch.promote_types(self.theta.dtype, torch.float32)
        with torch.autocast(self.theta.device.type, enabled=False):
            vectors = torch.linalg.qr(self.theta.to(dtype)).Q.to(self.theta.dtype)
            return vectors, (self.sign * self.psi.square())[:, None] * vectors.mT

    def products(self, B: int, N: int, C: int) -> Products:
        return (Product(C, C, C, forward=0),)  # of QR's backward pass; its own are not counted

    def reference(self) -> tuple[Tensor, Tensor]:
        """By Gram–Schmidt, column by column."""
        columns: list[Tensor] = []
        for column in self.theta.unbind(1):
            for earlier in columns:
                column = column - (earlier @ column) * earlier
            columns.append(column / column.norm())
        vectors = torch.stack(columns, 1)
        return vectors, torch.diag(self.sign * self.psi**2) @ vectors.T


@register_filter("vit-")
class ViTMinus(SymmetricProjections):
    __doc__ = SymmetricProjections.__doc__
    sign = -1.0


@register_filter("vit+")
class ViTPlus(SymmetricProjections):
    __doc__ = SymmetricProjections.__doc__
    sign = 1.0
