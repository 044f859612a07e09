// Where an agent writes: a reply to the customer, or a note among colleagues. A draft outlives the browser.

import { get } from "./api.js";
import { fill, h, icon, say, toast } from "./dom.js";
import { Enclosing } from "./enclosing.js";
import { askSaved, unfilled } from "./saved.js";
import { T } from "./texts.js";

const NOTE_SIGN = "//"; // as in Slack: a text that begins so stays inside

export class Composer {
  constructor(app, contact) {
    this.app = app;
    this.id = contact;
    this.mode = "reply";
    this.busy = false;
    this.copied = new Set(); // addresses in copy that were ticked
    this.line = h("p", { class: "goes-to", id: `goes-${contact}` });
    this.text = h("textarea", { rows: "3", dir: "auto", "aria-describedby": `goes-${contact}`, data: { focus: "text" },
      oninput: () => this.changed(), onkeydown: (event) => this.key(event),
      onpaste: (event) => { if (!this.isNote() && this.files.from(event.clipboardData)) event.preventDefault(); } });
    this.tabs = ["reply", "note"].map((mode) =>
      h("button", { class: "tab", type: "button", data: { mode, focus: `mode-${mode}` }, onclick: () => this.choose(mode, true) },
        icon(mode === "reply" ? "email" : "note"), T[mode]));
    this.copies = h("fieldset", { class: "copies" });
    this.signature = h("div", { class: "signature", dir: "auto" });
    this.waiting = h("span", { class: "waiting-line", role: "status" });
    this.count = h("span", { class: "count-down" }); // not read out each second: it is said once
    const button = (kind, focus, does, ...content) => h("button", { type: "button", class: kind, data: { focus }, onclick: does }, content);
    this.savedButton = button("quiet small", "saved", () => this.pick(), icon("saved"), T.saved, h("kbd", {}, T.savedKeys));
    this.sendButton = button("primary", "send", () => this.send(false));
    this.resolveButton = button("", "send-resolve", () => this.send(true), icon("check"), T.sendResolve);
    this.undoButton = button("", "undo", () => this.held && this.app.holds.undo(this.held.key), T.undo);
    this.nowButton = button("primary", "now", () => this.held && this.app.holds.now(this.held.key), T.sendNow);
    this.keys = h("kbd", {}, T.sendKeys);
    this.files = new Enclosing(app, contact, () => this.card && this.show());
    const over = (event) => { if (event.dataTransfer?.types.includes("Files") && !this.noFiles()) { event.preventDefault(); this.dropping(true); } };
    this.root = h("form", { class: "composer", data: { drop: T.drop }, onsubmit: (event) => event.preventDefault(), ondragenter: over, ondragover: over,
      ondragleave: (event) => { if (!this.root.contains(event.relatedTarget)) this.dropping(false); },
      ondrop: (event) => { this.dropping(false); if (!this.noFiles() && this.files.from(event.dataTransfer)) event.preventDefault(); } },
      h("div", { class: "composer-head", role: "group", "aria-label": T.writeWhat }, this.tabs, this.line), this.copies, this.text, this.signature, this.files.root,
      h("div", { class: "composer-foot" }, this.savedButton, this.files.button, this.files.limit, this.waiting, this.count, this.keys, this.undoButton, this.nowButton,
        this.resolveButton, this.sendButton));
    this.text.value = localStorage.getItem(this.store()) || "";
    this.fit();
  }

  store(mode = this.mode) {
    return `usherd-draft-${this.app.agent}-${this.id}-${mode}`;
  }

  update(card) {
    this.card = card;
    const reply = card.actions.includes("reply");
    const note = card.actions.includes("note");
    this.root.hidden = !reply && !note;
    if (!reply && this.mode === "reply" && !this.held) this.choose("note", false);
    else if (reply && this.forced) this.choose("reply", false);
    this.forced = !reply;
    for (const tab of this.tabs) tab.disabled = tab.dataset.mode === "reply" ? !reply : !note;
    this.showCopies(card);
    this.show();
  }

