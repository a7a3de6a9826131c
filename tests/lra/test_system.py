"""What the operating system is asked for."""

import os
import signal
import threading
from contextlib import ExitStack

import pytest

from lra.system import interrupts, memory
from lra.system.files import whole
from lra.system.locks import LOCK, is_locked, locked


def test_a_control_groups_cache_counts_as_free(tmp_path, monkeypatch):
    (tmp_path / "memory.max").write_text("8000000000\n")
    (tmp_path / "memory.current").write_text("7000000000\n")
    (tmp_path / "memory.stat").write_text("anon 1\ninactive_file 6000000000\nfile 2\n")
    groups = [(str(tmp_path / "memory.max"), str(tmp_path / "memory.current"))]
    monkeypatch.setattr(memory, "CGROUPS", groups)
    assert memory.available_memory() <= 0.95 * 7e9
    (tmp_path / "memory.max").write_text("7000000000\n")
    (tmp_path / "memory.stat").write_text("inactive_file 1000\n")
    assert memory.available_memory() == int(0.95 * 1000)


def test_a_lock_is_held_by_one_and_says_by_whom(tmp_path):
    path = tmp_path / "run" / ".lock"
    assert not is_locked(path)
    with locked(path, print):
        assert is_locked(path) and f"process {os.getpid()} on " in path.read_text()
    assert not is_locked(path)


def test_a_file_is_whole_or_what_it_was(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"before")
    with pytest.raises(KeyError), whole(path) as file:
        file.write(b"half")
        raise KeyError
    assert path.read_bytes() == b"before" and list(tmp_path.iterdir()) == [path]
    with whole(path) as file:
        file.write(b"after")
    assert path.read_bytes() == b"after"


def test_signals_are_obeyed_at_once_or_when_the_work_allows():
    before = signal.getsignal(signal.SIGTERM)
    with interrupts.obeyed():
        with pytest.raises(interrupts.Stopped):
            os.kill(os.getpid(), signal.SIGTERM)
        with interrupts.obeyed():
            assert not interrupts.requested()
            steps = []
            with pytest.raises(interrupts.Stopped), interrupts.deferred():
                os.kill(os.getpid(), signal.SIGTERM)
                steps.append(interrupts.requested())
                assert not interrupts.insisted()
                os.kill(os.getpid(), signal.SIGINT)
                steps.append(interrupts.insisted())
            assert steps == [True, True]
    with interrupts.obeyed("outer"):
        with interrupts.obeyed("inner"):
            pass
        with pytest.raises(interrupts.Stopped) as stopped:
            os.kill(os.getpid(), signal.SIGTERM)
        assert stopped.value.then == "outer"
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_lock_is_of_the_file_that_is_at_its_path(tmp_path):
    """`results rm` renames a run's folder, with its lock, under whoever waits for it."""
    path = tmp_path / "run" / LOCK
    waits, entered, writers = threading.Event(), threading.Event(), []

    def wait():
        with locked(path, lambda line: waits.set()):
            writers.append("waiter")
            entered.set()

    waiter = threading.Thread(target=wait)
    with ExitStack() as second:
        with locked(path, print):
            waiter.start()
            assert waits.wait(60)
            path.parent.rename(tmp_path / "aside")
            second.enter_context(locked(path, print))
        entered.wait(0.3)
        writers.append("second")
    waiter.join()
    assert writers == ["second", "waiter"] and not is_locked(path)
