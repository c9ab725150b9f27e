// Agents, criteria and agreement: what repeats across calls.

function trend(weeks, team) {
  const W = 420, H = 130, left = 30, bottom = 22, top = 8;
  if (!weeks.length) return h("p", { className: "quiet small" }, "No dated calls.");
  const x = (i) => left + (weeks.length === 1 ? (W - left) / 2 : i * (W - left - 12) / (weeks.length - 1)), y = (v) => top + (H - top - bottom) * (1 - Math.max(0, Math.min(100, v)) / 100);
  const line = weeks.map((w, i) => w.mean === null ? null : `${x(i)},${y(w.mean)}`).filter(Boolean).join(" ");
  const text = weeks.map((w) => `${w.week}: ${shown(w.mean)} over ${w.n}`).join("; ");
  const limits = team ? [["centre", team.centre], ["low", team.low], ["high", team.high]].filter(([, v]) => v !== null) : [];
  return s("svg", { class: "chart", viewBox: `0 0 ${W} ${H}`, role: "img", "aria-label": `Mean score by week. ${text}` },
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
    h("tbody", null, rows.map((cells) => h("tr", null, cells.map((cell) => h("td", { className: typeof cell === "number" ? "right number" : "" }, cell)))))));
}

function criteriaPage() {
  return [h("h1", null, "Criteria"), h("p", { className: "quiet" }, "How often each criterion was met, with the 95 % interval."), table("Criteria", ["Criterion", "Rubric", "Met", "Interval", "Yes", "No", "Not applicable", "Undetermined"],
    packet.criteria.map((c) => [h("span", null, c.title, c.critical ? [" ", h("span", { className: "badge fail" }, "critical")] : null), c.rubric, percent(c.rate), c.range, c.yes, c.no, c.na, c.undetermined]))];
}

function agreementPage() {
  const a = packet.agreement;
  return [h("h1", null, "Agreement with people"), h("p", { className: "quiet" }, a.note), a.rows.length ? table("Agreement by criterion", ["Criterion", "Reviewed", "Agreement", "κ (95 % interval)", "AC1", "Machine yes, person no", "Machine no, person yes", "Advice"],
    a.rows.map((r) => [r.title, r.n, percent(r.agreement), r.kappa === null ? "–" : `${shown(r.kappa, 2)} (${r.range})`, shown(r.ac1, 2), r.falseYes, r.falseNo, r.advice])) : null];
}
