"""The door for tasks: what it takes and what it refuses."""

import dataclasses
import importlib.metadata

import pytest

from attention_zoo import UsageError
from lra.protocols import get_protocol
from lra.tasks import TASKS, get_task, names, register_task, registry

QUICK = {"quick": TASKS["text"].protocols["quick"]}


def renamed(**changes):
    """Text under the name `reviews`, with the fields of its metadata and of the task changed."""
    about = {field.name for field in dataclasses.fields(TASKS["text"].metadata)}
    own = {key: value for key, value in changes.items() if key in about}
    metadata = dataclasses.replace(TASKS["text"].metadata, **{"name": "reviews"} | own)
    rest = {key: value for key, value in changes.items() if key not in about}
    return dataclasses.replace(TASKS["text"], metadata=metadata, **rest)


@pytest.mark.parametrize(
    ("task", "message"),
    [
        (lambda: "text", "register_task takes a Task, not str"),
        (lambda: TASKS["text"], "task 'text' is already registered by lra.tasks.text"),
        (lambda: renamed(name="a b"), "metadata.name='a b' must match"),
        (lambda: renamed(classes=1), "metadata.classes=1 must be greater than or equal to 2"),
        (lambda: renamed(splits={"train": 1}), "metadata.splits must be of train, val, test"),
        (lambda: renamed(protocols={}), "it needs a setup under one protocol at least"),
        (renamed, r"protocols\['quick'\]\.task must be TextSettings with task='reviews'"),
        (lambda: renamed(archive=None), "official, archive and root go with 'official'"),
    ],
)
def test_what_is_not_a_complete_task_is_refused_in_one_line(task, message):
    with pytest.raises(UsageError, match=message) as raised:
        register_task(task())
    assert "\n" not in str(raised.value) and "reviews" not in TASKS


def test_tasks_are_listed_in_the_order_of_lras_table_and_found_by_entry_point(monkeypatch):
    assert names()[:6] == ["listops", "text", "retrieval", "image", "pathfinder", "pathx"]
    monkeypatch.setattr(registry, "TASKS", dict(TASKS))
    given = []
    entry = importlib.metadata.EntryPoint("x", "json", registry.ENTRY_POINTS)
    monkeypatch.setattr(
        importlib.metadata, "entry_points", lambda group: given.append(group) or [entry]
    )
    registry._load_entry_points.cache_clear()
    with pytest.raises(UsageError, match="unknown task 'txt'; did you mean 'text'"):
        get_task("txt")
    with pytest.raises(UsageError):
        get_task("txt")
    assert given == ["lra_tasks"]  # asked once, and only for a name that is not here


def test_a_protocol_that_a_task_has_no_settings_under_is_named(monkeypatch):
    one = dataclasses.replace(TASKS["text"], protocols=QUICK)
    monkeypatch.setitem(TASKS, "text", one)
    assert get_protocol("quick", "text").name == "quick"
    with pytest.raises(UsageError) as raised:
        get_protocol("google", "text")
    assert str(raised.value) == (
        "task 'text' has no settings under the protocol 'google'; choose from quick"
    )
