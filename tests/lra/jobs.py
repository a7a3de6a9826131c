"""Jobs that end, or do not, in every way."""

import os
import signal
import sys
import threading
import time

from lra.failures import NotFinite
from lra.measure.job import Reply


def deaf(request, port):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    port.tell("say", "deaf")
    time.sleep(3600)


def echo(request, port):
    """Tells what it receives until that is the request."""
    while (message := port.receive()) != request:
        port.tell("echo", message)
    return os.environ.get("LRA_TEST"), os.getcwd(), os.getsid(0) == os.getpid()


def silent(request, port):
    time.sleep(3600)


def ready(request, port):
    """Is ready to measure, and answers nothing."""
    port.tell("reply", Reply())
    time.sleep(3600)


def checks(request, port):
    """Holds its contract, and answers nothing else."""
    for _ in range(2):
        port.tell("reply", Reply())
        if port.receive().ask != "check":
            time.sleep(3600)


def killed(request, port):
    os.kill(os.getpid(), signal.SIGKILL)


def leave(request, port):
    sys.exit("the device is on fire")


def mute(request, port):
    """Closes its pipe and does not end."""
    threading.Thread(target=time.sleep, args=(600,)).start()
    print("the device is on fire")
    sys.stdout.flush()
    port._channel.close()


def diverge(request, port):
    raise NotFinite("the loss is nan")


def fill(request, port):
    import torch

    torch.zeros(request, dtype=torch.uint8)


def started(request, port):
    """Starts a job of its own and tells of both processes."""
    from lra.jobs.local import launched
    from lra.jobs.work import Work

    with launched(Work("tests.lra.jobs:silent")) as process:
        port.tell("started", [os.getpid(), process._process.pid])
        time.sleep(3600)
