// The desk page: signs in, keeps the views up to date, does what is pressed.

import { Refused, act, get, signIn, signOut, whoAmI } from "./api.js";
import { askCall, askDecline, askIncident, askLink, askMerge, askPriority, askSnooze, askSpam, askTopics, askTransfer, askUnlink, askWishes, showHelp, showWhy } from "./dialogs.js";
import { h, icon, say, toast } from "./dom.js";
import { Live } from "./live.js";
import { assign, forgetDraft, rehearse, startContact } from "./handing.js";
import { Head, theme } from "./head.js";
import { filesOf } from "./enclosing.js";
import { Holds } from "./holds.js";
import { Keys } from "./keys.js";
import { LeadView } from "./lead.js";
import { Lists, Queue } from "./lists.js";
import { HistoryView, SearchView } from "./search.js";
import { Thread } from "./thread.js";
import { T } from "./texts.js";
import { now, refreshTimes, setServerTime } from "./time.js";

const PLACES = { queue: "queue", search: "search", k: "history", lead: "lead" }; // what stands in the address → the view

const SAYS_TOPICS = ["confirm", "none"]; // one click each; both re-tag

class App {
  constructor(root) {
    this.root = root;
    this.shown = null; // id of the contact that is open
    this.view = "lists"; // lists | contact | queue: which pane a phone shows
    this.offers = new Set();
    this.threads = new Map();
    this.news = new Map(); // how often the line told of what
    this.keys = new Keys(this);
    theme();
    window.addEventListener("hashchange", () => this.route());
    setInterval(() => refreshTimes(), 1000);
  }

  // -- in and out ---------------------------------------------------------------------------------------------------

  async start() {
    const link = new URLSearchParams(location.hash.slice(1)).get("link");
    if (link) {
      history.replaceState(null, "", location.pathname); // a used link is of no use in the history
      this.root.replaceChildren(h("main", { class: "gate" }, h("p", {}, T.signingIn)));
      try {
        await signIn(link);
      } catch (error) {
        if (!(await this.tryDesk())) this.gate(error.message || T.noAnswer);
        return;
      }
    }
    if (!(await this.tryDesk())) this.gate();
  }

  async tryDesk() {
    for (let tries = 0; ; tries += 1) {
      try {
        if (!(await whoAmI()).agent) return false;
        this.build(await get("desk"));
        return true;
      } catch (error) {
        if (error instanceof Refused && error.status === 401) return false;
        this.root.replaceChildren(h("main", { class: "gate" }, h("p", {}, T.noAnswer)));
        await new Promise((done) => setTimeout(done, Math.min(500 * 2 ** tries, 8000)));
      }
    }
  }

  gate(problem) {
    this.live?.end();
    this.holds?.close();
    this.lists = null;
    this.threads.clear();
    this.thread = null;
    document.title = T.title("", 0);
    this.root.replaceChildren(h("main", { class: "gate" },
      h("div", { class: "gate-card" }, h("img", { src: "/static/desk/icon.svg", alt: "", width: "48", height: "48" }),
        h("h1", {}, T.signInTitle), problem && h("p", { class: "problem", role: "alert" }, problem),
        h("p", {}, T.signInText), h("pre", {}, h("code", {}, T.signInCommand)), h("p", { class: "muted" }, T.signInNote))));
  }

  async leave() {
    this.holds.leave(); // what is held goes out before the session ends
    let ended = false;
    try { ended = (await signOut()).ended; } catch { /* said below */ }
    this.gate(ended ? T.signedOut : T.signedOutHere);
  }

  build(desk) {
    this.agent = desk.me.id;
    this.threads.clear();
    this.thread = null;
    this.lists = new Lists(this);
    this.queue = new Queue(this);
    this.search = new SearchView(this);
    this.lead = desk.me.role === "agent" ? null : new LeadView(this);
    this.main = h("main", { id: "main", tabindex: "-1" });
    this.emptyWord = h("p"); // what stands there while no contact is open
    this.head = new Head(this, Boolean(this.lead));
    this.root.replaceChildren(
      this.head.skip, this.head.root, this.head.notice, h("div", { class: "panes" }, this.lists.root, this.main));
    this.live?.end();
    this.live = new Live({
      frame: (frame) => this.frame(frame),
      state: (connected) => this.head.connected(connected),
      signedOut: () => this.gate(T.signedOut),
    });
    this.showDesk(desk);
    this.holds?.close();
    this.holds = new Holds(this);
    this.root.append(this.holds.box);
    this.route();
    this.live.start();
  }

  // -- news ---------------------------------------------------------------------------------------------------------

