"""What a process that measures one variant answers, as lra.measure.job says."""

import gc

import torch

from attention_zoo.costs import count_bytes, count_flops
from attention_zoo.errors import one_line
from attention_zoo.registry import load_plugin
from lra.failures import OutOfMemory, memory_errors
from lra.jobs.work import Port
from lra.measure.formula import subject_flops
from lra.measure.gate import failure
from lra.measure.job import Count, Job, Machine, Reply, Request, Work
from lra.measure.limits import machine_limits
from lra.measure.memory import process_rss_peak
from lra.measure.sheet import FAILS
from lra.measure.subject import subject
from lra.measure.timing import time_turn
from lra.measure.variant import Steps, count_parameters, peaks, softmax_parameters
from lra.system.allocator import return_freed_memory
from lra.system.environment import environment


class Answers:
    """What one process answers. warmed: the peak of its physical memory after each length that it
    has run, from the shortest on."""

    def __init__(self, job: Job) -> None:
        self.job, self.warmed = job, {}

    def check(self, asked: Request) -> Reply:
        reason = failure(self.job)
        return Reply() if reason is None else Reply(FAILS, reason)

    def warm(self, asked: Request) -> Reply:
        self._subject(asked.N)
        return Reply()

    def count(self, asked: Request) -> Reply:
        steps = self._subject(asked.N, trained=True)
        memory = peaks(steps, self.job.device, self.warmed[asked.N])
        parameters = count_parameters(steps.model)
        if self.job.settings.compile:
            del steps
            steps = self._plain(asked.N)
        forward, kernels = count_flops(steps.forward)
        training, _ = count_flops(steps.training)
        flops = forward, training
        return Reply(content=Count(parameters, self._more(parameters), memory, kernels, flops))

    def work(self, asked: Request) -> Reply:
        steps = self._plain(asked.N)
        content = tuple(
            Work(subject_flops(self.job, steps.model, asked.N, training=trains), count_bytes(step))
            for trains, step in ((False, steps.forward), (True, steps.training))
        )
        return Reply(content=content)

    def time(self, asked: Request) -> Reply:
        steps = subject(self.job, asked.N, compile=self.job.settings.compile)
        how = self.job.device, asked.least, asked.seconds
        return Reply(content=[time_turn(step, *how) for step in (steps.forward, steps.training)])

    def machine(self, asked: Request) -> Reply:
        limits = machine_limits(self.job.device, self.job.dtype)
        return Reply(content=Machine(environment(self.job.device), limits))

    def _subject(self, N: int, *, trained: bool = False) -> Steps:
        """trained: with the optimiser's state."""
        steps = subject(self.job, N, compile=self.job.settings.compile)
        first = N not in self.warmed
        if first:
            steps.forward()
        if first or trained:
            steps.training()
        if first:
            self.warmed[N] = process_rss_peak()
        return steps

    def _plain(self, N: int) -> Steps:
        """As `_subject`, but never compiled: what compiled code does is not seen."""
        steps = subject(self.job, N, compile=False)
        steps.training()
        return steps

    def _more(self, parameters: int) -> float | None:
        if self.job.protocol is None:
            return None
        plain = softmax_parameters(self.job.protocol, self.job.settings.task)
        return 100 * (parameters / plain - 1)


def answered(answers: Answers, request: Request) -> Reply:
    """Whatever an attention raises, a stranger's maybe, is the answer."""
    try:
        with memory_errors():
            return getattr(answers, request.ask)(request)
    except OutOfMemory as error:
        return Reply(OutOfMemory.kind, one_line(error.__cause__ or error))
    except Exception as error:
        return Reply("error", f"{type(error).__name__}: {one_line(error)}")


def answer(job: Job, port: Port) -> None:
    """Told once when it is ready, then after each Request."""
    if job.settings.compile:
        torch._dynamo.config.recompile_limit = 1_000  # each length is compiled by itself
    for plugin in job.plugins:
        load_plugin(plugin)
    answers, reply = Answers(job), Reply()
    while True:
        gc.collect()
        if job.device.type == "cuda":
            torch.cuda.empty_cache()
        else:
            return_freed_memory()
        port.tell("reply", reply)
        reply = answered(answers, port.receive())
