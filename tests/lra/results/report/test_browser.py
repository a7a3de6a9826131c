"""The page in a browser: opened from disk, without a network."""

from urllib.parse import quote

import pytest

from lra.results.report.page import page, write_page

from .conftest import missing
from .made_up import failed, run, table

HOSTILE = "<img src=x onerror=alert(1)>\"'&<b>"
WIDTH = "document.documentElement.scrollWidth"


def opened_run(seen, name):
    seen.page.evaluate("(name) => { location.hash = `run=${name}`; }", quote(name, safe=""))
    seen.page.wait_for_selector("dialog[open] h1")


@pytest.fixture
def closed(seen):
    yield seen
    seen.page.keyboard.press("Escape")
    seen.page.wait_for_selector("dialog", state="hidden")


def test_it_opens_without_a_request_or_an_error_and_draws_every_figure(seen):
    assert seen.page.locator("#figures figure:visible").count() == 4
    for n in range(4):
        seen.draw(n)
    assert "4 attentions. Highest mean" in seen.page.locator(".plot").first.get_attribute(
        "aria-label"
    )
    assert "runs/other/record.json" in seen.page.inner_text("#overview")


def test_the_keyboard_sorts_by_value_with_nothing_last(seen):
    head = seen.page.locator("#tables th", has_text="ListOps")
    head.locator("[role=button]").focus()
    seen.page.keyboard.press("Enter")
    seen.wait_for_column("#tables", 1, ["softmax", "linear+gfsa", "linear", "local"])
    assert head.get_attribute("aria-sort") == "ascending"
    seen.page.keyboard.press("Enter")
    seen.wait_for_column("#tables", 1, ["linear", "linear+gfsa", "softmax", "local"])


def test_rows_are_chosen_by_text_task_and_filter(seen):
    seen.page.locator("#tables input").fill("lin gfsa")
    seen.wait_for_column("#tables", 1, ["linear+gfsa"])
    runs_bar = seen.page.locator("#runs .filters")
    runs_bar.get_by_label("Task").select_option("text")
    seen.wait_for_column("#runs", 2, ["text"] * 13)
    runs_bar.get_by_label("Ended").select_option("out of memory")
    seen.wait_for_column("#runs", 1, ["softmax"])


def test_a_run_opens_by_the_keyboard_with_all_that_is_on_record_and_escape_returns(seen):
    one = run("linear+gfsa", "text", 1)
    link = seen.page.locator(f"#runs a[href$='{quote(one.name, safe='')}']")
    link.focus()
    seen.page.keyboard.press("Enter")
    seen.page.wait_for_selector("dialog[open] h1")
    text = seen.page.inner_text("article")
    environment = one.record.environment
    for part in (one.record.command, "learning_rate", environment.commit, one.record.identity):
        assert part in text
    seen.page.locator("article .plot").scroll_into_view_if_needed()
    seen.page.wait_for_selector("article .main-svg")
    assert seen.page.locator("article tbody tr").count() == 12 and one.name in seen.page.title()
    seen.page.keyboard.press("Escape")
    seen.page.wait_for_selector("dialog", state="hidden")
    assert link.evaluate("(link) => link === document.activeElement")
    assert "run=" not in seen.page.url


@pytest.mark.parametrize("name", ["none", "%zz", ""])
def test_an_address_of_no_run_says_so(closed, name):
    opened_run(closed, name)
    assert closed.page.inner_text("dialog h1") == "There is no such run"


def test_the_command_is_copied(closed):
    one = run("linear", "listops")
    opened_run(closed, one.name)
    closed.page.get_by_role("button", name="Copy the command").click()
    closed.page.get_by_text("Copied.").wait_for()
    assert closed.page.evaluate("navigator.clipboard.readText()") == one.record.command


def test_hostile_names_do_nothing_and_are_read_as_they_are(visit, tmp_path):
    one = run(HOSTILE, name=f"{HOSTILE}#=%", command=HOSTILE)
    lost = failed(HOSTILE, reason=HOSTILE)
    write_page(tmp_path / "index.html", page([one, lost], [HOSTILE], [table()], [HOSTILE]))
    seen = visit(tmp_path / "index.html")
    seen.draw()
    assert seen.page.locator("img, main b").count() == 0
    assert seen.page.locator(".plot .textpoint", has_text="img").first.text_content() == HOSTILE
    seen.page.locator("#runs tbody a").first.click()
    seen.page.wait_for_selector("dialog[open] h1")
    assert seen.page.inner_text("dialog h1").startswith(HOSTILE)
    assert seen.page.inner_text("article code") == HOSTILE


def test_a_narrow_screen_has_no_sideways_scroll_of_the_page(visit, small):
    seen = visit(small, viewport={"width": 360, "height": 740})
    for n in range(4):
        seen.draw(n)
    assert seen.page.evaluate(WIDTH) == 360
    opened_run(seen, run("linear+gfsa", "text", 1).name)
    assert seen.page.locator("dialog").evaluate("(box) => box.scrollWidth <= 360")


def test_print_shows_every_figure_and_no_controls(visit, small):
    seen = visit(small)
    seen.page.emulate_media(media="print")
    seen.page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert seen.page.locator("#figures .plot .main-svg").count() >= 4
    assert not seen.page.locator("header nav").is_visible()


def test_a_missing_browser_is_a_failure_where_every_change_is_tested(monkeypatch):
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="none is installed"):
        missing("none is installed")
