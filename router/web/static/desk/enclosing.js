// Files that go with a reply. Each is stored on the server as soon as it is chosen; the reply only names it, so that an
// undone reply still has it, and so has a draft that outlives the browser.

import { ofContact, ofLetter, upload } from "./api.js";
import { h, icon, say, toast } from "./dom.js";
import { T } from "./texts.js";
import { size } from "./time.js";

const megabytes = (bytes) => `${Math.floor(bytes / 1e6)} MB`;
export const filesOf = (agent, contact) => `usherd-draft-${agent}-${contact}-files`;

export class Enclosing {
  // `changed()` is called when the list is another one. `to()`: of a letter that opens a contact, whom it goes to.
  constructor(app, contact, changed, to = null) {
    Object.assign(this, { app, id: contact, changed, to, locked: false });
    this.picker = h("input", { type: "file", multiple: true, class: "hidden-input", tabindex: "-1", "aria-hidden": "true", onchange: () => {
      this.take([...this.picker.files]);
      this.picker.value = "";
    } });
    this.limit = h("span", { class: "muted small-text", id: `limit-${contact}` });
    this.button = h("button", { class: "quiet small", type: "button", data: { focus: "attach" }, "aria-describedby": `limit-${contact}`,
      onclick: () => this.picker.click() }, icon("clip"), T.attach);
    this.list = h("ul", { class: "enclosures", "aria-label": T.enclosed });
    this.root = h("div", { class: "enclosing" }, this.picker, this.list);
    this.reload();
  }

  reload() {
    const waiting = (this.items || []).filter((one) => !one.id);
    let kept = [];
    try { kept = JSON.parse(localStorage.getItem(filesOf(this.app.agent, this.id))) || []; } catch { /* none */ }
    this.items = [...kept, ...waiting];
    this.draw();
  }

  ready() { return this.items.filter((one) => one.id); }

  pending() { return this.items.some((one) => !one.id && !one.failed); }

  // No change while a reply is held or sent, nor where nobody may answer.
  lock(locked) {
    if (locked === this.locked) return;
    this.locked = locked;
    this.draw();
  }

  // Files that were dropped or pasted; true if there were any.
  from(data) {
    const files = [...(data?.files || [])];
    if (files.length && !this.locked) this.take(files);
    return files.length > 0;
  }

  take(files) {
    const { files_max: most, files_bytes: bytes } = this.app.desk;
    for (const file of files) {
      const held = this.items.reduce((sum, one) => sum + one.size, 0);
      if (this.items.length >= most) { toast(T.filesMany(most), "bad"); break; }
      if (!file.size) toast(T.fileEmpty(file.name), "bad");
      else if (held + file.size > bytes) toast(T.filesLarge(file.name, megabytes(bytes)), "bad");
      else this.send({ name: file.name, size: file.size, file });
    }
  }

  async send(one) {
    if (!this.items.includes(one)) this.items.push(one);
    Object.assign(one, { failed: "", share: 0 });
    this.draw();
    try {
      one.to = this.to?.();
      const place = this.to ? ofLetter(one.to) : ofContact(this.id);
      const answer = await upload(place, one.file, (share) => {
        one.share = share;
        if (one.bar) one.bar.value = share;
      });
      one.id = answer.id;
      if (!this.to) delete one.file; // a letter may yet go to somebody else, and its files with it
      say(T.attached(one.name));
    } catch (error) {
      one.failed = error.message || T.fileLost;
      toast(T.fileFailed(one.name, one.failed), "bad");
    }
    this.keep();
  }

  // A letter goes to somebody else: what was stored for the one before is stored anew.
  follow() {
    const astray = this.items.filter((one) => one.id && one.to !== this.to());
    const lost = astray.filter((one) => !one.file);
    this.items = this.items.filter((one) => !lost.includes(one));
    for (const one of lost) toast(T.attachAgain(one.name), "bad");
    for (const one of astray) if (one.file) { delete one.id; this.send(one); }
    this.keep();
  }

  remove(one) {
    const place = this.items.indexOf(one);
    this.items = this.items.filter((other) => other !== one);
    this.keep();
    say(T.removed(one.name));
    const next = this.list.querySelectorAll("button.remove")[place] || this.list.querySelector("button.remove") || this.button;
    next.focus();
  }

  keep() {
    const kept = this.ready().map(({ id, name, size: bytes, to }) => ({ id, name, size: bytes, to }));
    const store = filesOf(this.app.agent, this.id);
    if (kept.length) localStorage.setItem(store, JSON.stringify(kept));
    else localStorage.removeItem(store);
    this.draw();
  }

  draw() {
    if (this.app.desk) this.limit.textContent = T.filesLimit(this.app.desk.files_max, megabytes(this.app.desk.files_bytes));
    this.list.hidden = !this.items.length;
    this.list.replaceChildren(...this.items.map((one) => this.item(one)));
    this.changed();
  }

  item(one) {
    one.bar = !one.id && !one.failed && h("progress", { max: "1", value: one.share, "aria-label": T.onItsWay(one.name) });
    return h("li", { class: one.failed ? "failed" : "" }, icon("clip"), h("span", { class: "file-name" }, one.name), h("span", { class: "muted" }, size(one.size)),
      one.bar, one.failed && h("span", { class: "warning" }, one.failed),
      one.failed && h("button", { type: "button", class: "small", onclick: () => this.send(one) }, T.retry),
      !this.locked && (one.id || one.failed) && h("button", { type: "button", class: "icon-button remove", "aria-label": T.removeFile(one.name), onclick: () => this.remove(one) }, icon("cross")));
  }
}
