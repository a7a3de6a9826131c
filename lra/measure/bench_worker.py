"""`python -m lra.measure.bench_worker JOB.json READ WRITE`: answers as lra.measure.job says."""

import gc
import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import torch

from attention_zoo.costs import count_bytes, count_flops
from attention_zoo.errors import one_line
from attention_zoo.registry import load_plugin
from lra.failures import OutOfMemory, memory_errors
from lra.measure.formula import subject_flops
from lra.measure.gate import failure
from lra.measure.job import Count, Job, Machine, Reply, Request, Times, Work
from lra.measure.limits import machine_limits
from lra.measure.memory import process_rss_peak
from lra.measure.sheet import FAILS
from lra.measure.subject import subject
from lra.measure.timing import time_turn
from lra.measure.variant import Steps, count_parameters, peaks
from lra.system.allocator import keep_freed_memory, return_freed_memory
from lra.system.children import obey_parent
from lra.system.environment import environment
from lra.system.memory import limit_memory
from lra.system.threads import fix_threads
from lra.typed import load


class Answers:
    """What one process answers. warmed: the peak of its physical memory after each length that it
    has run, from the shortest on."""

    def __init__(self, job: Job) -> None:
        self.job, self.warmed = job, {}

    def check(self, N: int) -> Reply:
        reason = failure(self.job)
        return Reply() if reason is None else Reply(FAILS, reason)

    def warm(self, N: int) -> Reply:
        self._subject(N)
        return Reply()

    def count(self, N: int) -> Reply:
        steps = self._subject(N)
        memory = peaks(steps, self.job.device, self.warmed[N])
        parameters = count_parameters(steps.model)
        if self.job.settings.compile:  # compiled code's products are not seen
            del steps
            steps = subject(self.job, N, compile=False)
            steps.training()
        forward, kernels = self._work(steps, N, training=False)
        training, _ = self._work(steps, N, training=True)
        return Reply(count=Count(parameters, memory, kernels, forward, training))

    def time(self, N: int) -> Reply:
        steps, device = self._subject(N), self.job.device
        return Reply(
            times=Times(time_turn(steps.forward, device), time_turn(steps.training, device))
        )

    def machine(self, N: int) -> Reply:
        limits = machine_limits(self.job.device, self.job.dtype)
        return Reply(machine=Machine(environment(self.job.device), limits))

    def _subject(self, N: int) -> Steps:
        steps = subject(self.job, N, compile=self.job.settings.compile)
        if N not in self.warmed:
            steps.forward()
            steps.training()
            self.warmed[N] = process_rss_peak()
        return steps

    def _work(self, steps: Steps, N: int, *, training: bool) -> tuple[Work, list[str]]:
        step: Callable[[], object] = steps.training if training else steps.forward
        flops, kernels = count_flops(step)
        formula = subject_flops(self.job, steps.model, N, training=training)
        return Work(flops, formula, count_bytes(step)), kernels


def answered(answers: Answers, request: Request) -> Reply:
    """Whatever an attention raises, a stranger's maybe, is the answer."""
    try:
        with memory_errors():
            return getattr(answers, request.ask)(request.N)
    except OutOfMemory as error:
        return Reply(OutOfMemory.kind, one_line(error.__cause__ or error))
    except Exception as error:
        return Reply("error", f"{type(error).__name__}: {one_line(error)}")


def main() -> None:
    job_file, read, write = sys.argv[1:]
    obey_parent()
    keep_freed_memory()
    fix_threads()
    job = load(Job, json.loads(Path(job_file).read_text()))
    if job.settings.compile:
        torch._dynamo.config.recompile_limit = 1_000  # each length is compiled by itself
    with open(int(read)) as requests, open(int(write), "w") as replies:
        for plugin in job.plugins:
            load_plugin(plugin)
        if job.memory is not None:
            limit_memory(job.memory)
        answers = Answers(job)
        print(json.dumps(asdict(Reply())), file=replies, flush=True)
        for line in requests:
            reply = answered(answers, load(Request, json.loads(line)))
            gc.collect()
            if job.device.type == "cuda":
                torch.cuda.empty_cache()
            else:
                return_freed_memory()
            print(json.dumps(asdict(reply)), file=replies, flush=True)


if __name__ == "__main__":
    main()
