// Search over contacts and customers, and one customer's contacts over all channels.

import { Refused, find } from "./api.js";
import { fill, h, icon, patch, say } from "./dom.js";
import { channelIcon, contactRow, initials } from "./lists.js";
import { T } from "./texts.js";
import { refreshTimes } from "./time.js";

const PAUSE_MS = 180; // after the last letter
const AGAIN_MS = 600; // while the server still reads in

const stateChip = (row) => h("span", { class: `chip state ${row.state}` }, T.states[row.state] || row.state);
export const fullRow = (app, row) => contactRow(app, row, [stateChip(row), row.by && h("span", { class: "chip" }, row.by)]);

const head = (title, beside) => h("header", { class: "queue-head" },
  h("a", { class: "icon-button back", href: "#/", "aria-label": T.goBack }, icon("back")), h("h1", {}, title), beside);

export class SearchView {
  constructor(app) {
    this.app = app;
    this.asked = 0;
    this.input = h("input", { type: "search", class: "search-input", "aria-label": T.searchLabel, placeholder: T.searchHint,
      autocomplete: "off", spellcheck: "false", enterkeyhint: "search", oninput: () => this.later(PAUSE_MS),
      onkeydown: (event) => this.key(event) });
    this.note = h("p", { class: "empty", role: "status" });
    this.customers = h("ul", { class: "found-customers", "aria-label": T.searchCustomers });
    this.list = h("ul", { class: "rows", "aria-label": T.searchContacts });
    this.root = h("section", { class: "queue-view", "aria-label": T.search }, head(T.search), this.input, this.customers, this.note, this.list);
    this.note.textContent = T.searchEmpty;
  }

  open() {
    this.input.focus();
    this.input.select();
    if (this.input.value.trim()) this.later(0);
  }

  key(event) {
    if (event.key === "ArrowDown") { event.preventDefault(); this.root.querySelector("a.row-link, .found-customers a")?.focus(); }
    if (event.key === "Escape") { event.preventDefault(); location.hash = "#/"; }
  }

  later(ms) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.ask(), ms);
  }

  async ask() {
    const words = this.input.value.trim();
    const number = ++this.asked;
    if (!words) { this.show({ rows: [], customers: [], more: 0, complete: true }, words); return; }
    try {
      const found = await find(words);
      if (number !== this.asked) return;
      this.show(found, words);
      if (!found.complete && this.root.isConnected) this.later(AGAIN_MS);
    } catch (error) {
      if (error instanceof Refused && error.status === 401) this.app.gate(error.message);
      else this.note.textContent = error.message || T.noAnswer;
    }
  }

  show(found, words) {
    const number = found.rows.length + found.more;
    const note = !words ? T.searchEmpty : !found.complete ? T.searchReading : number ? (found.more ? T.searchMore(found.rows.length, number) : T.searchCount(number)) : T.searchNone;
    this.note.textContent = note;
    if (words) say(note);
    patch(this.customers, found.customers, (one) => one.customer, (one) =>
      h("li", {}, h("a", { href: `#/k/${encodeURIComponent(one.customer)}`, data: { focus: `customer-${one.customer}` } },
        h("span", { class: "face in", "aria-hidden": "true" }, initials(one.name)),
        h("span", {}, h("strong", {}, one.name), h("span", { class: "muted" }, one.address)))));
    patch(this.list, found.rows, (row) => row.id, (row) => fullRow(this.app, row));
    refreshTimes(this.root);
  }
}

export class HistoryView {
  constructor(app) {
    this.app = app;
    this.root = h("section", { class: "queue-view", "aria-label": T.history }, h("p", { class: "empty" }, T.loading));
  }

  update(found) {
    this.root.replaceChildren();
    const channels = [...new Set(found.rows.map((row) => row.channel))];
    fill(this.root, head(found.name, h("p", { class: "muted" }, T.historyCount(found.rows.length + found.more))),
      h("p", { class: "history-line" }, channels.map(channelIcon), found.addresses.map((one) => h("span", { class: "chip" }, one))),
      h("ul", { class: "rows" }, found.rows.map((row) => fullRow(this.app, row))),
      found.more > 0 && h("p", { class: "empty" }, T.historyMore(found.more)));
    refreshTimes(this.root);
  }

  gone() {
    this.root.replaceChildren(h("p", { class: "empty big" }, T.historyGone, h("a", { href: "#/" }, T.goBack)));
  }
}
