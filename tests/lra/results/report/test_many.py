"""A page of hundreds of runs, in a browser."""

from lra.results.report.page import write_page

from .made_up import many, page_of

LIBRARIES = 5_500_000  # bytes
NODES = "document.querySelectorAll('*').length"


def opened(visit, folder, runs):
    """The page, and its bytes for each run."""
    path = folder / "index.html"
    write_page(path, page_of(runs))
    seen = visit(path)
    seen.page.locator("#overview tbody tr").first.wait_for()
    return seen, (path.stat().st_size - LIBRARIES) / len(runs)


def test_hundreds_of_runs_take_a_thousand_bytes_each_and_few_elements(visit, tmp_path):
    runs = many()
    assert len({one.record.identity for one in runs}) == len(runs) == 600
    seen, size = opened(visit, tmp_path, runs)
    assert size < 1_000 and seen.page.evaluate(NODES) < 7_000
    assert "600" in seen.page.inner_text(".facts")
    seen.see("#runs")
    assert seen.page.locator("#runs tbody tr").count() == 50
    seen.page.locator("#runs input").fill("nystrom+gfsa listops")
    seen.wait_for_column("#runs", 1, ["nystrom+gfsa"] * 5)  # seeds
    seen.page.locator("#runs input").fill("")
    seen.page.locator("#runs th", has_text="test accuracy").click()
    seen.page.locator("#runs th[aria-sort=ascending]", has_text="test accuracy").wait_for()
    found = [float(text) for text in seen.column("#runs", 4)]
    assert found == sorted(found)
    assert "1 to 50 of 600" in seen.page.inner_text("#runs .dt-info")
