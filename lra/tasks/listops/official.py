"""The ListOps files that LRA distributes: basic_{train,val,test}.tsv."""

from pathlib import Path

from tqdm import tqdm

from attention_zoo import UsageError
from lra.data.official import all_or_none, release_folders
from lra.jobs.pool import mapper
from lra.tasks.altered import BOM, altered_line
from lra.tasks.listops.expressions import (
    CLOSE_ID,
    DIGIT_0,
    MAX_ID,
    SM_ID,
    VOCABULARY,
    decode,
    encode,
    evaluate,
)

HEADER = b"Source\tTarget"
EXPECTED = "expected an expression, a tab and a digit"
CHUNK = 500  # rows that a worker is given at once

Row = tuple[bytes, int]  # token ids, label


def find(data_dir: Path) -> dict[str, Path]:
    """The three files, by split, in the archive's innermost folder, or `data_dir` itself."""
    splits = ("train", "val", "test")
    folders = [folder / "listops-1000" for folder in release_folders(data_dir)]
    sets = (
        {split: folder / f"basic_{split}.tsv" for split in splits}
        for folder in (*folders, data_dir)
    )
    return all_or_none(sets, "ListOps files")


def read_official(file: Path, max_length: int, workers: int | None) -> list[Row]:
    """Every row of an official file, parsed, and its label checked against our own evaluator.

    A byte-order mark and one blank last line are skipped. Raises UsageError with file, line and
    what was expected for the first row that is wrong.
    """
    with open(file, "rb") as opened:
        lines = opened.readlines()
    header = lines[0].removeprefix(BOM) if lines else b""
    if header.rstrip(b"\r\n") != HEADER:
        found = altered_line(header) or repr(header[:20])
        if not header:
            found = "an empty file"
        raise UsageError(f"{file}:1: expected the header Source<tab>Target, found {found}")
    if len(lines) > 1 and not lines[-1].strip(b"\r\n"):
        lines.pop()
    if len(lines) == 1:
        raise UsageError(
            f"{file}:2: expected an expression, a tab and its value; there are no rows"
        )
    chunks = [tuple(lines[i : i + CHUNK]) for i in range(1, len(lines), CHUNK)]
    rows: list[Row] = []
    with (
        mapper(workers, len(chunks)) as mapped,
        tqdm(total=len(lines) - 1, desc=f"reading {file.name}", unit=" rows", disable=None) as bar,
    ):
        for parsed in mapped(parse_rows, chunks):
            for row in parsed:
                where = f"{file}:{len(rows) + 2}"
                if isinstance(row, str):
                    raise UsageError(f"{where}: {row}")
                if len(row[0]) >= max_length:
                    raise UsageError(
                        f"{where}: the expression has {len(row[0]):,} tokens, expected fewer than "
                        f"task.max_length={max_length:,}: set it, and model.positions, to more"
                    )
                rows.append(row)
            bar.update(len(rows) - bar.n)
    return rows


def parse_rows(lines: tuple[bytes, ...]) -> list[Row | str]:
    """Each line as a row, or what was expected of it; nothing after the first that is wrong."""
    parsed: list[Row | str] = []
    for line in lines:
        try:
            parsed.append(parse_row(line))
        except UsageError as error:
            found = altered_line(line)
            parsed.append(f"{EXPECTED}, found {found}" if found else str(error))
            break
    return parsed


def parse_row(line: bytes) -> Row:
    """`expression<tab>value` with any line end; UsageError says what was expected."""
    line = line.removesuffix(b"\n").removesuffix(b"\r")
    source, tab, target = line.partition(b"\t")
    if not tab or len(target) != 1 or not target.isdigit():
        raise UsageError(f"{EXPECTED}, found {line[-20:]!r}")
    text = source.decode("ascii", "backslashreplace")
    tokens = encode(text)
    value = evaluate(tokens)
    if text not in (decode(tokens), nest(tokens)):
        raise UsageError("the parentheses are not those of a nest of pairs")
    if value != int(target):
        raise UsageError(f"expected the value {value}, found {int(target)}")
    return tokens, value


def nest(tokens: bytes) -> str:
    """An expression as LRA writes it: a pair of parentheses closes after each argument of an
    operator and after its `]`."""
    pieces: list[str] = []
    operators: list[tuple[int, int]] = []  # place of each open operator, arguments so far
    for i in tokens:
        if MAX_ID <= i <= SM_ID:
            operators.append((len(pieces), 0))
            pieces.append(VOCABULARY[i])
            continue
        if i == CLOSE_ID:
            place, arguments = operators.pop()
            pieces[place] = "( " * (arguments + 1) + pieces[place]
            pieces.append("] )")
        elif DIGIT_0 <= i < MAX_ID:
            pieces.append(VOCABULARY[i])
        if operators:
            place, arguments = operators[-1]
            operators[-1] = place, arguments + 1
            pieces.append(")")
    return " ".join(pieces)
