// The wallboard: asks every two seconds, by the session of an agent or by a token behind the # of its address.

import { fill, h } from "../desk/dom.js";
import { setServerTime, since } from "../desk/time.js";
import { T } from "./texts.js";

const EVERY_MS = 2000;
const SILENT_MS = 15000; // then what stands there is old, and says so
const TOPICS_MAX = 8;

const root = document.getElementById("wall");
const token = new URLSearchParams(location.hash.slice(1)).get("token");
let heard = 0;
let shown = "";

const figure = (value, label, kind = "") => h("div", { class: `figure ${kind}` }, h("strong", {}, String(value)), h("span", {}, label));

async function ask() {
  const response = token
    ? await fetch("/v1/board", { headers: { Authorization: `Bearer ${token}` }, credentials: "omit" })
    : await fetch("/desk/api/board", { credentials: "same-origin" });
  if (response.status === 401 || response.status === 403) return null;
  if (!response.ok) throw new Error(String(response.status));
  return response.json();
}

function topicRow(one, most) {
  return h("tr", {}, h("th", { scope: "row" }, one.label, h("span", { class: "track" }, h("i", { vars: { "--share": one.waiting / most } }))),
    h("td", {}, one.waiting), h("td", {}, since(one.oldest)),
    h("td", { class: one.at_risk ? "warn" : "" }, one.at_risk || "–"),
    h("td", { class: one.able ? "" : "bad" }, one.able ? T.freeOf(one.free, one.able) : T.nobody));
}

function topics(board) {
  const listed = board.topics.slice(0, TOPICS_MAX);
  const rest = board.topics.length - listed.length;
  if (!listed.length) return h("p", { class: "calm" }, T.nobodyWaits);
  const most = Math.max(...listed.map((one) => one.waiting));
  return [h("table", {}, h("thead", {}, h("tr", {}, [T.topic, T.waiting, T.longest, T.atRisk, T.couldTake].map((one) => h("th", { scope: "col" }, one)))),
    h("tbody", {}, listed.map((one) => topicRow(one, most)))), rest > 0 && h("p", { class: "muted" }, T.moreTopics(rest))];
}

const list = (pairs) => h("dl", {}, pairs.map(([label, value, kind]) => [h("dt", { class: kind || "" }, label), h("dd", {}, String(value))]));

function show(board) {
  setServerTime(board.now);
  const risk = board.at_risk - board.late;
  const available = board.statuses.available || 0;
  const all = Object.values(board.statuses).reduce((sum, one) => sum + one, 0);
  const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" }).format(board.now);
  const content = fill(h("div", { class: "board" }),
    h("header", {}, h("h1", {}, board.workspace), h("time", {}, clock)),
    board.problems.length > 0 && h("ul", { class: "problems", "aria-label": T.problems }, board.problems.map((text) => h("li", {}, text))),
    board.incidents.length > 0 && h("ul", { class: "problems", "aria-label": T.incidents }, board.incidents.map((one) => h("li", {}, T.incident(one)))),
    h("div", { class: "figures" }, figure(board.waiting, T.figureWaiting), figure(board.oldest ? since(board.oldest) : "–", T.longest),
      figure(board.late, T.late, board.late ? "bad" : ""), figure(risk, T.atRiskSoon, risk ? "warn" : ""),
      figure(available, T.available(all), available ? "good" : "bad")),
    h("div", { class: "panes" }, h("section", {}, h("h2", {}, T.byTopic), topics(board)),
      h("section", { class: "side" },
        h("h2", {}, T.agents), list(Object.entries(T.statuses).map(([status, label]) => [label, board.statuses[status] || 0, status])),
        h("h2", {}, T.today), list([[T.opened, board.today.opened], [T.answers, board.today.answers], [T.resolved, board.today.resolved], [T.open, board.open]]))));
  const before = JSON.stringify({ ...board, now: clock, topics: content.querySelector("table")?.textContent, waited: content.querySelector(".figures").textContent });
  if (before !== shown) root.replaceChildren(content); // nothing flickers that did not change
  shown = before;
  document.title = T.title(board.workspace, board.waiting);
}

function gate() {
  shown = "";
  root.replaceChildren(h("div", { class: "gate" }, h("h1", {}, T.gateTitle), h("p", {}, T.gateSession), h("p", {}, T.gateToken),
    h("pre", {}, h("code", {}, T.gateCommand)), h("p", {}, T.gateAddress)));
}

async function turn() {
  try {
    const board = await ask();
    if (board) { heard = Date.now(); show(board); } else gate();
  } catch {
    if (heard === 0) root.replaceChildren(h("div", { class: "gate" }, h("p", {}, T.noAnswer)));
  }
  document.body.classList.toggle("stale", heard > 0 && Date.now() - heard > SILENT_MS);
  document.body.dataset.stale = T.stale;
  setTimeout(turn, EVERY_MS);
}

turn();
