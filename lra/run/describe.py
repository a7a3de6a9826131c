"""What a record says of a run, however it ended."""

import datetime
import shlex
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from attention_zoo.options import spell
from lra.config import RunConfig
from lra.model import attention_dropout
from lra.protocols import Protocol
from lra.results.layout import UNFINISHED
from lra.results.record import SCHEMA, Data, Failure, write_record
from lra.run.journal import read_journal
from lra.system.environment import environment


def described(config: RunConfig) -> dict[str, Any]:
    """The fields that a record and a failure share."""
    return {
        "schema": SCHEMA,
        "identity": config.identity,
        "finished": now(),
        "command": command(config),
        "task": config.task,
        "attention": str(config.attention),
        "seed": config.seed,
        "precision": config.precision,
        "accelerator": config.accelerator,
        "micro_batch": config.micro_batch,
        "attention_dropout": attention_dropout(config.attention, config.protocol.model),
        "modified": config.modified,
        "protocol": config.protocol,
    }


def fail(config: RunConfig, results: Path, kind: str, reason: str) -> None:
    """Puts on record that a run failed, and how; it can still be taken up again."""
    directory = config.directory(results)
    journal = read_journal(directory / UNFINISHED)
    where = journal.environment if journal else environment(torch.device(config.accelerator))
    failure = Failure(
        **described(config),
        data=Data(config.protocol.task.source, config.data, {}, config.train_fraction),
        kind=kind,
        reason=reason,
        environment=where,
    )
    directory.mkdir(parents=True, exist_ok=True)
    write_record(directory, failure)


def command(config: RunConfig) -> str:
    """What repeats a run, whatever else was asked for beside it."""
    words = ["python", "run_lra.py", "--task", config.task, "--attn", str(config.attention)]
    words += ["--seed", str(config.seed)]
    words += ["--precision", config.precision, "--accelerator", config.accelerator]
    words += words_of(config.protocol, config.modified, config.micro_batch)
    if config.train_fraction != 1:
        words += ["--train-fraction", str(config.train_fraction)]
    return shlex.join([*words, *with_plugins(config.plugins)])


def words_of(
    protocol: Protocol, modified: Mapping[str, Any], micro_batch: int | None
) -> Iterator[str]:
    """The options that bring a protocol back, with the source that its data are from: whatever
    files are there then, and whatever the protocol says of it."""
    yield from ("--protocol", protocol.file or protocol.name, "--source", protocol.task.source)
    if micro_batch is not None:
        yield from ("--micro-batch", str(micro_batch))
    for key, value in modified.items():
        yield from ("--set", f"{key}={spell(value)}")


def with_plugins(plugins: Iterable[str]) -> list[str]:
    return [word for plugin in plugins for word in ("--plugin", plugin)]


def now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
