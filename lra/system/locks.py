"""Locks between processes: held by the kernel, so none outlives its holder."""

import fcntl
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

LOCK = ".lock"


@contextmanager
def locked(path: Path, waiting: Callable[[str], None]) -> Iterator[None]:
    """Holds the lock file at `path`; where another process has it, says so and waits."""
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "a+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                waiting(f"{path.parent} is in use by {file.read().strip() or 'another process'}")
                fcntl.flock(file, fcntl.LOCK_EX)
            if not _is_at(path, file):
                continue  # its folder was moved while we waited: it keeps nobody from `path`
            file.seek(0)
            file.truncate()
            file.write(f"process {os.getpid()} on {socket.gethostname()}\n")
            file.flush()
            yield
            return


def _is_at(path: Path, file: TextIO) -> bool:
    try:
        return os.path.samestat(os.stat(path), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False


def is_locked(path: Path) -> bool:
    """Whether another process holds the lock file at this moment."""
    try:
        with open(path) as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False
