"""Work in other processes: what they tell, how they end, and that none is left."""

import multiprocessing
import os
import signal
import sys
import time

import pytest

from lra.failures import Killed, RunFailure
from lra.jobs.local import death, launched, ready
from lra.jobs.pool import mapper
from lra.jobs.work import STOPPED, TIME_LIMIT, End, Told, Work
from lra.system import interrupts

from .test_grid import alive, wait_for


def end_of(job, request=None, **options):
    with launched(Work(f"tests.lra.jobs:{job}", request, **options)) as process:
        return process.event()


@pytest.mark.parametrize("fresh", [False, True])
def test_a_job_talks_and_ends_with_a_result(tmp_path, monkeypatch, fresh):
    monkeypatch.chdir(tmp_path)
    work = Work("tests.lra.jobs:echo", "over", env={"LRA_TEST": "here"}, fresh=fresh)
    with launched(work) as process:
        for message in ({"N": [1]}, None):
            process.send(message)
            assert process.event() == Told("echo", message)
        process.send("over")
        assert process.event() == End(result=("here", str(tmp_path), True))


@pytest.mark.parametrize(
    ("job", "kind", "reason"),
    [
        ("killed", "killed", "killed by SIGKILL, probably out of memory"),
        ("leave", "error", "its process ended with exit status 1: the device is on fire"),
        ("diverge", "not finite", "the loss is nan"),
        ("absent", "error", "AttributeError: module 'tests.lra.jobs' has no attribute 'absent'"),
    ],
)
def test_every_failure_has_its_kind(job, kind, reason):
    assert end_of(job) == End(kind, reason)


def test_memory_beyond_the_limit_is_a_kind_of_failure(tmp_path):
    log = tmp_path / "log.txt"
    assert end_of("fill", 10**9, memory=300_000_000, log=log).kind == "out of memory"
    assert end_of("fill", 10**6, memory=300_000_000, log=log).kind is None
    assert log.read_text() == ""


def test_who_is_asked_to_stop_is_stopped_and_who_is_not_is_killed():
    for kind, job in ((STOPPED, "silent"), (TIME_LIMIT, "deaf")):
        with launched(Work(f"tests.lra.jobs:{job}")) as process:
            if job == "deaf":
                assert process.event() == Told("say", "deaf")
            process.stop(0.1 if job == "deaf" else 60.0, kind)
            while not ready([process], 0.05):
                pass
            assert process.event().kind == kind
    with launched(Work("tests.lra.jobs:silent")) as process:
        process._process.terminate()
        assert process.event().kind == "killed"


def test_a_job_ends_with_the_one_that_started_it():
    with launched(Work("tests.lra.jobs:started")) as process:
        pids = set(process.event().content)
        assert alive(pids) == pids
    wait_for(lambda: not alive(pids))


@pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_pool_is_not_waited_for_once_its_work_is_void(impatient):
    before = set(multiprocessing.active_children())
    with pytest.raises(interrupts.Stopped), interrupts.obeyed(), mapper(2, 3) as mapped:
        for _ in mapped(time.sleep, [0.0] + 50 * [3600.0]):
            os.kill(os.getpid(), signal.SIGTERM)
    assert set(multiprocessing.active_children()) <= before


def test_a_pool_keeps_the_order_and_says_what_went_wrong():
    with mapper(2, 3) as mapped:
        assert list(mapped(len, ["abc", "", "ab"])) == [3, 0, 2]
        with pytest.raises(TypeError, match="has no len"):
            list(mapped(len, ["", 1]))
    with pytest.raises(RunFailure, match="Unsendable: no such row"), mapper(2, 3) as mapped:
        list(mapped(raise_unsendable, [1]))
    with pytest.raises(Killed, match="--workers 1"), mapper(2, 3) as mapped:
        list(mapped(kill_self, [1, 2, 3]))
    with pytest.raises(RunFailure, match="exit status 3"), mapper(2, 3) as mapped:
        list(mapped(sys.exit, [3]))


class Unsendable(Exception):
    """Pickled, it is made again with one argument for two."""

    def __init__(self, what, where):
        super().__init__(f"no such {what}")


def raise_unsendable(_):
    raise Unsendable("row", 1)


def kill_self(_):
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_pool_that_is_killed_within_an_answer_is_not_waited_for():
    with pytest.raises(KeyError), mapper(2, 99) as mapped:
        answers = iter(mapped(bytes, [1, *[100_000_000] * 8]))
        next(answers), next(answers)  # the next ones are on their way
        raise KeyError


def test_a_death_is_named():
    assert death(3) == "exit status 3"
    assert death(-signal.SIGKILL) == "killed by SIGKILL, probably out of memory"
    assert death(-signal.SIGSEGV) == "killed by SIGSEGV"
