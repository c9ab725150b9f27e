// Agents, criteria and agreement: what repeats across calls.

function trend(weeks, team) {
  const W = 420, H = 130, left = 30, bottom = 22, top = 8;
  if (!weeks.length) return h("p", { className: "quiet small" }, "No dated calls.");
  const x = (i) => left + (weeks.length === 1 ? (W - left) / 2 : i * (W - left - 12) / (weeks.length - 1)), y = (v) => top + (H - top - bottom) * (1 - Math.max(0, Math.min(100, v)) / 100);
  const line = weeks.map((w, i) => w.mean === null ? null : `${x(i)},${y(w.mean)}`).filter(Boolean).join(" ");
  const text = weeks.map((w) => `${w.week}: ${shown(w.mean)} over ${w.n}`).join("; ");
  const limits = team ? [["centre", team.centre], ["low", team.low], ["high", team.high]].filter(([, v]) => v !== null) : [];
  return s("svg", { class: "chart", viewBox: `0 0 ${W} ${H}`, role: "img", "aria-label": `By week: ${text}` },
    [0, 50, 100].map((v) => [s("line", { class: "axis", x1: left, x2: W, y1: y(v), y2: y(v) }), s("text", { x: left - 5, y: y(v) + 4, "text-anchor": "end" }, String(v))]),
    limits.map(([name, v]) => s("line", { class: "limit", x1: left, x2: W, y1: y(v), y2: y(v) }, s("title", null, `${name} ${shown(v)}`))),
    s("polyline", { class: "path", points: line }),
    weeks.map((w, i) => w.mean === null ? null : [w.low === null ? null : s("line", { class: "spread", x1: x(i), x2: x(i), y1: y(w.low), y2: y(w.high) }), s("circle", { class: w.out ? "out" : "", cx: x(i), cy: y(w.mean), r: 4 }, s("title", null, `${w.week}: ${shown(w.mean)} over ${w.n} calls${w.out ? ", outside the control limits" : ""}`))]),
    weeks.map((w, i) => weeks.length < 9 || i % Math.ceil(weeks.length / 8) === 0 ? s("text", { x: x(i), y: H - 6, "text-anchor": "middle" }, w.week.slice(5)) : null));
}

function moments(title, list) {
  if (!list.length) return null;
  return h("div", { className: "moments" }, h("h3", null, title), h("ul", { className: "small" }, list.map((m) => h("li", null, h("a", { href: link(m.call, m.at) }, `${m.call}, ${clock(m.at)}`), " ", h("span", { dir: "auto" }, `“${m.quote}”`), h("span", { className: "quiet" }, ` ${m.why}`)))));
}

function personCard(person) {
  const rates = (list) => list.map((c) => h("li", null, `${c.title}: `, h("strong", null, percent(c.rate)), h("span", { className: "quiet" }, ` (others ${percent(c.others)}, ${c.n} calls)`)));
  return h("section", { className: "card" }, h("h2", null, person.name, person.team ? h("span", { className: "quiet" }, `, ${person.team}`) : null),
    h("p", { className: "small" }, h("strong", null, `Mean ${shown(person.mean)}`), person.range ? ` (${person.range})` : "", `, pass rate ${percent(person.passRate)}`, person.passRange ? ` (${person.passRange})` : "", `, ${person.n} scorecards${person.autofails ? `, ${person.autofails} auto-fails` : ""}`),
    person.n < 10 ? h("p", { className: "quiet small" }, "Few calls: coach from them, do not rank by them.") : null,
    trend(person.weeks, person.limits),
    h("div", { className: "two" }, person.strengths.length ? h("div", null, h("h3", null, "Strengths"), h("ul", null, rates(person.strengths))) : null, person.focus.length ? h("div", null, h("h3", null, "Focus on"), h("ul", null, rates(person.focus))) : null),
    moments("Moments worth copying", person.best), moments("Moments to talk about", person.worst));
}

function peoplePage() {
  return [h("h1", null, "Agents and teams"), h("p", { className: "quiet" }, "Dots are weekly means with 95 % intervals; dashed lines are the control limits of all weeks together. A point outside them is worth a conversation; points inside are noise."),
    packet.teams.length > 1 ? h("div", { className: "people" }, packet.teams.map(personCard)) : null, packet.teams.length > 1 ? h("h2", { className: "visually-hidden" }, "Agents") : null,
    h("br"), h("div", { className: "people" }, packet.people.map(personCard))];
}

