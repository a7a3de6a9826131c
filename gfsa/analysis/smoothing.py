"""How alike the tokens of a hidden state are. x is (B, N, C); sums run over real tokens in
float64."""

import torch
from torch import Tensor


def high_over_low(x: Tensor, keep: Tensor | None = None) -> Tensor:
    """‖HC[x]‖_F / ‖DC[x]‖_F (B,), DC[x] = (1/n) 1 1ᵀ x the mean over tokens, HC[x] = x − DC[x]; 0
    where all tokens are equal, inf where their mean is 0.

    Wang et al. 2022 (arXiv 2203.05962); the ratio HFC/LFC of Dovonon et al. (arXiv 2401.04301).
    """
    x, n = _real(x, keep)
    mean = x.sum(1) / n[:, None]
    low = n * mean.square().sum(-1)
    apart = x - mean[:, None]
    if keep is not None:
        apart = torch.where(keep[..., None], apart, 0.0)
    return (apart.square().sum((1, 2)) / low).sqrt()


def cosine_similarity(x: Tensor, keep: Tensor | None = None) -> Tensor:
    """The mean of cos(xᵢ, xⱼ) over pairs i < j, (B,): (‖Σ x̂ᵢ‖² − Σ ‖x̂ᵢ‖²) / (n (n − 1)) with the
    normalised tokens x̂, in O(N C); nan for a single token. A token that is 0 has cosine 0.

    The strict upper triangle of the Gram matrix, as ContraNorm's code takes it (Guo et al. 2023,
    arXiv 2303.06562), which GFSA follows.
    """
    x, n = _real(x, keep)
    unit = torch.nn.functional.normalize(x, dim=-1, eps=torch.finfo(x.dtype).tiny)
    pairs = unit.sum(1).square().sum(-1) - unit.square().sum((1, 2))
    return pairs / (n * (n - 1))


def effective_rank(x: Tensor, keep: Tensor | None = None) -> Tensor:
    """exp of the entropy of p = σ / Σσ, σ the singular values of x, (B,): 1 for rank one, and at
    most min(n, C). nan for x = 0.

    Roy, Vetterli 2007, as ContraNorm's code takes it (Guo et al. 2023, arXiv 2303.06562).
    """
    values = torch.linalg.svdvals(_real(x, keep)[0])
    p = values / values.sum(-1, keepdim=True)
    return torch.special.entr(p).sum(-1).exp()


def normalised_singular_values(x: Tensor, keep: Tensor | None = None) -> Tensor:
    """σ / σ₁ of x in falling order, (B, min(N, C)); those from an example's number of real tokens
    on are 0. GFSA draws them of the last block (Choi et al. 2024, arXiv 2312.04234)."""
    values = torch.linalg.svdvals(_real(x, keep)[0])
    return values / values[:, :1]


def _real(x: Tensor, keep: Tensor | None) -> tuple[Tensor, Tensor]:
    """x in float64, zero at pads, and the number of real tokens of each example (B,)."""
    x = x.detach().double()
    if keep is None:
        return x, x.new_full((len(x),), x.shape[1])
    return torch.where(keep[..., None], x, 0.0), keep.sum(1).to(x.dtype)
