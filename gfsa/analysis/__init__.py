"""What an attention and its filter do to a model: functions from tensors to tensors, for any torch
model. Nothing here is imported by training.

x is (B, N, C), `keep` (B, N) bool, True for a real token; padding never counts.
"""

from gfsa.analysis.approximation import power_norm, taylor_distance
from gfsa.analysis.dominance import Dominance, dominance, head_maps
from gfsa.analysis.observe import Observation, State, observe, states
from gfsa.analysis.response import filtered_eigenvalues, fourier_response, response
from gfsa.analysis.smoothing import (
    cosine_similarity,
    effective_rank,
    high_over_low,
    normalised_singular_values,
)
from gfsa.analysis.spectra import eigenvalues, real_matrix, singular_values
from gfsa.analysis.weights import Collapse, base_multiple, collapse

__all__ = [
    "Collapse",
    "Dominance",
    "Observation",
    "State",
    "base_multiple",
    "collapse",
    "cosine_similarity",
    "dominance",
    "effective_rank",
    "eigenvalues",
    "filtered_eigenvalues",
    "fourier_response",
    "head_maps",
    "high_over_low",
    "normalised_singular_values",
    "observe",
    "power_norm",
    "real_matrix",
    "response",
    "singular_values",
    "states",
    "taylor_distance",
]
