"""How far a run's filter is from the true power, as `analyze` left it beside the record."""

import json
from collections.abc import Mapping
from pathlib import Path
from statistics import fmean

from attention_zoo import UsageError
from lra.results.layout import ANALYSIS
from lra.results.record import Record

Distances = Mapping[int, float]  # by id of a record


def taylor_distance(folder: Path, record: Record) -> float | None:
    """‖T_K(Ā) − Āᴷ‖₂ of a run's last filter that has both forms, mean over layers and heads.

    None where the run was not analysed or other weights of it were, for a filter without such a
    form, and where one of them is not finite. UsageError names a file that cannot be read.
    """
    path = folder / ANALYSIS
    try:
        found = json.loads(path.read_bytes())
        if found["checkpoint"] != record.training.checkpoint:
            return None
        heads = [head["filters"] for layer in found["layers"] for head in layer["heads"]]
        gaps = [[gap for one in filters if (gap := one["gap"]) is not None] for filters in heads]
        distances = [of[-1]["distance"] for of in gaps if of]
        return None if not distances or None in distances else fmean(distances)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    except (ValueError, LookupError, TypeError) as error:
        raise UsageError(f"{path} is damaged: `analyze` the run again") from error
