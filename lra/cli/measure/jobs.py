"""What was typed for `measure`, as jobs: every mistake is said before anything is started."""

import argparse
import shlex
from collections.abc import Sequence
from dataclasses import asdict

from attention_zoo import Spec, UsageError, parse_spec
from attention_zoo.build import in_layers
from attention_zoo.errors import one_line
from attention_zoo.spec import attention_of
from lra.cli.common import memory_of_one, say
from lra.cli.measure import BATCH, LENGTHS
from lra.config import choose_accelerator, require_precision
from lra.grid.plan import parts, settled
from lra.measure.gate import CONTRACT
from lra.measure.job import Job, step_settings
from lra.measure.sheet import Settings
from lra.measure.subject import module_of
from lra.model import build_model
from lra.protocols import Protocol, get_protocol, spec_under, with_source
from lra.run.describe import with_plugins, words_of
from lra.system.files import fingerprint


def jobs_of(options: argparse.Namespace) -> tuple[list[Job], list[int]]:
    """A job a variant, in the order in which they were given, and the lengths, from the shortest
    on; UsageError for the first mistake."""
    accelerator, protocol = choose_accelerator(options.accelerator), None
    if options.level == "step":
        settings, protocol = settings_of_step(options, accelerator)
        specs = [spec_under(text, protocol) for text in options.attn]
    else:
        specs = [parse_spec(text) for text in options.attn]
        settings = Settings(
            level=options.level,
            batch=options.batch or BATCH,
            heads=options.heads,
            head_dim=options.head_dim,
            dtype=options.dtype,
            accelerator=accelerator,
            compile=options.compile,
        )
    lengths = sorted(
        set(options.seq_len or ([protocol.task.max_len] if protocol is not None else LENGTHS))
    )
    memory = memory_of_one(accelerator, asked=options.memory_limit)
    plugins = tuple(options.plugin)
    jobs = [
        Job(str(spec), settings, protocol, plugins, memory, CONTRACT)
        for spec in dict.fromkeys(specs)
    ]
    for job in jobs:
        if not unsupported(job):
            require_buildable(job, lengths[0])
    return jobs, lengths


def settings_of_step(options: argparse.Namespace, accelerator: str) -> tuple[Settings, Protocol]:
    """Those of a training step, and its protocol."""
    require_precision(options.precision, accelerator)
    asked = with_source(get_protocol(options.protocol, options.task), options.source)
    protocol, modified, _ = settled(asked, options.task, options.set, options.data_dir, say)
    settings = step_settings(
        options.task,
        protocol,
        label=asked.label,
        modified=modified,
        precision=options.precision,
        accelerator=accelerator,
        micro_batch=parts(options.micro_batch, protocol),
        compile=options.compile,
    )
    return settings, protocol


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


def default_name(jobs: Sequence[Job], lengths: Sequence[int]) -> str:
    """Level, what is measured, device, dtype; then what tells it from others."""
    settings, attentions = jobs[0].settings, [job.attention for job in jobs]
    words = [settings.level, settings.task, settings.protocol, f"b{settings.batch}"]
    if settings.level != "step":
        words += [f"h{settings.heads}", f"d{settings.head_dim}"]
    words += [settings.accelerator, settings.dtype, "compiled" if settings.compile else None]
    words.append(fingerprint([asdict(settings), attentions, list(lengths)])[:8])
    return "-".join(word for word in words if word is not None) + ".json"


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
        words += ["--task", settings.task, "--precision", settings.dtype]
        words += words_of(protocol, settings.modified, settings.micro_batch)
    return shlex.join([*words, *with_plugins(jobs[0].plugins)])
