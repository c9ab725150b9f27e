// What the reviewer enters: corrections, marks on quotes, confirmations, acknowledgements and disputes. The browser
// keeps them until they are downloaded as one JSON file for `callqa review import`.

const STORE = `callqa-review-${packet.id}`;
// What is stored under a key; `signed` is the last name that was entered, also after the field was emptied.
function stored(key) {
  const empty = { reviewer: "", signed: "", answers: {}, calls: {}, marks: {} };
  try { return Object.assign(empty, JSON.parse(remember(key) || "{}")); } catch { return empty; }
}
const notes = stored(STORE);

function keep() {
  remember(STORE, JSON.stringify(notes));
  showPending();
}

function pending() {
  return [notes.answers, notes.calls, notes.marks].reduce((sum, said) => sum + Object.keys(said).length, 0);
}

function showPending() {
  const button = $("#download");
  if (button) { button.textContent = `Download review (${pending()})`; button.disabled = !pending(); }
}

function noteAnswer(call, card, criterion, change) {
  const key = JSON.stringify([call.id, card.hash, criterion.id]);
  const note = Object.assign(notes.answers[key] || { call_id: call.id, rubric_hash: card.hash, criterion_id: criterion.id, answer: "", reason: "" }, change, { at: new Date().toISOString() });
  if (note.answer) notes.answers[key] = note; else delete notes.answers[key];
  keep();
  return note;
}

function noteCall(call, card, change) {
  const key = JSON.stringify([call.id, card.hash]);
  const note = Object.assign(notes.calls[key] || { call_id: call.id, rubric_hash: card.hash, confirmed: false, state: "", comment: "" }, change, { at: new Date().toISOString() });
  if (note.confirmed || note.state || note.comment) notes.calls[key] = note; else delete notes.calls[key];
  keep();
}

function correction(call, card, criterion, box) {
  const key = JSON.stringify([call.id, card.hash, criterion.id]), before = notes.answers[key] || {};
  const reason = h("input", { className: "field long", type: "text", value: before.reason || "", maxLength: 2000, placeholder: "why (quote or time)", "aria-label": `Reason, ${criterion.title}`,
    hidden: !before.answer, oninput: (event) => noteAnswer(call, card, criterion, { reason: event.target.value }) });
  const machine = criterion.answer && criterion.grades.length && criterion.answer !== "na" ? criterion.grade : criterion.answer;
  const differs = (answer) => Boolean(answer) && !packet.blind && answer !== machine;
  const own = ownWords(call, card, criterion, before.answer === "yes");
  const choose = h("select", { className: "field", "aria-label": `Your answer, ${criterion.title}`, onchange: (event) => {
    const note = noteAnswer(call, card, criterion, { answer: event.target.value, reason: reason.value });
    reason.hidden = !note.answer; if (own) own.offer(note.answer === "yes"); box.classList.toggle("changed", differs(note.answer)); } },
  [["", "your answer…"], ...(criterion.grades.length ? criterion.grades : ["yes", "no"]).map((word) => [word, word]), ["na", "does not apply"]].map(([value, label]) =>
    h("option", { value, selected: (before.answer || "") === value }, machine && value === machine ? `${label} (agree)` : label)));
  box.classList.toggle("changed", differs(before.answer));
  return h("div", { className: "correct" }, choose, reason, own);
}

// The words that the reviewer has selected in the transcript last.
let selectedWords = "";
const plain = (text) => text.split(/\s+/).filter(Boolean).join(" ");
document.addEventListener("selectionchange", () => {
  const selection = document.getSelection(), node = selection.anchorNode, element = node && (node.nodeType === Node.TEXT_NODE ? node.parentElement : node);
  if (element && element.closest(".said") && plain(selection.toString())) selectedWords = plain(selection.toString());
});

// A field for the words that meet a criterion where the machine did not find them, for `callqa rubric tune`; entering it
// puts in the words selected in the transcript.
function ownWords(call, card, c, offered) {
  if (packet.blind || !c.learns || c.answer === "yes") return null;
  const key = JSON.stringify([call.id, card.hash, c.id, "own words"]);
  const wrong = h("span", { className: "small", role: "alert" });
  const keepWords = (text) => {
    const quote = plain(text), isSaid = call.turns.some((turn) => plain(turn.t).toLowerCase().includes(quote.toLowerCase()));
    wrong.textContent = quote && !isSaid ? "these words are not in one turn of the transcript" : "";
    if (quote && isSaid) notes.marks[key] = { call_id: call.id, rubric_hash: card.hash, criterion_id: c.id, quote, meets: true, at: new Date().toISOString() };
    else delete notes.marks[key];
    keep();
  };
  const field = h("input", { className: "field long", type: "text", value: notes.marks[key] ? notes.marks[key].quote : "", maxLength: LONGEST, placeholder: "the words: select them in the transcript, then click here", "aria-label": `Words of the call that meet it, ${c.title}`,
    onfocus: (event) => { if (!event.target.value && selectedWords) { event.target.value = selectedWords; selectedWords = ""; keepWords(event.target.value); } },
    onchange: (event) => keepWords(event.target.value) });
  const own = h("div", { className: "own", hidden: !offered }, field, wrong);
  // Another answer than yes takes the words back, since nobody says any more that they meet the criterion.
  own.offer = (wanted) => { own.hidden = !wanted; if (!wanted && field.value) { field.value = ""; keepWords(""); } };
  return own;
}

