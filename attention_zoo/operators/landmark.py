"""An attention of low rank with an R×R matrix between its two factors."""

from torch import Tensor

from attention_zoo.flops import Product, Products
from attention_zoo.operators.base import AttentionOperator
from attention_zoo.operators.factored import FactoredOperator


class LandmarkOperator(FactoredOperator):
    """Ā = left·core·columns. To multiply one N×R factor by the core beforehand would cost N·R²
    and hold a third N×R matrix; here the core meets R×D states only."""

    def __init__(
        self,
        left: Tensor,  # (B, H, N, R)
        core: Tensor,  # (B, H, R, R)
        columns: Tensor,  # (B, H, R, N), core·columns zero in the columns of padded positions
        keep: Tensor | None = None,  # (B, N)
    ) -> None:
        AttentionOperator.__init__(self, left, keep)
        self.left, self.core, self.columns = left, core, columns

    @property
    def right(self) -> Tensor:
        """core·columns, so that Ā = left·right as of every factored operator."""
        return self.core @ self.columns

    def _compress(self, x: Tensor) -> Tensor:
        return self.core @ (self.columns @ x)

    @staticmethod
    def _compressing(heads: int, N: int, R: int, width: int) -> Products:
        return Product(R, N, width, heads), Product(R, R, width, heads)
