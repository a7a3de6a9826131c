"""What was typed for `measure`, as jobs: every mistake is said before anything is started."""

import argparse
import shlex
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from attention_zoo import Spec, UsageError, parse_spec
from attention_zoo.build import in_layers
from attention_zoo.errors import one_line
from attention_zoo.options import spell
from attention_zoo.spec import attention_of
from lra.cli.common import memory_of_one, say
from lra.cli.parsers import measure as typed
from lra.grid.plan import parts, settled
from lra.measure.gate import CONTRACT
from lra.measure.job import Job
from lra.measure.sheet import Settings
from lra.measure.subject import module_of
from lra.model import build_model
from lra.protocols import Protocol, expand, get_protocol, with_source
from lra.run_config import choose_accelerator
from lra.system.files import fingerprint

STEP_ONLY = ("task", "protocol", "source", "set", "micro_batch", "precision", "data_dir")
INSTEAD = {  # at level step, what does what these do elsewhere
    "heads": "use --set model.heads=H",
    "head_dim": "use --set model.dim=C",
    "dtype": "use --precision",
}


def jobs_of(options: argparse.Namespace) -> tuple[list[Job], list[int]]:
    """A job a variant, in the order in which they were given, and the lengths, from the shortest
    on; UsageError for the first mistake."""
    specs = list(dict.fromkeys(parse_spec(text) for text in options.attn))
    level = options.level or ("step" if options.task else "layer")
    accelerator = choose_accelerator(options.accelerator)
    if level == "step":
        settings, protocol = step_settings(options, accelerator)
    else:
        for name in STEP_ONLY:
            if getattr(options, name) is not None:
                also = "; use --dtype" if name == "precision" else ""
                raise UsageError(f"{flag(name)} has no effect at level {level}{also}")
        protocol = None
        settings = Settings(
            level=level,
            batch=options.batch or typed.BATCH,
            heads=options.heads or typed.HEADS,
            head_dim=options.head_dim or typed.HEAD_DIM,
            dtype=options.dtype or typed.DTYPE,
            accelerator=accelerator,
            compile=options.compile,
        )
    default = typed.LENGTHS if protocol is None else [protocol.task.max_len]
    lengths = sorted(set(options.seq_len or default))
    memory = memory_of_one(accelerator, asked=options.memory_limit)
    plugins = tuple(options.plugin)
    jobs = [Job(str(spec), settings, protocol, plugins, memory, CONTRACT) for spec in specs]
    for job in jobs:
        if not unsupported(job):
            require_buildable(job, lengths[0])
    return jobs, lengths


def step_settings(options: argparse.Namespace, accelerator: str) -> tuple[Settings, Protocol]:
    """Those of a training step, and its protocol."""
    if options.task is None:
        raise UsageError("--level step is that of a task's model: name one, --task listops")
    for name, instead in INSTEAD.items():
        if getattr(options, name) is not None:
            raise UsageError(f"{flag(name)} has no effect at level step; {instead}")
    assignments = list(options.set or [])
    if options.batch is not None:
        assignments.append(f"training.batch={options.batch}")
    combinations = expand(assignments)
    if len(combinations) > 1:
        raise UsageError("--set with several values makes several measurements: give one value")
    name = options.protocol or typed.PROTOCOL
    asked = with_source(get_protocol(name, options.task), options.source)
    data_dir = options.data_dir or Path("data")
    protocol, modified, _ = settled(asked, options.task, combinations[0], data_dir, say)
    settings = Settings(
        level="step",
        batch=protocol.training.batch,
        heads=protocol.model.heads,
        head_dim=protocol.model.width // protocol.model.heads,
        dtype=options.precision or typed.PRECISION,
        accelerator=accelerator,
        compile=options.compile,
        task=options.task,
        protocol=name,
        modified=modified,
        micro_batch=parts(options.micro_batch, protocol),
    )
    return settings, protocol


def flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def unsupported(job: Job) -> list[str]:
    """Reasons why a variant cannot run as it was asked for."""
    settings = job.settings
    return attention_of(job.spec).unsupported(settings.accelerator, job.dtype, settings.head_dim)


def require_buildable(job: Job, N: int) -> None:
    """Raises UsageError where there is no such module, or none with the filters that are named."""
    try:
        if job.protocol is not None:
            build_model(job.spec, job.protocol, job.settings.task, seed=0, max_len=N)
        else:
            module_of(job.spec, job.settings, None, N)
            require_filters(job.spec)
    except UsageError:
        raise
    except (RuntimeError, OverflowError, MemoryError) as error:
        raise UsageError(f"{job.attention} cannot be built: {one_line(error)}") from error


def require_filters(spec: Spec) -> None:
    for part in spec.filters:
        if not in_layers(1, dict(part.options).get("layers", "all")):
            raise UsageError(f"{part} is not in layer 1, which is measured: use --level step")


def identity(jobs: Sequence[Job], lengths: Sequence[int]) -> str:
    """The same for measurements of the same things."""
    attentions = [job.attention for job in jobs]
    return fingerprint([asdict(jobs[0].settings), attentions, list(lengths)])


def default_name(jobs: Sequence[Job], lengths: Sequence[int]) -> str:
    """Level, what is measured, device, dtype; then what tells it from others."""
    settings = jobs[0].settings
    what = [f"b{settings.batch}"]
    if settings.level == "step":
        what = [settings.task, settings.protocol, *what]
    else:
        what += [f"h{settings.heads}", f"d{settings.head_dim}"]
    words = [settings.level, *what, settings.accelerator, settings.dtype]
    words += ["compiled"] if settings.compile else []
    return "-".join([*words, identity(jobs, lengths)[:8]]) + ".json"


def command(jobs: Sequence[Job], lengths: Sequence[int]) -> str:
    """What repeats a measurement."""
    settings, protocol = jobs[0].settings, jobs[0].protocol
    words = ["python", "run_lra.py", "measure", "--level", settings.level, "--attn"]
    words += [*(job.attention for job in jobs), "--seq-len", *map(str, lengths)]
    words += ["--accelerator", settings.accelerator, *(["--compile"] * settings.compile)]
    if protocol is None:
        words += ["--batch", str(settings.batch), "--heads", str(settings.heads)]
        words += ["--head-dim", str(settings.head_dim), "--dtype", settings.dtype]
    else:
        words += ["--task", settings.task, "--protocol", settings.protocol]
        words += ["--precision", settings.dtype]
        if protocol.task.source != get_protocol(settings.protocol, settings.task).task.source:
            words += ["--source", protocol.task.source]
        if settings.micro_batch is not None:
            words += ["--micro-batch", str(settings.micro_batch)]
        for key, value in settings.modified.items():
            words += ["--set", f"{key}={spell(value)}"]
    for plugin in jobs[0].plugins:
        words += ["--plugin", plugin]
    return shlex.join(words)
