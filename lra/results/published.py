"""Figures that papers print, as `results/published` holds them (its README has the columns)."""

import csv
from dataclasses import dataclass, fields
from pathlib import Path

from attention_zoo import UsageError
from lra.system.environment import ROOT
from lra.typed import field_types

PUBLISHED = ROOT / "results" / "published"
FAIL = "FAIL"


@dataclass(frozen=True)
class Published:
    """One figure. value: None where the paper prints FAIL, no better than chance. settings: what
    `--set` takes to read the data as the paper did. Text that is not there is empty."""

    paper: str
    arxiv: str
    venue: str
    table: str
    model: str
    spec: str
    task: str
    length: int | None
    metric: str
    value: float | None
    std: float | None
    n: int | None
    protocol: str
    source: str
    settings: str
    hardware: str
    note: str

    @property
    def origin(self) -> str:
        return f"{self.paper}, {self.table}"


def read_published(folder: Path = PUBLISHED) -> list[Published]:
    """All rows of all files, in the order of their names; UsageError names a wrong line."""
    files = sorted(folder.glob("*.csv"))
    if not files:
        raise UsageError(f"no published figures under {folder}; a checkout of lra-gfsa has them")
    return [row for path in files for row in _read(path)]


def _read(path: Path) -> list[Published]:
    names, hints = [field.name for field in fields(Published)], field_types(Published)
    with open(path, newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        if reader.fieldnames != names:
            raise UsageError(f"{path.name}: its columns are not {', '.join(names)}")
        rows = []
        for row in reader:
            if None in row or None in row.values():
                raise UsageError(f"{path.name}:{reader.line_num}: not {len(names)} cells")
            if not row["value"]:
                raise UsageError(f"{path.name}:{reader.line_num}: no value")
            try:
                rows.append(Published(**{key: _typed(hints[key], row[key]) for key in names}))
            except ValueError as error:
                raise UsageError(f"{path.name}:{reader.line_num}: {error}") from error
        return rows


def _typed(hint: object, text: str) -> str | int | float | None:
    if hint is str:
        return text
    if text in ("", FAIL):
        return None
    return int(text) if hint == int | None else float(text)
