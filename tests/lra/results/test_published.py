"""Published figures as data, and beside ours only where protocol and data agree."""

import csv
import math
import re
from dataclasses import replace

import pytest

from attention_zoo import UsageError, parse_spec
from attention_zoo.registry import ATTENTIONS
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
            assert str(parse_spec(row.spec)) == row.spec
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


# What LRA's own runs set, by model and, where a task differs, by task; none: not ours.
GOOGLE = {
    "Transformer": ("softmax", {}),
    "Local Attention": ("local", {"block": 50, "neighbours": 0}),
    "Linear Transformer": ("linear", {}),
    "Reformer": ("reformer", {"chunk": 10, "hashes": 1}),
    "Sparse Transformer": None,  # fixed pattern, causal; ours is the strided one
    "Sinkhorn": ("sinkhorn", {"block": 50}),
    "Linformer": ("linformer", {"rank": 16, "share": "kv"}),
    "Performer": ("performer", {"kernel": "relu", "features": 0}),
    "Synthesizer": ("synthesizer", {"kind": "random", "rank": 32}),
    "Longformer": ("longformer", {"window": 512, "globals": 0}),
    "BigBird": ("bigbird", {"block": 64, "random": 3}),
    ("Local Attention", "image"): ("local", {"block": 64, "neighbours": 0}),
    ("Sinkhorn", "image"): ("sinkhorn", {"block": 64}),
    ("Performer", "listops"): ("performer", {"kernel": "softmax", "features": 2}),
}


def test_specs_under_googles_protocol_have_the_options_of_its_runs():
    rows = [row for row in ROWS if row.protocol == "google" and row.task != "average"]
    assert {row.model for row in rows} == {key for key in GOOGLE if isinstance(key, str)}
    for row in rows:
        wanted = GOOGLE.get((row.model, row.task), GOOGLE[row.model])
        if wanted is None:
            assert row.spec == ""
            continue
        name, options = wanted
        spec = parse_spec(row.spec).attention
        defaults = {key: option.default for key, option in ATTENTIONS.get(name).options.items()}
        assert spec.name == name and options.items() <= (defaults | dict(spec.options)).items()


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
        ("a,b", "x.csv:2: not 17 cells"),
        (",".join("abcdefg") + ",ten,m,1,,,,,,,", "x.csv:2: invalid literal for int"),
        (",".join("abcdefg") + ",,m,,,,,,,,", "x.csv:2: no value"),
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
        accuracy_groups([run("text", "linformer", 0, 0.55, test=test, **text)]), ROWS
    )
    assert [(n["paper"], n["published"]) for n in table.numbers] == [
        ("Xiong et al. 2021", 55.91),
        ("Chen et al. 2023", 55.9),
    ]
    assert "repeats Xiong et al. 2021, Table 3" in table.rows[1][-1].text


def test_what_a_protocol_of_that_name_once_was_is_not_beside_papers():
    then = override(get_protocol("skyformer", "listops"), ["training.steps=2000"])[0]
    then = replace(then, task=replace(then.task, source="official", brackets="drop"))
    tables, reasons = published_tables(
        accuracy_groups([replace(run("listops", "softmax", 0, 0.38, **DROPPED), protocol=then)]),
        ROWS,
    )
    assert not tables
    assert reasons == ["ListOps: protocol skyformer had other settings when ours was run"]
