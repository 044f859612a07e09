// Ten seconds to take a reply back: it is held here, in the browser, and sent when they are over.
//
// Here rather than on the server, because what is stored there is journaled and acted on at once, and an undo that races
// with that over a network can come too late without anybody knowing. What was not sent has left nobody's machine. The
// price is that a machine may die within the ten seconds; so each held reply stands in localStorage, with the key that
// makes it once only, until the server has answered: a reload sends it, a closing page sends it on its way out, and one
// found too late to be sent unasked becomes a draft again.

import { Refused, act, newKey, sendOnLeaving } from "./api.js";
import { h, say } from "./dom.js";
import { T } from "./texts.js";

const STALE_MS = 10 * 60000; // an older one is not sent without a look
const REFUSED_MAX = 20; // shown at most; the drafts are all there
const OTHERS_MS = 30000; // another window's is taken over when it is so late

const tab = sessionStorage.getItem("usherd-tab") || newKey();
sessionStorage.setItem("usherd-tab", tab);

export class Holds {
  constructor(app) {
    this.app = app;
    this.busy = new Set(); // keys of those being sent by this page
    this.trying = new Set(); // …for which there is no connection
    this.bars = new Map();
    this.refusalBox = h("div", { class: "refusals" });
    this.box = h("div", { class: "holds" }, this.refusalBox);
    this.timer = setInterval(() => this.tick(), 250);
    this.guard = (event) => { if (this.own().length) event.preventDefault(); };
    this.leaving = () => this.leave();
    window.addEventListener("beforeunload", this.guard);
    window.addEventListener("pagehide", this.leaving);
    this.tick();
    this.showRefusals();
  }

  close() {
    clearInterval(this.timer);
    window.removeEventListener("beforeunload", this.guard);
    window.removeEventListener("pagehide", this.leaving);
    this.box.remove();
  }

  // What was refused stays on the page, also over a reload, until somebody has looked: the agent is elsewhere by then.
  refusals() {
    try { return JSON.parse(localStorage.getItem(`usherd-refused-${this.app.agent}`)) || []; } catch { return []; }
  }

  keepRefusals(list) {
    const store = `usherd-refused-${this.app.agent}`;
    if (list.length) localStorage.setItem(store, JSON.stringify(list.slice(-REFUSED_MAX)));
    else localStorage.removeItem(store);
    this.showRefusals();
  }

  refused(one, message) {
    const { contact, resolve } = one.fields;
    const words = (resolve ? T.refusedResolve : T.refusedReply)(one.to, message);
    document.getElementById("alarm").textContent = words;
    this.keepRefusals([...this.refusals().filter((other) => other.contact !== contact), { contact, words }]);
  }

  settle(contact) { this.keepRefusals(this.refusals().filter((one) => one.contact !== contact)); }

  showRefusals() {
    this.refusalBox.replaceChildren(...this.refusals().map((one) => h("div", { class: "toast refusal bad" }, h("span", {}, one.words),
      h("button", { onclick: () => { this.settle(one.contact); this.app.go(one.contact); } }, T.openContact),
      h("button", { onclick: () => this.settle(one.contact) }, T.dismiss))));
  }

  store() { return `usherd-held-${this.app.agent}`; }

  all() {
    try { return JSON.parse(localStorage.getItem(this.store())) || []; } catch { return []; }
  }

  own() { return this.all().filter((one) => one.tab === tab); }

  of(contact) { return this.all().find((one) => one.fields.contact === contact); }

  keep(list) {
    if (list.length) localStorage.setItem(this.store(), JSON.stringify(list));
    else localStorage.removeItem(this.store());
  }

  change(key, fields) { this.keep(this.all().map((one) => (one.key === key ? { ...one, ...fields } : one))); }

  drop(key) { this.keep(this.all().filter((one) => one.key !== key)); }

  // `to`: whom it goes to, for the line that says so.
  add(action, fields, to, ms) {
    const one = { key: newKey(), tab, action, fields, to, due: Date.now() + ms, sending: ms === 0 };
    this.keep([...this.all(), one]);
    this.tick();
    return one;
  }

  undo(key) {
    const one = this.all().find((held) => held.key === key);
    if (!one || one.sending) return;
    this.drop(key);
    this.app.takeBack(one, T.takenBack);
    this.tick();
  }

  now(key) {
    this.change(key, { due: 0 });
    this.tick();
  }

  tick() {
    const time = Date.now();
    for (const one of this.all()) {
      const mine = one.tab === tab;
      if (this.busy.has(one.key) || time < one.due + (mine ? 0 : OTHERS_MS)) continue;
      if (!one.sending && one.due && time > one.due + STALE_MS) {
        this.drop(one.key);
        this.app.takeBack(one, T.notSent(one.to));
      } else this.send(one);
    }
    this.show(time);
  }

  async send(one) {
    this.busy.add(one.key);
    this.change(one.key, { sending: true, tab });
    let answer;
    try {
      answer = await act(one.action, one.fields, () => {
        this.trying.add(one.key);
        if (one.fields.contact !== this.app.shown) say(T.stillTrying); // the composer says it itself
      }, one.key);
    } catch (error) {
      if (error instanceof Refused && error.status === 401) { this.busy.delete(one.key); this.app.gate(error.message); return; }
      answer = { ok: false, message: error.message || T.failed };
    }
    this.busy.delete(one.key);
    this.trying.delete(one.key);
    this.drop(one.key);
    if (answer.ok) this.app.wasSent(one, answer);
    else this.app.takeBack(one, answer.message, "bad");
    this.tick();
  }

  // The page goes: what is held is sent now; whoever loads the page again learns what became of it, by the same key.
  leave() {
    for (const one of this.own()) {
      this.change(one.key, { due: 0, sending: true });
      sendOnLeaving(one.action, one.fields, one.key);
    }
  }

  show(time) {
    const shown = this.all().filter((one) => one.fields.contact !== this.app.shown || !one.fields.contact);
    for (const [key, bar] of this.bars) if (!shown.some((one) => one.key === key)) { bar.root.remove(); this.bars.delete(key); }
    for (const one of shown) {
      let bar = this.bars.get(one.key);
      if (!bar) {
        const words = h("span", {});
        bar = { words, root: h("div", { class: "toast hold" }, words,
          h("button", { onclick: () => this.undo(one.key) }, T.undo), h("button", { onclick: () => this.now(one.key) }, T.sendNow)) };
        this.bars.set(one.key, bar);
        this.box.append(bar.root);
      }
      const words = this.trying.has(one.key) ? T.stillTrying : one.sending ? T.sendingTo(one.to) : T.goesOut(one.to, Math.max(0, Math.ceil((one.due - time) / 1000)));
      if (bar.words.textContent !== words) bar.words.textContent = words;
      for (const button of bar.root.querySelectorAll("button")) button.hidden = one.sending;
    }
    this.app.thread?.composer.showHeld(this.of(this.app.shown), time);
  }

  isTrying(key) { return this.trying.has(key); }
}
