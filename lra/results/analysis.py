"""What `analyze` found in a run: one JSON beside its record.

Numbers are means over the sequences of the subset, None where one is not finite. What each is, with
its source, stands in the docstrings of `gfsa.analysis` and in docs/analysis.md.
"""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import numpy as np
from pydantic import Field

from attention_zoo import UsageError
from lra.results.beside import of_schema, read_beside
from lra.results.layout import ANALYSIS
from lra.results.record import Count, Record, Share
from lra.system.environment import Environment
from lra.system.files import write_json
from lra.training.evaluation import Evaluation
from lra.training.weights import Weights
from lra.typed import frozen

SCHEMA = 1
# Cycles a token at which Fourier responses are given, 0 for the mean.
FREQUENCIES = [i / 64 for i in range(33)]
Number = float | None
Numbers = list[Number]
Rank = Annotated[int, Field(ge=1)]
T = TypeVar("T")
Some = Annotated[list[T], Field(min_length=1)]


def _require_length(name: str, values: Numbers | None, length: int) -> None:
    if values is not None and len(values) != length:
        raise UsageError(f"{name} has {len(values)} numbers, not {length}")


@frozen
class Subset:
    """The examples that were looked at: drawn from the validation split by `seed`, the same for all
    runs on these data. sequences: two an example where examples are pairs; length: to which longer
    ones were cut, None for whole ones; tokens: of all of them, shortest and longest: of one."""

    split: Literal["val"]
    seed: int
    examples: Count
    sequences: Count
    length: int | None
    tokens: Count
    shortest: Count
    longest: Count

    @property
    def cut(self) -> str:
        """`cut to at most 64 tokens`; nothing where no sequence was as long."""
        if self.length is None or self.longest < self.length:
            return ""
        return f"cut to at most {self.length:,} tokens"


@frozen
class Gap:
    """GFSA's Taylor form against the power that it stands for, of this order; mode: which the run
    had. distance: of the operators in spectral norm; power: the norm of the power."""

    K: int
    mode: Literal["taylor", "power"]
    distance: Number
    power: Number


@frozen
class FilterState:
    """One filter in one head. initial, learned: its weights by name, before and after training.
    moved: the Euclidean norm of their change. verdict, scale, distance: what it collapsed to, c and
    the distance from c Ā on [−1, 1]; None for a filter that is no polynomial of Ā. gap: None for
    one without a Taylor form, or that stands on another filter."""

    name: str
    initial: dict[str, Weights]
    learned: dict[str, Weights]
    moved: Number
    verdict: str | None
    scale: Number
    distance: Number
    gap: Gap | None

    def __post_init__(self) -> None:
        before, after = (
            {name: np.array(value).shape for name, value in weights.items()}
            for weights in (self.initial, self.learned)
        )
        if before != after:
            raise UsageError(f"the weights of {self.name} are others after training than before")


@frozen
class Shares:
    """smoothing, sharpening: of the eigenvalues of W_V W_O; smooths, sharpens: of the sequences, by
    their dominating pair."""

    smoothing: Share
    sharpening: Share
    smooths: Share
    sharpens: Share


@frozen
class Head:
    """eigenvalue_magnitudes, singular_values, response: |λ|, σ and |h(λ)| at the layer's ranks, by
    falling |λ| and σ. second: |λ₂|. at_zero: |h(0)|. fourier, fourier_filtered: at FREQUENCIES.
    base_distance: from c Ā on the spectrum. dominance, dominance_filtered: of Ā and of what the
    filters make of it. None where there is no filter, or none that is a polynomial of Ā."""

    eigenvalue_magnitudes: Numbers
    singular_values: Numbers
    second: Number
    fourier: Numbers
    dominance: Shares
    response: Numbers | None
    at_zero: Number
    fourier_filtered: Numbers | None
    base_distance: Number
    dominance_filtered: Shares | None
    filters: list[FilterState]

    def __post_init__(self) -> None:
        for name in ("fourier", "fourier_filtered"):
            _require_length(name, getattr(self, name), len(FREQUENCIES))


@frozen
class Layer:
    """operator: its class. rank: R of its factors, from which the spectra of more than R tokens are
    exact; None for an operator without, whose Ā was written down. ranks: of which the numbers of
    the heads are, up to those that the shortest sequence has. output_change: ‖y' − y‖/‖y‖ of
    the layer's output with the other of Taylor and power in the filter, on the layer's own
    input."""

    layer: Rank
    operator: str
    rank: int | None
    ranks: Some[Rank]
    heads: Some[Head]
    output_change: Number

    def __post_init__(self) -> None:
        for head in self.heads:
            for name in ("eigenvalue_magnitudes", "singular_values", "response"):
                _require_length(name, getattr(head, name), len(self.ranks))


@frozen
class Depth:
    """The hidden state after so many blocks, 0 for what goes into the first. singular_values: σ/σ₁
    at the ranks, up to those that the shortest sequence has."""

    blocks: Count
    high_over_low: Number
    cosine: Number
    effective_rank: Number
    ranks: Some[Rank]
    singular_values: Numbers

    def __post_init__(self) -> None:
        _require_length("singular_values", self.singular_values, len(self.ranks))


@frozen
class Swap:
    """Accuracy with every filter of K ≥ 3 in the other form, without training. mode: that form;
    `mixed` where some filters had one and some the other. changed: share of the predictions."""

    mode: Literal["taylor", "power", "mixed"]
    split: Literal["val subset", "test"]
    before: Evaluation
    after: Evaluation
    changed: Share


@frozen
class Analysis:
    """identity, checkpoint: of the run, by its record. assumptions: of the shares by dominance.
    precision: in which the model ran, and the spectra were computed. frequencies: of the Fourier
    forms, in cycles a token."""

    schema: Annotated[int, of_schema(SCHEMA, "; `analyze` the run again")]
    identity: str
    checkpoint: str
    task: str
    attention: str
    seed: int
    finished: str
    command: str
    precision: str
    assumptions: str
    subset: Subset
    frequencies: list[float]
    layers: Some[Layer]
    depth: Some[Depth]
    swaps: list[Swap]
    environment: Environment

    def __post_init__(self) -> None:
        if self.frequencies != FREQUENCIES:
            raise UsageError("frequencies must be 0, 1/64, …, 1/2")


def write_analysis(folder: Path, analysis: Analysis) -> Path:
    path = folder / ANALYSIS
    write_json(path, asdict(analysis))
    return path


def read_analysis(folder: Path, record: Record) -> Analysis | None:
    """The analysis in the folder of a run; None where there is none, or one of weights that the run
    no longer has. UsageError names the file and what is wrong with it."""
    found = read_beside(Analysis, folder / ANALYSIS)
    if found is None:
        return None
    return found if found.checkpoint == record.training.checkpoint else None
