// One call: what was said, what was answered, and why.

const place = new Map(packet.calls.map((call, index) => [call.id, index]));
const opened = new Map();

function document_of(id) {
  if (!opened.has(id)) {
    const block = document.getElementById(`call-${place.get(id)}`);
    opened.set(id, block ? JSON.parse(block.textContent) : null);
  }
  return opened.get(id);
}

const PRIVATE = /(\[[A-Z][A-Z_ 0-9]*\])/;

function said(text, quotes) {
  let parts = [text];
  for (const quote of quotes) parts = parts.flatMap((part) => {
    if (typeof part !== "string") return [part];
    const at = quote ? part.toLowerCase().indexOf(quote.toLowerCase()) : -1;
    return at < 0 ? [part] : [part.slice(0, at), h("mark", null, part.slice(at, at + quote.length)), part.slice(at + quote.length)];
  });
  return parts.flatMap((part) => typeof part !== "string" ? [part] : part.split(PRIVATE).map((piece) => PRIVATE.test(piece) ? h("span", { className: "private", title: "private data removed" }, piece) : piece));
}

// A nearest miss is tagged only from this strength on. Topics describe the whole call, so turns are not tagged with them.
const NEAR = 0.5, UNTAGGED = ["topic", "contact_reason", "overtalk", "silence"];
const short = (text) => text.length > 48 ? `${text.slice(0, 47).trimEnd()}…` : text;

function tagsOf(call) {
  const tags = new Map(), add = (turn, tag) => { if (turn !== null && turn !== undefined) tags.set(turn, [...(tags.get(turn) || []), tag]); };
  for (const card of packet.blind ? [] : call.cards) for (const section of card.sections) for (const c of section.criteria) {
    for (const e of c.evidence) add(e.turn, { word: c.answer, label: `${SIGN[c.answer]} ${short(c.title)}`, quote: e.quote });
    if (c.nearest && !c.evidence.length && c.nearest.strength >= NEAR) add(c.nearest.turn, { word: c.answer, label: `${SIGN[c.answer]} nearly: ${short(c.title)}`, quote: "" });
  }
  for (const f of call.findings) if (!UNTAGGED.includes(f.kind)) add(f.turn, { word: "finding", label: `${words(f.kind)}: ${words(f.label)}`, quote: f.kind === "pii" ? "" : f.text });
  return tags;
}

function transcript(call) {
  const tags = tagsOf(call), rows = [];
  let end = null;
  for (const turn of call.turns) {
    if (end !== null && turn.a !== null && turn.a - end >= 3) rows.push(h("li", { className: "gap" }, `${(turn.a - end).toFixed(0)} s without speech`));
    end = turn.b === null ? end : Math.max(end || 0, turn.b);
    const mine = tags.get(turn.n) || [];
    rows.push(h("li", { className: `turn ${turn.l && turn.l !== "neutral" ? `is-${turn.l}` : ""}`, id: `turn-${turn.n}`, "data-a": turn.a === null ? undefined : String(turn.a) },
      turn.a === null ? h("span", { className: "quiet small" }, `#${turn.n + 1}`) : h("button", { type: "button", className: "at", onclick: () => seek(turn.a, true), "aria-label": `Play from ${clock(turn.a)}` }, clock(turn.a)),
      h("div", null, h("span", { className: `who ${turn.r}` }, turn.r),
        h("span", { className: "tags" }, turn.l && turn.l !== "neutral" ? h("span", { className: `tag ${turn.l}` }, `${turn.l === "negative" ? "▼" : "▲"} ${turn.l}`) : null,
          turn.c !== undefined ? h("span", { className: "tag undetermined", title: "the recogniser was not sure of these words" }, "heard weakly") : null,
          mine.map((tag) => h("span", { className: `tag ${tag.word}` }, tag.label)))),
      h("p", { className: "said", dir: "auto" }, said(turn.t, mine.map((tag) => tag.quote)))));
  }
  return h("section", { className: "card said-card" }, h("h2", null, "What was said"), rows.length ? h("div", { className: "turns", tabIndex: 0, role: "region", "aria-label": "Transcript" }, h("ol", null, rows)) : h("p", { className: "quiet" }, "Nobody was heard to speak."));
}

