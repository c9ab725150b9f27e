// The player: a waveform per channel, marks for answers and findings on the time line, play and seek.

const player = { audio: null, duration: 0, call: null, at: 0, rate: 1 };

function unpack(text) {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}

function seek(seconds, play = false) {
  if (seconds === null || seconds === undefined) return;
  player.at = Math.max(0, Math.min(seconds, player.duration || seconds));
  if (player.audio) {
    player.audio.currentTime = player.at;
    if (play) player.audio.play().catch(() => say("The recording cannot be played here."));
  }
  showTime();
}

function showTime() {
  const at = player.audio && player.audio.readyState > 0 ? player.audio.currentTime : player.at;
  player.at = at;
  const wave = $(".wave");
  if (!wave) return;
  $(".wave .head").style.left = `${100 * at / (player.duration || 1)}%`;
  $(".player .clock").textContent = `${clock(at)} / ${clock(player.duration)}`;
  wave.setAttribute("aria-valuenow", Math.round(at));
  wave.setAttribute("aria-valuetext", `${clock(at)} of ${clock(player.duration)}`);
  let now = null;
  for (const row of document.querySelectorAll(".turn[data-a]")) {
    if (Number(row.dataset.a) <= at + 0.05) now = row;
    row.classList.remove("now");
  }
  if (now) now.classList.add("now");
}

function draw(canvas, call) {
  const box = canvas.getBoundingClientRect(), scale = devicePixelRatio || 1, style = getComputedStyle(document.documentElement);
  if (!box.width) return;
  canvas.width = box.width * scale; canvas.height = box.height * scale;
  const pen = canvas.getContext("2d"), lanes = call.peaks.map(unpack), laneHeight = canvas.height / Math.max(lanes.length, 1);
  const x = (seconds) => seconds / (player.duration || 1) * canvas.width, colour = (name) => style.getPropertyValue(name).trim();
  pen.fillStyle = colour("--hold");
  const quiet = call.findings.filter((f) => ["hold", "silence"].includes(f.kind) && f.a !== null && f.b !== null).map((f) => [f.a, f.b]);
  for (const [a, b] of [...call.holds, ...quiet]) pen.fillRect(x(a), 0, Math.max(x(b) - x(a), 1), canvas.height);
  lanes.forEach((lane, index) => {
    const agent = lanes.length === 1 || index === call.agentChannel, middle = laneHeight * ((agent ? 0 : 1) + 0.5);
    pen.fillStyle = colour(lanes.length === 1 ? "--quiet" : agent ? "--agent" : "--customer");
    const loudest = Math.max(40, ...lane), step = canvas.width / lane.length;
    lane.forEach((level, i) => { const tall = Math.max(scale, level / loudest * laneHeight * 0.92); pen.fillRect(i * step, middle - tall / 2, Math.max(step * 0.72, 1), tall); });
  });
  if (!lanes.length) for (const turn of call.turns) if (turn.a !== null) {
    const who = ["agent", "customer"].includes(turn.r) ? turn.r : "quiet";
    pen.fillStyle = colour(`--${who}`);
    pen.fillRect(x(turn.a), canvas.height * { agent: 0.15, customer: 0.55, quiet: 0.35 }[who], Math.max(x(turn.b) - x(turn.a), 1), canvas.height * 0.3);
  }
  pen.strokeStyle = colour("--ink"); pen.lineWidth = scale;
  for (const [a, b] of call.redacted) {
    pen.fillStyle = colour("--card"); pen.globalAlpha = 0.85; pen.fillRect(x(a), 0, Math.max(x(b) - x(a), 3), canvas.height); pen.globalAlpha = 1;
    for (let at = x(a); at < x(b) + 2; at += 5 * scale) { pen.beginPath(); pen.moveTo(at, canvas.height); pen.lineTo(at + 4 * scale, 0); pen.stroke(); }
  }
}

const SIGN = { yes: "✓", no: "✗", undetermined: "?", na: "–" };
const FINDING_SIGN = { risk: "!", promise: "P", pii: "▪", empathy: "♥", hold: "H", silence: "…", topic: "T" };

function marksOf(call) {
  const marks = [];
  for (const card of packet.blind ? [] : call.cards) for (const section of card.sections) for (const c of section.criteria) {
    const found = c.evidence.find((e) => e.a !== null) || (c.nearest && c.nearest.a !== null && c.nearest.strength >= NEAR ? c.nearest : null);
    if (found) marks.push({ at: found.a, sign: SIGN[c.answer], kind: c.answer, label: `${c.title}: ${c.answer}, at ${clock(found.a)}` });
  }
  for (const f of call.findings) if (f.a !== null && ["risk", "promise", "empathy", "pii", "vulnerability", "complaint"].includes(f.kind))
    marks.push({ at: f.a, sign: FINDING_SIGN[f.kind] || "•", kind: "finding", label: `${words(f.kind)}: ${words(f.label)}, at ${clock(f.a)}` });
  return marks.sort((a, b) => a.at - b.at);
}

