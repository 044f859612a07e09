// One contact: its head, banners, conversation, details.

import { fill, h, icon, patch } from "./dom.js";
import { channelIcon, dueChip, initials, priorityChip } from "./lists.js";
import { T } from "./texts.js";
import { ago, at, atSeconds, exact, size } from "./time.js";
import { Composer } from "./composer.js";

const BUTTONS = {
  accept: ["check", "good"], decline: ["cross", ""], take: ["check", "good"], let_in: ["check", ""],
  resolve: ["check", ""], transfer: ["hand", ""], snooze: ["moon", ""], wake: ["clock", ""], reopen: ["clock", ""],
  retag: ["tag", "quiet icon-only"], priority: ["flag", "quiet icon-only"], call: ["people", "quiet icon-only"],
  merge: ["queue", "quiet icon-only"], spam: ["cross", "quiet icon-only"], leave: ["out", ""], unblock: ["check", ""],
};

export class Thread {
  constructor(app, contact) {
    this.app = app;
    this.id = contact;
    this.head = h("header", { class: "contact-head" });
    this.banners = h("div", { class: "banners" });
    this.items = h("ol", { class: "items", "aria-label": T.thread });
    this.scroller = h("div", { class: "scroller", tabindex: "0", role: "region", "aria-label": T.thread }, this.banners, this.items);
    this.side = h("aside", { class: "details", "aria-label": T.details });
    this.together = h("p", { class: "together", role: "status" });
    this.composer = new Composer(app, contact);
    this.root = h("article", { class: "contact", "aria-label": T.contact },
      this.head, h("div", { class: "contact-body" },
        h("div", { class: "talk" }, this.scroller, this.together, this.composer.root), this.side));
    this.body = h("p", { class: "empty" }, T.loading);
    this.items.append(this.body);
  }

  update(card) {
    const first = !this.card;
    const scroller = this.scroller;
    const atEnd = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < 60;
    const before = this.card ? this.card.items.length : 0;
    this.body.remove();
    this.card = card;
    this.showHead(card);
    this.showBanners(card);
    patch(this.items, card.items, (item) => item.id, (item) => this.item(item));
    this.showDetails(card);
    this.composer.update(card);
    if (first || (atEnd && card.items.length > before)) scroller.scrollTop = first && card.items.length < 2 ? 0 : scroller.scrollHeight;
    const last = card.items[card.items.length - 1];
    if (!first && card.items.length > before && last.direction === "in") this.app.heard(T.newMessage(last.who));
  }

  // Colleagues who have this contact open now, and who of them writes.
  showOthers(others) {
    const writing = others.typing.length ? T.typingHere(others.typing) : "";
    const here = others.here.length ? T.openHere(others.here) : "";
    this.together.replaceChildren(writing || here);
    this.together.classList.toggle("writing", Boolean(writing));
  }

  gone() {
    this.card = null;
    this.root.replaceChildren(h("p", { class: "empty big" }, T.gone,
      h("a", { href: "#/" }, T.goBack)));
  }

  showHead(card) {
    const content = JSON.stringify([card.contact, card.actions, card.offer]);
    if (content === this.headContent) return;
    this.headContent = content;
    const row = card.contact;
    const focused = this.head.contains(document.activeElement) ? document.activeElement.dataset.focus : null;
    const offered = card.offer && card.offer_until;
    this.head.replaceChildren();
    fill(this.head,
      h("a", { class: "icon-button back", href: "#/", "aria-label": T.goBack }, icon("back")),
      h("div", { class: "titles" },
        h("h1", {}, row.subject),
        h("p", { class: "chips" }, channelIcon(row.channel), h("span", { class: "who" }, row.who),
          h("span", { class: `chip state ${row.state}` }, T.states[row.state] || row.state),
          row.by && !offered && row.by !== this.app.desk.me.name && h("span", { class: "chip" }, T.heldBy(row.by)),
          priorityChip(row.priority), dueChip(row))),
      h("div", { class: "buttons" }, card.actions.filter((name) => BUTTONS[name]).map((name) => this.button(name)),
        h("button", { class: "quiet", data: { focus: "why" }, onclick: () => this.app.why(this.id) },
          icon("info"), row.state === "waiting" ? T.whyQueue : T.why),
        h("button", { class: "quiet icon-only details-button", data: { focus: "details" }, title: T.showDetails, "aria-label": T.showDetails,
          onclick: () => this.root.classList.toggle("show-details") }, icon("people"))),
      offered && h("div", { class: "offer-line", data: { from: card.offer_at, until: card.offer_until } },
        h("span", { class: "until" }, icon("clock"), T.until(atSeconds(card.offer_until))),
        h("div", { class: "bar-left", role: "presentation" }, h("i"))));
    if (focused) this.head.querySelector(`[data-focus="${focused}"]`)?.focus();
  }

