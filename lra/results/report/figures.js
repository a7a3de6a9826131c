// Figures, drawn by plotly when they are first seen.

const PLOTLY = {
  displaylogo: false,
  plotlyServerURL: "",
  modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d"],
};
const NARROW = 520; // pixels under which there is no room for names beside the marks
const dark = window.matchMedia("(prefers-color-scheme: dark)");
const drawn = new Set(); // to be drawn again in other colours and other widths
const FAINT = "#888888"; // as charts/chart.py has it

function color(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/** The legend stands below, in rows as wide as the box; the plot keeps its height. */
function below(box, traces, layout) {
  const names = traces.filter((trace) => trace.showlegend !== false).map((trace) => trace.name);
  const widest = 52 + 7.5 * Math.max(...names.map((name) => name.length));
  const rows = Math.ceil(names.length / Math.max(1, Math.floor((box.width - 20) / widest)));
  const room = 22 * rows + 16;
  return {
    height: layout.height + room,
    margin: { ...layout.margin, b: room + (box.width < NARROW ? 110 : 70) },
    legend: {
      orientation: "h", yref: "container", y: 0, yanchor: "bottom", x: 0, maxheight: 10000,
      entrywidth: widest - 48, ...layout.legend,
    },
  };
}

/** plotly's layout in the page's colours, which are dark on light or light on dark. */
function themed(box, traces, layout) {
  const lines = { gridcolor: color("--line"), linecolor: color("--line") };
  const axes = {};
  for (const [key, value] of Object.entries(layout)) {
    if (/^[xy]axis/.test(key)) axes[key] = { ...value, ...lines };
  }
  return {
    ...layout,
    ...axes,
    ...below(box, traces, layout),
    width: box.width,
    paper_bgcolor: "transparent",
    plot_bgcolor: "transparent",
    font: { family: "system-ui, sans-serif", size: 13, color: color("--ink") },
    hoverlabel: { bgcolor: color("--paper"), font: { color: color("--ink") }, align: "left", namelength: -1 },
  };
}

/** A copy, which plotly may change, in the page's colours: black marks are light on dark. */
function inked(part) {
  let text = JSON.stringify(part).replaceAll(`"${FAINT}"`, `"${color("--soft")}"`);
  if (dark.matches) {
    text = text.replaceAll('"#000000"', '"#f0f0f0"').replaceAll("rgba(0,0,0,", "rgba(240,240,240,");
  }
  return JSON.parse(text);
}

/** Draws it as wide as the box is now; what is not shown is drawn when it is. */
function redraw(box) {
  box.width = box.clientWidth;
  if (!box.width) return;
  const [traces, layout] = inked([box.figure.traces, box.figure.layout]);
  const unnamed = (trace) => ({ ...trace, mode: trace.mode?.replace("+text", "") });
  const shown = box.width < NARROW ? traces.map(unnamed) : traces;
  Plotly.react(box, shown, themed(box, traces, layout), PLOTLY);
}

const widths = new ResizeObserver((entries) => {
  for (const { target } of entries) if (target.clientWidth !== target.width) redraw(target);
});

function draw(box, figure) {
  box.figure = figure;
  box.style.minHeight = `${figure.layout.height}px`; // so that little moves when it is drawn
  box.setAttribute("role", "img");
  box.setAttribute("aria-label", figure.summary);
  redraw(box);
  drawn.add(box);
  widths.observe(box);
}

/** Figures inside of an element that goes away. */
function forgetFigures(element) {
  for (const box of [...drawn].filter((box) => element.contains(box))) {
    widths.unobserve(box);
    drawn.delete(box);
    Plotly.purge(box);
  }
}

dark.addEventListener("change", () => drawn.forEach((box) => redraw(box)));

/** One kind of figure: a choice of which, the plot, what it shows in words and in numbers. */
function figureView(kind, charts) {
  const box = el("div", { class: "plot" });
  const words = el("figcaption");
  let current = charts[0];
  const show = () => draw(box, current);
  const choose = (index) => {
    current = charts[index];
    const numbers = el("details", {}, el("summary", {}, "The numbers of this figure"));
    numbers.addEventListener("toggle", () => {
      if (numbers.open && numbers.children.length === 1) numbers.append(new TableView(current.table).element);
    });
    words.replaceChildren(
      el("p", {}, current.summary),
      ...current.notes.map((note) => el("p", { class: "note" }, note)),
      numbers,
    );
    if (drawn.has(box)) show();
  };
  const options = charts.map((chart, index) => [String(index), chart.label]);
  const select = charts.length > 1 ? choice("Show", options, choose) : el("p", { class: "of" }, charts[0].label);
  choose(0);
  waiting.add(box, show);
  return el("figure", {}, el("h3", {}, kind), select, box, words);
}
