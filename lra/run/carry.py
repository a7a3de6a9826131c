"""One run as a job, on one device or several."""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch

from attention_zoo.registry import load_plugin
from lra.jobs.local import launched
from lra.jobs.work import STOPPED, End, Port, Process
from lra.results.layout import UNFINISHED
from lra.run.data import open_data
from lra.run.job import Job
from lra.run.run import Teller, run
from lra.training.fit import train


def carry_out(job: Job, port: Port) -> None:
    """Tells what it has to say, reports, and its measurement."""
    for plugin in job.config.plugins:
        load_plugin(plugin)
    run(
        job.config,
        job.place,
        Teller(
            say=lambda line: port.tell("say", line),
            report=lambda report: port.tell("report", report),
            measured=lambda measured: port.tell("measured", measured),
        ),
        launch=job.launch,
        rerun=job.rerun,
        measure=job.measure,
        only_measure=job.only_measure,
        measured=job.measured,
        beside=job.beside,
        verify=job.verify,
        memory=job.memory,
        together=followed(job, port),
    )


def follow(job: Job, port: Port) -> None:
    """Trains as one of several devices; the first one's process does all the rest."""
    for plugin in job.config.plugins:
        load_plugin(plugin)
    store = open_data(job.config, job.place.data_dir, lambda line: None, verify=False)
    train(job.config, store, job.directory / UNFINISHED, lambda report: None, job.launch)


@contextmanager
def followed(job: Job, port: Port) -> Iterator[None]:
    """Within, the other devices' processes train with this one, which Lightning takes for the first
    of processes that another launcher started: it looks for LOCAL_RANK and its like."""
    ranks = range(1, job.launch.devices)
    if not ranks:
        yield
        return
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        where = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(listener.getsockname()[1])}
    shared = where | {"NODE_RANK": "0", "WORLD_SIZE": str(job.launch.devices)}
    threads, over = torch.get_num_threads(), threading.Event()
    watchers = []
    with ExitStack() as stack:
        for rank in ranks:
            env = shared | {"LOCAL_RANK": str(rank)}
            work = job.work(threads, env, job="lra.run.carry:follow")
            process = stack.enter_context(launched(work))
            watchers.append(threading.Thread(target=watch, args=(process, port, over), daemon=True))
            watchers[-1].start()
        os.environ |= shared | {"LOCAL_RANK": "0"}
        try:
            yield
        except Exception:  # of a connection, perhaps, whose other end was killed: that is the cause
            for watcher in watchers:
                watcher.join(1.0)
            raise
        finally:
            over.set()


def watch(process: Process, port: Port, over: threading.Event) -> None:
    """Ends this process with what ended another device's: it would wait for it for long."""
    end = process.event()
    if isinstance(end, End) and end.kind not in (None, STOPPED) and not over.is_set():
        port.end(end)
        os._exit(1)
