"""What the operating system is asked for."""

import os
import signal
import subprocess
import sys

import pytest

from lra.system import interrupts, memory
from lra.system.children import death
from lra.system.environment import ROOT
from lra.system.files import whole
from lra.system.locks import is_locked, locked

LIMITED = """
import torch
from lra.failures import OutOfMemory, memory_errors
from lra.system.memory import limit_memory
limit_memory(300_000_000)
kept = torch.zeros(25_000_000)
try:
    with memory_errors():
        torch.zeros(100_000_000)
except OutOfMemory as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the limit is Linux's")
def test_memory_beyond_the_limit_is_an_error():
    command = [sys.executable, "-c", LIMITED]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert "a smaller --set training.batch may fit" in done.stdout and "\n" not in done.stdout[:-1]


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
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_death_is_named():
    assert death(3) == "exit status 3"
    assert death(-signal.SIGKILL) == "killed by SIGKILL, probably out of memory"
    assert death(-signal.SIGSEGV) == "killed by SIGSEGV"
