// The page: its sections, and which of them an address shows.

const content = embedded("content");
const byName = new Map(content.runs.map((run) => [run.name, run]));
const [all, one] = ["all", "one"].map((id) => document.getElementById(id));
const title = document.title;
let parsedCurves = null;
let opener = null; // the link by which the reader went to a run

function curves() {
  parsedCurves ??= embedded("curves");
  return parsedCurves;
}

function overview({ facts, lines, comparable, machines, failures, damaged }) {
  const section = document.getElementById("overview");
  const view = (table) => new TableView(table, { pageSize: 10 }).element;
  section.append(
    el(
      "ul",
      { class: "facts" },
      ...facts.map(([count, what]) => el("li", {}, el("strong", {}, count), ` ${what}`)),
    ),
    ...lines.map((line) => el("p", {}, line)),
    el("h2", {}, "What may be compared"),
    view(comparable),
    view(machines),
  );
  if (failures) section.append(el("h2", {}, "What failed"), view(failures));
  if (damaged.length) {
    section.append(
      el("h2", {}, "What could not be read"),
      el("ul", {}, ...damaged.map((line) => el("li", {}, line))),
    );
  }
}

function figures(charts) {
  const kinds = grouped(charts);
  const views = [...kinds].map(([kind, found]) => figureView(kind, found));
  document.getElementById("figures").append(...(views.length ? views : [el("p", {}, "No run has a result yet.")]));
}

function grouped(charts) {
  const kinds = new Map();
  for (const chart of charts) kinds.set(chart.kind, [...(kinds.get(chart.kind) ?? []), chart]);
  return kinds;
}

const KINDS = { accuracy: "Accuracy", pairs: "With and without a filter", cost: "Cost", published: "Beside published figures" };

function tables(found, reasons) {
  const section = document.getElementById("tables");
  const views = found.map((table) => new TableView(table, { pageSize: 40 }));
  if (!found.length) return section.append(el("p", {}, "There are none."));
  const facts = found.flatMap((table) => [...table.facts, ...table.tasks.map((task) => ({ task }))]);
  const bar = filterBar("Choose rows of all tables", facts, (chosen, { task }) => {
    for (const view of views) {
      view.choose(chosen);
      const other = task && !view.table.tasks.includes(task);
      view.element.hidden = other || view.shown.length === 0;
    }
  });
  section.append(bar);
  for (const [kind, heading] of Object.entries(KINDS)) {
    const elements = views.filter((view) => view.table.kind === kind).map((view) => view.element);
    if (elements.length) section.append(el("h3", {}, heading), ...elements);
  }
  if (reasons.length) {
    section.append(
      el("h3", {}, "Not beside published figures"),
      el("ul", {}, ...reasons.map((reason) => el("li", {}, reason))),
    );
  }
}

function runs() {
  const table = runTable(content);
  const view = new TableView(table, { pageSize: 50, whole: false });
  const ended = unique(table.facts.map((facts) => facts.ended));
  const bar = filterBar("Choose runs", table.facts, (chosen) => view.choose(chosen), ended);
  document.getElementById("runs").append(bar, view.element);
}

/** Shows what the address names: `#run=…` one run, anything else the page with its sections. */
function route() {
  const [key, value] = location.hash.slice(1).split(/=(.*)/s);
  if (key === "run") return showRun(decoded(value ?? ""));
  const left = !one.hidden;
  leaveRun();
  one.hidden = true;
  all.hidden = false;
  document.title = title;
  if (left && history.state) return goBack(history.state);
  const target = key && document.getElementById(key);
  if (target) target.scrollIntoView();
  else if (left) scrollTo(0, 0);
}

/** To where the reader was, with the focus on the link that was followed. */
function goBack({ scroll, link }) {
  scrollTo(0, scroll);
  const same = [...all.querySelectorAll("a")].find((other) => other.getAttribute("href") === link);
  (opener?.isConnected ? opener : same)?.focus({ preventScroll: true });
}

function leaveRun() {
  waiting.forget(one);
  forgetFigures(one);
  one.replaceChildren();
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function showRun(name) {
  const run = byName.get(name);
  leaveRun();
  all.hidden = true;
  one.hidden = false;
  one.replaceChildren(
    ...(run
      ? runView(run, content, curves)
      : [
          el("h1", { tabindex: "-1" }, "There is no such run"),
          el("p", {}, name),
          el("p", {}, el("a", { href: "#runs" }, "All runs")),
        ]),
  );
  document.title = run ? `${run.name} – ${title}` : title;
  scrollTo(0, 0);
  one.querySelector("h1").focus({ preventScroll: true });
}

overview(content.head);
figures(content.figures);
tables(content.tables, content.reasons);
runs();
document.addEventListener("click", (event) => {
  const link = event.target.closest?.('a[href^="#run="]');
  if (!link) return;
  opener = link;
  // Where the reader was is kept with the address that is left, for the way back.
  history.replaceState({ scroll: scrollY, link: link.getAttribute("href") }, "");
});
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault(); // the address, which may be a run's, stays
  document.getElementById("main").focus();
});
window.addEventListener("hashchange", route);
route();
