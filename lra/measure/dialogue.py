"""The parent's end of the conversation that lra.measure.job describes."""

import math

import torch

from lra.failures import RunFailure
from lra.jobs.local import launch, ready
from lra.jobs.work import TIME_LIMIT, End, Work
from lra.measure.job import Job, Reply, Request

JOB = "lra.measure.answers:answer"
START = 300.0  # seconds that a process may take until it is ready


class Worker:
    """A process that measures one variant; `close` it whatever happens."""

    def __init__(self, job: Job) -> None:
        self._process = launch(
            Work(
                JOB,
                job,
                memory=job.memory,
                threads=torch.get_num_threads(),
                fresh=job.device.type == "cuda",
            )
        )

    def ready(self) -> Reply:
        reply = self._reply(START)
        if reply.status == TIME_LIMIT:
            return Reply(RunFailure.kind, f"its process was not ready after {START:g} s", over=True)
        return reply

    def ask(self, request: Request, seconds: float) -> Reply:
        """A reply that is over where there is none within `seconds`."""
        self._process.send(request)
        return self._reply(seconds)

    def _reply(self, seconds: float) -> Reply:
        if not ready([self._process], None if math.isinf(seconds) else max(0.0, seconds)):
            return Reply(TIME_LIMIT, "no answer in time", over=True)
        event = self._process.event()
        if isinstance(event, End):
            return Reply(event.kind or RunFailure.kind, event.reason, over=True)
        return event.content

    def close(self) -> None:
        self._process.close()
