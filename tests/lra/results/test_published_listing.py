"""Who printed figures of which attention."""

from lra.results.published import listed, read_published

ROWS = list(read_published())


def test_listing_names_the_papers_of_an_attention_and_their_spelling():
    found = list(listed(ROWS, ["listops", "text"]))
    assert [row["attention"] for row in found] == sorted(row["attention"] for row in found)
    linformer = {(row["paper"], row["spec"]) for row in found if row["attention"] == "linformer"}
    assert linformer == {
        (row.paper, row.spec)
        for row in ROWS
        if row.spec.startswith("linformer") and row.task in ("listops", "text")
    }
    assert ("Tay et al. 2021", "linformer:rank=16") in linformer
    (reformer,) = [
        row for row in found if (row["attention"], row["paper"]) == ("reformer", "Tay et al. 2021")
    ]
    assert not reformer["spec"] and reformer["tasks"] == "listops, text"
    assert "Table 1" in str(reformer["tables"])


def test_listing_leaves_out_other_tasks():
    assert not list(listed(ROWS, ["GLUE average"]))
