"""How smooth the hidden states are through depth."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gfsa.analysis import (
    State,
    cosine_similarity,
    effective_rank,
    high_over_low,
    normalised_singular_values,
)
from lra.analysis.summary import mean, numbers, ranks_up_to
from lra.results.analysis import Depth


@dataclass(frozen=True)
class Smoothness:
    """Of the hidden state of one sequence."""

    high_over_low: float
    cosine: float  # nan for a single token
    effective_rank: float
    singular_values: np.ndarray


def smoothness(state: State) -> list[Smoothness]:
    """Of each sequence."""
    masks = [...] * len(state.x) if state.keep is None else list(state.keep)
    alone = [x[mask][None] for x, mask in zip(state.x, masks, strict=True)]
    return [
        Smoothness(
            high_over_low(x).item(),
            cosine_similarity(x).item(),
            effective_rank(x).item(),
            normalised_singular_values(x)[0].cpu().numpy(),
        )
        for x in alone
    ]


def depth_of(blocks: int, found: Sequence[Smoothness]) -> Depth:
    """Of the hidden states of all sequences after so many blocks."""
    ranks = ranks_up_to(min(len(one.singular_values) for one in found))
    cosines = [one.cosine for one in found if not math.isnan(one.cosine)]
    places = np.array(ranks) - 1
    return Depth(
        blocks=blocks,
        high_over_low=mean(one.high_over_low for one in found),
        cosine=mean(cosines) if cosines else None,
        effective_rank=mean(one.effective_rank for one in found),
        ranks=ranks,
        singular_values=numbers(np.mean([one.singular_values[places] for one in found], 0)),
    )
