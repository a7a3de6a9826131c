"""Whether attention and value projection together smooth or sharpen."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from attention_zoo.layer import SelfAttention

ASSUMPTIONS = (
    "assumes one head, the same Ā and H in every layer, a residual connection and no normalisation "
    "layer"
)
CLOSE = 1e-9  # relative: eigenvalues, and sizes, that near are equal


@dataclass(frozen=True)
class Dominance:
    """Of all eigenvalues of H, those that are dominated by smoothing and by sharpening, shares in
    0–1 (…,); the others have neither. pair: 1 where the dominating pair of all smooths, −1 where it
    sharpens, 0 else."""

    smoothing: Tensor
    sharpening: Tensor
    pair: Tensor


def dominance(
    eigenvalues: Tensor,  # (…, n) λ of Ā, with a 0 where it has rank below n
    maps: Tensor,  # (…, D) eigenvalues of H = W_V W_O
    values: Tensor | None = None,  # (…, n) h(λ) of a filter that is applied in the place of Ā
) -> Dominance:
    """Which eigenvalue of Ā dominates beside each λⱼ of H = W_V W_O.

    The update X ← X + Ā X H has the eigenvalues 1 + λⱼ(H) λᵢ(Ā). With λⱼ the i of the largest
    |1 + λⱼ λᵢ| dominates: by smoothing if λᵢ is Ā's largest in magnitude, of several the one of the
    largest real part (where rows sum to 1 it is 1, of the constant vector), by sharpening if it is
    one of the smallest real part, either of a conjugate pair. Where both are as large, or a third
    one is larger, neither is counted. With a filter h(Ā), 1 + λⱼ h(λᵢ) decides; which eigenvectors
    are smooth and sharp still follows from λᵢ.

    It assumes one head, an Ā and H that are the same in every layer, and no normalisation layer; a
    trained model has none of these, so the shares say which way a head pushes, and not what the
    model does. Dovonon, Bronstein, Kusner (arXiv 2401.04301); counting over all λⱼ is ours, since
    no code of theirs is public.
    """
    applied = eigenvalues if values is None else values
    size = (1 + maps[..., None] * applied[..., None, :]).abs()  # (…, D, n)
    largest = size.amax(-1)  # (…, D)
    # Sets: eigenvalues come in conjugate pairs, which rounding sets apart.
    magnitude, real = eigenvalues.abs(), eigenvalues.real
    margin = CLOSE * magnitude.amax(-1, keepdim=True)
    of_largest = magnitude >= magnitude.amax(-1, keepdim=True) - margin
    among = torch.where(of_largest, real, -torch.inf)
    of_constant = among >= among.amax(-1, keepdim=True) - margin
    of_least = real <= real.amin(-1, keepdim=True) + margin
    smooth = _largest_of(size, of_constant) >= largest * (1 - CLOSE)
    sharp = _largest_of(size, of_least) >= largest * (1 - CLOSE)
    smooth, sharp = smooth & ~sharp, sharp & ~smooth
    signs = smooth.double() - sharp.double()
    top = largest >= largest.amax(-1, keepdim=True) * (1 - CLOSE)
    # Conjugate eigenvalues of H are as large as each other.
    pair = (signs * top).sum(-1).sign()
    return Dominance(smooth.double().mean(-1), sharp.double().mean(-1), pair)


def head_maps(layer: SelfAttention) -> Tensor:
    """The D eigenvalues of each head's H = W_V W_O that are not 0 for lack of rank, complex (H, D),
    from the D×D matrix W_O W_V in float64."""
    heads, D = layer.heads, layer.head_dim
    with torch.no_grad():
        made = getattr(layer, "on_projections", None)  # of a remedy that makes both
        if made is not None:
            W_V, W_O = (weight.double() for weight in made())  # C×H·D, H·D×C
        else:
            qkv: Any = layer.qkv
            first = layer.names.index("v") * heads * D
            W_V = qkv.weight[first : first + heads * D].double().mT
            W_O = layer.out.weight.double().mT
        W_V, W_O = W_V.unflatten(1, (heads, D)).movedim(1, 0), W_O.unflatten(0, (heads, D))
        return torch.linalg.eigvals(W_O @ W_V)


def _largest_of(size: Tensor, members: Tensor) -> Tensor:  # (…, D, n), (…, n) -> (…, D)
    return torch.where(members[..., None, :], size, 0.0).amax(-1)
