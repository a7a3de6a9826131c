"""Protocols: model, training and data settings under which variants are compared."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields, is_dataclass, replace
from typing import Any, Literal, get_type_hints

from attention_zoo.errors import UsageError, unknown
from attention_zoo.options import Option, read_option
from lra.tasks import get_task
from lra.tasks.listops import ListOpsSettings


def _at_least(least: int, section: str, settings: Any, *keys: str) -> None:
    for key in keys:
        if getattr(settings, key) < least:
            raise UsageError(f"{section}.{key}={getattr(settings, key)} must be {least} or more")


@dataclass(frozen=True)
class ModelSettings:
    """The encoder that is the same for all variants.

    vocabulary: rows of the token table; positions: rows of the learned position table.
    """

    layers: int = 2
    dim: int = 64
    heads: int = 2
    ffn: int = 128
    head: int = 128
    dropout: float = 0.1
    vocabulary: int = 32
    positions: int = 2048

    def __post_init__(self) -> None:
        _at_least(1, "model", self, "layers", "dim", "heads", "ffn", "head", "positions")
        if self.dim % self.heads:
            raise UsageError(f"model.dim={self.dim} is no multiple of model.heads={self.heads}")
        if not 0 <= self.dropout < 1:
            raise UsageError(f"model.dropout={self.dropout} is not in [0, 1)")


@dataclass(frozen=True)
class TrainingSettings:
    """AdamW under torch's OneCycleLR with linear annealing: from learning_rate/25 up to
    learning_rate over `warmup` steps, then down to a 10⁴th of the start; β₁ runs .95 → .85 → .95.

    steps, warmup, eval_every: optimizer steps. batch: examples.
    """

    steps: int = 5_000
    batch: int = 32
    learning_rate: float = 1e-4
    warmup: int = 1_000
    weight_decay: float = 0.0
    epsilon: float = 1e-6
    eval_every: int = 50

    def __post_init__(self) -> None:
        _at_least(1, "training", self, "steps", "batch", "eval_every")
        _at_least(2, "training", self, "warmup")  # OneCycleLR divides by warmup − 1
        if self.warmup >= self.steps:
            raise UsageError(
                f"training.warmup={self.warmup} must be less than training.steps={self.steps}"
            )
        if self.learning_rate <= 0 or self.weight_decay < 0 or self.epsilon <= 0:
            raise UsageError("training needs learning_rate > 0, epsilon > 0 and weight_decay ≥ 0")


@dataclass(frozen=True)
class Protocol:
    """comparable: what its results may be compared with. deviations: where it leaves its source."""

    name: Literal["nystromformer", "quick"]
    source: str
    comparable: str
    deviations: tuple[str, ...]
    task: ListOpsSettings
    model: ModelSettings
    training: TrainingSettings

    @property
    def settings(self) -> dict[str, Any]:
        """What decides a result: everything but the prose."""
        sections = {name: asdict(getattr(self, name)) for name in ("task", "model", "training")}
        return {"name": self.name, **sections}


NYSTROMFORMER = Protocol(
    name="nystromformer",
    source="Xiong et al. 2021 (arXiv 2102.03902) and its released LRA code",
    comparable="LRA under the small protocol of Nyströmformer, but for the deviations",
    deviations=(
        "mean pooling over true lengths (source: over padded length)",
        "no attention dropout (source: 0.1, softmax only)",
        "float32 (source: fp16 mixed precision)",
        "closing bracket kept (source: all brackets lost in tokenisation)",
        "no drop_last in any split (source: in all three)",
        "N = 2,000 (source: 2,048 with 48 pads)",
    ),
    task=ListOpsSettings(),
    model=ModelSettings(),
    training=TrainingSettings(),
)

QUICK = Protocol(
    name="quick",
    source="this project",
    comparable="not comparable with LRA: short expressions, minutes on a CPU",
    deviations=(),
    task=ListOpsSettings(train=20_000, val=1_000, test=1_000, min_length=16, max_length=128),
    model=ModelSettings(positions=128),
    training=TrainingSettings(steps=600, learning_rate=1e-3, warmup=60, eval_every=100),
)

PROTOCOLS = {protocol.name: protocol for protocol in (NYSTROMFORMER, QUICK)}


def get_protocol(name: str, task: str) -> Protocol:
    """The protocol `name` for `task`; UsageError names the nearest where there is none."""
    get_task(task)
    if name not in PROTOCOLS:
        raise unknown("protocol", name, PROTOCOLS)
    return PROTOCOLS[name]


def override(protocol: Protocol, assignments: Iterable[str]) -> tuple[Protocol, dict[str, Any]]:
    """The protocol with `section.key=value` settings, and those that differ from it by name.

    Where `training.steps` is set and `training.warmup` is not, the warm-up keeps its share.
    """
    sections = {
        field.name: getattr(protocol, field.name)
        for field in fields(protocol)
        if is_dataclass(getattr(protocol, field.name))
    }
    changes: dict[str, dict[str, Any]] = {name: {} for name in sections}
    for assignment in assignments:
        path, equals, text = assignment.partition("=")
        section, _, key = path.partition(".")
        if not equals or not key:
            raise UsageError(f"--set takes section.key=value, not {assignment!r}")
        if section not in sections:
            raise unknown("protocol section", section, sections)
        hints = get_type_hints(type(sections[section]))
        options = {name: Option(hint, None) for name, hint in hints.items()}
        changes[section][key] = read_option(section, key, text, options)
    training = changes["training"]
    if "steps" in training and "warmup" not in training:
        share = protocol.training.warmup / protocol.training.steps
        training["warmup"] = max(2, round(training["steps"] * share))
    changed = replace(
        protocol,
        **{name: replace(sections[name], **change) for name, change in changes.items() if change},
    )
    differing = {
        f"{section}.{key}": value
        for section, change in changes.items()
        for key, value in change.items()
        if value != getattr(sections[section], key)
    }
    return _checked(changed), differing


def _checked(protocol: Protocol) -> Protocol:
    vocabulary = len(get_task("listops").metadata.vocabulary)
    if protocol.model.vocabulary < vocabulary:
        raise UsageError(f"model.vocabulary must be {vocabulary} or more for listops")
    if protocol.model.positions < protocol.task.max_len:
        raise UsageError(
            f"model.positions={protocol.model.positions} are fewer than the task's "
            f"{protocol.task.max_len} tokens: set model.positions too"
        )
    return protocol
