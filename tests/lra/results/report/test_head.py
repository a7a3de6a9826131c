import dataclasses

from lra.protocols import get_protocol, with_source
from lra.results.record import Data
from lra.results.report.head import head

from .made_up import failed, run, runs

QUICK = get_protocol("quick", "listops")


def texts(table):
    return [[cell.text for cell in row] for row in table.rows]


def test_what_there_is_is_counted():
    found = head([*runs(("softmax", "linear"), ("listops",)), failed()], [])
    counts = [("13", "runs"), ("2", "tasks"), ("4", "attentions, 2 with a filter")]
    assert list(found.facts) == [*counts, ("1", "machine"), ("1", "without a result")]
    assert found.lines[0] == "Tasks: listops, text." and found.lines[1] == "Seeds: 0, 1, 2."


def test_runs_of_other_protocols_data_or_settings_stand_in_groups_of_their_own():
    found = head(
        [
            run("linear"),
            run("softmax"),
            run("linear", protocol=QUICK),
            run("linear", data=Data("official", "e" * 16, {})),
            run("linear", modified={"training.steps": 10}),
            run("linear", precision="bf16-mixed"),
        ],
        [],
    )
    assert sorted(row[4] for row in texts(found.comparable)) == ["1", "1", "1", "1", "2"]


def test_which_runs_may_stand_beside_published_tables_is_said():
    made_up = {"protocol": with_source(get_protocol("nystromformer", "text"), "sample")}
    assert head([run()], []).lines[2].startswith("All of these runs may be compared")
    none = head([run(protocol=QUICK), run(task="text", **made_up)], [])
    assert none.lines[2].startswith("None of these runs may be compared")
    restored, left = {"task.brackets": "drop"}, {"training.steps": 10}
    two = head([run(), run(modified=restored), run(modified=left)], [])
    assert two.lines[2].startswith("2 of these runs may be compared")
    said = [row[5] for row in texts(two.comparable)]
    assert sum("the protocol was left in training.steps=10" in text for text in said) == 1


def test_machines_stand_apart():
    one, other = run("linear"), run("softmax")
    threads = dataclasses.replace(other.record.environment, threads=8)
    other = dataclasses.replace(
        other, record=dataclasses.replace(other.record, environment=threads)
    )
    assert [row[2] for row in texts(head([one, other], []).machines)] == ["1", "1"]


def test_failures_are_listed_with_their_reason_and_lead_to_their_runs():
    found = head([run(), failed(reason="it was too large", name="lost")], ["a line"])
    assert texts(found.failures) == [
        ["softmax", "text", "nystromformer", "0", "out of memory", "it was too large"]
    ]
    assert found.links == ("lost",) and found.damaged == ("a line",)
    assert head([run()], []).failures is None
