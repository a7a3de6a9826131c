"""Writes the learning curve: what was logged at which step, as a CSV that outlives a killed run."""

import csv
import io
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers import Logger
from pytorch_lightning.utilities import rank_zero_only

from lra.system.files import whole
from lra.training.metrics import COLUMNS


class Curve(Logger):
    """Keeps every row in memory; a checkpoint carries them, so that a resumed run has them all.

    Lightning's CSV logger deletes what an earlier process wrote.
    """

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[dict[str, float]] = []

    name = version = ""

    def log_hyperparams(self, *arguments: Any, **keywords: Any) -> None:
        """There are none: a run's settings stand in its record."""

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        row = {key: value for key, value in metrics.items() if key in COLUMNS}
        if row:
            self.rows.append({"step": step, **row})

    def write(self, path: Path) -> None:
        text = io.StringIO()
        writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows)
        with whole(path) as file:
            file.write(text.getvalue().encode())