  hideDetails() {
    const open = this.root.classList.contains("show-details");
    this.root.classList.remove("show-details");
    return open;
  }

  button(name) {
    const [sign, kind] = BUTTONS[name];
    const bare = kind.includes("icon-only");
    return h("button", { class: kind, data: { focus: name, action: name }, title: bare && T[name], "aria-label": bare && T[name],
      onclick: () => this.app.press(name, this.card) }, icon(sign), !bare && T[name]);
  }

  showBanners(card) {
    patch(this.banners, card.banners, (one) => one.code, (one) =>
      h("div", { class: `banner ${one.code}`, role: "note" }, icon(one.code === "offered" ? "info" : "flag"), h("p", {}, one.text),
        one.code === "unsure" ? this.answers(card) : one.action && card.actions.includes(one.action) &&
          h("button", { class: "small", data: { focus: "let-in" }, onclick: () => this.app.press(one.action, card) }, T[one.action])));
  }

  // What it is about, in one click: as it was guessed, or none of ours. "Topics" beside them is for everything else.
  answers(card) {
    const button = (name, text) => h("button", { class: "small", data: { focus: name, action: name }, onclick: () => this.app.press(name, this.card) }, text);
    return [card.topics.some((topic) => topic.chosen) && button("confirm", T.confirm), button("none", T.noneOfThese), button("retag", T.retagOther)];
  }

  item(item) {
    const folded = item.quoted && h("details", { class: "quoted", data: { fold: "quoted" } },
      h("summary", {}, T.quoted), h("div", { class: "words" }, item.quoted));
    const mark = item.delivery && h("span", { class: `delivery ${item.delivery}`, title: item.delivery_text },
      T.deliveries[item.delivery] || item.delivery);
    return h("li", { class: `item ${item.direction}${item.mine ? " mine" : ""}${item.gone ? " gone" : ""}` },
      h("span", { class: `face ${item.direction}`, "aria-hidden": "true" }, initials(item.who)),
      h("div", { class: "bubble" },
        h("div", { class: "item-head" }, h("strong", {}, item.who), item.mine && h("span", { class: "muted" }, ` (${T.you})`),
          item.direction === "note" && h("span", { class: "chip note" }, icon("note"), T.noteMark),
          item.auto && h("span", { class: "chip" }, item.auto),
          h("time", { class: "when", title: exact(item.at), data: { ago: item.at } }, ago(item.at))),
        h("div", { class: "words", dir: "auto" }, item.text),
        item.cc.length > 0 && h("p", { class: "muted small-text" }, T.ccLine(item.cc.map((one) => one.name || one.address).join(", "))),
        folded,
        item.has_html && this.original(item),
        item.files.length > 0 && h("ul", { class: "files", "aria-label": T.attachments }, item.files.map((file) => this.file(item, file))),
        item.warnings.map((text) => h("p", { class: "warning" }, text)),
        mark && h("p", { class: "item-foot" }, mark)));
  }

  // The customer's HTML only in a frame without any rights, and only when it is asked for.
  original(item) {
    const fold = h("details", { class: "original", data: { fold: "original" } }, h("summary", {}, T.showHtml));
    fold.addEventListener("toggle", () => {
      if (!fold.open || fold.querySelector("iframe")) return;
      fold.append(h("iframe", { sandbox: "", title: T.showHtml, loading: "lazy", referrerpolicy: "no-referrer",
        src: `/desk/api/contacts/${encodeURIComponent(this.id)}/messages/${encodeURIComponent(item.id)}/html` }));
    });
    return fold;
  }

  file(item, file) {
    const path = `/desk/api/contacts/${encodeURIComponent(this.id)}/messages/${encodeURIComponent(item.id)}/files/${file.part}`;
    return h("li", {}, h("a", { class: "file", href: path, download: "", "aria-label": T.download(file.name, size(file.size)) },
      icon("clip"), h("span", { class: "file-name" }, file.name), h("span", { class: "muted" }, size(file.size))));
  }

