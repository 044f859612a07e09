// The left side: who I am, how full, and my contacts.

import { fill, h, icon, patch } from "./dom.js";
import { T } from "./texts.js";
import { ago, at, atSeconds, exact, now } from "./time.js";

export function channelIcon(channel) {
  return h("span", { class: "channel", title: T.channels[channel] || channel }, icon(channel),
    h("span", { class: "unseen" }, T.channels[channel] || channel));
}

export function dueChip(row) {
  if (!row.due || row.state === "resolved") return null;
  const late = row.due < now();
  return h("span", { class: `chip due${late ? " late" : ""}`, data: { due: row.due }, title: exact(row.due) },
    icon("clock"), late ? T.overdue(at(row.due)) : T.due(at(row.due)));
}

export function priorityChip(priority) {
  if (priority === "normal") return null;
  return h("span", { class: `chip priority ${priority}` }, T.priorities[priority] || priority);
}

const topicChips = (topics) => topics.slice(0, 2).map((topic) => h("span", { class: "chip topic" }, topic));

function summary(row, extra) {
  return [
    h("span", { class: "row-top" },
      row.new && h("span", { class: "new-dot", title: T.isNew }, h("span", { class: "unseen" }, `${T.isNew}: `)),
      h("span", { class: "who" }, row.who),
      h("time", { class: "when", data: { ago: row.last_at }, title: exact(row.last_at) }, ago(row.last_at))),
    h("span", { class: "subject" }, row.subject),
    row.snippet && h("span", { class: "snippet" }, row.snippet),
    h("span", { class: "chips" }, channelIcon(row.channel), priorityChip(row.priority),
      row.flag && h("span", { class: "chip flag" }, icon("flag"), row.flag.replace("-", " ")),
      row.moods.map((mood) => h("span", { class: "chip flag" }, mood)),
      dueChip(row), topicChips(row.topics), extra),
  ];
}

export function contactRow(app, row, extra) {
  return h("li", { class: `row${row.new ? " new" : ""}` },
    h("a", { href: `#/c/${row.id}`, class: "row-link", data: { focus: `row-${row.id}`, contact: row.id } },
      summary(row, extra)));
}

function offerRow(app, offer) {
  const row = offer.contact;
  return h("li", { class: "row offer", vars: { "--left": 1 }, data: { from: offer.at, until: offer.until } },
    h("a", { href: `#/c/${row.id}`, class: "row-link", data: { focus: `row-${row.id}`, contact: row.id } },
      summary(row, offer.needs.map((need) => h("span", { class: "chip need" }, need)))),
    h("div", { class: "offer-foot" },
      h("span", { class: "until" }, icon("clock"), T.until(atSeconds(offer.until))),
      h("span", { class: "offer-buttons" },
        h("button", { class: "small quiet", data: { focus: `decline-${offer.offer}` }, onclick: () => app.decline(row.id, offer.offer) },
          T.decline),
        h("button", { class: "small good", data: { focus: `accept-${offer.offer}` }, onclick: () => app.accept(row.id, offer.offer) },
          T.accept))),
    h("div", { class: "bar-left", role: "presentation" }, h("i")));
}

export class Lists {
  constructor(app) {
    this.app = app;
    this.sections = new Map();
    this.me = h("div", { class: "me" });
    this.today = h("p", { class: "muted today" });
    this.root = h("nav", { class: "lists", "aria-label": T.lists }, this.me, this.today);
    for (const [key, title, render] of [
      ["offers", T.offers, offerRow],
      ["open", T.open, contactRow],
      ["waiting_customer", T.waitingCustomer, contactRow],
      ["called", T.calledIn, (one, row) => contactRow(one, row, row.by && h("span", { class: "chip" }, T.heldBy(row.by)))],
      ["snoozed", T.snoozed, (one, row) => contactRow(one, row, row.snoozed_until &&
        h("span", { class: "chip" }, icon("moon"), T.backAt(at(row.snoozed_until))))],
      ["done", T.done, contactRow],
    ]) this.section(key, title, render);
  }

  section(key, title, render) {
    const count = h("span", { class: "count" });
    const list = h("ul", { class: "rows" });
    const empty = key === "open" ? h("p", { class: "empty" }, T.emptyOpen) : null;
    const more = h("p", { class: "empty" });
    const node = h("details", { class: `section ${key}`, open: key !== "done" },
      h("summary", {}, h("h2", {}, title), count), empty, list, more);
    this.root.append(node);
    this.sections.set(key, { node, list, count, empty, more, render });
  }

