"""Published figures as data, and beside ours only where protocol and data agree."""

import csv
import math
import re
from dataclasses import replace

import pytest

from attention_zoo import UsageError, mixer_names, names, parse_spec
from lra.protocols import PROTOCOLS, get_protocol, override
from lra.results.published import PUBLISHED, read_published
from lra.results.summary import accuracy_groups
from lra.results.tables import published_tables
from lra.tasks import TASKS
from lra.training.evaluation import Evaluation

from .golden import DROPPED, failure, published, run

ROWS = read_published()
FILES = {
    path.stem: list(csv.DictReader(path.read_text().splitlines()))
    for path in sorted(PUBLISHED.glob("*.csv"))
}


def test_every_table_that_could_be_had_is_there():
    counts = {name: len(rows) for name, rows in FILES.items()}
    assert counts == {
        **{"flashattention": 64, "flowformer": 24, "gfsa": 140, "lra": 174, "mega": 60},
        **{"hrrformer": 102, "s5": 7},
        **{"nystromformer": 80, "primal": 124, "reevaluations": 8, "s4": 44, "skyformer": 159},
    }


@pytest.mark.parametrize("name", FILES)
def test_every_row_is_whole_and_there_once(name):
    for row in FILES[name]:
        assert all(row[key] for key in ("paper", "venue", "table", "model", "task", "metric"))
        assert re.fullmatch(r"FAIL|\d+(\.\d+)?", row["value"])
        assert re.fullmatch(r"(\d{4}\.\d{5}(v\d)?)?", row["arxiv"])
        assert not any("  " in text or "|" in text for text in row.values())
    keys = [
        tuple(row[k] for k in ("table", "venue", "model", "task", "length", "metric", "note"))
        for row in FILES[name]
    ]
    assert len(set(keys)) == len(keys)


def test_specs_are_canonical_and_protocols_and_settings_ours():
    for row in ROWS:
        if row.spec:
            assert str(parse_spec(row.spec)) == row.spec and "redraw" not in row.spec
        assert row.protocol in ("", *PROTOCOLS) and row.source in ("", "official")
        if row.settings:
            protocol = get_protocol(row.protocol, row.task)
            changed = override(protocol, row.settings.split())[1]
            assert set(changed) == {word.partition("=")[0] for word in row.settings.split()}
            assert all(key.startswith("task.") for key in changed)
        if row.protocol and row.metric == "accuracy %":
            assert row.task in TASKS or row.task == "average"


def test_shares_are_shares_and_only_chance_fails():
    for row in ROWS:
        if row.metric.endswith("%"):
            assert row.value is None or 0 < row.value < 100
        if row.value is None:
            assert row.task == "pathx" and row.metric == "accuracy %"


KNOWN = {*names(), *mixer_names()}


def test_what_is_not_ours_says_why_and_only_what_is_of_our_name():
    for row in ROWS:
        assert not row.nearest or (not row.spec and row.differs and row.nearest in KNOWN)
        assert not row.differs or row.spec or row.nearest
        if row.protocol and row.task in TASKS and not row.spec:
            assert row.nearest or row.model in ("Primal", "Primal + Transformer")


def test_labels_say_no_more_than_was_read():
    rows = [row for row in ROWS if row.paper == "Choi et al. 2024"]
    assert {(row.arxiv, row.venue) for row in rows} == {("2312.04234v1", "arXiv v1")}
    assert {row.task for row in rows if row.note == "validation"} == {"PCQM4M"}
    for row in rows:
        assert (row.metric == "s") == ("per what is not noted" in row.note)
        assert row.table != "Table 40" and row.metric != "training s"


def printed(path):
    """Each model's accuracies and average in a file, as strings."""
    found = {}
    for row in FILES[path]:
        if row["metric"] == "accuracy %" and (row["task"] in TASKS or row["task"] == "average"):
            key = row["table"], row["venue"], row["model"]
            found.setdefault(key, {})[row["task"]] = row
    return {key: cells for key, cells in found.items() if "average" in cells}


def accuracies_of_lra(model):
    cells = printed("lra")["Table 1", "ICLR 2021", model]
    return {task: row for task, row in cells.items() if task != "average"}