function drawMarks(call) {
  const strip = $(".marks");
  if (!strip) return;
  const width = strip.getBoundingClientRect().width, lanes = [];
  strip.replaceChildren(...marksOf(call).map((mark) => {
    const left = Math.min(Math.max(mark.at / (player.duration || 1) * width, 12), width - 12);
    let lane = lanes.findIndex((end) => end <= left);
    if (lane < 0) lane = lanes.length < 4 ? lanes.length : 3;
    lanes[lane] = left + 26;
    const button = h("button", { type: "button", className: `mark ${mark.kind}`, title: mark.label, "aria-label": mark.label, onclick: () => seek(mark.at, true) }, mark.sign);
    button.style.left = `${left}px`; button.style.top = `${2 + lane * 26}px`;
    return button;
  }));
  strip.style.height = `${Math.max(1, lanes.length) * 26 + 2}px`;
}

function toggle() {
  if (!player.audio) return say("This packet carries no recording of this call.");
  if (player.audio.paused) player.audio.play().catch(() => say("The recording cannot be played here.")); else player.audio.pause();
}

function playerCard(call) {
  player.call = call; player.duration = call.duration || Math.max(0, ...call.turns.map((t) => t.b || 0)); player.at = 0;
  if (player.audio) player.audio.pause();
  player.audio = call.audio ? h("audio", { preload: "metadata", defaultPlaybackRate: player.rate, src: call.audio, ontimeupdate: showTime, onplay: () => state(true), onpause: () => state(false),
    onloadedmetadata: () => { if (player.at) player.audio.currentTime = player.at; },
    onerror: () => { $("#noaudio").textContent = "The recording is not beside this page."; player.audio = null; } }) : null;
  const state = (playing) => { const button = $("#play"); if (button) button.textContent = playing ? "❚❚ Pause" : "▶ Play"; };
  const canvas = h("canvas", { "aria-hidden": "true" });
  const slide = (event) => ({ ArrowRight: 5, ArrowUp: 5, ArrowLeft: -5, ArrowDown: -5, PageUp: 30, PageDown: -30 })[event.key];
  const wave = h("div", { className: "wave", tabIndex: 0, role: "slider", "aria-label": "Position in the recording", "aria-valuemin": 0, "aria-valuemax": Math.round(player.duration), "aria-valuenow": 0,
    onclick: (event) => { const box = wave.getBoundingClientRect(); seek((event.clientX - box.left) / box.width * player.duration); },
    onkeydown: (event) => { const step = event.key === "Home" ? -1e9 : event.key === "End" ? 1e9 : slide(event); if (step) { event.preventDefault(); event.stopPropagation(); seek(player.at + step); } } },
  canvas, h("div", { className: "head" }));
  const speed = h("select", { className: "field", "aria-label": "Speed", onchange: (event) => { player.rate = Number(event.target.value); if (player.audio) player.audio.playbackRate = player.rate; } },
    ["0.75", "1", "1.25", "1.5", "2"].map((rate) => h("option", { value: rate, selected: Number(rate) === player.rate }, `${rate}×`)));
  const swatch = (name, label, when) => when && h("span", { className: name }, h("i"), label);
  player.redraw = () => {
    draw(canvas, call); drawMarks(call); showTime();
    document.documentElement.style.setProperty("--player", `${$(".player").offsetHeight}px`);
  };
  return h("section", { className: "player card", "aria-label": "Recording" },
    h("div", { className: "controls" },
      h("button", { type: "button", id: "play", className: "button main", disabled: !call.audio, onclick: toggle }, "▶ Play"),
      h("span", { className: "clock number" }), call.audio ? speed : null,
      h("span", { className: "quiet small", id: "noaudio" }, call.audioNote),
      h("div", { className: "legend" }, swatch("agent", "agent", call.peaks.length !== 1), swatch("customer", "customer", call.peaks.length !== 1), swatch("hold", "hold or silence", true), swatch("redacted", "silenced private data", call.redacted.length > 0))),
    h("div", { className: "timeline" }, wave, h("div", { className: "marks", role: "group", "aria-label": "Answers and findings on the time line" })));
}
