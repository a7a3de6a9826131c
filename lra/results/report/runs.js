// The list of runs, and the page of one.

const percent = (share) => (100 * share).toFixed(2);
const kept = (text, value) => ({ text: value === null || value === undefined ? "–" : text(value), value });

/** The list as a table: what ended without a result has no figures. */
function runTable(content) {
  const columns = {
    attention: (run) => kept(String, run.attention),
    task: (run) => kept(String, run.task),
    seed: (run) => kept(String, run.seed),
    "test accuracy %": (run) => kept((value) => value.toFixed(2), run.test && 100 * run.test.accuracy),
    "step ms": (run) => kept(short, run.measurement?.training_step.median_ms),
    "memory MB": (run) => kept(short, run.memory && run.memory / 1e6),
    protocol: (run) => {
      const left = Object.keys(run.modified).length ? " modified" : "";
      return kept(String, content.protocols[run.protocol].name + left);
    },
    data: (run) => kept(String, content.data[run.data].source),
    machine: (run) => kept(String, content.environments[run.environment].device),
    finished: (run) => kept((value) => value.slice(0, 16).replace("T", " "), run.finished),
    ended: (run) => kept(String, run.kind ?? (run.learned ? "learned" : "did not learn")),
  };
  const makers = Object.values(columns);
  return {
    title: "All runs on record",
    columns: Object.keys(columns),
    rows: content.runs.map((run) => makers.map((make) => make(run))),
    facts: content.runs.map((run) => ({
      attention: run.attention,
      task: run.task,
      family: run.family,
      filtered: run.filtered,
      ended: run.kind ?? (run.learned ? "learned" : "did not learn"),
      words: [
        run.name,
        run.identity,
        `seed ${run.seed}`,
        content.protocols[run.protocol].name,
        content.environments[run.environment].device,
      ].join(" "),
    })),
    links: content.runs.map((run) => run.name),
  };
}

/** [["a.b", value], …] of an object in objects; lists of plain values are one value. */
function flat(value, name = "") {
  const nested = value !== null && typeof value === "object";
  if (nested && !(Array.isArray(value) && value.every((item) => typeof item !== "object"))) {
    const parts = Object.entries(value);
    return parts.flatMap(([key, item]) => flat(item, name ? `${name}.${key}` : key));
  }
  return [[name, nested ? value.join(", ") : value === null ? "none" : String(value)]];
}

function pairs(entries, marked = {}) {
  return el(
    "dl",
    {},
    ...entries.map(([name, text]) =>
      el("div", { class: name in marked ? "changed" : null }, el("dt", {}, name), el("dd", {}, text)),
    ),
  );
}

function part(title, ...children) {
  return el("section", {}, el("h2", {}, title), ...children);
}

function resultOf(run) {
  if (run.kind) return part("Result", el("p", {}, el("strong", {}, run.kind), `: ${run.reason}`));
  const error = Math.sqrt((run.test.accuracy * (1 - run.test.accuracy)) / run.test.count);
  return part(
    "Result",
    pairs([
      ["test accuracy", `${percent(run.test.accuracy)} % ± ${percent(error)} (binomial)`],
      ["test examples", run.test.count.toLocaleString("en")],
      ["test loss", `${run.test.loss} nats`],
      ["validation accuracy", `${percent(run.val.accuracy)} %`],
      ["validation examples", run.val.count.toLocaleString("en")],
      ["validation loss", `${run.val.loss} nats`],
      ["better than a constant answer", run.learned ? "yes" : "no"],
      ["weights of step", String(run.training.best_step)],
      ["trained for", `${Math.round(run.training.seconds).toLocaleString("en")} s, validations included`],
    ]),
  );
}

function costOf(measured, methods) {
  const count = (value) => value.toLocaleString("en");
  const timing = ({ median_ms, p20_ms, p80_ms, n }) =>
    `${short(median_ms)} ms (p20 ${short(p20_ms)}, p80 ${short(p80_ms)}, n ${n})`;
  return part(
    "Cost",
    pairs([
      ["training step", timing(measured.training_step)],
      ["forward pass", timing(measured.forward)],
      ["batch", measured.batch + (measured.micro_batch ? ` in parts of ${measured.micro_batch}` : "")],
      ["N", count(measured.length)],
      ["examples a second", short(measured.examples_per_second)],
      ["seconds per 1,000 steps", short(measured.seconds_per_1000_steps)],
      ...Object.entries(measured.memory).map(([method, bytes]) => [
        `memory, ${methods[method] ?? method}`,
        `${short(bytes / 1e6)} MB`,
      ]),
      ["operations of a step", `${short(measured.training_flops / 1e9)} GFLOP`],
      ["operations forward", `${short(measured.forward_flops / 1e9)} GFLOP`],
      ["parameters", `${count(measured.parameters)}, ${short(measured.over_softmax)} % over softmax`],
      ["kernels", measured.kernels.join(", ") || "none"],
    ]),
  );
}