// Adds buttons to mark whether a quote meets the criterion, for `callqa rubric tune`; a longer quote cannot be a phrase.
const LONGEST = 500;
function markable(call, card, c, evidence, quote) {
  if (!packet.reviewable || !c.learns || !evidence.quote || evidence.quote.length > LONGEST) return quote;
  const key = JSON.stringify([call.id, card.hash, c.id, evidence.turn, evidence.quote]), pressed = (meets) => String(notes.marks[key] ? notes.marks[key].meets === meets : false);
  const mark = (meets) => {
    if (pressed(meets) === "true") delete notes.marks[key];
    else notes.marks[key] = { call_id: call.id, rubric_hash: card.hash, criterion_id: c.id, quote: evidence.quote, meets, at: new Date().toISOString() };
    keep();
    for (const [value, button] of buttons) button.setAttribute("aria-pressed", pressed(value));
  };
  const buttons = [[true, "means it"], [false, "does not"]].map(([meets, label]) => [meets, h("button", { type: "button", className: "means", "aria-pressed": pressed(meets), onclick: () => mark(meets) }, label)]);
  return h("div", { className: "quoted" }, quote, h("div", { className: "noprint", role: "group", "aria-label": `Does “${evidence.quote}” mean it? ${c.title}` }, buttons.map(([, button]) => button)));
}

// One line of the audit trail.
function said_by(r) {
  const what = [r.criterion && words(r.criterion), r.answer, r.state].filter(Boolean).join(" ");
  return `${r.reviewer}, ${r.at}: ${what}${r.reason ? `${what ? ", " : ""}“${r.reason}”` : ""}`;
}

// The reviewer's name, in the bar at the top so that it is entered only once.
function reviewerField() {
  return h("label", { className: "reviewer" }, "Reviewer", h("input", { className: "field", id: "reviewer", type: "text", value: notes.reviewer, maxLength: 100, autocomplete: "name", placeholder: "your name", onchange: (event) => sign(event.target.value.trim()) }));
}

// Takes a new name. Entries made under another one are either the same person's, whose name was corrected, or remain
// with that person: two people who share a browser neither see nor sign each other's answers.
function sign(name) {
  const before = notes.signed || notes.reviewer;
  Object.assign(notes, { reviewer: name, signed: name || before });
  keep();
  if (!name || !before || before.toLowerCase() === name.toLowerCase() || !pending()) return;
  const choose = (label, act) => h("button", { type: "button", className: "button", onclick: () => { act(); box.close("chosen"); } }, label);
  const restart = () => {
    remember(`${STORE}-${before.toLowerCase()}`, JSON.stringify({ ...notes, reviewer: before, signed: before }));
    Object.assign(notes, stored(`${STORE}-${name.toLowerCase()}`), { reviewer: name, signed: name });
    keep(); show();
  };
  const box = h("dialog", { "aria-label": "Whose entries are these?", onclose: () => {
    if (box.returnValue !== "chosen") { Object.assign(notes, { reviewer: before, signed: before }); keep(); $("#reviewer").value = before; }
    box.remove();
  } }, h("h2", null, "Whose entries are these?"), h("p", null, `${plural(pending(), "answer or mark")} in this packet, entered as ${before}.`),
    h("p", null, choose(`Mine: sign them as ${name}`, () => {}), " ", choose(`${before}'s: keep them apart and start mine`, restart)));
  document.body.append(box); box.showModal();
}

function reviewForm(call, card) {
  const before = notes.calls[JSON.stringify([call.id, card.hash])] || {};
  const record = call.reviews.filter((r) => r.rubric === card.rubric && !r.criterion), states = record.map((r) => r.state).filter(Boolean), open = states.lastIndexOf("disputed") > Math.max(states.lastIndexOf("upheld"), states.lastIndexOf("overturned"));
  const decisions = [["", "no decision"], ["acknowledged", "I acknowledge this result (agent)"], ["disputed", "I dispute this result (agent)"],
    ...(open ? [["upheld", "Disputed: I uphold the result (supervisor)"], ["overturned", "Disputed: I overturn the result (supervisor)"]] : [])];
  return h("div", { className: "form section noprint", role: "group", "aria-label": `Your review, ${card.rubric}` }, h("h3", null, "The whole call"),
    packet.blind ? h("p", { className: "small quiet" }, "Answer every question by yourself; what the machine and other people answered is not in this packet.") :
    h("label", { className: "check" }, h("input", { type: "checkbox", checked: Boolean(before.confirmed), onchange: (event) => noteCall(call, card, { confirmed: event.target.checked }) }), "I checked the whole call: every answer I left alone is right"),
    packet.blind ? null : h("label", null, "Decision on the whole call", h("select", { className: "field", onchange: (event) => noteCall(call, card, { state: event.target.value }) },
      decisions.map(([value, label]) => h("option", { value, selected: (before.state || "") === value }, label)))),
    h("label", null, "Comment", h("textarea", { className: "field", rows: 2, maxLength: 2000, value: before.comment || "", oninput: (event) => noteCall(call, card, { comment: event.target.value }) })),
    record.length ? h("div", null, h("h4", null, "Already on record"), h("ul", { className: "small" }, record.map((r) => h("li", null, said_by(r))))) : null);
}

function download() {
  if (!notes.reviewer.trim()) {
    say("Enter your name as reviewer first.");
    return $("#reviewer").focus();
  }
  const file = { schema: "callqa.review/1", packet: packet.id, blind: packet.blind ? packet.id : "", reviewer: notes.reviewer.trim(), written_at: new Date().toISOString(), answers: Object.values(notes.answers), calls: Object.values(notes.calls), marks: Object.values(notes.marks) };
  const url = URL.createObjectURL(new Blob([JSON.stringify(file, null, 2)], { type: "application/json" }));
  const name = notes.reviewer.trim().replace(/[^A-Za-z0-9]+/g, "-").toLowerCase() || "reviewer";
  h("a", { href: url, download: `review-${name}-${file.written_at.slice(0, 10)}.json` }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
  say(`Downloaded ${pending()} entries. Give the file to callqa review import.`);
}
