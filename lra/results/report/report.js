// What the page does besides plotly and DataTables. Text from the data becomes markup nowhere here:
// every piece of HTML comes from the templates, which escape it.

const packed = Uint8Array.from(atob(document.getElementById("content").textContent), (byte) => byte.charCodeAt(0));
const unpacked = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
const content = await new Response(unpacked).json();
const byName = new Map(content.runs.map((run) => [run.name, run]));
const [dialog, article] = ["dialog", "article"].map((name) => document.querySelector(name));
const title = document.title;

// Tables: sorted by value, nothing last whichever way.
const missing = (value) => value === null || value === "";
const order = (direction) => (a, b) => {
  if (missing(a) || missing(b)) return missing(a) - missing(b);
  const less = Number(a) - Number(b);
  return direction * (Number.isNaN(less) ? String(a).localeCompare(String(b), "en", { numeric: true }) : less);
};
DataTable.ext.type.order["value-asc"] = order(1);
DataTable.ext.type.order["value-desc"] = order(-1);
const columnDefs = [{ targets: "_all", type: "value" }];
const options = { autoWidth: false, order: [], paging: false, info: false, searching: false, columnDefs };

// Figures: panels in as many columns as there is room for, the legend in rows above them.
function draw(box, { traces, layout }) {
  const width = (box.drawn = box.clientWidth);
  const axes = Object.keys(layout).filter((key) => key.startsWith("xaxis"));
  const least = layout.showlegend === false ? 200 : 400;
  const columns = Math.min(axes.length, Math.max(1, Math.floor(width / least)));
  const rows = Math.ceil(axes.length / columns);
  const names = traces.filter((trace) => trace.showlegend).map((trace) => trace.name.length);
  const perRow = Math.max(1, Math.floor((width - 70) / (7.5 * Math.max(...names, 1) + 45)));
  const legend = layout.showlegend === false ? 0 : 21 * Math.ceil(names.length / perRow);
  const found = structuredClone({ traces, layout });
  if (least === 200) axes.forEach((key, i) => (found.layout[key.replace("x", "y")].showticklabels = i % columns === 0));
  if (width < 520) found.traces.forEach((trace) => (trace.mode = trace.mode.replace("+text", "")));
  const gap = axes.length > 1 && least === 400 ? 0.2 : 0.08;
  const grid = { rows, columns, pattern: "independent", xgap: gap, ygap: 0.35 };
  Object.assign(found.layout, { grid, width, height: layout.height * rows + legend });
  found.layout.legend.maxheight = 10000;
  found.layout.margin.t += legend;
  Plotly.react(box, found.traces, found.layout, { displaylogo: false, plotlyServerURL: "" });
}

/** The figure of a box: one of the page's, or the curves of the run that is shown. */
const figureOf = (box) => content.figures[box.closest("figure").id] ?? byName.get(shown()).figure;

// Tables and figures are made when they come near to what is seen, figures again in other widths.
const widths = new ResizeObserver((entries) => {
  entries.map(({ target }) => target).forEach((box) => box.clientWidth && box.clientWidth !== box.drawn && draw(box, figureOf(box)));
});
function make(element) {
  near.unobserve(element);
  const searching = Boolean(element.closest("#tables"));
  if (element.matches("table")) return DataTable.isDataTable(element) || new DataTable(element, { ...options, searching });
  return widths.observe(element); // which draws it
}
const seen = (entries) => entries.filter((entry) => entry.isIntersecting).forEach(({ target }) => make(target));
const near = new IntersectionObserver(seen, { rootMargin: "400px" });
const watch = (root) => root.querySelectorAll("table.sorted, .plot").forEach((element) => near.observe(element));
window.addEventListener("beforeprint", () =>
  document.querySelectorAll(".plot").forEach((box) => box.clientWidth && draw(box, figureOf(box))),
);

document.querySelectorAll("select.show").forEach((select) =>
  select.addEventListener("change", () => {
    for (const { value } of select.options) document.getElementById(value).hidden = value !== select.value;
  }),
);

// DataTables reads as HTML whatever it shows, searches or guesses the type of; a value is only sorted by.
const list = document.getElementById("runs");
const render = ([html, value], kind) => (kind === "sort" ? value : html);
const runs = new DataTable(list.querySelector("table"), {
  ...options,
  columnDefs: [{ targets: "_all", type: "value", render }],
  columns: content.columns,
  data: content.runs,
  deferRender: true,
  paging: true,
  pageLength: 50,
  lengthChange: false,
  info: true,
  searching: true,
});
runs.columns(".choice").every(function (i) {
  const [label, select] = ["label", "select"].map((name) => document.createElement(name));
  const values = [...new Set(content.runs.map(({ cells }) => cells[i][1]))].sort();
  select.append(new Option("all", ""), ...values.map((value) => new Option(value)));
  label.append(`${this.title()} `, select);
  list.querySelector("form").append(label);
  const chosen = (_, { cells }) => !select.value || cells[i][1] === select.value;
  select.addEventListener("input", () => runs.search.fixed(i, chosen).draw());
});

// One run, as the address names it: `#run=…`.
const shown = () => new URLSearchParams(location.hash.slice(1)).get("run");
function route() {
  const name = shown();
  article.querySelectorAll(".plot").forEach((box) => widths.unobserve(box) || Plotly.purge(box));
  article.replaceChildren();
  document.title = title;
  const run = byName.get(name);
  if (name === null) return dialog.close();
  const parts = run ? run.parts.map((i) => content.parts[i]) : ['<h1 id="run-title" tabindex="-1" autofocus>There is no such run</h1>'];
  article.innerHTML = parts.join("");
  if (run) document.title = `${name} – ${title}`;
  if (!dialog.open) dialog.showModal();
  dialog.scrollTo(0, 0);
  watch(article);
}
dialog.addEventListener("close", () => {
  if (shown() !== null) history.replaceState(null, "", "#");
  route();
});
article.addEventListener("click", async ({ target }) => {
  if (!target.matches(".copy")) return;
  await navigator.clipboard.writeText(article.querySelector("code").textContent);
  target.nextElementSibling.textContent = "Copied.";
});

watch(document);
window.addEventListener("hashchange", route);
route();
