"""`section.key=value`: leaving a protocol by name, and several values as a grid."""

import itertools
from collections.abc import Iterable
from dataclasses import fields, is_dataclass, replace
from typing import Any, get_type_hints

from attention_zoo.errors import UsageError, unknown
from attention_zoo.options import Option, read_option
from lra.protocols.settings import Protocol
from lra.tasks import get_task


def expand(assignments: Iterable[str]) -> list[list[str]]:
    """Every combination of `section.key=value,value,…`, each a list of single assignments."""
    axes: dict[str, list[str]] = {}
    for assignment in assignments:
        path, equals, text = assignment.partition("=")
        if path in axes:
            raise UsageError(f"--set {path} is given twice; several values are {path}=a,b")
        axes[path] = [path + equals + value for value in dict.fromkeys(text.split(","))]
    return [list(combination) for combination in itertools.product(*axes.values())]


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
    model, longest = protocol.model, protocol.task.max_len
    vocabulary = len(get_task("listops").metadata.vocabulary)
    if model.vocabulary < vocabulary:
        raise UsageError(f"model.vocabulary must be {vocabulary} or more for listops")
    tokens = longest + (model.pooling == "cls")
    if model.positions < tokens:
        raise UsageError(
            f"model.positions={model.positions} are fewer than the {tokens} tokens of the longest "
            "sequence: set model.positions too"
        )
    return protocol
