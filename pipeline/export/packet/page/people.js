// The pages about many calls: agents and teams, criteria, agreement.

function trend(weeks, team) {
  const W = 420, H = 130, left = 30, bottom = 22, top = 8;
  if (!weeks.length) return h("p", { className: "quiet small" }, "No dated calls.");
  const x = (i) => left + (weeks.length === 1 ? (W - left) / 2 : i * (W - left - 12) / (weeks.length - 1)), y = (v) => top + (H - top - bottom) * (1 - Math.max(0, Math.min(100, v)) / 100);
  const line = weeks.map((w, i) => w.mean === null ? null : `${x(i)},${y(w.mean)}`).filter(Boolean).join(" ");
  const text = weeks.map((w) => `${w.week}: ${shown(w.mean)} over ${w.n}`).join("; ");
  const limits = team ? [["centre", team.mean], ["low", team.low], ["high", team.high]].filter(([, v]) => v !== null) : [];
  return s("svg", { class: "chart", viewBox: `0 0 ${W} ${H}`, role: "img", "aria-label": `By week: ${text}` },
    [0, 50, 100].map((v) => [s("line", { class: "axis", x1: left, x2: W, y1: y(v), y2: y(v) }), s("text", { x: left - 5, y: y(v) + 4, "text-anchor": "end" }, String(v))]),
    limits.map(([name, v]) => s("line", { class: "limit", x1: left, x2: W, y1: y(v), y2: y(v) }, s("title", null, `${name} ${shown(v)}`))),
    s("polyline", { class: "path", points: line }),
    weeks.map((w, i) => w.mean === null ? null : [w.low === null ? null : s("line", { class: "spread", x1: x(i), x2: x(i), y1: y(w.low), y2: y(w.high) }), s("circle", { class: w.out ? "out" : "", cx: x(i), cy: y(w.mean), r: 4 }, s("title", null, `${w.week}: ${shown(w.mean)} over ${w.n} calls${w.out ? ", outside the control limits" : ""}`))]),
    weeks.map((w, i) => weeks.length < 9 || i % Math.ceil(weeks.length / 8) === 0 ? s("text", { x: x(i), y: H - 6, "text-anchor": "middle" }, w.week.slice(5)) : null));
}

function moments(title, list) {
  if (!list.length) return null;
  return h("div", { className: "moments" }, h("h3", null, title), h("ul", { className: "small" }, list.map((m) => h("li", null, h("a", { href: link(m.call_id, m.at_s) }, `${m.call_id}, ${clock(m.at_s)}`), " ", h("span", { dir: "auto" }, `“${m.quote}”`), h("span", { className: "quiet" }, ` ${m.why}`)))));
}

function personCard(person) {
  const rates = (list) => list.map((c) => h("li", null, `${c.title}: `, h("strong", null, percent(c.rate)), h("span", { className: "quiet" }, ` (others ${percent(c.others)}, ${c.n} calls)`)));
  return h("section", { className: "card" }, h("h2", null, person.name, [person.team, person.client].filter(Boolean).map((of) => h("span", { className: "quiet" }, `, ${of}`))),
    h("p", { className: "small" }, h("strong", null, `Mean ${shown(person.mean)}`), person.range ? ` (${person.range})` : "", `, pass rate ${percent(person.passRate)}`, person.passRange ? ` (${person.passRange})` : "", `, ${plural(person.n, "scorecard")}${person.autofails ? `, ${plural(person.autofails, "auto-fail")}` : ""}`),
    person.n < 10 ? h("p", { className: "quiet small" }, "Few calls: coach from them, do not rank by them.") : null,
    trend(person.weeks, person.limits),
    h("div", { className: "two" }, person.strengths.length ? h("div", null, h("h3", null, "Strengths"), h("ul", null, rates(person.strengths))) : null, person.focus.length ? h("div", null, h("h3", null, "Focus on"), h("ul", null, rates(person.focus))) : null),
    moments("Moments worth copying", person.best), moments("Moments to talk about", person.worst));
}

function peoplePage() {
  return [h("h1", null, "Agents and teams"), h("p", { className: "quiet" }, "Dots are weekly means with 95 % intervals; dashed lines are the control limits of all weeks together. A point outside them is worth a conversation; points inside are noise."),
    packet.teams.length > 1 ? [h("h2", { className: "part" }, "Teams"), h("div", { className: "people" }, packet.teams.map(personCard)), h("h2", { className: "part" }, "Agents")] : null,
    h("div", { className: "people" }, packet.people.map(personCard))];
}

