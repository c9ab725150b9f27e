// The list of calls: filters, sorting, and one row per call, drawn a hundred at a time.

const PAGE = 100;
const view = { text: "", outcome: "", client: "", team: "", agent: "", rubric: "", sort: packet.blind ? "started" : "outcome", down: false, limit: PAGE };
const ORDER = { fail: 0, needs_review: 1, pass: 2, not_scored: 3 };

function meter(score) {
  if (score === null) return null;
  const bar = h("span", { className: "meter", "aria-hidden": "true" }, h("i"));
  bar.firstChild.style.width = `${score}%`;
  return bar;
}

// Of each column: name, heading, sort key, style, content of a cell.
const COLUMNS = [
  ["outcome", "Outcome", (c) => ORDER[c.outcome], "", (c) => badge(c.outcome)],
  ["id", "Call", (c) => c.id, "id", (c) => h("a", { className: "call", href: link(c.id) }, c.id)],
  ["score", "Score", (c) => c.score, "right number", (c) => [shown(c.score), meter(c.score)]],
  ["agent", "Agent", (c) => c.agent, "extra", (c) => c.agent],
  ["client", "Client", (c) => c.client, "extra optional", (c) => c.client],
  ["started", "Started", (c) => c.started, "extra number", (c) => c.started],
  ["s", "Length", (c) => c.s, "optional number right", (c) => clock(c.s)],
  ["mood", "Customer", (c) => c.mood && c.mood.filter((v) => v !== null).at(-1), "optional", (c) => spark(c.mood)],
  ["why", "Why", (c) => c.why, "why", (c) => c.why],
].filter(([name]) => !packet.blind || !["outcome", "score", "mood", "why"].includes(name));

function selected() {
  const text = view.text.toLowerCase();
  const rows = packet.calls.filter((call) =>
    ["outcome", "client", "team", "agent", "rubric"].every((name) => !view[name] || call[name] === view[name]) &&
    (!text || `${call.id} ${call.agent} ${call.client} ${call.queue} ${call.team} ${call.why || ""}`.toLowerCase().includes(text)));
  const key = COLUMNS.find(([name]) => name === view.sort)[2], sign = view.down ? -1 : 1;
  return rows.sort((a, b) => {
    const x = key(a), y = key(b), empty = (v) => v === null || v === undefined || v === "";
    if (empty(x) || empty(y)) return empty(x) - empty(y);
    return sign * (typeof x === "number" ? x - y : String(x).localeCompare(String(y), undefined, { numeric: true })) || (a.score ?? 101) - (b.score ?? 101);
  });
}

function callRow(call) {
  return h("tr", null, COLUMNS.map(([, , , style, cell]) => h("td", { className: style }, cell(call))));
}

function drawRows() {
  const rows = selected(), body = $("#rows");
  body.replaceChildren(...rows.slice(0, view.limit).map(callRow));
  $("#count").textContent = rows.length === packet.calls.length ? plural(rows.length, "call") : `${rows.length} of ${packet.calls.length} calls`;
  $("#more").replaceChildren(...(rows.length > view.limit ? [h("button", { className: "button", type: "button", onclick: () => { view.limit += 5 * PAGE; drawRows(); } }, `Show more (${rows.length - view.limit} left)`)] : []));
  for (const head of document.querySelectorAll("th[data-sort]")) {
    if (head.dataset.sort === view.sort) head.setAttribute("aria-sort", view.down ? "descending" : "ascending");
    else head.removeAttribute("aria-sort");
  }
}

function chooser(name, label) {
  const options = [...new Set(packet.calls.map((call) => call[name]).filter(Boolean))].sort();
  if (options.length < 2 && name !== "outcome") return null;
  const change = (event) => { view[name] = event.target.value; view.limit = PAGE; drawRows(); };
  return h("label", null, label, h("select", { className: "field", id: `by-${name}`, onchange: change },
    h("option", { value: "" }, "all"), options.map((option) => h("option", { value: option, selected: view[name] === option }, words(option)))));
}

function tile(label, value, note) {
  return h("div", { className: "tile" }, h("dt", null, label), h("dd", null, value, note ? h("small", null, note) : null));
}

function overviewPage() {
  const t = packet.totals;
  const typed = (event) => { view.text = event.target.value; view.limit = PAGE; drawRows(); };
  const sorter = ([name, label, , style]) => h("th", { scope: "col", "data-sort": name, className: style }, h("button", { type: "button", onclick: () => {
    view.down = view.sort === name && !view.down; view.sort = name; drawRows(); } }, label));
  return [
    h("h1", { className: "visually-hidden" }, "Calls"),
    h("dl", { className: "tiles" },
      tile("Calls", t.calls, t.hours ? `${shown(t.hours)} hours` : ""), packet.blind ? null : [tile("Mean score", shown(t.score.value), t.score.range),
      tile("Pass rate", percent(t.passRate.value), t.passRate.range), tile("Auto-fails", t.autofails), tile("Need a person", t.needsReview)]),
    h("div", { className: "filters", role: "search", "aria-label": "Filter calls" },
      h("label", { className: "grow" }, "Search", h("input", { className: "field", type: "search", id: "search", value: view.text, oninput: typed, placeholder: "call, agent, reason…" })),
      packet.blind ? null : chooser("outcome", "Outcome"), chooser("client", "Client"), chooser("team", "Team"), chooser("agent", "Agent"), chooser("rubric", "Rubric"),
      h("output", { id: "count", "aria-live": "polite" })),
    h("div", { className: "scroll", tabIndex: 0, role: "region", "aria-label": "Calls" }, h("table", { className: "calls" },
      h("caption", { className: "visually-hidden" }, "Calls; choose one to open it"),
      h("thead", null, h("tr", null, COLUMNS.map(sorter))), h("tbody", { id: "rows" }))),
    h("div", { className: "more", id: "more" }),
  ];
}