@pytest.mark.parametrize("path", [name for name in FILES if name != "gfsa"])
def test_averages_are_those_of_the_cells_or_the_note_says_what_is(path):
    for key, cells in printed(path).items():
        average = cells.pop("average")
        note, value = average["note"], average["value"]
        if "could not be obtained" in note:
            continue
        cells = cells or accuracies_of_lra(key[-1])  # an average that stands alone is of theirs
        if "over 5 tasks" in note:
            cells.pop("pathx", None)
        assert len(cells) == int(re.search(r"over (\d) tasks", note)[1]), key
        assert any(row["value"] == "FAIL" for row in cells.values()) == ("FAIL as 50" in note)
        shares = [row["value"].replace("FAIL", "50") for row in cells.values()]
        true = sum(map(float, shares)) / len(shares)
        digits = [len(text.partition(".")[2]) for text in (value, *shares)]
        # Rounded to their digits, the cells and the printed average are half a unit off at most.
        slack = 0.5 * 10 ** -digits[0] + 0.5 * 10 ** -max(digits[1:]) + 1e-9
        differs = abs(true - float(value)) > slack
        assert differs == (f"the cells' mean is {true:.{digits[0]}f}" in note), key


def test_what_the_facts_say_is_what_is_there():
    def value(paper, table, model, task, metric="accuracy %"):
        (row,) = [
            row
            for row in ROWS
            if (row.paper, row.table, row.model, row.task, row.metric)
            == (paper, table, model, task, metric)
        ]
        return row.value

    assert value("Tay et al. 2021", "Table 1", "BigBird", "pathfinder") == 74.87
    assert value("Tay et al. 2021", "Table 1", "BigBird", "pathx") is None
    assert value("Xiong et al. 2021", "Table 3", "Standard", "text") == 65.02
    assert value("Chen et al. 2021", "Table 1", "Skyformer", "retrieval") == 82.06
    assert value("Chen et al. 2021", "Table 2", "Skyformer", "listops", "hours") == 1.29
    assert value("Chen et al. 2023", "Table 3", "Primal", "image", "GB") == 1.39
    assert value("Tay et al. 2021", "Table 1", "Sinkhorn", "average") == 51.39
    assert value("Tay et al. 2021", "README", "Sinkhorn", "average") == 51.29
    assert value("Gu et al. 2022", "LRA", "Transformer", "average") == 53.66
    assert value("Gu et al. 2022", "LRA", "BigBird", "average") == 54.17
    assert value(
        "Choi et al. 2024", "overhead", "GFSA and its baseline", "not noted", "GFLOPs"
    ) == (4.57)
    assert value("Ma et al. 2023", "LRA", "MEGA", "average") == 88.21


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("a,b", "x.csv:2: expected 19 cells"),
        (
            ",".join("abcdefghi") + ",ten,m,1,,,,,,,",
            "x.csv:2: length='ten' must be a valid integer",
        ),
        (",".join("abcdefghi") + ",,m,,,,,,,,", "x.csv:2: value is missing"),
    ],
)
def test_a_wrong_line_is_named(tmp_path, line, message):
    header = ",".join(FILES["lra"][0])
    (tmp_path / "x.csv").write_text(f"{header}\n{line}\n")
    with pytest.raises(UsageError, match=re.escape(message)):
        read_published(tmp_path)


def test_a_folder_without_figures_is_named(tmp_path):
    with pytest.raises(UsageError, match="no published figures under"):
        read_published(tmp_path)
    (tmp_path / "x.csv").write_text("a,b\n")
    with pytest.raises(UsageError, match="its columns are not paper, arxiv"):
        read_published(tmp_path)


THEIRS = [published("Self-attention", "softmax", 38.37)]


def beside(*runs, rows=THEIRS):
    return published_tables(accuracy_groups(runs), rows)


def test_the_difference_is_in_standard_errors():
    runs = [run("listops", "softmax", seed, 0.38 + seed / 100, **DROPPED) for seed in range(3)]
    (table,), reasons = beside(*runs)
    (numbers,) = table.numbers
    theirs = math.sqrt(38.37 * 61.63 / 2_000)  # no deviation is printed: binomial
    expected = (39.0 - 38.37) / math.hypot(1 / math.sqrt(3), theirs)
    assert numbers["in standard errors"] == pytest.approx(expected) and not reasons
    (table,), _ = beside(*runs, rows=[replace(THEIRS[0], std=0.5, n=4)])
    expected = (39.0 - 38.37) / math.hypot(1 / math.sqrt(3), 0.25)
    assert table.numbers[0]["in standard errors"] == pytest.approx(expected)