function table(caption, heads, rows) {
  return h("div", { className: "scroll", tabIndex: 0, role: "region", "aria-label": caption }, h("table", null, h("caption", { className: "visually-hidden" }, caption), h("thead", null, h("tr", null, heads.map((head, i) => h("th", { scope: "col", className: rows.length && typeof rows[0][i] === "number" ? "right" : "" }, head)))),
    h("tbody", null, rows.map((cells) => h("tr", null, cells.map((cell) => h("td", { className: typeof cell === "number" ? "right number" : typeof cell !== "string" ? "" : cell.length < 22 ? "number short" : cell.length > 60 ? "long" : "" }, cell)))))));
}

function criteriaPage() {
  return [h("h1", null, "Criteria"), h("p", { className: "quiet" }, "How often each criterion was met, with the 95 % interval."), table("Criteria", ["Criterion", "Rubric", "Met", "Interval", "Yes", "No", "Not applicable", "Undetermined"],
    packet.criteria.map((c) => [h("span", null, c.title, c.critical ? [" ", h("span", { className: "badge fail" }, "critical")] : null), c.rubric, percent(c.rate), c.range, c.yes, c.no, c.na, c.undetermined]))];
}

function spread(rows) {
  const known = rows.filter((r) => r.kappa !== null);
  if (!known.length) return null;
  const W = 640, left = 220, line = 24, H = known.length * line + 28, x = (v) => left + (W - left - 14) * (Math.max(-0.2, Math.min(1, v)) + 0.2) / 1.2;
  return h("div", { className: "card plot" }, h("h2", null, "κ with its 95 % interval (1 is perfect, 0 is chance)"), s("svg", { class: "chart", viewBox: `0 0 ${W} ${H}`, role: "img", "aria-label": known.map((r) => `${r.title}: ${shown(r.kappa, 2)}`).join("; ") },
    [0, 0.2, 0.4, 0.6, 0.8, 1].map((v) => [s("line", { class: v === 0 ? "limit" : "axis", x1: x(v), x2: x(v), y1: 4, y2: H - 20 }), s("text", { x: x(v), y: H - 6, "text-anchor": "middle" }, String(v))]),
    known.map((r, i) => [s("text", { x: left - 8, y: i * line + 20, "text-anchor": "end" }, r.title.length > 34 ? `${r.title.slice(0, 33)}…` : r.title),
      r.low === null ? null : s("line", { class: "spread", x1: x(r.low), x2: x(r.high), y1: i * line + 16, y2: i * line + 16 }), s("circle", { cx: x(r.kappa), cy: i * line + 16, r: 5 })])));
}

function agreementPage() {
  const a = packet.agreement, within = (value, low, high) => value === null ? "–" : `${shown(value, 2)}${low === null ? "" : ` (${shown(low, 2)} to ${shown(high, 2)})`}`;
  const rows = (list, what) => table(`Agreement by ${what.toLowerCase()}`, [what, ...(what === "Criterion" ? ["Rubric"] : []), "Reviewed", "Agreement", "κ (95 % interval)", "AC1", "Machine more generous", "Machine stricter", "What it means"],
    list.map((r) => [r.title, ...(what === "Criterion" ? [r.rubric] : []), r.n, percent(r.agreement), `${within(r.kappa, r.low, r.high)}${r.weighted ? " weighted" : ""}`, shown(r.ac1, 2), r.lenient, r.strict, r.words]));
  const part = (title, ...content) => [h("h2", { className: "part" }, title), ...content];
  return [h("h1", null, "Agreement with people"), h("p", { className: "quiet" }, a.note), rows(a.rows, "Criterion"), spread(a.rows),
    part("By reviewer", rows(a.reviewers, "Reviewer")),
    a.people.length ? part("People against each other", table("People against each other", ["Criterion", "Reviewers", "Answers", "Session", "Krippendorff's α (95 % interval)"],
      a.people.map((p) => [p.title, p.reviewers, p.answers, p.blind ? "blind" : "not blind", within(p.alpha, p.low, p.high)]))) : null,
    a.scores.length ? part("What people's answers do to scores", h("p", { className: "quiet" }, `Scored again with the rubric's own arithmetic, people's answers move a score ${a.scoreChange}. Calls whose score they change, furthest first:`),
      table("Scores under people's answers", ["Call", "Reviewer", "Machine's score", "With the person's answers", "Difference", "Outcome"],
        a.scores.filter((d) => d.deviation).slice(0, 100).map((d) => [h("a", { href: link(d.call_id) }, d.call_id), d.reviewer, d.machine_score, d.human_score, d.deviation, d.machine_outcome === d.human_outcome ? badge(d.machine_outcome) : h("span", null, badge(d.machine_outcome), " → ", badge(d.human_outcome))]))) : null,
    a.drift.length > 1 ? h("div", { className: "card plot" }, h("h2", null, "Agreement by week of review"), trend(a.drift, null), h("p", { className: "quiet small" }, "A red dot differs from all weeks before it by more than chance.")) : null];
}
