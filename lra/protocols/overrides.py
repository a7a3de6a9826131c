"""`section.key=value`: leaving a protocol by name, and several values as a grid."""

import itertools
import math
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from attention_zoo.errors import UsageError, unknown
from attention_zoo.options import Option, read_option
from lra.protocols.protocol import Protocol
from lra.typed import field_types

SECTIONS = ("task", "model", "training")
MOST = 10_000  # combinations: they are made, and checked, before anything runs


def expand(assignments: Iterable[str]) -> list[list[str]]:
    """Every combination of `section.key=value,value,…`, each a list of single assignments."""
    axes: dict[str, list[str]] = {}
    for assignment in assignments:
        path, equals, text = assignment.partition("=")
        if path in axes:
            raise UsageError(f"--set {path} is given twice; several values are {path}=a,b")
        axes[path] = [path + equals + value for value in dict.fromkeys(text.split(","))]
    if (count := math.prod(map(len, axes.values()))) > MOST:
        raise UsageError(f"--set asks for {count:,} combinations; at most {MOST:,}")
    return [list(combination) for combination in itertools.product(*axes.values())]


def override(protocol: Protocol, assignments: Iterable[str]) -> tuple[Protocol, dict[str, Any]]:
    """The protocol with `section.key=value` settings, and those that differ from it by name.

    Where `training.steps` is set and `training.warmup` is not, the warm-up keeps its share.
    """
    sections = {name: getattr(protocol, name) for name in SECTIONS}
    changes: dict[str, dict[str, Any]] = {name: {} for name in sections}
    for assignment in assignments:
        path, equals, text = assignment.partition("=")
        section, _, key = path.partition(".")
        if not equals or not key:
            raise UsageError(f"--set takes section.key=value, not {assignment!r}")
        if section not in sections:
            raise unknown("protocol section", section, sections)
        hints = field_types(type(sections[section]))
        options = {name: Option(hint, None) for name, hint in hints.items()}
        if section == "task" and key in protocol.task.FIXED:
            raise UsageError(f"{path}: {protocol.task.FIXED[key]}")
        changes[section][key] = read_option(section, key, text, options)
    training = changes["training"]
    if "steps" in training and "warmup" not in training:
        share = protocol.training.warmup / protocol.training.steps
        training["warmup"] = max(2, round(training["steps"] * share))
    changed = replace(
        protocol,
        **{name: replace(sections[name], **change) for name, change in changes.items() if change},
    )
    return _checked(changed), differences(protocol, changed)


def differences(protocol: Protocol, changed: Protocol) -> dict[str, Any]:
    """By `section.key`, the settings of the second protocol that the first has otherwise."""
    return {
        f"{name}.{key}": value
        for name in SECTIONS
        for key, value in vars(getattr(changed, name)).items()
        if value != getattr(getattr(protocol, name), key)
    }


def with_source(protocol: Protocol, source: str | None) -> Protocol:
    """The protocol with data from `source`, where one is asked for."""
    if source is None:
        return protocol
    options = {"source": Option(field_types(type(protocol.task))["source"], None)}
    chosen = read_option("--source", "source", source, options)
    return replace(protocol, task=replace(protocol.task, source=chosen))


def _checked(protocol: Protocol) -> Protocol:
    model, longest = protocol.model, protocol.task.max_len
    if model.vocabulary < protocol.task.VOCABULARY:
        raise UsageError(
            f"model.vocabulary must be {protocol.task.VOCABULARY} or more for this task"
        )
    tokens = longest + (model.pooling == "cls")
    if model.positions < tokens:
        raise UsageError(
            f"model.positions={model.positions} are fewer than the {tokens} tokens of the longest "
            "sequence: set model.positions too"
        )
    return protocol
