"""The files in the folder of a run."""

import os
from pathlib import Path

from lra.training.metrics import METRICS

RUNS, RECORD, FAILURE = "runs", "record.json", "failure.json"
CHECKPOINT, JOURNAL, LOG = "best.ckpt", "journal.json", "log.txt"
CORRUPTIONS = "corruptions.json"  # of `evaluate --corruption`; it names the checkpoint it is of
UNFINISHED = "unfinished"  # the folder of a training that goes on, a rerun's beside its old record
FINISHED = "finished"  # what UNFINISHED becomes; its RESULT counts until it has been moved
RESULT = (CHECKPOINT, METRICS, RECORD)
ANALYSIS = "analysis.json"  # what `analyze` leaves beside the record


def result_file(folder: Path, name: str) -> Path:
    """Where one of a run's RESULT is, or would be: in `finished` where a process was killed
    before it had moved them all."""
    path = folder / FINISHED / name
    return path if os.path.exists(path) else folder / name