  showDetails(card) {
    const row = card.contact;
    const content = JSON.stringify([card.links, card.wishes, card.asked, card.score, card.history, card.earlier, card.requirement, card.topics, card.topics_said, card.actions.includes("retag"), row, card.replies_to, card.articles]);
    if (content === this.sideContent) return;
    this.sideContent = content;
    const who = card.replies_to[0];
    const fact = (title, value) => value && [h("dt", {}, title), h("dd", {}, value)];
    this.side.replaceChildren();
    fill(this.side,
      h("button", { class: "icon-button details-close", "aria-label": T.close, onclick: () => this.hideDetails() }, icon("cross")),
      h("section", {}, h("h2", {}, T.customer),
        h("p", { class: "customer" }, h("span", { class: "face in", "aria-hidden": "true" }, initials(row.who)),
          h("span", {}, h("strong", {}, row.who), who && who.address !== row.who && !who.address.startsWith("visitor:") && h("span", { class: "muted" }, who.address))),
        h("p", { class: "muted" }, card.history),
        card.customer && h("p", {}, h("a", { href: `#/k/${encodeURIComponent(card.customer)}`, data: { focus: "history" } }, T.wholeHistory)),
        h("dl", { class: "facts" }, fact(T.wants, card.wishes.language),
          fact(T.consent, card.wishes.consent !== null && [card.wishes.consent ? T.consentYes : T.consentNo, T.channels[card.wishes.consent_channel], at(card.wishes.consent_at)].filter(Boolean).join(" · ")),
          fact(T.satisfaction, card.asked && (card.score ? T.scoreOf(card.score) : T.noScore))),
        card.links.length > 0 && h("ul", { class: "earlier", "aria-label": T.links }, card.links.map((one) => h("li", {}, h("span", {}, one.how),
          h("span", { class: "muted" }, [at(one.at), one.by, T.addresses(one.addresses)].filter(Boolean).join(" · ")),
          card.actions.includes("unlink") && h("button", { class: "small quiet", data: { focus: `unlink-${one.id}`, action: "unlink" }, onclick: () => this.app.press("unlink", this.card, one.id) }, T.unlink)))),
        card.actions.includes("link") && h("p", {}, h("button", { class: "small quiet", data: { focus: "link", action: "link" }, onclick: () => this.app.press("link", this.card) }, T.link))),
      card.topics.length > 0 && h("section", {}, h("h2", {}, T.topics), h("ul", { class: "topics" }, card.topics.map((topic) =>
        h("li", {}, h("span", {}, topic.label), h("span", { class: "muted" }, `${Math.round(topic.p / 100)} %`),
          h("span", { class: "track" }, h("i", { vars: { "--share": topic.p / 10000 } }))))),
        !card.topics_said && card.actions.includes("retag") && h("p", { class: "topics-said" },
          h("button", { class: "small quiet", data: { focus: "confirm-side", action: "confirm" }, onclick: () => this.app.press("confirm", this.card) }, T.confirmRight))),
      card.requirement.length > 0 && h("section", {}, h("h2", {}, T.needs),
        h("p", { class: "chips" }, card.requirement.map((need) => h("span", { class: "chip need" }, need)))),
      h("section", {}, h("h2", {}, T.details), h("dl", { class: "facts" },
        fact(T.language, row.language), fact(T.channel, T.channels[row.channel] || row.channel),
        fact(T.openedAt, at(row.opened_at)), fact(T.dueAt, row.due && at(row.due)), fact(T.id, h("code", {}, row.id)))),
      card.articles.length > 0 && h("section", {}, h("h2", {}, T.articles), h("ul", { class: "earlier" }, card.articles.map((one) =>
        h("li", {}, h("a", { href: one.url, target: "_blank", rel: "noopener noreferrer" }, one.title))))),
      card.earlier.length > 0 && h("section", {}, h("h2", {}, T.earlier), h("ul", { class: "earlier" }, card.earlier.map((one) =>
        h("li", {}, h("span", { class: "earlier-top" }, channelIcon(one.channel), h("a", { href: `#/c/${one.id}` }, one.topics.join(", ") || one.id)),
          h("span", { class: "muted" }, [at(one.opened_at), one.state, one.by].filter(Boolean).join(" · ")))))));
  }
}