function commandOf(run) {
  const said = el("span", { role: "status", class: "said" });
  const code = el("code", {}, run.command);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(run.command);
      said.textContent = "Copied.";
    } catch {
      getSelection().selectAllChildren(code);
      said.textContent = "Selected: copy it with the keyboard.";
    }
  };
  return part(
    "Repeat it",
    el("pre", { tabindex: "0" }, code),
    el("p", {}, el("button", { type: "button", click: copy }, "Copy the command"), " ", said),
  );
}

function filterOf({ initial, learned }) {
  const rows = learned.flatMap((layer, i) =>
    layer.flatMap((weights, j) =>
      Object.entries(weights).flatMap(([name, heads]) =>
        heads.map((value, head) => {
          const before = initial[i][j][name][head];
          return [i + 1, j + 1, name, head + 1, before, value, value - before];
        }),
      ),
    ),
  );
  if (!rows.length) return null;
  const cell = (value, column) => ({ text: column > 3 ? value.toFixed(4) : String(value), value });
  const table = {
    title: "Filter weights, initial and learned",
    columns: ["layer", "filter", "weight", "head", "initial", "learned", "change"],
    rows: rows.map((row) => row.map(cell)),
  };
  return part("Filter weights", new TableView(table).element);
}

function curveOf(run, curves) {
  const curve = curves()[run.name];
  if (!curve) return part("Learning curve", el("p", {}, run.curve ?? "There is none."));
  const trace = (from, index, name, scale, axis, line) => ({
    type: "scatter",
    mode: "lines",
    name,
    x: curve[from][0],
    y: curve[from][index]?.map((value) => scale * value),
    yaxis: axis,
    line,
  });
  const [blue, orange] = ["#0072B2", "#D55E00"];
  const box = el("div", { class: "plot" });
  const figure = {
    summary: `Accuracy and loss of ${run.name} against steps, in training and in validation.`,
    traces: [
      trace("val", 2, "validation accuracy, %", 100, "y", { color: blue, width: 3 }),
      trace("train", 2, "training accuracy, %", 100, "y", { color: blue, width: 1, dash: "dot" }),
      trace("val", 1, "validation loss", 1, "y2", { color: orange, width: 3 }),
      trace("train", 1, "training loss", 1, "y2", { color: orange, width: 1, dash: "dot" }),
    ],
    layout: {
      height: 420,
      hovermode: "x unified",
      margin: { l: 10, r: 10, t: 20, b: 10 },
      xaxis: { title: { text: "step" }, automargin: true },
      yaxis: { title: { text: "accuracy, %" }, automargin: true },
      yaxis2: {
        title: { text: "loss, nats" },
        automargin: true,
        overlaying: "y",
        side: "right",
        showgrid: false,
        tickmode: "auto",
      },
    },
  };
  waiting.add(box, () => draw(box, figure));
  return part(
    "Learning curve",
    el("figure", {}, box, el("figcaption", { class: "note" }, "Training: means over windows of logged batches.")),
  );
}

function runView(run, content, curves) {
  const protocol = content.protocols[run.protocol];
  const { deviations, source, comparable, name, ...settings } = protocol;
  const data = content.data[run.data];
  const environment = content.environments[run.environment];
  const config = ["identity", "task", "attention", "seed", "precision", "accelerator", "micro_batch"];
  return [
    el("p", {}, el("a", { href: "#runs" }, "All runs")),
    el("h1", { tabindex: "-1" }, `${run.attention} on ${run.task}, seed ${run.seed}`),
    el("p", { class: "note" }, `${run.name}, finished ${run.finished}`),
    resultOf(run),
    run.measurement ? costOf(run.measurement, content.methods) : null,
    commandOf(run),
    curveOf(run, curves),
    run.gfsa ? filterOf(run.gfsa) : null,
    part(
      "Configuration",
      el("p", {}, `Protocol ${name}, from ${source}: ${comparable}.`),
      pairs(config.map((key) => [key, run[key] === null ? "none" : String(run[key])])),
      el("h3", {}, "Settings that left the protocol"),
      Object.keys(run.modified).length ? pairs(flat(run.modified)) : el("p", {}, "None."),
      el("h3", {}, "All settings"),
      pairs(flat(settings), run.modified),
      el("h3", {}, "Where the protocol leaves its source"),
      deviations.length
        ? el(
            "ul",
            {},
            ...deviations.map(({ text, restore }) =>
              el("li", {}, text, restore ? el("code", {}, ` ${restore}`) : null),
            ),
          )
        : el("p", {}, "Nowhere."),
    ),
    part("Data", pairs(flat(data))),
    part("Environment", pairs(flat(environment))),
    run.training ? part("Parts of its training", pairs(flat(run.training))) : null,
  ].filter((child) => child !== null);
}