  // Who was in copy gets the reply only when ticked: a reply to all is never sent by accident.
  showCopies(card) {
    const content = JSON.stringify(card.cc);
    if (content === this.copiesContent) return;
    this.copiesContent = content;
    this.copied = new Set([...this.copied].filter((one) => card.cc.some((party) => party.address === one)));
    const boxes = card.cc.map((party) => {
      const box = h("input", { type: "checkbox", checked: this.copied.has(party.address), onchange: (event) => {
        if (event.target.checked) this.copied.add(party.address);
        else this.copied.delete(party.address);
        if (all) all.checked = this.copied.size === card.cc.length;
        this.show();
      } });
      return { box, label: h("label", { class: "choice" }, box, h("span", { title: party.address }, party.name || party.address)) };
    });
    const all = card.cc.length > 1 && h("input", { type: "checkbox", onchange: (event) => {
      this.copied = new Set(event.target.checked ? card.cc.map((party) => party.address) : []);
      for (const { box } of boxes) box.checked = event.target.checked;
      this.show();
    } });
    this.copies.replaceChildren();
    fill(this.copies, h("legend", {}, T.copiesLegend), all && h("label", { class: "choice" }, all, h("strong", {}, T.replyAll)), boxes.map((one) => one.label));
  }

  choose(mode, focus) {
    if (mode !== this.mode && !this.held) {
      this.mode = mode;
      this.text.value = localStorage.getItem(this.store()) || "";
      this.fit();
    }
    this.show();
    if (focus) this.text.focus();
  }

  show() {
    const note = this.isNote();
    const held = this.held;
    this.root.classList.toggle("noting", note);
    this.root.classList.toggle("holding", Boolean(held));
    for (const tab of this.tabs) tab.setAttribute("aria-pressed", String(tab.dataset.mode === this.mode));
    this.text.placeholder = this.mode === "note" ? T.notePlaceholder : T.replyPlaceholder;
    this.text.setAttribute("aria-label", this.mode === "note" ? T.writeNote : T.writeReply);
    this.line.textContent = note ? T.noteLine : T.goesTo(this.card?.replies_line || "", this.copied.size);
    this.copies.hidden = note || !this.card?.cc.length || Boolean(held);
    this.signature.textContent = note ? "" : this.card?.signature || "";
    this.signature.hidden = !this.signature.textContent;
    this.sendButton.replaceChildren(icon(note ? "note" : "telegram"), this.busy ? T.sending : note ? T.saveNote : T.send);
    this.files.lock(this.noFiles());
    this.files.root.hidden = note;
    this.files.button.hidden = this.files.limit.hidden = this.noFiles();
    const files = !note && (this.files.ready().length > 0);
    const pending = !note && !held && this.files.pending();
    if (pending !== this.pending) { this.pending = pending; this.waiting.textContent = pending ? T.filesPending : ""; }
    const empty = (!this.text.value.trim() && !files) || pending || this.busy;
    this.sendButton.hidden = Boolean(held);
    this.sendButton.disabled = empty;
    this.resolveButton.hidden = note || Boolean(held) || !this.card?.actions.includes("resolve");
    this.resolveButton.disabled = empty;
    this.undoButton.hidden = this.nowButton.hidden = !held || held.sending;
    this.savedButton.hidden = note || Boolean(held);
    this.keys.textContent = held ? T.undoKeys : T.sendKeys;
    this.text.readOnly = this.busy || Boolean(held);
  }

  // Whether no file can be attached now.
  noFiles() {
    return this.isNote() || this.busy || Boolean(this.held) || !this.card?.actions.includes("reply");
  }

  dropping(on) {
    this.root.classList.toggle("dropping", on);
  }

  isNote() {
    return !this.held && (this.mode === "note" || this.text.value.startsWith(NOTE_SIGN));
  }

  changed() {
    if (this.text.value) localStorage.setItem(this.store(), this.text.value);
    else localStorage.removeItem(this.store());
    if (this.text.value) this.app.typing(!this.isNote());
    this.fit();
    this.show();
  }

  fit() {
    this.text.style.height = "auto";
    this.text.style.height = `${Math.min(this.text.scrollHeight + 2, window.innerHeight * 0.4)}px`;
  }

