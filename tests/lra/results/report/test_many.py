"""Pages of thousands of runs, in a browser."""

from lra.results.report.page import write_page

from .made_up import grid, many, page_of

PLOTLY = 5_500_000  # bytes
NODES = "document.querySelectorAll('*').length"


def opened(visit, folder, runs):
    """The page, and its bytes for each run."""
    path = folder / "index.html"
    write_page(path, page_of(runs))
    seen = visit(path)
    seen.page.locator("#overview tbody tr").first.wait_for()
    return seen, (path.stat().st_size - PLOTLY) / len(runs)


def test_two_thousand_runs_take_a_few_thousand_bytes_each_and_few_elements(visit, tmp_path):
    runs = many()
    assert len({one.record.identity for one in runs}) == len(runs) == 2040
    seen, size = opened(visit, tmp_path, runs)
    assert size < 4_000 and seen.page.evaluate(NODES) < 4_000
    assert "2,040" in seen.page.inner_text(".facts")
    seen.see("#runs")
    assert seen.page.locator("#runs tbody tr").count() == 50
    seen.page.locator("#runs input").fill("nystrom+gfsa listops")
    assert len(seen.column("#runs", 1)) == 17  # seeds
    seen.page.locator("#runs input").fill("")
    seen.page.locator("#runs th button", has_text="test accuracy").click()
    found = [float(text) for text in seen.column("#runs", 4)]
    assert found == sorted(found)
    for _ in range(2):
        seen.page.get_by_role("button", name="Next").click()
    assert "page 3 of 41" in seen.page.inner_text("#runs .pager")
    assert seen.page.inner_text("#runs .status") == "101–150 of 2,040 rows"


def test_hundreds_of_groups_are_built_as_they_are_seen(visit, tmp_path):
    seen, size = opened(visit, tmp_path, grid())
    tables = seen.page.locator("#tables .table")
    assert tables.count() == 180 and size < 20_000
    assert seen.page.evaluate(NODES) < 3_000
    last = tables.last
    last.scroll_into_view_if_needed()
    last.locator("tbody tr").first.wait_for()
    seen.page.locator("#tables input").fill("softmax")
    assert seen.page.evaluate(NODES) < 3_000
    assert set(last.locator("tbody tr > :first-child").all_inner_texts()) <= {
        "softmax",
        "softmax+gfsa",
    }
