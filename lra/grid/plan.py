"""From what was asked for to the runs of a grid, each checked before any is started."""

from argparse import Namespace
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import torch

from attention_zoo import UsageError, parse_spec
from attention_zoo.errors import one_line
from lra.config import RunConfig, choose_accelerator, require_support
from lra.data.batches import require_examples
from lra.data.fractions import require_fraction
from lra.data.prepare import Source, find_source
from lra.model import attention_dropout, build_model
from lra.protocols import Protocol, expand, get_protocol, override, spec_under, with_source
from lra.tasks import get_task


def plan(asked: Namespace, say: Callable[[str], None]) -> list[RunConfig]:
    """A RunConfig for each combination, in the order in which they are given, none twice.

    asked: by the names of the command line, task, attn, seed, protocol, source, set, micro_batch,
    train_fraction, precision, accelerator, plugin, data_dir. Raises UsageError for the first that
    cannot be run here.
    """
    accelerator = choose_accelerator(asked.accelerator)
    for text in asked.attn:
        parse_spec(text)  # a mistake is said before any other is looked for
    configs = {}
    for task in dict.fromkeys(asked.task):
        start = with_source(get_protocol(asked.protocol, task), asked.source)
        specs = dict.fromkeys(spec_under(text, start) for text in asked.attn)
        for combination in expand(asked.set):
            protocol, modified, found = settled(start, task, combination, asked.data_dir, say)
            for fraction in asked.train_fraction:
                training, size = protocol.training, protocol.task.training_size
                require_fraction(size, fraction, training.batch, training.bucket)
            fractions = dict.fromkeys(asked.train_fraction)
            for seed, fraction, spec in product(dict.fromkeys(asked.seed), fractions, specs):
                config = RunConfig(
                    task=task,
                    attention=spec,
                    protocol=protocol,
                    data=found.fingerprint,
                    modified=modified,
                    seed=seed,
                    precision=asked.precision,
                    accelerator=accelerator,
                    plugins=tuple(asked.plugin),
                    micro_batch=parts(asked.micro_batch, protocol),
                    train_fraction=fraction,
                )
                if (seed, fraction) == (asked.seed[0], asked.train_fraction[0]):
                    require_buildable(config)
                configs[config.identity] = config
    if off := dict.fromkeys(str(c.attention) for c in configs.values() if lacks_dropout(c)):
        say(f"model.attention_dropout is off where it is not supported: {', '.join(off)}")
    if asked.precision == "bf16-mixed" and accelerator == "cpu" and not has_bfloat16():
        say(
            "this CPU has no instructions for bfloat16: bf16-mixed takes 4 to 5 times as long as "
            "32-true here"
        )
    return list(configs.values())


def has_bfloat16() -> bool:
    """Whether the CPU has instructions for it; True where torch (before 2.12) does not say."""
    known = getattr(torch.cpu, "get_capabilities", dict)()
    names = {"avx512_bf16", "amx_bf16", "bf16"} & set(known)
    return not names or any(known[name] for name in names)


def lacks_dropout(config: RunConfig) -> bool:
    """Whether the protocol has attention dropout and the attention does not support it."""
    model = config.protocol.model
    return model.attention_dropout != attention_dropout(config.attention, model)


def parts(micro_batch: int | None, protocol: Protocol) -> int | None:
    """None where a batch goes through the model at once."""
    return None if micro_batch and micro_batch >= protocol.training.batch else micro_batch


def titles(configs: Sequence[RunConfig]) -> list[str]:
    """What tells the runs of a grid apart."""
    values: dict[str, set[str]] = {}
    for config in configs:
        for key in {key for other in configs for key in other.modified}:
            values.setdefault(key, set()).add(str(config.modified.get(key)))
    fractions = any(config.train_fraction != 1 for config in configs)
    return [
        f"{config.task} {config.attention} seed {config.seed}"
        + f" train fraction {config.train_fraction:g}" * fractions
        + "".join(f" {key}={v}" for key, v in config.modified.items() if len(values[key]) > 1)
        for config in configs
    ]


def settled(
    protocol: Protocol,
    task: str,
    settings: Sequence[str],
    data_dir: Path,
    say: Callable[[str], None],
) -> tuple[Protocol, dict[str, Any], Source]:
    """The protocol with these settings, those that differ from it by name, and its data."""
    changed, modified = override(protocol, settings)
    if "training.warmup" in modified and not any("warmup" in text for text in settings):
        say(f"training.warmup is scaled with training.steps, to {modified['training.warmup']}")
    changed, source = decided(changed, task, data_dir, modified)
    training = changed.training
    require_examples(changed.task.training_size, training.batch, training.bucket)
    return changed, modified, source


def decided(
    protocol: Protocol, task: str, data_dir: Path, modified: dict[str, object]
) -> tuple[Protocol, Source]:
    """The protocol with its source of data decided; settings without an effect are refused."""
    source = find_source(get_task(task), protocol.task, data_dir)
    settings = source.settings
    for key in modified:
        section, _, name = key.partition(".")
        if section == "task" and name not in settings.effective:
            where = f" in {source.folder}" if source.folder else ""
            raise UsageError(
                f"--set {key} has no effect on the {settings.source} data{where}; choose another "
                "--source, or leave it out"
            )
    return replace(protocol, task=source.settings), source


def require_buildable(config: RunConfig) -> None:
    """Raises UsageError where the variant cannot run here or its model cannot be made."""
    require_support(config)
    try:
        build_model(config.attention, config.protocol, config.task, config.seed)
    except (RuntimeError, OverflowError, MemoryError) as error:
        raise UsageError(f"{config.attention} cannot be built: {one_line(error)}") from error
