// Tables that sort by value, choose rows and turn pages, built when they are first seen.

/** Nothing last whichever way; numbers by size, texts as a reader would file them. */
function compareValues(a, b, ascending) {
  const missing = (value) => value === null || value === undefined;
  if (missing(a) || missing(b)) return missing(a) - missing(b);
  const order =
    typeof a === "number" && typeof b === "number"
      ? a - b
      : String(a).localeCompare(String(b), "en", { numeric: true });
  return ascending ? order : -order;
}

const LONG = 32; // characters from which a column's texts may be broken into lines

const [HEAD, ROW] = [140, 34]; // pixels, about, of what stands around a table's rows and of a row

class TableView {
  /** table: title, columns, rows of cells {text, value, best, notes}, facts and links a row.
   * whole: all of its pages are printed. */
  constructor(table, { pageSize = Infinity, whole = true } = {}) {
    this.table = table;
    this.whole = whole;
    this.rows = table.rows.map((cells, i) => ({
      cells,
      facts: table.facts?.[i] ?? {},
      link: table.links?.[i] ?? null,
    }));
    this.shown = this.rows;
    this.sorted = { column: null, ascending: true };
    this.pageSize = pageSize;
    this.page = 0;
    // The keyboard finds it before it is built, too.
    const build = () => waiting.now(this.element);
    this.element = el("div", { class: "table", role: "region", "aria-label": table.title, tabindex: "0", focus: build });
    this.element.view = this;
    this.makeRoom();
    waiting.add(this.element, () => this.build());
  }

  /** So that little moves when it is built. */
  makeRoom() {
    this.element.style.minHeight = `${HEAD + ROW * Math.min(this.shown.length, this.pageSize)}px`;
  }

  classify() {
    const { columns } = this.table;
    this.numeric = columns.map((_, column) => {
      const values = this.rows.map((row) => row.cells[column].value).filter((value) => value != null);
      return values.length > 0 && values.every((value) => typeof value === "number");
    });
    this.classes = columns.map((_, column) => {
      if (this.numeric[column]) return "number";
      return this.rows.some((row) => row.cells[column].text.length > LONG) ? "long" : null;
    });
  }

  build() {
    this.classify();
    const { title, columns, caption = [], footer = [], notes = {} } = this.table;
    this.heads = columns.map((name, column) =>
      el(
        "th",
        { scope: "col", class: this.classes[column] },
        el("button", { type: "button", click: () => this.sortBy(column) }, name),
      ),
    );
    this.body = el("tbody");
    this.status = el("p", { class: "status", "aria-live": "polite" });
    this.pager = el("div", { class: "pager" });
    const focused = this.element === document.activeElement;
    this.element.style.minHeight = "";
    for (const name of ["role", "aria-label", "tabindex"]) this.element.removeAttribute(name);
    this.element.append(
      el(
        "div",
        { class: "scroll", tabindex: "0", role: "region", "aria-label": title },
        el(
          "table",
          {},
          el("caption", {}, el("span", {}, title)),
          el("thead", {}, el("tr", {}, ...this.heads)),
          this.body,
        ),
      ),
      this.status,
      this.pager,
      ...Object.entries(notes).map(([mark, meaning]) => el("p", { class: "note" }, `${mark} ${meaning}`)),
      ...[caption, footer].filter((lines) => lines.length).map((lines) => el("p", { class: "note" }, lines.join(" "))),
    );
    this.render();
    if (focused) this.element.querySelector(".scroll").focus();
  }

  sortBy(column) {
    const again = this.sorted.column === column;
    this.sorted = { column, ascending: again ? !this.sorted.ascending : true };
    this.heads.forEach((head, i) => {
      if (i !== column) head.removeAttribute("aria-sort");
      else head.setAttribute("aria-sort", this.sorted.ascending ? "ascending" : "descending");
    });
    this.page = 0;
    this.render();
  }

  choose(chosen) {
    this.shown = this.rows.filter((row) => chosen(row.facts));
    this.page = 0;
    if (this.body) this.render();
    else this.makeRoom();
  }

  render(pageSize = this.pageSize) {
    const { column, ascending } = this.sorted;
    const rows = [...this.shown];
    if (column !== null) {
      rows.sort((a, b) => compareValues(a.cells[column].value, b.cells[column].value, ascending));
    }
    const start = this.page * pageSize || 0;
    const page = rows.slice(start, start + pageSize);
    this.body.replaceChildren(...page.map((row) => this.row(row)));
    this.status.textContent = this.counted(page.length, start, rows.length);
    this.turn(rows.length);
  }

  /** Which rows these are, where they are not all. */
  counted(here, start, chosen) {
    const text = (count) => count.toLocaleString("en");
    const all = this.rows.length;
    const of = chosen < all ? `${text(chosen)} of ${text(all)} rows` : `${text(all)} rows`;
    if (here < chosen) return `${text(start + 1)}–${text(start + here)} of ${of}`;
    return chosen < all ? of : "";
  }

  row({ cells, link }) {
    return el(
      "tr",
      {},
      ...cells.map((cell, column) => {
        const text = column === 0 && link !== null ? runLink(link, cell.text) : cell.text;
        const marks = cell.notes?.length ? el("sup", {}, cell.notes.join(" ")) : null;
        const name = column === 0 ? "th" : "td";
        return el(
          name,
          { scope: column === 0 ? "row" : null, class: this.classes[column] },
          cell.best ? el("strong", {}, text) : text,
          marks,
        );
      }),
    );
  }

  turn(count) {
    const pages = Math.ceil(count / this.pageSize) || 1;
    if (pages === 1) return this.pager.replaceChildren();
    const to = (label, page, name) =>
      el(
        "button",
        {
          type: "button",
          "data-to": name,
          disabled: page < 0 || page >= pages,
          click: () => this.go(page, name),
        },
        label,
      );
    return this.pager.replaceChildren(
      to("Previous", this.page - 1, "previous"),
      el("span", { "aria-live": "polite" }, ` page ${this.page + 1} of ${pages} `),
      to("Next", this.page + 1, "next"),
    );
  }

  go(page, name) {
    this.page = page;
    this.render();
    const again = this.pager.querySelector(`[data-to="${name}"]:not([disabled])`);
    (again ?? this.pager.querySelector("button:not([disabled])"))?.focus();
  }
}

/** Paper has no pages to turn: it gets all rows of what is shown, but for tables that are not whole. */
function printTables(pageSize) {
  const views = [...document.querySelectorAll(".table")].filter(visible).map((element) => element.view);
  views.filter((view) => view.whole && view.body).forEach((view) => view.render(pageSize));
}

window.addEventListener("beforeprint", () => printTables(Infinity));
window.addEventListener("afterprint", () => printTables());
