"""A protocol from a TOML file, which names the one that it starts from:

base = "nystromformer"
name = "wider"                                  # default: the name of the file
source = "our paper, table 2"
comparable = "runs under this file"

[task]
max_length = 1000
[model]
dim = 128
[training]
learning_rate = 3e-4
[attentions]                                    # what their bare names mean
linformer = "rank=128"
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

from attention_zoo.errors import UsageError, unknown
from attention_zoo.options import spell
from lra.protocols.overrides import SECTIONS, differences, override, with_source
from lra.protocols.protocol import Protocol
from lra.protocols.standard import PROTOCOLS, standard
from lra.settings import Deviation, Stated
from lra.system.files import read_toml

WORDS = ("base", "name", "source", "comparable")
TABLES = (*SECTIONS, "attentions")


def read_protocol(file: str, task: str) -> Protocol:
    """The protocol in `file` for `task`; UsageError says in one line what is wrong with it."""
    content = read_toml(Path(file), "--protocol")
    try:
        return _protocol(content, file, task)
    except UsageError as error:
        raise UsageError(f"{file}: {error}") from None


def _protocol(content: dict[str, Any], file: str, task: str) -> Protocol:
    for key, value in content.items():
        if key not in (*WORDS, *TABLES):
            raise unknown("key", key, (*WORDS, *TABLES))
        if type(value) is not (dict if key in TABLES else str):
            raise UsageError(f"{key} must be {'a table' if key in TABLES else 'a string'}")
    if "base" not in content:
        raise UsageError(f"base is missing: name one of {', '.join(PROTOCOLS)}")
    start = standard(content["base"], task)
    name = content.get("name", Path(file).stem)
    if name in PROTOCOLS:
        raise UsageError(f'the name {name!r} is taken by a protocol: add name = "…"')
    data = dict(content.get("task", {}))
    source = data.pop("source", None)
    sections = {"task": data} | {key: content.get(key, {}) for key in ("model", "training")}
    changed, _ = override(
        with_source(start, source),
        (f"{key}.{k}={spell(v)}" for key, section in sections.items() for k, v in section.items()),
    )
    for attention, options in content.get("attentions", {}).items():
        if not isinstance(options, str):
            raise UsageError(f"attentions.{attention} must be a string")
    stated = {one.attention: one for one in start.stated} | {
        attention: Stated(f"{attention}:{options}" if options else attention, Path(file).name)
        for attention, options in content.get("attentions", {}).items()
    }
    return replace(
        changed,
        name=name,
        source=content.get("source", f"{Path(file).name}, which starts from {start.name}"),
        comparable=content.get(
            "comparable", f"not comparable with LRA: settings of {Path(file).name}"
        ),
        deviations=_deviations(start, changed),
        stated=tuple(stated.values()),
        base=start.name,
        file=file,
    )


def _deviations(start: Protocol, changed: Protocol) -> tuple[Deviation, ...]:
    """Those of the base that are still true, and what the file changes."""
    kept = [deviation for deviation in start.deviations if _holds(deviation, start, changed)]
    theirs, ours = differences(changed, start), differences(start, changed)
    own = [
        Deviation(f"{key}={spell(ours[key])} ({start.name}: {spell(theirs[key])})") for key in ours
    ]
    return (*kept, *own)


def _holds(deviation: Deviation, start: Protocol, changed: Protocol) -> bool:
    """Whether a file leaves the source where its base does: not where it restores its way."""
    if deviation.restore is None:
        return True
    theirs = override(start, deviation.restore.removeprefix("--set ").split())[1]
    paths = ((*path.split("."), value) for path, value in theirs.items())
    return any(getattr(getattr(changed, name), key) != value for name, key, value in paths)
