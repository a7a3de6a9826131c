"""The page in a browser: opened from disk, without a network."""

from urllib.parse import quote

import pytest

from lra.results.report.page import page, write_page

from .conftest import missing
from .made_up import failed, run, table

HOSTILE = "<img src=x onerror=alert(1)>\"'&<b>"


def test_it_opens_without_a_request_or_an_error_and_draws_every_figure(seen):
    figures = seen.page.locator("#figures figure")
    assert figures.count() == 4
    for n in range(4):
        seen.draw(n)
    labels = [plot.get_attribute("aria-label") for plot in seen.page.locator(".plot").all()]
    assert labels[0].startswith("4 attentions. Highest mean: ")
    assert "runs/other/record.json" in seen.page.inner_text("#overview")
    assert seen.page.locator("h1").count() == 1
    assert seen.page.locator("a[href*='plot.ly'], a[data-title*='Chart Studio']").count() == 0


def test_a_click_sorts_by_value_with_nothing_last(seen):
    head = seen.page.locator("#tables th", has_text="ListOps")
    head.locator("button").click()
    assert seen.column("#tables", 1) == ["softmax", "linear+gfsa", "linear", "local"]
    assert head.get_attribute("aria-sort") == "ascending"
    head.locator("button").click()
    assert seen.column("#tables", 1) == ["linear", "linear+gfsa", "softmax", "local"]
    assert head.get_attribute("aria-sort") == "descending"
    other = seen.page.locator("#tables th", has_text="step ms")
    other.locator("button").click()
    assert head.get_attribute("aria-sort") is None
    assert seen.column("#tables", 3) == ["80", "95", "300", "1,200"]


def test_the_keyboard_reaches_the_controls_and_sorts(seen):
    assert seen.page.locator("a, button, input, select").first.inner_text() == "Skip to the content"
    seen.page.locator(".skip").focus()
    reached = []
    for _ in range(150):
        seen.page.keyboard.press("Tab")
        reached.append(
            seen.page.evaluate(
                "[document.activeElement.tagName, document.activeElement.textContent]"
            )
        )
        if reached[-1] == ["BUTTON", "ListOps"]:
            break
    assert reached[-1] == ["BUTTON", "ListOps"]
    tags = {tag for tag, _ in reached}
    assert {"A", "SELECT", "INPUT", "BUTTON", "SUMMARY"} <= tags
    outline = "getComputedStyle(document.activeElement).outlineStyle"
    assert seen.page.evaluate(outline) == "solid"
    ends = set()
    for key in ("Enter", "Space"):
        seen.page.keyboard.press(key)
        ends.add(seen.column("#tables", 1)[0])
    assert ends == {"linear", "softmax"}


def test_rows_are_chosen_by_text_task_family_and_filter(seen):
    bar = seen.page.locator("#tables .filters")
    bar.locator("input").fill("lin gfsa")
    assert seen.column("#tables", 1) == ["linear+gfsa"]
    assert seen.page.inner_text("#tables .status") == "1 of 4 rows"
    bar.locator("input").fill("")
    bar.get_by_label("Filter").select_option("no")
    assert sorted(seen.column("#tables", 1)) == ["linear", "local", "softmax"]
    bar.get_by_label("Family").select_option(index=1)
    assert 0 < len(seen.column("#tables", 1)) < 3
    runs_bar = seen.page.locator("#runs .filters")
    runs_bar.get_by_label("Task").select_option("text")
    assert set(seen.column("#runs", 2)) == {"text"} and len(seen.column("#runs", 1)) == 13
    runs_bar.get_by_label("Ended").select_option("out of memory")
    assert seen.column("#runs", 1) == ["softmax"]


def test_pointing_at_a_circle_shows_its_figures(seen):
    seen.draw()
    label = seen.label_at(seen.page.locator(".plot").first.locator(".points path").last)
    for part in ("accuracy", "3 seeds", "training step", "memory"):
        assert part in label


def test_a_figure_of_another_group_is_chosen_and_its_numbers_stand_in_a_table(seen):
    seen.draw()
    before = seen.page.locator(".plot").first.get_attribute("aria-label")
    figure = seen.page.locator("#figures figure").first
    figure.locator("select").select_option("1")
    assert seen.page.locator(".plot").first.get_attribute("aria-label") != before
    figure.locator("summary").click()
    figure.locator("tbody tr").first.wait_for()
    assert figure.locator("tbody tr").count() == 4


