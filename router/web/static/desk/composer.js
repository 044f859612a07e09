// Where an agent writes: a reply to the customer, or a note among colleagues. A draft outlives a reload.

import { h, icon } from "./dom.js";
import { T } from "./texts.js";

const NOTE_SIGN = "//"; // as in Slack: a text that begins so stays inside

export class Composer {
  constructor(app, contact) {
    this.app = app;
    this.id = contact;
    this.mode = "reply";
    this.busy = false;
    this.line = h("p", { class: "goes-to", id: `goes-${contact}` });
    this.text = h("textarea", { rows: "3", dir: "auto", "aria-describedby": `goes-${contact}`, data: { focus: "text" },
      oninput: () => this.changed(), onkeydown: (event) => this.key(event) });
    this.tabs = ["reply", "note"].map((mode) =>
      h("button", { class: "tab", type: "button", data: { mode, focus: `mode-${mode}` }, onclick: () => this.choose(mode, true) },
        icon(mode === "reply" ? "email" : "note"), T[mode]));
    this.sendButton = h("button", { class: "primary", data: { focus: "send" }, onclick: () => this.send(false) });
    this.resolveButton = h("button", { data: { focus: "send-resolve" }, onclick: () => this.send(true) }, icon("check"), T.sendResolve);
    this.waiting = h("span", { class: "waiting-line", role: "status" });
    this.root = h("form", { class: "composer", onsubmit: (event) => event.preventDefault() },
      h("div", { class: "composer-head", role: "group" }, this.tabs, this.line), this.text,
      h("div", { class: "composer-foot" }, this.waiting, h("kbd", {}, T.sendKeys), this.resolveButton, this.sendButton));
    for (const button of [this.sendButton, this.resolveButton]) button.type = "button";
    this.text.value = sessionStorage.getItem(this.store()) || "";
    this.fit();
  }

  store() {
    return `usherd-draft-${this.app.agent}-${this.id}-${this.mode}`;
  }

  update(card) {
    this.card = card;
    const reply = card.actions.includes("reply");
    const note = card.actions.includes("note");
    this.root.hidden = !reply && !note;
    if (!reply && this.mode === "reply") this.choose("note", false);
    else if (reply && this.forced) this.choose("reply", false);
    this.forced = !reply;
    for (const tab of this.tabs) tab.disabled = tab.dataset.mode === "reply" ? !reply : !note;
    this.show();
  }

  choose(mode, focus) {
    if (mode !== this.mode) {
      this.mode = mode;
      this.text.value = sessionStorage.getItem(this.store()) || "";
      this.fit();
    }
    this.show();
    if (focus) this.text.focus();
  }

  show() {
    const note = this.isNote();
    this.root.classList.toggle("noting", note);
    for (const tab of this.tabs) tab.setAttribute("aria-pressed", String(tab.dataset.mode === this.mode));
    this.text.placeholder = this.mode === "note" ? T.notePlaceholder : T.replyPlaceholder;
    this.text.setAttribute("aria-label", this.mode === "note" ? T.writeNote : T.writeReply);
    this.line.textContent = note ? T.noteLine : this.card?.replies_line || "";
    this.sendButton.replaceChildren(icon(note ? "note" : "telegram"), this.busy ? T.sending : note ? T.saveNote : T.send);
    this.resolveButton.hidden = note || !this.card?.actions.includes("resolve");
    const empty = !this.text.value.trim() || this.busy;
    this.sendButton.disabled = empty;
    this.resolveButton.disabled = empty;
  }

  isNote() {
    return this.mode === "note" || this.text.value.startsWith(NOTE_SIGN);
  }

  changed() {
    if (this.text.value) sessionStorage.setItem(this.store(), this.text.value);
    else sessionStorage.removeItem(this.store());
    this.fit();
    this.show();
  }

  fit() {
    this.text.style.height = "auto";
    this.text.style.height = `${Math.min(this.text.scrollHeight + 2, window.innerHeight * 0.4)}px`;
  }

  key(event) {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      this.send(event.shiftKey);
    } else if (event.key === "Escape") {
      this.left = true;
      this.text.blur();
    }
  }

  async send(resolve) {
    const written = this.text.value;
    if (this.busy || !written.trim() || !this.card) return;
    const note = this.isNote();
    const store = this.store();
    const text = note && written.startsWith(NOTE_SIGN) ? written.slice(NOTE_SIGN.length).trimStart() : written;
    if (!text.trim()) return;
    const fields = note ? { contact: this.id, text } : { contact: this.id, text, resolve, answers: this.card.answers };
    this.busy = true;
    this.left = false; // whoever leaves while it is sent is not called back
    this.text.readOnly = true;
    this.show();
    const done = await this.app.act(note ? "note" : "reply", fields, () => { this.waiting.textContent = T.stillTrying; });
    this.waiting.textContent = "";
    this.busy = false;
    this.text.readOnly = false;
    if (done) {
      sessionStorage.removeItem(store);
      this.text.value = "";
      this.fit();
    }
    this.show();
    const idle = document.activeElement === document.body || this.root.contains(document.activeElement);
    if (idle && !this.left && this.root.isConnected && !this.root.hidden) this.text.focus();
  }
}