function quoteButton(evidence, nearest) {
  const go = () => { seek(evidence.a, true); const row = document.getElementById(`turn-${evidence.turn}`); if (row) row.scrollIntoView({ block: "center" }); };
  return h("button", { type: "button", className: `quote ${nearest ? "nearest" : ""}`, "data-at": evidence.a === null ? undefined : String(evidence.a), onclick: go },
    h("small", null, `${nearest ? "nearest: " : ""}${evidence.role}${evidence.a === null ? "" : `, ${clock(evidence.a)}`}${evidence.strength !== null && evidence.strength < 1 ? `, ${Math.round(evidence.strength * 100)} % alike` : ""}`),
    h("span", { dir: "auto" }, evidence.quote ? `“${evidence.quote}”` : evidence.rule));
}

function searchedIn(c) {
  if (!c.searched) return "";
  const { what, role, a, b, turns } = c.searched;
  const within = a !== null || b !== null ? `, ${clock(a) || "start"} to ${clock(b) || "end"}` : "";
  return `looked for ${what} (${role === "any" ? "anyone" : role}${within}) in ${plural(turns, "turn")}`;
}

const place_of = (card, c) => `${card.hash}-${c.id}`;

function criterion(call, card, c) {
  const box = h("li", { className: "criterion", id: place_of(card, c), tabIndex: -1 });
  const note = (text) => text ? h("p", { className: "reason" }, text) : null;
  const before = call.reviews.filter((r) => r.criterion === c.id && r.hash === card.hash);
  box.append(h("div", { className: "line" }, packet.blind ? null : badge(c.answer), h("h4", null, c.title, c.critical ? h("span", { className: "badge fail" }, "critical") : null),
    packet.blind ? null : h("span", { className: "points" }, c.points === null ? (c.scored ? "" : "not scored") : `${shown(c.points)} of ${shown(c.of)}`)),
  ...[c.about !== c.title && note(c.about), note(c.reason)].filter(Boolean),
  ...(packet.blind ? [] : [...c.evidence.slice(0, 4).map((e) => markable(call, card, c, e, quoteButton(e, false))), c.nearest && markable(call, card, c, c.nearest, quoteButton(c.nearest, true)), note(searchedIn(c))].filter(Boolean)),
  ...before.map((r) => h("p", { className: "reason onrecord" }, said_by({ ...r, criterion: "" }))));
  if (packet.reviewable) box.append(correction(call, card, c, box));
  return box;
}

// Criteria not met or undetermined; each is a button that jumps to its place in the scorecard.
function missed(card) {
  const lost = card.sections.flatMap((section) => section.criteria).filter((c) => c.scored && ["no", "undetermined"].includes(c.answer));
  const jump = (c) => { const box = document.getElementById(place_of(card, c)); box.scrollIntoView({ block: "center" }); box.focus({ preventScroll: true }); };
  return lost.length ? h("div", { className: "missed" }, h("span", { className: "quiet small" }, "Not met or not sure:"),
    lost.map((c) => h("button", { type: "button", className: `chip ${c.answer}`, onclick: () => jump(c) }, `${SIGN[c.answer]} ${short(c.title)}`))) : null;
}

function scorecard(call, card) {
  const section = (part) => h("div", { className: "section" },
    h("h3", null, words(part.title), h("span", { className: "number" }, packet.blind || part.score === null ? "" : shown(part.score))),
    h("ul", null, part.criteria.map((c) => criterion(call, card, c))));
  if (packet.blind) return h("section", { className: "card", "aria-label": `Questions of ${card.rubric}` }, h("h2", null, `${words(card.rubric)}, version ${card.version}`), card.sections.map(section), reviewForm(call, card));
  return h("section", { className: "card", "aria-label": `Scorecard ${card.rubric}` },
    h("h2", null, `${words(card.rubric)}, version ${card.version} `, badge(card.outcome)),
    h("p", { className: "quiet" }, `Score ${shown(card.score)}${card.raw !== card.score ? ` (${shown(card.raw)} before auto-fail)` : ""}${card.mark === null ? "" : `, pass mark ${shown(card.mark)}`}${card.critical === null ? "" : `, critical criteria ${shown(card.critical)}`}`),
    missed(card), card.sections.map(section), packet.reviewable ? reviewForm(call, card) : null);
}

