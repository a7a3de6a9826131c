"""A table as GitHub Markdown, LaTeX, CSV and HTML."""

import html
import re
from collections.abc import Callable, Sequence

import pandas as pd
from tabulate import tabulate

from attention_zoo import UsageError
from lra.results.table import Cell, Table

MATHS = {  # what pdflatex does not know outside of formulas
    **{"±": "pm", "×": "times", "≤": "leq", "≥": "geq", "≈": "approx", "√": "surd", "∞": "infty"},
    **{"∝": "propto", "→": "to", "←": "gets", "′": "prime", "Δ": "Delta", "Σ": "Sigma"},
    **{"Π": "Pi", "Ω": "Omega", "α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta"},
    **{"ε": "varepsilon", "η": "eta", "θ": "theta", "κ": "kappa", "λ": "lambda", "μ": "mu"},
    **{"π": "pi", "σ": "sigma", "τ": "tau", "φ": "varphi", "ω": "omega"},
}
LATEX = (
    {
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
        "−": "$-$",
        "–": "--",
        "—": "---",
        "…": r"\dots{}",
        "‘": "`",
        "’": "'",
        "“": "``",
        "”": "''",
        "†": r"\dag{}",
        "‡": r"\ddag{}",
        "§": r"\S{}",
    }
    | {character: rf"$\{name}$" for character, name in MATHS.items()}
    | {character: "\\" + character for character in "&%$#_{}"}
)


def render(tables: Sequence[Table], style: str) -> str:
    """All tables in one format, one after another; CSV takes tables of one kind."""
    if style == "csv":
        return csv(tables)
    return "\n".join(RENDERERS[style](table) for table in tables)


def github(table: Table) -> str:
    """A heading in bold, the table, and its caption, notes and footer as lines below."""

    def shown(cell: Cell) -> str:
        text = " ".join([_markdown(cell.text), *cell.notes])
        return f"**{text}**" if cell.best else text

    lines = (*table.caption, *_notes(table), *table.footer)
    return "\n".join(
        [
            f"**{_markdown(table.title)}**",
            "",
            _grid(table, shown, _markdown, "github"),
            "",
            *(_below(line) for line in lines),
            "",
        ]
    )


def latex(table: Table) -> str:
    """A floating table, for a document that uses the package booktabs."""

    def shown(cell: Cell) -> str:
        text = _latex(cell.text)
        if cell.notes:
            text += rf"\textsuperscript{{{_latex(''.join(cell.notes))}}}"
        return rf"\textbf{{{text}}}" if cell.best else text

    grid = _grid(table, shown, _latex, "latex_raw")
    for rule in (r"\toprule", r"\midrule", r"\bottomrule"):
        grid = grid.replace(r"\hline", rule, 1)
    below = [_code(_latex(line), r"\texttt{{{}}}") for line in (*_notes(table), *table.footer)]
    return "\n".join(
        [
            r"\begin{table}",
            rf"\caption{{{' '.join(map(_latex, (table.title + '.', *table.caption)))}}}",
            r"\centering",
            grid,
            *(rf"\par\footnotesize {line}" for line in below),
            r"\end{table}",
            "",
        ]
    )


def web(table: Table) -> str:
    """A fragment of HTML, everything in it escaped."""

    def shown(cell: Cell) -> str:
        text = html.escape(_one_line(cell.text))
        text += f"<sup>{html.escape(''.join(cell.notes))}</sup>" if cell.notes else ""
        return f"<b>{text}</b>" if cell.best else text

    grid = _grid(table, shown, html.escape, "unsafehtml")
    head, *body = grid.split("\n", 1)
    lines = [
        _code(html.escape(_one_line(line)), "<code>{}</code>")
        for line in (*table.caption, *_notes(table), *table.footer)
    ]
    return "\n".join(
        [
            f'<figure class="{html.escape(table.kind)}">',
            head,
            f"<caption>{html.escape(table.title)}</caption>",
            *body,
            "<figcaption>",
            *(f"<p>{line}</p>" for line in lines),
            "</figcaption>",
            "</figure>",
            "",
        ]
    )


def csv(tables: Sequence[Table]) -> str:
    """The numbers of all tables, which are of one kind; columns that a table lacks are empty."""
    kinds = list(dict.fromkeys(table.kind for table in tables))
    if len(kinds) > 1:
        raise UsageError(
            f"CSV is one kind of table a file: ask for one of {', '.join(kinds)}, as in "
            f"`table {kinds[0]} --format csv`"
        )
    rows = [row for table in tables for row in table.numbers]
    return pd.DataFrame(rows, dtype=object).to_csv(index=False)  # whole numbers stay whole


RENDERERS: dict[str, Callable[[Table], str]] = {"github": github, "latex": latex, "html": web}
FORMATS = (*RENDERERS, "csv")


def _grid(
    table: Table, shown: Callable[[Cell], str], escaped: Callable[[str], str], style: str
) -> str:
    """The first column, and those of text, stand to the left, figures to the right."""
    sides = []
    for column in range(len(table.columns)):
        values = [row[column].value for row in table.rows]
        sides.append("left" if any(isinstance(value, str) for value in values) else "right")
    return tabulate(
        [[shown(cell) for cell in row] for row in table.rows],
        headers=[escaped(name) for name in table.columns],
        tablefmt=style,
        disable_numparse=True,
        colalign=sides,
    )


def _notes(table: Table) -> list[str]:
    return [f"{mark} {text}." for mark, text in table.notes.items()]


def _code(text: str, form: str) -> str:
    """What stands between backticks, in a format's form."""
    return re.sub("`([^`]*)`", lambda found: form.format(found[1]), text)


def _one_line(text: str) -> str:
    return re.sub(r"\s+", " ", text)


def _markdown(text: str) -> str:
    """What stands in a cell: characters that would be read as Markdown are escaped."""
    return re.sub(r"([\\|*`<])", r"\\\1", _one_line(text))


def _below(text: str) -> str:
    """A line below a table, in which `code` is meant."""
    return re.sub(r"([\\|*<])", r"\\\1", _one_line(text))


def _latex(text: str) -> str:
    return "".join(LATEX.get(character, character) for character in _one_line(text))
