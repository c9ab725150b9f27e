// Choosing the page to show, keyboard shortcuts, and the light or dark theme.

const TITLE = "Call review"; // not document.title, which a saved page has with the name of its view
const PAGES = [["", "Calls", overviewPage], ["agents", "Agents", peoplePage], ["criteria", "Criteria", criteriaPage], ["agreement", "Agreement", agreementPage]]
  .filter(([name]) => name === "agreement" ? packet.agreement : name === "" || !packet.blind);

function theme(name) {
  document.documentElement.dataset.theme = name;
  const button = $("#theme");
  if (button) button.textContent = name === "dark" ? "Light" : "Dark";
  if (player.redraw && $(".wave")) player.redraw();
}

function help() {
  const keys = [["/", "search the calls"], ["Space", "play or pause"], ["← →", "back or forward 5 s"], ["j k", "next or previous turn"], ["e", packet.blind ? "next finding" : "next evidence"], ["[ ]", "previous or next call"], ["Esc", "back to all calls"], ["?", "this list"]];
  const box = h("dialog", { "aria-label": "Keyboard", onclose: () => box.remove() }, h("h2", null, "Keyboard"), h("dl", null, keys.map(([key, what]) => [h("dt", null, h("kbd", null, key)), h("dd", null, what)])),
    h("label", { className: "check" }, h("input", { type: "checkbox", checked: remember("callqa-keys") !== "off", onchange: (event) => remember("callqa-keys", event.target.checked ? "on" : "off") }), " use these keys"), h("p", null, h("button", { type: "button", className: "button", onclick: () => box.close() }, "Close")));
  document.body.append(box); box.showModal();
}

function header() {
  $("#top").replaceChildren(...[h("div", { className: "brand" }, TITLE, h("small", null, packet.subtitle)),
    h("nav", { "aria-label": "Pages" }, PAGES.map(([name, label]) => h("a", { href: `#${name}`, "data-page": name }, label))),
    packet.reviewable ? [reviewerField(), h("button", { type: "button", className: "button", id: "download", onclick: download })] : null,
    h("button", { type: "button", className: "button plain", id: "theme", onclick: () => { const next = document.documentElement.dataset.theme === "dark" ? "light" : "dark"; remember("callqa-theme", next); theme(next); } }, "Dark"),
    h("button", { type: "button", className: "button plain", onclick: help, "aria-label": "Keyboard help" }, "?")].flat().filter(Boolean));
  showPending();
}

function show() {
  const target = new URLSearchParams(location.hash.startsWith("#call=") ? location.hash.slice(1) : ""), id = target.get("call");
  const name = id ? "call" : location.hash.slice(1), page = PAGES.find(([key]) => key === name) || PAGES[0];
  if (player.audio) player.audio.pause();
  const moment = target.get("t");
  $("#main").replaceChildren(...(id ? callPage(id, moment === null ? null : Number(moment)) : page[2]()).flat(3).filter(Boolean));
  for (const tab of document.querySelectorAll("nav a")) if (tab.dataset.page === (id ? "" : page[0])) tab.setAttribute("aria-current", "page"); else tab.removeAttribute("aria-current");
  document.title = `${id ? `Call ${id}` : page[1]} – ${TITLE}`;
  if (!id && page[0] === "") drawRows();
  scrollTo(0, 0);
  if (show.again) $("#main").focus({ preventScroll: true });
  show.again = true;
  document.documentElement.style.setProperty("--bar", `${$("#top").offsetHeight}px`);
}

function nextOf(numbers, forward) {
  const at = player.at;
  return forward ? numbers.find((n) => n > at + 0.2) : numbers.filter((n) => n < at - 0.5).at(-1);
}

const KEYS = {
  " ": toggle, ArrowRight: () => seek(player.at + 5), ArrowLeft: () => seek(player.at - 5),
  j: () => seek(nextOf(player.call.turns.map((t) => t.a).filter((a) => a !== null), true), true), k: () => seek(nextOf(player.call.turns.map((t) => t.a).filter((a) => a !== null), false), true),
  e: () => seek(nextOf(marksOf(player.call).map((m) => m.at), true), true),
  "[": () => { const a = $("#previous"); if (a) a.click(); }, "]": () => { const a = $("#next"); if (a) a.click(); }, Escape: () => { location.hash = ""; },
};

document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input, select, textarea, dialog"), pressing = event.target.closest("button, a");
  if (typing || event.ctrlKey || event.metaKey || event.altKey || (pressing && event.key === " ") || remember("callqa-keys") === "off") return;
  if (event.key === "?") return void (event.preventDefault(), help());
  if (event.key === "/" && $("#search")) return void (event.preventDefault(), $("#search").focus());
  if ($(".player") && KEYS[event.key]) { event.preventDefault(); KEYS[event.key](); }
});
addEventListener("hashchange", show);
addEventListener("resize", () => { if ($(".wave") && player.redraw) player.redraw(); document.documentElement.style.setProperty("--bar", `${$("#top").offsetHeight}px`); });
header();
theme(remember("callqa-theme") || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light"));
show();
