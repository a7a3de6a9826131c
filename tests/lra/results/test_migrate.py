"""Records that older commits of this repository wrote, each file by the code of its schema."""

import dataclasses
import json
from pathlib import Path

import pytest

from attention_zoo import UsageError
from lra.results.comparable import column, conditions
from lra.results.record import SCHEMA, Failure, read_record, write_record
from lra.results.summary import accuracy_groups
from lra.system.environment import ROOT
from lra.typed import load
from tests.lra.test_results import record

OLD = Path(__file__).parent / "schema"
NOW = next(ROOT.glob("results/reference/quick-cpu/runs/listops-linear+gfsa-*/record.json"))


def content_of(name):
    return json.loads((OLD / name).read_text())


def read(tmp_path, content, name="record.json"):
    (tmp_path / name).write_text(json.dumps(content))
    return read_record(tmp_path / name)


@pytest.mark.parametrize(
    "name", ["1-quick.json", "1-nystromformer.json", "2-quick.json", "2-padded.json"]
)
def test_old_records_are_read_and_say_what_they_said(tmp_path, name):
    old = content_of(name)
    now = read(tmp_path, old)
    assert now.schema == SCHEMA and old["schema"] == int(name[0])
    again = json.loads(json.dumps(dataclasses.asdict(now)))
    assert_kept(old | {"schema": SCHEMA}, again)
    assert read(tmp_path, again) == now
    assert [group.first for group in accuracy_groups([now])] == [now]


def assert_kept(old, now):
    """Whatever was on record still is; a deviation was a string once."""
    for key, value in old.items():
        if isinstance(value, dict):
            assert_kept(value, now[key])
        elif key == "deviations":
            texts = [item["text"] if isinstance(item, dict) else item for item in value]
            assert [item["text"] for item in now[key]] == texts
        else:
            assert now[key] == value, key


def test_what_schema_1_did_not_keep_is_none_and_what_it_fixed_is_said(tmp_path):
    now = read(tmp_path, content_of("1-nystromformer.json"))
    assert (now.training.checkpoint, now.training.started, now.micro_batch) == (None, None, None)
    (part,) = now.training.parts
    assert (part.start, part.devices, part.device) == (0, 1, now.environment.device)
    assert now.protocol.task.source == now.data.source == "generated"
    assert now.protocol.model.pooling == "mean" and now.protocol.training.schedule == "onecycle"
    assert len(now.protocol.deviations) == 6
    assert all(deviation.restore is None for deviation in now.protocol.deviations)


def test_one_run_on_record_in_two_schemas_shares_a_column_but_not_an_identity(tmp_path):
    """The same command gave the same accuracies; its identity was spelt otherwise."""
    then, now = read(tmp_path, content_of("2-quick.json")), read_record(NOW)
    assert (then.protocol, then.val, then.test) == (now.protocol, now.val, now.test)
    assert (column(then), conditions(then)) == (column(now), conditions(now))
    assert (then.identity, now.identity) == ("7212d6698b63e805", "f713379679e05699")


def test_old_failures_are_read(tmp_path):
    now = read(tmp_path, content_of("2-failure.json"), "failure.json")
    assert isinstance(now, Failure) and now.kind == "time limit" and now.micro_batch is None


def test_a_meaning_that_no_setting_has_today_is_refused(tmp_path):
    with pytest.raises(UsageError, match="padded_mean divided by") as error:
        read(tmp_path, content_of("2-padded-by-positions.json"))
    assert str(error.value).startswith(f"{tmp_path / 'record.json'}: schema 2: model.pooling")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ({"schema": SCHEMA + 1}, f"made by a newer version: schema {SCHEMA + 1}, this one reads"),
        ({"schema": None}, "schema is None, no number of a schema"),
        ({"schema": True}, "schema is True, no number of a schema"),
        ({"schema": 0}, "schema is 0, no number of a schema"),
        ({"schema": "2"}, "schema is '2', no number of a schema"),
        ({"protocol": {}}, "it lacks what every record of schema 1 has: 'deviations'"),
        ({"environment": None}, "it lacks what every record of schema 1 has"),
        ({"training": {"seconds": 1.0, "best_step": 1, "parts": []}}, "schema 1: it had no parts"),
        ({"micro_batch": 4}, "schema 2: it had no micro_batch"),
        ({"extra": 4}, "unknown key in Record 'extra'"),
        ({"seed": "0"}, "seed is '0', no <class 'int'>"),
    ],
)
def test_old_records_that_are_none_are_refused_in_one_line(tmp_path, damage, message):
    with pytest.raises(UsageError) as error:
        read(tmp_path, content_of("1-quick.json") | damage)
    assert f"record.json: {message}" in str(error.value) and "\n" not in str(error.value)


def test_reading_leaves_old_files_as_they_are(tmp_path):
    before = (OLD / "1-quick.json").read_bytes()
    (tmp_path / "record.json").write_bytes(before)
    read_record(tmp_path / "record.json")
    assert (tmp_path / "record.json").read_bytes() == before


def test_the_present_schema_takes_no_step(tmp_path):
    write_record(tmp_path, record())
    assert read_record(tmp_path / "record.json") == record()
    assert load(type(record()), json.loads((tmp_path / "record.json").read_text())) == record()