  update(desk) {
    this.showMe(desk.me);
    this.showToday(desk.today, desk.team);
    for (const [key, section] of this.sections) {
      const rows = desk[key];
      const more = desk.more?.[key] || 0;
      section.count.textContent = rows.length + more || "";
      section.more.textContent = more ? T.listMore(more) : "";
      section.more.hidden = !more;
      section.node.hidden = rows.length === 0 && key !== "open";
      if (section.empty) {
        section.empty.hidden = rows.length > 0 || desk.offers.length > 0;
        section.empty.textContent = desk.me.status === "available" || desk.notice ? T.emptyOpen : T.emptyOpenNotAvailable;
      }
      patch(section.list, rows, (row) => row.offer || row.id, (row) => section.render(this.app, row));
    }
    this.mark(this.app.shown);
  }

  mark(contact) {
    for (const link of this.root.querySelectorAll("a.row-link")) {
      if (link.dataset.contact === contact) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
  }

  showMe(me) {
    const content = JSON.stringify(me);
    if (this.meContent === content) return;
    this.meContent = content;
    const focused = this.me.contains(document.activeElement);
    this.me.replaceChildren();
    this.status = h("select", { class: `status ${me.status}`, "aria-label": T.status, onchange: (event) => this.app.setStatus(event.target.value) },
      Object.entries(T.statuses).map(([value, text]) => h("option", { value, selected: value === me.status }, text)));
    fill(this.me,
      h("div", { class: "me-top" },
        h("span", { class: `face ${me.status}`, "aria-hidden": "true" }, initials(me.name)),
        h("span", { class: "me-name" }, h("strong", {}, me.name), h("span", { class: "muted" }, me.team)),
        this.status),
      h("div", { class: "bars", role: "group", "aria-label": T.capacity }, me.capacity.map(capacityBar)));
    if (focused) this.status.focus();
  }

  // What was done today, beside the team's median where anybody else did anything.
  showToday(own, team) {
    const words = T.today(own, team);
    if (this.today.textContent !== words) this.today.textContent = words;
  }

  // All contacts in the order shown, for J and K.
  order() {
    return [...this.root.querySelectorAll("details[open]:not([hidden]) a.row-link")];
  }
}

export const initials = (name) =>
  name.split(/\s+/).slice(0, 2).map((word) => [...word][0] || "").join("").toUpperCase();

function capacityBar(bar) {
  const share = bar.limit ? Math.min(1, bar.held / bar.limit) : bar.held ? 1 : 0;
  const full = bar.held >= bar.limit;
  return h("div", { class: `bar${full ? " full" : ""}`, role: "meter", "aria-label": bar.label, "aria-valuemin": 0,
    "aria-valuemax": bar.limit, "aria-valuenow": Math.min(bar.held, bar.limit), "aria-valuetext": T.barOf(bar.held, bar.limit) },
    h("span", { class: "bar-label" }, bar.label), h("span", { class: "bar-number" }, `${bar.held}/${bar.limit}`),
    h("span", { class: "track" }, h("i", { vars: { "--share": share } })));
}

// The queue: what waits for anybody.
export class Queue {
  constructor(app) {
    this.app = app;
    this.list = h("ul", { class: "rows" });
    this.note = h("p", { class: "empty" });
    this.count = h("p", { class: "muted" });
    this.root = h("section", { class: "queue-view", "aria-label": T.queue },
      h("header", { class: "queue-head" },
        h("a", { class: "icon-button back", href: "#/", "aria-label": T.goBack }, icon("back")),
        h("h1", {}, T.queue), this.count),
      this.note, this.list);
  }

  update(waiting) {
    const fits = new Set(waiting.fits);
    const number = waiting.rows.length + waiting.more;
    this.count.textContent = number ? T.queueCount(number) : "";
    this.note.textContent = waiting.more ? T.queueMore(waiting.more) : number ? "" : T.queueEmpty;
    const rows = waiting.rows.map((row) => ({ ...row, fits: fits.has(row.id) }));
    patch(this.list, rows, (row) => row.id, (row) => {
      const node = contactRow(this.app, row, row.fits && h("span", { class: "chip fits" }, icon("check"), T.queueFits));
      if (this.app.lead) node.append(h("button", { class: "small quiet", data: { focus: `give-${row.id}` }, onclick: () => this.app.assign(row.id) }, T.assign));
      node.append(h("button", { class: "small", data: { focus: `take-${row.id}` }, onclick: () => this.app.take(row.id) }, T.take));
      node.classList.add("with-button");
      return node;
    });
  }
}
