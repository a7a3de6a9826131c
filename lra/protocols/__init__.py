"""Protocols: model, training and data settings under which variants are compared."""

from lra.protocols.attentions import spec_under
from lra.protocols.file import read_protocol
from lra.protocols.overrides import differences, expand, override, with_source
from lra.protocols.protocol import Protocol
from lra.protocols.standard import PROTOCOLS, drops, standard
from lra.settings import Deviation, ModelSettings, Stated, TrainingSettings


def get_protocol(name: str, task: str) -> Protocol:
    """The protocol for `task` of that name, or in the file `name` where it ends in .toml.

    Raises UsageError with the nearest name where there is none, and with what is wrong in a file.

    >>> protocol = get_protocol("nystromformer", "listops")
    >>> protocol.training.steps, protocol.training.batch
    (5000, 32)
    """
    return read_protocol(name, task) if name.endswith(".toml") else standard(name, task)


__all__ = [
    "PROTOCOLS",
    "Deviation",
    "ModelSettings",
    "Protocol",
    "Stated",
    "TrainingSettings",
    "differences",
    "drops",
    "expand",
    "get_protocol",
    "override",
    "spec_under",
    "with_source",
]
