"""Protocols: model, training and data settings under which variants are compared."""

from lra.protocols.overrides import expand, override
from lra.protocols.published import (
    GOOGLE,
    NYSTROMFORMER,
    PROTOCOLS,
    QUICK,
    SKYFORMER,
    get_protocol,
)
from lra.protocols.settings import Deviation, ModelSettings, Protocol, TrainingSettings

__all__ = [
    "GOOGLE",
    "NYSTROMFORMER",
    "PROTOCOLS",
    "QUICK",
    "SKYFORMER",
    "Deviation",
    "ModelSettings",
    "Protocol",
    "TrainingSettings",
    "expand",
    "get_protocol",
    "override",
]
