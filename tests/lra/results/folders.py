"""Results folders, made up."""

import multiprocessing
from contextlib import contextmanager

from lra.results.reading import read_records
from lra.results.record import Record, write_record
from lra.system.locks import locked


def put(results, record, name=None):
    """A run's folder as a run leaves it."""
    folder = results / "runs" / (name or f"{record.attention}-s{record.seed}-{record.identity[:8]}")
    folder.mkdir(parents=True)
    write_record(folder, record)
    (folder / ".lock").write_text("process 1 on host\n")
    (folder / "log.txt").write_text(f"log of {record.identity}\n")
    if isinstance(record, Record):
        (folder / "best.ckpt").write_bytes(record.identity.encode())
        (folder / "metrics.csv").write_text("step\n")
    return folder


def found(results):
    return list(read_records(results))


def tree(folder):
    """Every file below a folder with its content."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@contextmanager
def worked_on(folder):
    """While another process holds the lock of a run."""
    context = multiprocessing.get_context("fork")
    ready, end = context.Event(), context.Event()
    process = context.Process(target=_hold, args=(folder / ".lock", ready, end))
    process.start()
    ready.wait()
    try:
        yield
    finally:
        end.set()
        process.join()


def _hold(path, ready, end):
    with locked(path, print):
        ready.set()
        end.wait()


class Killed(BaseException):
    """In place of a signal."""
