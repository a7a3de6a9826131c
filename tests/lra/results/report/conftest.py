import os
import shutil

import pytest

from lra.results.report.page import page, write_page

from . import made_up

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def missing(reason):
    """Where every change is tested, there must be a browser."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def browser():
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        missing("playwright is not installed: pip install -e '.[test]'")
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        missing(f"none of {', '.join(BROWSERS)} is installed")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(
            executable_path=found, args=["--no-sandbox"] if os.geteuid() == 0 else []
        )
        yield launched
        launched.close()


class Visit:
    """A page that was opened from disk without a network; what it asked for, what it said."""

    def __init__(self, browser, path, address="", **options):
        self.context = browser.new_context(reduced_motion="reduce", **options)
        self.page = self.context.new_page()
        self.page.set_default_timeout(15_000)
        self.errors, self.requests = [], []
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("dialog", lambda dialog: self.errors.append(dialog.message))
        self.context.route("**/*", self._asked)
        self.context.set_offline(True)
        self.url = path.as_uri()
        self.page.goto(self.url + address)

    def _said(self, message):
        if message.type in ("error", "warning"):
            self.errors.append(message.text)

    def _asked(self, route):
        if route.request.url.split("#")[0] == self.url:
            return route.continue_()
        self.requests.append(route.request.url)
        return route.abort()

    def see(self, section):
        """Scrolls to a section's first table, which builds it."""
        self.page.locator(f"{section} table").first.scroll_into_view_if_needed()
        self.page.locator(f"{section} tbody tr").first.wait_for()

    def column(self, section, n):
        return self.page.locator(f"{section} tbody tr > :nth-child({n})").all_inner_texts()

    def wait_for_column(self, section, n, expected):
        """A table may be drawn a moment after what asked for it."""
        from playwright.sync_api import expect

        cells = self.page.locator(f"{section} tbody tr:visible > :nth-child({n})")
        expect(cells).to_have_text(expected, timeout=15_000)

    def draw(self, n=0):
        """Scrolls to a figure, which draws it."""
        self.page.locator(".plot:visible").nth(n).scroll_into_view_if_needed()
        self.page.locator(".plot:visible").nth(n).locator(".main-svg").first.wait_for()


@pytest.fixture(scope="session")
def visit(browser):
    """Opens a page; at the end of all none has asked for anything or complained."""
    opened = []

    def open_page(path, address="", **options):
        opened.append(Visit(browser, path, address, **options))
        return opened[-1]

    yield open_page
    for one in opened:
        one.context.close()
        assert one.errors == []
        assert one.requests == []


@pytest.fixture(scope="session")
def small(tmp_path_factory):
    """A few runs, one without a result, a table and a measurement."""
    path = tmp_path_factory.mktemp("small") / "index.html"
    runs = [*made_up.runs(("softmax", "linear"), ("listops", "text")), made_up.failed()]
    damaged = ["runs/other/record.json: schema is 99, not 3"]
    tables, sheets = [made_up.table()], [made_up.sheet()]
    write_page(path, page(runs, damaged, tables, ["ours differs"], sheets))
    return path


@pytest.fixture(scope="session")
def opened(visit, small):
    """The small page, opened once: it takes a second or two."""
    return visit(small, permissions=["clipboard-read", "clipboard-write"])


@pytest.fixture
def seen(opened):
    """The small page at its beginning, with all rows. How its tables are sorted may be left."""
    opened.page.evaluate("scrollTo(0, 0)")
    opened.page.evaluate("document.activeElement.blur()")
    for section in ("#tables", "#runs"):
        opened.see(section)
        opened.page.locator(f"{section} input").fill("")
    for select in opened.page.locator("#runs .filters select").all():
        select.select_option("")
    return opened