def test_a_failure_of_theirs_and_an_error_of_zero_have_no_difference():
    ours = run("listops", "softmax", 0, 0.38, **DROPPED)
    (table,), _ = beside(ours, rows=[replace(THEIRS[0], value=None)])
    assert [cell.text for cell in table.rows[0][2:7]] == ["38.0", "1", "FAIL", "–", "–"]
    same = [ours, replace(ours, seed=1, identity="b")]
    (table,), _ = beside(*same, rows=[replace(THEIRS[0], std=0.0, n=3)])
    assert [cell.text for cell in table.rows[0][5:7]] == ["−0.4", "–"]


def test_kernels_of_softmax_stand_beside_softmax_but_not_with_a_filter():
    runs = [run("listops", name, 0, 0.38, **DROPPED) for name in ("sdpa:backend=math", "sdpa+gfsa")]
    (table,), reasons = beside(*runs)
    assert [row[1].text for row in table.rows] == ["sdpa:backend=math"]
    assert reasons == ["ListOps: nothing is published of sdpa+gfsa"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"source": "generated"}, "ours is generated data, theirs official"),
        ({"name": "nystromformer"}, "nothing is published under protocol nystromformer"),
        ({"settings": []}, "other settings of the data; theirs: `--set task.brackets=drop`"),
        (
            {"settings": ["task.brackets=drop", "training.steps=10", "training.warmup=2"]},
            "training.steps, training.warmup left protocol skyformer",
        ),
        ({"make": failure}, "no result of ours of softmax"),
    ],
)
def test_what_does_not_agree_stands_beside_nothing_and_says_why(changes, reason):
    tables, reasons = beside(run("listops", "softmax", 0, 0.38, **DROPPED | changes))
    assert tables == [] and reasons == [f"ListOps: {reason}"]


def test_the_same_name_with_other_mathematics_stands_beside_nothing_and_says_why():
    rows = [
        *THEIRS,
        published("Reformer", "", 37.68, nearest="reformer", differs="10 chunks at any N"),
        published("Performer", "performer:features=128", 38.02, differs="ε = 1e-4"),
    ]
    drawn = "performer:features=128,redraw=0"
    names = ("softmax", "reformer:chunk=10", "reformer+gfsa", "performer", drawn)
    runs = [run("listops", name, 0, 0.38, **DROPPED) for name in names]
    (table,), reasons = beside(*runs, rows=rows)
    assert [(row[1].text, row[-1].text) for row in table.rows] == [
        (drawn, "ε = 1e-4"),
        ("softmax", "–"),
    ]
    assert [numbers["differs"] for numbers in table.numbers] == ["ε = 1e-4", None]
    assert reasons == [
        f"ListOps: {text}"
        for text in (
            "Performer (Someone et al. 1999, Table 1) is performer:features=128, not performer",
            "Reformer (Someone et al. 1999, Table 1) is not reformer:chunk=10: 10 chunks at any N",
            "nothing is published of reformer+gfsa",
        )
    ]


def test_what_brings_a_run_nearer_to_the_source_leaves_no_protocol():
    settings = ["task.brackets=drop", "model.pooling=padded_mean", "training.drop_last=true"]
    near = run("listops", "softmax", 0, 0.38, **DROPPED | {"settings": settings})
    (table,), _ = beside(near)
    (line,) = [line for line in table.caption if "still unlike the source" in line]
    assert "attention dropout" in line and "N = 2,000" in line
    assert "pooling" not in line and "brackets" not in line and "whole batches" not in line


def test_ours_find_the_real_rows():
    text = {"source": "official", "settings": ["task.max_len=1000", "task.select_on=test"]}
    test = Evaluation(0.7, 0.55, 25_000)
    (table,), _ = published_tables(
        accuracy_groups([run("text", "linformer:per_head=true", 0, 0.55, test=test, **text)]), ROWS
    )
    assert [(n["paper"], n["published"]) for n in table.numbers] == [
        ("Xiong et al. 2021", 55.91),
        ("Chen et al. 2023", 55.9),
    ]
    assert "repeats Xiong et al. 2021, Table 3" in table.rows[1][-2].text
    assert table.rows[1][-1].text == "one E serves all layers"


def test_what_a_protocol_of_that_name_once_was_is_not_beside_papers():
    then = override(get_protocol("skyformer", "listops"), ["training.steps=2000"])[0]
    then = replace(then, task=replace(then.task, source="official", brackets="drop"))
    tables, reasons = published_tables(
        accuracy_groups([replace(run("listops", "softmax", 0, 0.38, **DROPPED), protocol=then)]),
        ROWS,
    )
    assert not tables
    assert reasons == ["ListOps: protocol skyformer had other settings when ours was run"]
