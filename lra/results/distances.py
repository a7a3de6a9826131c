"""How far a run's filter is from the true power, as `analyze` left it beside the record."""

from collections.abc import Mapping
from pathlib import Path
from statistics import fmean

from lra.results.analysis import read_analysis
from lra.results.record import Record

Distances = Mapping[int, float]  # by id of a record


def taylor_distance(folder: Path, record: Record) -> float | None:
    """‖T_K(Ā) − Āᴷ‖₂ of a run's last filter that has both forms, mean over layers and heads.

    None where the run was not analysed or other weights of it were, for a filter without such a
    form, and where one of them is not finite. UsageError names a file that cannot be read.
    """
    found = read_analysis(folder, record)
    heads = [head for layer in found.layers for head in layer.heads] if found else []
    gaps = [[one.gap for one in head.filters if one.gap is not None] for head in heads]
    distances = [of[-1].distance for of in gaps if of]
    known = [one for one in distances if one is not None]
    return fmean(known) if known and len(known) == len(distances) else None
