"""The parent's end of the conversation that lra.measure.job describes."""

import json
import os
import select
import subprocess
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

from lra.failures import Killed, RunFailure
from lra.measure.job import Job, Reply, Request
from lra.measure.sheet import TIME_LIMIT
from lra.system import children
from lra.system.files import write_json
from lra.typed import load

START = 300.0  # seconds that a process may take until it is ready
GONE = 10.0  # and until it is gone, once it has closed its pipe


class Ended(Exception):
    """The process is gone, or of no more use. status, reason: as a row has them."""

    def __init__(self, status: str, reason: str) -> None:
        super().__init__(reason)
        self.status, self.reason = status, reason


class Worker:
    """A process that measures one variant; `close` it whatever happens."""

    def __init__(self, job: Job) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="lra-measure-")
        self._log = Path(self._folder.name, "log.txt")
        path = Path(self._folder.name, "job.json")
        write_json(path, asdict(job))
        theirs, self._requests = os.pipe()
        self._replies, answers = os.pipe()
        self._left = b""
        with open(self._log, "wb") as log:
            self._process = children.start(
                "lra.measure.bench_worker",
                *(str(path), str(theirs), str(answers)),
                stdout=log,
                stderr=log,
                pass_fds=(theirs, answers),
            )
        os.close(theirs)
        os.close(answers)

    def ready(self) -> None:
        try:
            self._reply(START)
        except Ended as end:
            if end.status != TIME_LIMIT:
                raise
            late = f"its process was not ready after {START:g} s"
            raise Ended(RunFailure.kind, late) from None

    def ask(self, request: Request, seconds: float) -> Reply:
        """Raises Ended where there is no reply within `seconds`; the process is then of no more
        use."""
        try:
            os.write(self._requests, (json.dumps(asdict(request)) + "\n").encode())
        except BrokenPipeError:
            raise self._death() from None
        return self._reply(seconds)

    def _reply(self, seconds: float) -> Reply:
        end = time.monotonic() + seconds
        while b"\n" not in self._left:
            waiting = max(0.0, end - time.monotonic())
            if not select.select([self._replies], [], [], waiting)[0]:
                raise Ended(TIME_LIMIT, "no answer in time")
            more = os.read(self._replies, 1 << 16)
            if not more:
                raise self._death()
            self._left += more
        line, _, self._left = self._left.partition(b"\n")
        return load(Reply, json.loads(line))

    def _death(self) -> Ended:
        try:
            status = self._process.wait(GONE)
        except subprocess.TimeoutExpired:
            children.kill_all(self._process)
            what = "its process gave up answering, and did not end"
        else:
            how = children.death(status)
            if status < 0:
                return Ended(Killed.kind, how)
            what = f"its process ended with {how}"
        said = [line for line in self._log.read_text(errors="replace").splitlines() if line.strip()]
        return Ended(RunFailure.kind, what + (f": {said[-1]}" if said else ""))

    def close(self) -> None:
        children.kill_all(self._process)
        self._process.stdin.close()
        os.close(self._requests)
        os.close(self._replies)
        self._folder.cleanup()