  frame(frame) {
    if (!this.lists) return;
    const about = frame.type === "contact" ? `contact ${frame.id}` : frame.type;
    this.news.set(about, (this.news.get(about) || 0) + 1);
    if (frame.type === "desk") this.showDesk(frame.desk);
    else if (frame.type === "contact" && frame.id === this.shown) this.showCard(frame.contact);
    else if (frame.type === "waiting") this.queue.update(frame.waiting);
    else if (frame.type === "overview") this.lead?.update(frame.overview);
    else if (frame.type === "others" && frame.id === this.shown) this.thread?.showOthers(frame);
    else if (frame.type === "queue") this.head.showQueueCount(frame.queue);
    else if (frame.type === "tick") setServerTime(frame.now);
    refreshTimes();
  }

  // What a page is opened with; null if the line brought something newer about it while the answer was under way.
  async ask(about, path) {
    const before = this.news.get(about);
    const found = await get(path);
    return this.news.get(about) === before ? found : null;
  }

  showDesk(desk) {
    setServerTime(desk.now);
    this.desk = desk;
    this.head.showDesk(desk);
    this.lists.update(desk);
    this.emptyWord.textContent = desk.me.status === "available" || desk.notice ? T.emptyMain : T.emptyMainNotAvailable;
    for (const offer of desk.offers) {
      if (!this.offers.has(offer.offer)) this.heard(T.newOffer(offer.contact.who, offer.contact.subject));
    }
    this.offers = new Set(desk.offers.map((offer) => offer.offer));
    refreshTimes();
  }

  showCard(card) {
    if (!this.thread) return;
    if (!card) {
      this.threads.delete(this.shown);
      this.thread.gone();
      return;
    }
    setServerTime(card.now);
    this.thread.update(card);
    refreshTimes();
  }

  heard(text) {
    say(text);
  }

  // -- where we are -------------------------------------------------------------------------------------------------

  route() {
    if (location.hash.includes("link=")) { this.start(); return; } // somebody else signs in here
    if (!this.lists) return;
    const [, place, id] = location.hash.split("/");
    this.shown = place === "c" && id ? decodeURIComponent(id) : null;
    this.view = this.shown ? "contact" : PLACES[place] || "lists";
    document.body.dataset.view = this.view;
    this.live.show({ contact: this.shown, waiting: this.view === "queue", overview: this.view === "lead" });
    this.lists.mark(this.shown);
    if (this.shown) this.openContact(this.shown);
    else if (this.view === "queue") this.openQueue();
    else if (this.view === "search") this.openSearch();
    else if (this.view === "lead" && this.lead) this.openLead();
    else if (this.view === "history") this.openHistory(decodeURIComponent(id || ""));
    else {
      this.thread = null;
      this.main.replaceChildren(h("div", { class: "empty big" }, icon("email"), this.emptyWord, h("p", { class: "muted" }, T.emptyMainHint)));
    }
  }

  async openContact(contact) {
    // Kept while the page lives, so that a draft and its place are there on coming back.
    if (!this.threads.has(contact)) this.threads.set(contact, new Thread(this, contact));
    this.thread = this.threads.get(contact);
    // Taking a page out and putting it in again would take the focus from what somebody is about to press.
    if (this.main.firstElementChild !== this.thread.root) this.main.replaceChildren(this.thread.root);
    this.holds.tick();
    try {
      const card = await this.ask(`contact ${contact}`, `contacts/${encodeURIComponent(contact)}`);
      if (card && this.shown === contact) this.showCard(card);
    } catch (error) {
      if (error instanceof Refused && error.status === 401) this.gate(error.message);
      else if (error instanceof Refused && this.shown === contact) this.showCard(null);
    }
  }

  async openQueue() {
    this.thread = null;
    this.main.replaceChildren(this.queue.root);
    try {
      const waiting = await this.ask("waiting", "waiting");
      if (waiting) this.queue.update(waiting);
    } catch { /* the line brings it */ }
    refreshTimes();
  }

  async openLead() {
    this.thread = null;
    this.main.replaceChildren(this.lead.root);
    try {
      const overview = await this.ask("overview", "overview");
      if (overview) this.lead.update(overview);
    } catch { /* the line brings it */ }
  }

  openSearch() {
    this.thread = null;
    this.main.replaceChildren(this.search.root);
    this.search.open();
  }

  async openHistory(customer) {
    this.thread = null;
    const view = new HistoryView(this);
    this.main.replaceChildren(view.root);
    try {
      view.update(await get(`customers/${encodeURIComponent(customer)}`));
    } catch (error) {
      if (error instanceof Refused && error.status === 401) this.gate(error.message);
      else view.gone();
    }
  }

