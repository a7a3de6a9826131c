"""`python -m lra.grid.worker JOB`: one run in this process, told to the parent in JSON lines.

With several devices Lightning starts this command again for each further one.
"""

import contextlib
import json
import os
import sys
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from attention_zoo import UsageError
from attention_zoo.errors import one_line
from attention_zoo.registry import load_plugin
from lra.data.prepare import PREPARED
from lra.failures import RunFailure, memory_errors
from lra.journal import UNFINISHED
from lra.run import Place, Teller, fail, open_data, run
from lra.run_config import RunConfig
from lra.system import interrupts
from lra.system.allocator import keep_freed_memory
from lra.system.children import obey_parent
from lra.system.memory import limit_memory
from lra.training.fit import Launch, train

DONE, FAILED, STOPPED = 0, 1, 75  # exit statuses; 75 is sysexits.h's "try again"


@dataclass(frozen=True)
class Job:
    """What a worker is told. memory: bytes of main memory that it may take, None for any."""

    config: RunConfig
    place: Place
    launch: Launch
    rerun: bool = False
    only_measure: bool = False
    memory: int | None = None

    @property
    def directory(self) -> Path:
        return self.config.directory(self.place.results)

    def as_text(self) -> str:
        parts = {
            "config": self.config.as_json(),
            "place": {name: str(path) for name, path in vars(self.place).items()},
            "launch": vars(self.launch),
        }
        return json.dumps(vars(self) | parts)

    @classmethod
    def from_text(cls, text: str) -> "Job":
        content: dict[str, Any] = json.loads(text)
        for plugin in content["config"]["plugins"]:
            load_plugin(plugin)
        content["config"] = RunConfig.from_json(content["config"])
        content["place"] = Place(**{name: Path(path) for name, path in content["place"].items()})
        content["launch"] = Launch(**content["launch"])
        return cls(**content)


def main() -> int:
    obey_parent()
    keep_freed_memory()
    tell = speaker()
    job = Job.from_text(sys.argv[1])
    teller = Teller(
        say=lambda line: tell("say", line), report=lambda report: tell("report", asdict(report))
    )
    try:
        with interrupts.obeyed(), memory_errors():
            if job.memory is not None:
                limit_memory(job.memory + mapped(job))
            if "LOCAL_RANK" in os.environ:
                return follow(job)
            run(
                job.config,
                job.place,
                teller,
                launch=job.launch,
                rerun=job.rerun,
                only_measure=job.only_measure,
            )
            return DONE
    except interrupts.Stopped:
        return STOPPED
    except Exception as error:
        ours = isinstance(error, UsageError)
        kind = error.kind if isinstance(error, RunFailure) else "error"
        reason = one_line(error) if ours else f"{type(error).__name__}: {one_line(error)}"
        tell("failed", {"kind": kind, "reason": reason})
        with contextlib.suppress(OSError):  # a disk that is full
            fail(job.config, job.place.results, kind, reason)
            if not ours:
                traceback.print_exception(error)
        return FAILED


def mapped(job: Job) -> int:
    """Bytes of prepared data, which take addresses and no memory of their own."""
    arrays = (job.place.data_dir / PREPARED / job.config.data).glob("*.npy")
    return sum(array.stat().st_size for array in arrays)


def follow(job: Job) -> int:
    """Trains as one of several devices; the first one's process does all the rest."""
    store = open_data(job.config, job.place.data_dir, lambda line: None)
    train(job.config, store, job.directory / UNFINISHED, lambda report: None, job.launch)
    return DONE


def speaker() -> Callable[[str, Any], None]:
    """Writes events to what was standard output; stray prints go to standard error instead."""
    events = os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

    def tell(kind: str, content: Any) -> None:
        events.write(json.dumps({kind: content}) + "\n")

    return tell


if __name__ == "__main__":
    sys.exit(main())