  key(event) {
    const strong = event.ctrlKey || event.metaKey;
    if (event.key === "Enter" && strong) {
      event.preventDefault();
      if (this.held) this.app.holds.now(this.held.key);
      else this.send(event.shiftKey);
    } else if (event.key.toLowerCase() === "z" && strong && this.held) {
      event.preventDefault();
      this.app.holds.undo(this.held.key);
    } else if (event.key.toLowerCase() === "k" && strong && !this.isNote()) {
      event.preventDefault();
      this.pick();
    } else if (event.key === "Escape") {
      this.left = true;
      this.text.blur();
    }
  }

  // -- saved replies --------------------------------------------------------------------------------------------------

  async pick() {
    if (this.held || !this.card?.actions.includes("reply")) return;
    if (this.mode !== "reply") this.choose("reply", true);
    const chosen = await askSaved(get(`contacts/${encodeURIComponent(this.id)}/saved`).then((answer) => answer.replies));
    this.text.focus();
    if (chosen) this.put(chosen.text);
  }

  put(text) {
    const { selectionStart: from, selectionEnd: to } = this.text;
    this.text.setRangeText(text, from, to, "end");
    this.changed();
    const left = unfilled(this.text.value);
    if (left) this.text.setSelectionRange(...left);
  }

  // -- sending --------------------------------------------------------------------------------------------------------

  async send(resolve) {
    const written = this.text.value;
    if (this.busy || this.held || !this.card) return;
    const note = this.isNote();
    const text = note && written.startsWith(NOTE_SIGN) ? written.slice(NOTE_SIGN.length).trimStart() : written;
    if (!text.trim() && (note || !this.files.ready().length)) return;
    if (!note && this.files.pending()) { toast(T.filesPending, "bad"); return; }
    if (note) await this.save(text);
    else this.hold(text, resolve);
  }

  hold(text, resolve) {
    const left = unfilled(text);
    if (left) {
      this.text.focus();
      this.text.setSelectionRange(...left);
      toast(T.fillIn(text.slice(...left)), "bad");
      return;
    }
    const cc = this.card.cc.map((party) => party.address).filter((address) => this.copied.has(address));
    this.left = false; // whoever leaves while it is sent is not called back
    this.app.holds.add("reply", { contact: this.id, text, resolve, answers: this.card.answers, cc, files: this.files.ready().map((one) => one.id) }, this.card.contact.who, this.app.desk.hold_ms);
  }

  // `held`: this contact's reply that is not sent yet, or nothing.
  showHeld(held, time) {
    const before = this.held;
    this.held = held;
    if (held && (before?.key !== held.key || before.sending !== held.sending)) {
      this.mode = "reply";
      if (!before && !held.sending) say(T.goesOut(held.to, Math.ceil((held.due - time) / 1000)));
      this.text.value = held.fields.text;
      this.fit();
      this.show();
    }
    if (held) {
      const words = held.sending ? T.sending : T.goesOutShort(Math.max(0, Math.ceil((held.due - time) / 1000)));
      const trying = this.app.holds.isTrying(held.key);
      const line = trying ? T.stillTrying : "";
      if (this.waiting.textContent !== line) this.waiting.textContent = line;
      this.count.textContent = trying ? "" : words;
    } else if (before) {
      this.waiting.textContent = this.count.textContent = "";
      this.text.value = localStorage.getItem(this.store()) || "";
      this.fit();
      if (this.card) this.update(this.card);
      this.comeBack();
    }
  }

  // What is kept changed without us.
  reload() {
    this.files.reload();
    if (this.held) return;
    this.text.value = localStorage.getItem(this.store()) || "";
    this.fit();
    this.show();
  }

  async save(text) {
    const store = this.store();
    this.busy = true;
    this.left = false;
    this.show();
    const done = await this.app.act("note", { contact: this.id, text }, () => { this.waiting.textContent = T.stillTrying; });
    this.waiting.textContent = "";
    this.busy = false;
    if (done) {
      localStorage.removeItem(store);
      this.text.value = "";
      this.fit();
    }
    this.show();
    this.comeBack();
  }

  comeBack() {
    const idle = document.activeElement === document.body || this.root.contains(document.activeElement);
    if (idle && !this.left && this.root.isConnected && !this.root.hidden) this.text.focus();
  }
}
