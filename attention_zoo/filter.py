"""What may stand behind a + in a spec: filters of Ā, and remedies elsewhere in a layer."""

from abc import ABC, abstractmethod
from typing import ClassVar, Literal

from torch import Tensor, nn

from attention_zoo.flops import Cost, Products
from attention_zoo.operators import AttentionOperator

Place = Literal["operator", "values", "output", "projections"]


class Modifier(nn.Module, ABC):
    """Base class of filters and remedies.

    acts_on: the place in a layer that it changes: the operator Ā, the values before the output
    projection, the layer's output, or the projections W_V and W_O.
    stacks: whether another may act on the same place. Polynomials do, since one of Ā is an
    operator again; of those that do not, a spec has one a place.
    causal: whether it can be asked to look at no later token; then `prefix` says whether it does,
    and a mean is over the tokens up to each, as `operator.mean` is.
    """

    acts_on: ClassVar[Place]
    stacks: ClassVar[bool] = False
    causal: ClassVar[bool] = True
    prefix: bool = False


class Filter(Modifier):
    """Base class of filters: `(operator, v) -> f(Ā) v` with (B, H, N, D) values.

    Its parameters are few scalars per head: training gives them no weight decay.
    """

    acts_on = "operator"
    stacks = True

    def __init__(self, heads: int) -> None:
        super().__init__()
        self.heads = heads

    @abstractmethod
    def forward(self, operator: AttentionOperator, v: Tensor) -> Tensor:
        """f(Ā) v, of v's shape and dtype."""

    def products(self, cost: Cost) -> Products | None:
        """The matrix products of f(Ā) v for an Ā of that cost; None where it states none."""
        return None

    def response(self, eigenvalues: Tensor) -> Tensor | None:
        """h(λ) of eigenvalues λ of Ā, (…, H, n) -> (…, H, n), of the filter H = h(Ā); None where it
        is no polynomial of Ā alone."""
        return None

    @abstractmethod
    def reference(self, matrix: Tensor, keep: Tensor | None = None) -> Tensor:
        """f(Ā) (B, H, N, N) of a dense Ā whose real tokens `keep` (B, N) names, from the paper's
        formula, sharing no code with `forward`. Where f has a constant term, I stands at padded
        positions too."""