def test_a_run_opens_by_its_link_and_back_returns(seen):
    name = run("softmax+gfsa", "listops", 1).name
    link = seen.page.locator(f"#runs a[href$='{quote(name)}']")
    link.scroll_into_view_if_needed()
    scrolled = seen.page.evaluate("scrollY")
    link.click()
    seen.page.wait_for_selector("#one", state="visible")
    assert seen.page.inner_text("h1:visible") == "softmax+gfsa on listops, seed 1"
    assert seen.page.evaluate("document.activeElement.tagName") == "H1"
    assert not seen.page.locator("#tables").is_visible()
    seen.page.go_back()
    seen.page.wait_for_selector("#tables", state="visible")
    assert not seen.page.locator("#one").is_visible()
    assert abs(seen.page.evaluate("scrollY") - scrolled) < 50
    seen.page.locator("nav a", has_text="Tables").click()
    assert seen.page.locator("#tables").is_visible()


def test_a_run_opens_by_its_address_with_all_that_is_on_record(seen):
    one = run("linear+gfsa", "text", 1)
    seen.go(f"#run={quote(one.name)}")
    text = seen.page.inner_text("#one")
    for part in (
        f"{100 * one.record.test.accuracy:.2f} %",
        one.record.command,
        "training.learning_rate",
        "mean pooling over true lengths",
        one.record.environment.commit,
        one.record.identity,
        "parts.0.devices",
    ):
        assert part in text
    seen.see("#one")
    weights = seen.page.locator("#one tbody tr")
    assert weights.count() == 12
    assert weights.first.inner_text().split() == ["1", "1", "w0", "1", "0.0000", "0.1000", "0.1000"]
    seen.page.locator("#one .plot").scroll_into_view_if_needed()
    seen.page.wait_for_selector("#one .main-svg")
    assert one.name in seen.page.title()


def test_a_missing_browser_is_a_failure_where_every_change_is_tested(monkeypatch):
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="none is installed"):
        missing("none is installed")
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="none is installed"):
        missing("none is installed")


@pytest.mark.parametrize("address", ["#run=none", "#run=%zz", "#run="])
def test_an_address_of_no_run_says_so(seen, address):
    seen.go(address)
    assert seen.page.inner_text("h1:visible") == "There is no such run"


def test_a_run_without_a_result_shows_why(seen):
    seen.page.locator("#overview table a").click()
    seen.page.wait_for_selector("#one", state="visible")
    text = seen.page.inner_text("#one")
    assert "out of memory: it was too large" in text and "it has no curve" in text


def test_the_command_is_copied(seen):
    one = run("linear", "listops")
    seen.go(f"#run={quote(one.name)}")
    seen.page.get_by_role("button", name="Copy the command").click()
    seen.page.get_by_text("Copied.").wait_for()
    assert seen.page.evaluate("navigator.clipboard.readText()") == one.record.command


def test_hostile_names_do_nothing_and_are_read_as_they_are(visit, tmp_path):
    one = run(HOSTILE, name=f"{HOSTILE}#=%", command=HOSTILE)
    lost = failed(HOSTILE, reason=HOSTILE)
    write_page(tmp_path / "index.html", page([one, lost], [HOSTILE], [table()], [HOSTILE]))
    seen = visit(tmp_path / "index.html")
    seen.draw()
    assert seen.page.locator("img, main b").count() == 0
    assert seen.page.locator(".plot .textpoint").first.text_content() == HOSTILE
    assert HOSTILE in seen.label_at(seen.page.locator(".plot").first.locator(".points path").last)
    seen.see("#runs")
    seen.page.locator("#runs tbody a").first.click()
    seen.page.wait_for_selector("#one", state="visible")
    assert seen.page.inner_text("h1:visible").startswith(HOSTILE)
    assert seen.page.inner_text("#one code") == HOSTILE


def test_a_narrow_screen_has_no_sideways_scroll_of_the_page(visit, small):
    name = quote(run("linear+gfsa", "text", 1).name)
    seen = visit(small, f"#run={name}", viewport={"width": 360, "height": 740})
    seen.page.locator("#one .plot").scroll_into_view_if_needed()
    seen.page.locator("#one .main-svg").first.wait_for()
    width = "document.documentElement.scrollWidth"
    assert seen.page.evaluate(width) == 360
    seen.go("")
    for n in range(4):
        seen.draw(n)
    assert seen.page.evaluate(width) == 360
    seen.see("#runs")
    box = seen.page.locator("#runs .scroll")
    assert box.evaluate("(box) => box.scrollWidth > box.clientWidth")
    assert all(link.bounding_box()["height"] >= 24 for link in seen.page.locator("nav a").all())
