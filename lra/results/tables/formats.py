"""A table as GitHub Markdown, LaTeX, CSV and HTML."""

import html
import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

import pandas as pd
from tabulate import LATEX_ESCAPE_RULES, tabulate

from attention_zoo import UsageError
from lra.results.table import Cell, Table

# What pdflatex does not know outside of formulas, each before its command.
MATHS = """
±pm ×times ≤leq ≥geq ≈approx √surd ∞infty ∝propto →to ←gets ′prime ΔDelta ΣSigma ΠPi ΩOmega αalpha
βbeta γgamma δdelta εvarepsilon ηeta θtheta κkappa λlambda μmu πpi σsigma τtau φvarphi ωomega
"""
SYMBOLS = {
    **{"−": "$-$", "–": "--", "—": "---", "…": r"\dots{}", "|": r"\textbar{}"},
    **{"‘": "`", "’": "'", "“": "``", "”": "''", "†": r"\dag{}", "‡": r"\ddag{}", "§": r"\S{}"},
    **{word[0]: rf"$\{word[1:]}$" for word in MATHS.split()},
    **{"‖": r"$\Vert$", "Ā": r"$\bar{A}$", "ᴷ": "$^{K}$", "₂": "$_{2}$"},
}
LATEX = str.maketrans(LATEX_ESCAPE_RULES | SYMBOLS)


class Markup(NamedTuple):
    """How a format says things. escaped: a text of which nothing is read as markup. bold, marks,
    code, line: forms with %s for a text. grid: tabulate's name. page: of title, grid and lines."""

    escaped: Callable[[str], str]
    bold: str
    marks: str
    code: str
    line: str
    grid: str
    page: str


MARKUPS = {
    "github": Markup(
        lambda text: re.sub(r"([\\|*<])", r"\\\1", text),
        *("**%s**", " %s", "`%s`", "%s\n", "github"),
        "**{title}**\n\n{grid}\n\n{lines}",
    ),
    "latex": Markup(  # for a document that uses the package booktabs
        lambda text: text.translate(LATEX),
        *(r"\textbf{%s}", r"\textsuperscript{%s}", r"\texttt{%s}", "\\par\\footnotesize %s\n"),
        "latex_raw",
        "\\begin{{table}}\n\\centering\n\\caption{{{title}}}\n{grid}\n{lines}\\end{{table}}\n",
    ),
    "html": Markup(
        html.escape,
        *("<b>%s</b>", "<sup>%s</sup>", "<code>%s</code>", "<p>%s</p>\n", "unsafehtml"),
        "<figure>\n<figcaption>{title}</figcaption>\n{grid}\n{lines}</figure>\n",
    ),
}
FORMATS = (*MARKUPS, "csv")


def render(tables: Sequence[Table], style: str) -> str:
    """All tables in one of FORMATS, one after another; CSV takes tables of one kind."""
    if style == "csv":
        return _csv(tables)
    return "\n".join(_page(table, MARKUPS[style]) for table in tables)


def _page(table: Table, markup: Markup) -> str:
    def escaped(text: str) -> str:
        return markup.escaped(re.sub(r"\s+", " ", text))

    def shown(cell: Cell) -> str:
        marks = escaped(" ".join(cell.notes))
        text = escaped(cell.text) + (markup.marks % marks if marks else "")
        return markup.bold % text if cell.best else text

    grid = tabulate(
        [[shown(cell) for cell in row] for row in table.rows],
        headers=[escaped(name) for name in table.columns],
        tablefmt=markup.grid,
        disable_numparse=True,
        colalign=["right" if numeric else "left" for numeric in table.numeric],
    )
    if markup.grid == "latex_raw":
        for rule in ("top", "mid", "bottom"):
            grid = grid.replace(r"\hline", rf"\{rule}rule", 1)
    notes = [f"{mark} {text}." for mark, text in table.notes.items()]
    lines = [
        markup.line % re.sub("`([^`]*)`", lambda found: markup.code % found[1], escaped(line))
        for line in (*table.caption, *notes, *table.footer)
    ]
    return markup.page.format(title=escaped(table.title), grid=grid, lines="".join(lines))


def _csv(tables: Sequence[Table]) -> str:
    """The numbers of all tables, which are of one kind; columns that a table lacks are empty."""
    kinds = list(dict.fromkeys(table.kind for table in tables))
    if len(kinds) > 1:
        raise UsageError(
            f"CSV is one kind of table a file: ask for one of {', '.join(kinds)}, as in "
            f"`table {kinds[0]} --format csv`"
        )
    rows = [row for table in tables for row in table.numbers]
    return pd.DataFrame(rows, dtype=object).to_csv(index=False)  # whole numbers stay whole
