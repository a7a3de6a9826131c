"""Figures that papers print, as `results/published` holds them (its README has the columns)."""

import csv
from collections.abc import Iterable, Iterator
from dataclasses import fields
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from attention_zoo import UsageError
from lra.system.environment import ROOT
from lra.typed import frozen, misfit

PUBLISHED = ROOT / "results" / "published"
FAIL = "FAIL"
NUMBERS = ("length", "value", "std", "n")


@frozen
class Published:
    """One figure. value: None where the paper prints FAIL, no better than chance. settings: what
    `--set` takes to read the data as the paper did. spec: ours that computes the same matrix;
    nearest: where none does, ours of that name; differs: in what it does (nearest), or what is left
    (spec). Text that is not there is empty."""

    paper: str
    arxiv: str
    venue: str
    table: str
    model: str
    spec: str
    nearest: str
    differs: str
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


def differences(name: str, mathematics: str, rows: Iterable[Published]) -> list[str]:
    """In what the attentions of these rows that have its name are not that of a run, a line each.

    mathematics: its spec as rows have it. With a filter it is of no row's name."""
    if "+" in name:
        return []
    base, lines = mathematics.partition(":")[0], {}
    for row in rows:
        theirs = f"{row.model} ({row.origin})"
        if row.nearest == base:
            lines.setdefault(row.differs, f"{theirs} is not {name}: {row.differs}")
        elif row.spec.partition(":")[0] == base:
            lines.setdefault(row.spec, f"{theirs} is {row.spec}, not {name}")
    return list(lines.values())


def listed(rows: Iterable[Published], tasks: Iterable[str]) -> Iterator[dict[str, object]]:
    """Who printed figures of which attention on these tasks: a row for each attention, paper and
    spelling, by attention."""
    tasks = list(tasks)
    groups: dict[tuple[str, ...], list[Published]] = {}
    for row in rows:
        name = row.spec.partition(":")[0] or row.nearest
        if name and row.task in tasks:
            key = (name, row.paper, row.arxiv, row.spec, row.protocol)
            groups.setdefault(key, []).append(row)
    for (name, paper, arxiv, spec, protocol), found in sorted(groups.items()):
        held = {row.task for row in found}
        yield {
            "attention": name,
            "paper": paper,
            "arXiv": arxiv,
            "printed as": "; ".join(dict.fromkeys(row.model for row in found)),
            "tables": "; ".join(dict.fromkeys(row.table for row in found)),
            "tasks": ", ".join(task for task in tasks if task in held),
            "spec": spec,
            "differs": "; ".join(dict.fromkeys(row.differs for row in found if row.differs)),
            "protocol": protocol,
        }


def _read(path: Path) -> Iterable[Published]:
    names, adapter = [field.name for field in fields(Published)], TypeAdapter(Published)
    with open(path, newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        if reader.fieldnames != names:
            raise UsageError(f"{path.name}: its columns are not {', '.join(names)}")
        for row in reader:
            where = f"{path.name}:{reader.line_num}"
            if None in row or None in row.values():
                raise UsageError(f"{where}: expected {len(names)} cells")
            if not row["value"]:
                raise UsageError(f"{where}: value is missing")
            absent = {name: None for name in NUMBERS if row[name] in ("", FAIL)}
            try:
                yield adapter.validate_python(row | absent, strict=False)
            except ValidationError as error:
                raise UsageError(f"{where}: {misfit(error)}") from error
