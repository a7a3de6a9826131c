"""Work on many examples at once, in processes that end with this one."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager

from attention_zoo import UsageError

FEW = 8  # pieces of work, which are done before processes have started


@contextmanager
def mapper(workers: int | None, pieces: int) -> Iterator[Callable[..., Iterable]]:
    """`map` over worker processes, in order; in this process for one worker or few pieces.

    workers: None for one a core.
    """
    if workers == 1 or (workers is None and pieces <= FEW):
        yield map
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, initializer=_obey_parent) as executor:
        try:
            yield executor.map
        except BrokenProcessPool as error:
            raise UsageError(
                "a process that prepared data was killed, probably out of memory; "
                "`prepare --workers 1` needs least"
            ) from error
        finally:
            executor.shutdown(wait=False, cancel_futures=True)


def _obey_parent() -> None:
    """Leaves Ctrl-C to the parent, and ends when the parent has ended, killed or not."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        multiprocessing.parent_process().join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
