// Elements. Text from the data only ever becomes a text node, an attribute's value or a property.

/** An element; `attributes` that are functions listen (click, input, …), null ones are left out. */
function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value !== null && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

function embedded(id) {
  return JSON.parse(document.getElementById(id).textContent);
}

/** As the tables print it: three digits, whole from 100 on, never a power of ten. */
function short(value) {
  const digits = Math.abs(value) >= 100 ? { maximumFractionDigits: 0 } : { maximumSignificantDigits: 3 };
  return value.toLocaleString("en", digits);
}

function runLink(name, text) {
  return el("a", { href: `#run=${encodeURIComponent(name)}` }, text);
}

/** A labelled choice; `options` are texts, or [value, text]. */
function choice(label, options, onChange, first = null) {
  const select = el("select", { change: () => onChange(select.value) });
  if (first !== null) select.append(el("option", { value: "" }, first));
  for (const option of options) {
    const [value, text] = Array.isArray(option) ? option : [option, option];
    select.append(el("option", { value }, text));
  }
  return el("label", {}, `${label} `, select);
}

function textBox(label, onInput) {
  const input = el("input", { type: "search", autocomplete: "off", input: () => onInput(input.value) });
  return el("label", {}, `${label} `, input);
}

function unique(values) {
  return [...new Set(values)].filter((value) => value !== null && value !== undefined).sort();
}

/** What `onChange` gets: whether a row with these facts (attention, task, …) is chosen. */
function filterBar(label, allFacts, onChange, more = []) {
  const state = { text: "", task: "", family: "", filtered: "", ended: "" };
  const changed = (key) => (value) => {
    state[key] = value;
    const words = state.text.toLowerCase().split(/\s+/).filter(Boolean);
    onChange((facts) => {
      const text = `${facts.attention ?? ""} ${facts.task ?? ""} ${facts.words ?? ""}`.toLowerCase();
      return (
        words.every((word) => text.includes(word)) &&
        (!state.task || !facts.task || facts.task === state.task) &&
        (!state.family || facts.family === state.family) &&
        (!state.filtered || facts.filtered === (state.filtered === "yes")) &&
        (!state.ended || facts.ended === state.ended)
      );
    }, state);
  };
  return el(
    "form",
    { class: "filters", role: "search", "aria-label": label, submit: (event) => event.preventDefault() },
    textBox("Search", changed("text")),
    choice("Task", unique(allFacts.map((facts) => facts.task)), changed("task"), "all"),
    choice("Family", unique(allFacts.map((facts) => facts.family)), changed("family"), "all"),
    choice("Filter", [["yes", "with a filter"], ["no", "without"]], changed("filtered"), "all"),
    ...(more.length ? [choice("Ended", more, changed("ended"), "all")] : []),
  );
}
