"""Protocols: model, training and data settings under which variants are compared."""

from attention_zoo.errors import unknown
from lra.protocols.google import google
from lra.protocols.overrides import expand, override, with_source
from lra.protocols.quick import quick
from lra.protocols.settings import Deviation, ModelSettings, Protocol, TrainingSettings
from lra.protocols.small import nystromformer, skyformer
from lra.tasks import get_task

PROTOCOLS = {made.__name__: made for made in (nystromformer, skyformer, google, quick)}


def get_protocol(name: str, task: str) -> Protocol:
    """The protocol `name` for `task`; UsageError names the nearest where there is none."""
    get_task(task)
    if name not in PROTOCOLS:
        raise unknown("protocol", name, PROTOCOLS)
    return PROTOCOLS[name](task)


__all__ = [
    "PROTOCOLS",
    "Deviation",
    "ModelSettings",
    "Protocol",
    "TrainingSettings",
    "expand",
    "get_protocol",
    "override",
    "with_source",
]