function table(caption, heads, rows) {
  return h("div", { className: "scroll", tabIndex: 0, role: "region", "aria-label": caption }, h("table", null, h("caption", { className: "visually-hidden" }, caption), h("thead", null, h("tr", null, heads.map((head) => h("th", { scope: "col" }, head)))),
    h("tbody", null, rows.map((cells) => h("tr", null, cells.map((cell) => h("td", { className: typeof cell === "number" ? "right number" : typeof cell === "string" && cell.length < 22 ? "number short" : "" }, cell)))))));
}

function criteriaPage() {
  return [h("h1", null, "Criteria"), h("p", { className: "quiet" }, "How often each criterion was met, with the 95 % interval."), table("Criteria", ["Criterion", "Rubric", "Met", "Interval", "Yes", "No", "Not applicable", "Undetermined"],
    packet.criteria.map((c) => [h("span", null, c.title, c.critical ? [" ", h("span", { className: "badge fail" }, "critical")] : null), c.rubric, percent(c.rate), c.range, c.yes, c.no, c.na, c.undetermined]))];
}

function spread(rows) {
  const known = rows.filter((r) => r.kappa !== null);
  if (!known.length) return null;
  const W = 640, left = 220, line = 24, H = known.length * line + 28, x = (v) => left + (W - left - 14) * (Math.max(-0.2, Math.min(1, v)) + 0.2) / 1.2;
  return h("div", { className: "card plot" }, h("h2", null, "κ with its 95 % interval"), s("svg", { class: "chart", viewBox: `0 0 ${W} ${H}`, role: "img", "aria-label": known.map((r) => `${r.title}: ${shown(r.kappa, 2)}`).join("; ") },
    [0, 0.2, 0.4, 0.6, 0.8, 1].map((v) => [s("line", { class: v === 0 ? "limit" : "axis", x1: x(v), x2: x(v), y1: 4, y2: H - 20 }), s("text", { x: x(v), y: H - 6, "text-anchor": "middle" }, String(v))]),
    known.map((r, i) => [s("text", { x: left - 8, y: i * line + 20, "text-anchor": "end" }, r.title.length > 34 ? `${r.title.slice(0, 33)}…` : r.title),
      r.low === null ? null : s("line", { class: "spread", x1: x(r.low), x2: x(r.high), y1: i * line + 16, y2: i * line + 16 }), s("circle", { cx: x(r.kappa), cy: i * line + 16, r: 5 })])));
}

function agreementPage() {
  const a = packet.agreement, kappa = (r) => r.kappa === null ? "–" : `${shown(r.kappa, 2)}${r.low === null ? "" : ` (${shown(r.low, 2)} to ${shown(r.high, 2)})`}`;
  const rows = (list, what) => table(`Agreement by ${what.toLowerCase()}`, [what, "Reviewed", "Agreement", "κ (95 % interval)", "AC1", "Machine yes, person no", "Machine no, person yes", "What it means"],
    list.map((r) => [r.title, r.n, percent(r.agreement), kappa(r), shown(r.ac1, 2), r.falseYes, r.falseNo, r.advice]));
  return [h("h1", null, "Agreement with people"), h("p", { className: "quiet" }, a.note), rows(a.rows, "Criterion"), h("br"), spread(a.rows), h("br"), rows(a.reviewers, "Reviewer"), h("br"),
    a.people.length ? table("People against each other", ["People against each other", "Reviewers", "Answers", "Krippendorff's α"], a.people.map((p) => [p.title, p.reviewers, p.n, p.alpha === null ? "–" : `${shown(p.alpha, 2)}${p.low === null ? "" : ` (${shown(p.low, 2)} to ${shown(p.high, 2)})`}`])) : null, h("br"),
    a.drift.length > 1 ? h("div", { className: "card plot" }, h("h2", null, "Agreement by week of review"), trend(a.drift, null), h("p", { className: "quiet small" }, "A red dot differs from all weeks before it by more than chance.")) : null];
}