function metrics(call) {
  const rows = Object.entries(call.metrics).filter(([name, value]) => value !== null && packet.metrics[name]);
  if (!rows.length) return null;
  return h("section", { className: "card" }, h("h2", null, "Conversation against the team"), h("div", { className: "compare" },
    rows.map(([name, value]) => {
      const team = packet.metrics[name], most = Math.max(team.p90 * 1.2, value, 1e-9), bar = h("b"), tick = h("i");
      bar.style.width = `${Math.max(0, 100 * value / most)}%`; tick.style.left = `${100 * team.median / most}%`;
      return [h("span", null, words(team.label || name)), h("span", { className: "number right" }, shown(value, Math.abs(value) < 10 ? 2 : 0)),
        h("span", { className: "track", role: "img", "aria-label": `${shown(value, 2)}; the middle of all calls is ${shown(team.median, 2)}` }, bar, tick)];
    })), h("p", { className: "quiet small" }, "The tick is the middle of all calls in this packet."));
}

function heard(call) {
  const list = call.findings.filter((f) => f.text || f.value !== null);
  if (!list.length) return null;
  return h("section", { className: "card noprint" }, h("h2", null, "What was noticed"), h("ul", { className: "small" }, list.slice(0, 60).map((f) =>
    h("li", null, f.a === null ? null : [h("button", { type: "button", className: "button plain", onclick: () => seek(f.a, true) }, clock(f.a)), " "], h("strong", null, `${words(f.kind)}: ${words(f.label)} `), h("span", { dir: "auto" }, f.text), typeof f.value === "number" ? ` (${shown(f.value, 2)})` : ""))));
}

function callPage(id, at) {
  const call = place.has(id) ? document_of(id) : null;
  if (!call) return [h("h1", null, "This call is not in the packet"), h("p", null, h("a", { href: "#" }, "All calls"))];
  const row = packet.calls[place.get(id)], list = selected().map((c) => c.id), here = list.indexOf(id);
  const step = (delta, label) => here >= 0 && list[here + delta] ? h("a", { className: "button", href: link(list[here + delta]), id: delta < 0 ? "previous" : "next" }, label) : null;
  const page = [
    h("div", { className: "callhead" }, h("a", { className: "button noprint", href: "#", id: "back" }, "← All calls"), h("h1", null, h("span", { className: "visually-hidden" }, "Call "), id),
      packet.blind ? null : [row.score === null ? null : h("span", { className: "score number" }, shown(row.score)), badge(row.outcome)], h("span", { className: "noprint" }, step(-1, "← Previous"), " ", step(1, "Next →"))),
    h("dl", { className: "facts" }, call.facts.map(([name, value]) => h("div", null, h("dt", null, name), h("dd", null, value)))),
    packet.blind ? null : call.cards.flatMap((card) => [...card.autofail.map((why) => h("p", { className: "notice fail" }, `Auto-fail: ${why}`)), ...card.doubts.map((why) => h("p", { className: "notice" }, `${card.outcome === "not_scored" ? "Not scored" : "Needs a person"}: ${why}`))]),
    call.warnings.map((warning) => h("p", { className: "notice" }, warning)),
    playerCard(call),
    h("div", { className: "columns" }, h("div", null, transcript(call)),
      h("div", null, call.cards.map((card) => scorecard(call, card)), metrics(call), heard(call))),
  ];
  queueMicrotask(() => requestAnimationFrame(() => { player.redraw(); if (at !== null) seek(at); }));
  return page;
}
