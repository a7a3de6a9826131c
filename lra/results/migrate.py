"""Records of older schemas, brought to the present one: what is on record outlives its format.

A step fills in only what is known of every run of its schema. What did not exist yet has the value
that means its absence. The identity, the data's fingerprint and the command stay as they were
recorded, though today's code would spell them otherwise: they say which run that was, and two runs
that were told apart are never taken for one. The file itself is left as it is.
"""

from collections.abc import Callable
from typing import Any

from attention_zoo import UsageError

Json = dict[str, Any]


def migrated(content: Any, schema: int) -> Any:
    """The JSON of a record in `schema`, the present one; UsageError where that cannot be.

    What is no object at all is returned as it is.
    """
    if not isinstance(content, dict):
        return content
    found = content.get("schema")
    if type(found) is not int or found < 1:
        raise UsageError(f"schema is {found!r}, no number of a schema")
    if found > schema:
        raise UsageError(f"made by a newer version: schema {found}, this one reads up to {schema}")
    for old in range(found, schema):
        try:
            content = STEPS[old](content) | {"schema": old + 1}
        except (KeyError, TypeError, AttributeError) as error:
            raise UsageError(f"it lacks what every record of schema {old} has: {error}") from error
        except UsageError as error:
            raise UsageError(f"schema {old}: {error}") from error
    return content


def _to_2(content: Json) -> Json:
    """Schema 1 knew one task, ListOps drawn here, one schedule, one way to pool; a run was one
    process on one device, and its checkpoint had no checksum."""
    protocol, environment = content["protocol"], content["environment"]
    part = {
        "start": 0,
        "commit": environment["commit"],
        "device": environment["device"],
        "devices": 1,
        "threads": environment["threads"],
        "torch": environment["versions"]["torch"],
    }
    return content | {
        "protocol": protocol
        | {
            "deviations": [{"text": text, "restore": None} for text in protocol["deviations"]],
            "task": _gains(protocol["task"], source="generated", brackets="keep"),
            "model": _gains(
                protocol["model"], token_std=0.02, encoding="learned", bias=True, pooling="mean"
            ),
            "training": _gains(
                protocol["training"],
                schedule="onecycle",
                beta1=0.9,
                beta2=0.999,
                clip_value=None,
                select="best",
                drop_last=False,
            ),
        },
        "training": _gains(content["training"], checkpoint=None, started=None, parts=[part]),
    }


def _to_3(content: Json) -> Json:
    """Schema 2 had no micro-batches, no pairs of sequences, no buckets. Its padded_mean was a sum
    over model.positions; today's is one over the next power of two from the longest sequence."""
    protocol = content["protocol"]
    model, longest = protocol["model"], protocol["task"]["max_length"]
    if model["pooling"] == "padded_mean" and model["positions"] != 1 << (longest - 1).bit_length():
        raise UsageError(
            f"model.pooling=padded_mean divided by model.positions={model['positions']} then, "
            "which no setting of today says"
        )
    changed = _gains(content, micro_batch=None) | {
        "protocol": protocol
        | {
            "model": _gains(model, inner=None, pairs="product"),
            "training": _gains(protocol["training"], clip_norm=None, bucket=0),
        },
    }
    if "measurement" in content:  # a failure has none
        changed["measurement"] = _gains(content["measurement"], micro_batch=None)
    return changed


STEPS: dict[int, Callable[[Json], Json]] = {1: _to_2, 2: _to_3}


def _gains(section: Json, **new: Any) -> Json:
    if early := sorted(section.keys() & new.keys()):
        raise UsageError(f"it had no {', '.join(early)}")
    return section | new