  go(contact) {
    location.hash = `#/c/${encodeURIComponent(contact)}`;
  }

  // -- what is pressed ----------------------------------------------------------------------------------------------

  async act(action, fields, waiting) {
    try {
      const answer = await act(action, fields, waiting || (() => toast(T.stillTrying, "bad")));
      const undo = answer.ok && action === "resolve" &&
        { label: T.undo, does: () => this.act("reopen", { contact: fields.contact }) };
      toast(answer.message, answer.ok ? "good" : "bad", undo);
      return answer.ok;
    } catch (error) {
      if (error instanceof Refused && error.status === 401) this.gate(error.message);
      else toast(error.message || T.failed, "bad");
      return false;
    }
  }

  assign(contact) { return assign(this, contact); }

  startContact() { return startContact(this); }

  whatif() { return rehearse(); }

  setStatusOf(target, status) { return this.act("status", { status, target }); }

  typing(reply) {
    this.live.typing(reply);
  }

  // A held reply was stored: it is no draft any more.
  wasSent(one, answer) {
    if (one.action === "start") {
      forgetDraft(this.agent);
      toast(answer.message);
      if (answer.contact && this.view === "lists") this.go(answer.contact);
      return;
    }
    const composer = this.threads.get(one.fields.contact)?.composer;
    localStorage.removeItem(`usherd-draft-${this.agent}-${one.fields.contact}-reply`);
    localStorage.removeItem(filesOf(this.agent, one.fields.contact));
    this.holds.settle(one.fields.contact);
    composer?.copied.clear();
    composer?.reload();
    toast(answer.message, "good", one.fields.resolve ? { label: T.reopen, does: () => this.act("reopen", { contact: one.fields.contact }) } : null);
  }

  // A held reply was not sent: undone, or refused.
  takeBack(one, message, kind = "good") {
    if (one.action === "start") { // the dialog kept what was typed
      toast(message, kind, { label: T.newContact, does: () => this.startContact() });
      return;
    }
    localStorage.setItem(`usherd-draft-${this.agent}-${one.fields.contact}-reply`, one.fields.text);
    this.threads.get(one.fields.contact)?.composer.reload();
    if (kind === "bad") this.holds.refused(one, message);
    else toast(message, kind);
  }

  async accept(contact, offer) {
    if (await this.act("accept", { contact, offer })) this.go(contact);
  }

  async decline(contact, offer) {
    const chosen = await askDecline();
    if (chosen) await this.act("decline", { contact, offer, ...chosen });
  }

  async take(contact) {
    if (await this.act("take", { contact })) this.go(contact);
  }

  async setStatus(status) {
    if (!(await this.act("status", { status }))) { this.lists.meContent = null; this.lists.showMe(this.desk.me); }
  }

  async why(contact) {
    try { await showWhy(await get(`contacts/${encodeURIComponent(contact)}/why`)); } catch (error) { toast(error.message || T.failed, "bad"); }
  }

  async incident(incident, said) {
    const chosen = await askIncident(said || "");
    if (chosen) await this.act("incident", { incident, ...chosen });
  }

  async press(action, card, which) {
    const contact = card.contact.id;
    const chosen = card.topics.filter((topic) => topic.chosen).map((topic) => topic.id);
    const people = async () => get(`contacts/${encodeURIComponent(contact)}/people`);
    const ask = {
      accept: async () => ({ offer: card.offer }),
      decline: async () => { const chosen = await askDecline(); return chosen && { offer: card.offer, ...chosen }; },
      transfer: async () => askTransfer(await people()),
      snooze: async () => askSnooze(now()),
      retag: async () => askTopics(await people(), chosen),
      confirm: async () => ({ topics: chosen }),
      none: async () => ({ topics: [] }),
      priority: async () => askPriority(card.contact.priority),
      call: async () => askCall(await people()),
      merge: async () => { const twin = await askMerge((await get(`contacts/${encodeURIComponent(contact)}/twins`)).twins); return twin && { contact: twin, into: contact }; },
      spam: async () => askSpam(),
      link: askLink,
      customer: async () => askWishes(card.wishes),
      unlink: async () => { const chosen = await askUnlink(); return chosen && { link: which, ...chosen }; },
    }[action] || (async () => ({}));
    try {
      const fields = await ask();
      if (fields) await this.act(SAYS_TOPICS.includes(action) ? "retag" : action, { contact, ...fields });
    } catch (error) {
      toast(error.message || T.failed, "bad");
    }
  }

  help() {
    return showHelp(this.keys.singleKeys, (on) => this.keys.choose(on));
  }
}

new App(document.getElementById("app")).start();
