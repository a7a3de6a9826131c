"""Figures and tables of a page that is printed, resized, darkened, or left and come back to."""

from urllib.parse import quote

from lra.results.report.page import page, write_page

from .made_up import failed, run, runs, table

RUN = f"#run={quote(run('softmax', 'listops').name)}"
# Whether every plot that is drawn in an element is as late as its box.
FITS = """(parent) => [...document.querySelectorAll(`${parent} .plot`)]
    .filter((box) => box.querySelector(".main-svg"))
    .every((box) => box.querySelector(".main-svg").clientWidth === box.clientWidth)"""


def print_(seen, after=False):
    seen.page.emulate_media(media="screen" if after else "print")
    seen.page.evaluate(f"dispatchEvent(new Event('{'after' if after else 'before'}print'))")


def color_of_axis(seen, color):
    from playwright.sync_api import expect

    label = seen.page.locator(".plot:visible").first.locator(".xtitle")
    expect(label).to_have_css("fill", color)


def test_figures_follow_the_page_to_dark_and_back(seen):
    seen.draw()
    for scheme, color in (("dark", "rgb(232, 234, 237)"), ("light", "rgb(27, 31, 36)")):
        seen.page.emulate_media(color_scheme=scheme)
        color_of_axis(seen, color)


def test_figures_that_were_hidden_when_it_grew_dark_are_dark_and_whole_on_the_way_back(seen):
    seen.draw()
    seen.go(RUN)
    seen.page.emulate_media(color_scheme="dark")
    seen.go("")
    color_of_axis(seen, "rgb(232, 234, 237)")
    seen.page.wait_for_function(FITS, arg="#figures")
    seen.page.emulate_media(color_scheme="light")


def test_print_shows_every_figure_and_no_controls(seen):
    print_(seen)
    for plot in seen.page.locator("#figures .plot").all():
        plot.locator(".main-svg").first.wait_for()
    assert not seen.page.locator("nav").is_visible()
    assert not seen.page.locator(".filters").first.is_visible()
    print_(seen, after=True)


def test_a_run_that_is_printed_leaves_the_other_figures_for_later(visit, small):
    late = visit(small)
    late.go(RUN)
    print_(late)
    late.page.locator("#one .main-svg").first.wait_for()
    print_(late, after=True)
    assert late.page.locator("#figures .main-svg").count() == 0
    late.go("")
    late.draw()
    late.page.wait_for_function(FITS, arg="#figures")


def test_figures_follow_the_width_of_the_window(seen):
    seen.draw()
    before = seen.page.viewport_size
    seen.page.set_viewport_size({"width": 360, "height": 800})
    seen.page.wait_for_function(FITS, arg="#figures")
    names = seen.page.locator(".plot").first.locator(".textpoint")
    names.first.wait_for(state="detached")  # there is no room
    assert seen.page.evaluate("document.documentElement.scrollWidth") == 360
    seen.page.set_viewport_size(before)
    seen.page.wait_for_function(FITS, arg="#figures")
    names.first.wait_for()


def test_what_a_run_has_drawn_goes_with_it(seen):
    seen.go(RUN)
    seen.page.locator("#one .plot").scroll_into_view_if_needed()
    seen.page.wait_for_selector("#one .main-svg")
    seen.go("")
    assert seen.page.locator("#one > *").count() == 0


def test_paper_gets_all_rows_of_a_table_and_the_count_of_the_runs(visit, tmp_path):
    found = runs(("softmax", "linear", "local"), ("listops",), range(9))
    lost = [failed(name=f"lost-{i}", seed=i) for i in range(12)]
    write_page(tmp_path / "index.html", page([*found, *lost], tables=[table()]))
    seen = visit(tmp_path / "index.html")
    failures = seen.page.locator(".table", has_text="Runs without a result")
    failures.locator("tbody tr").nth(9).wait_for()
    assert failures.locator("tbody tr").count() == 10
    assert failures.locator(".status").inner_text() == "1–10 of 12 rows"
    seen.see("#runs")
    print_(seen)
    assert failures.locator("tbody tr").count() == 12
    assert seen.page.inner_text("#runs .status") == "1–50 of 66 rows"
    print_(seen, after=True)
    assert failures.locator("tbody tr").count() == 10


def test_the_way_back_from_a_run_leads_to_its_link(seen):
    link = seen.page.locator("#runs tbody a").nth(2)
    link.focus()
    seen.page.keyboard.press("Enter")
    seen.page.wait_for_selector("#one", state="visible")
    seen.page.go_back()
    seen.page.wait_for_selector("#all", state="visible")
    assert link.evaluate("(link) => link === document.activeElement")


def test_the_first_link_of_a_run_leads_to_its_content(seen):
    seen.go(RUN)
    seen.page.locator(".skip").focus()
    seen.page.keyboard.press("Enter")
    assert seen.page.evaluate("document.activeElement.id") == "main"
    assert seen.page.locator("#one").is_visible() and seen.page.url.endswith(RUN)
