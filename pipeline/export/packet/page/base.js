// Helpers of the page. Text enters the document only through textContent, so callers' words and file
// names never become markup.
"use strict";

const load = (id) => JSON.parse(document.getElementById(id).textContent);
const packet = load("packet");
const SVG = "http://www.w3.org/2000/svg";

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name in node && !["list", "for"].includes(name) && node.namespaceURI !== SVG && !name.includes("-")) node[name] = value;
    else node.setAttribute(name === "className" ? "class" : name, value === true ? "" : value);
  }
  node.append(...children.flat(3).filter((child) => child !== null && child !== undefined && child !== false && child !== ""));
  return node;
}
const h = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
const s = (tag, attributes, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);
const $ = (selector, root = document) => root.querySelector(selector);

function clock(seconds) {
  if (seconds === null || seconds === undefined) return "";
  const whole = Math.floor(seconds), minutes = Math.floor(whole / 60);
  return minutes >= 60 ? `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, "0")}:${String(whole % 60).padStart(2, "0")}`
    : `${minutes}:${String(whole % 60).padStart(2, "0")}`;
}
const words = (text) => String(text).replaceAll("_", " ");
const shown = (value, digits = 1) => value === null || value === undefined ? "–" : Number(value).toFixed(digits).replace(/\.0+$/, "");
const percent = (share) => share === null || share === undefined ? "–" : `${Math.round(share * 100)} %`;
const plural = (n, word) => `${n} ${word}${n === 1 ? "" : "s"}`;
const badge = (word) => h("span", { className: `badge ${word}` }, words(word));
const say = (text) => { $("#live").textContent = text; };
const link = (call, at) => `#call=${encodeURIComponent(call)}${at === undefined || at === null ? "" : `&t=${at}`}`;

function remember(key, value) {
  try {
    if (value === undefined) return localStorage.getItem(key);
    localStorage.setItem(key, value);
  } catch { /* some browsers have no storage for local files; the page works without it */ }
  return null;
}

function spark(values) {
  if (!values || values.every((v) => v === null)) return h("span", { className: "quiet" }, "–");
  const points = values.map((v, i) => v === null ? null : [6 + i * 20, 11 - v * 9]).filter(Boolean);
  const last = values.filter((v) => v !== null).at(-1), first = values.find((v) => v !== null);
  return s("svg", { class: "spark", viewBox: "0 0 72 22", role: "img", "aria-label": `customer sentiment from ${first} to ${last}` },
    s("line", { x1: 2, x2: 70, y1: 11, y2: 11, stroke: "var(--line)" }),
    s("polyline", { points: points.map((p) => p.join()).join(" "), fill: "none", stroke: "var(--customer)", "stroke-width": 2 }),
    s("circle", { cx: points.at(-1)[0], cy: points.at(-1)[1], r: 3, fill: "var(--customer)" }));
}
