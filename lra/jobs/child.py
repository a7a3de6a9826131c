"""What every process that is started for a job does before, around and after it."""

import contextlib
import gc
import importlib
import multiprocessing
import os
import sys
import threading
import traceback
from collections.abc import Mapping
from multiprocessing.connection import Connection
from pathlib import Path

from attention_zoo import UsageError
from lra.failures import describe, memory_errors
from lra.jobs.work import STOPPED, End, Port, Work
from lra.system import interrupts
from lra.system.allocator import keep_few_kernels, keep_freed_memory
from lra.system.memory import limit_memory
from lra.system.threads import fix_threads


def serve(channel: Connection, log: Path, folder: str, env: Mapping[str, str]) -> None:
    """Does the Work that comes through the channel, and sends its End."""
    os.setsid()
    try:
        with open(log, "ab") as file:
            for descriptor in (1, 2):
                os.dup2(file.fileno(), descriptor)
    except FileNotFoundError:  # a signal ended who asked for it while it was started
        os._exit(1)
    threading.Thread(target=obey_parent, daemon=True).start()
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(env)
    gc.freeze()  # what is imported stays
    gc.enable()
    keep_few_kernels()
    keep_freed_memory()
    port = Port(channel)
    port.end(end_of(port))


def end_of(port: Port) -> End:
    try:
        with interrupts.obeyed(), memory_errors():
            work: Work = port.receive()
            module, _, name = work.job.partition(":")
            function = getattr(importlib.import_module(module), name)
            if work.threads or "torch" in sys.modules:
                fix_threads(work.threads)
            if work.memory is not None:
                limit_memory(work.memory)
            return End(result=function(work.request, port))
    except interrupts.Stopped:
        return End(STOPPED, "a signal from elsewhere stopped it")
    except Exception as error:
        if not isinstance(error, UsageError):
            with contextlib.suppress(OSError):  # a disk that is full
                traceback.print_exception(error)
        return End(*describe(error))


def obey_parent() -> None:
    """Ends this process as soon as the one that started it is gone, killed or not."""
    if parent := multiprocessing.parent_process():
        parent.join()
        os._exit(1)
