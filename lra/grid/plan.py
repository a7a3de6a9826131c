"""From what was asked for to the runs of a grid, each checked before any is started."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from attention_zoo import UsageError, parse_spec
from attention_zoo.errors import one_line
from lra.data.prepare import Source, find_source
from lra.model import build_model
from lra.protocols import Protocol, expand, get_protocol, override, with_source
from lra.run_config import RunConfig, choose_accelerator, require_support
from lra.tasks import get_task


def plan(
    *,
    tasks: Sequence[str],
    attentions: Sequence[str],
    seeds: Sequence[int],
    protocol: str,
    settings: Sequence[str],
    data_dir: Path,
    precision: str,
    accelerator: str,
    plugins: Sequence[str],
    say: Callable[[str], None],
    source: str | None = None,
    micro_batch: int | None = None,
) -> list[RunConfig]:
    """A RunConfig for each combination, in the order in which they are given, none twice.

    Raises UsageError for the first that cannot be run here.
    """
    accelerator = choose_accelerator(accelerator)
    specs = dict.fromkeys(parse_spec(text) for text in attentions)
    configs = {}
    for task in dict.fromkeys(tasks):
        for combination in expand(settings):
            asked = with_source(get_protocol(protocol, task), source)
            changed, modified, found = settled(asked, task, combination, data_dir, say)
            for seed in dict.fromkeys(seeds):
                for spec in specs:
                    config = RunConfig(
                        task=task,
                        attention=spec,
                        protocol=changed,
                        data=found.fingerprint,
                        modified=modified,
                        seed=seed,
                        precision=precision,
                        accelerator=accelerator,
                        plugins=tuple(plugins),
                        micro_batch=parts(micro_batch, changed),
                    )
                    if seed == seeds[0]:
                        require_buildable(config)
                    configs[config.identity] = config
    return list(configs.values())


def parts(micro_batch: int | None, protocol: Protocol) -> int | None:
    """None where a batch goes through the model at once."""
    return None if micro_batch and micro_batch >= protocol.training.batch else micro_batch


def titles(configs: Sequence[RunConfig]) -> list[str]:
    """What tells the runs of a grid apart."""
    values: dict[str, set[str]] = {}
    for config in configs:
        for key in {key for other in configs for key in other.modified}:
            values.setdefault(key, set()).add(str(config.modified.get(key)))
    return [
        f"{config.task} {config.attention} seed {config.seed}"
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
            where = f" in {data_dir}" if settings.source == "official" else ""
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
