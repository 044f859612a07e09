// The widget: what the visitor sees and does. Words from anybody go into the page as text only.

const ICONS = {
  chat: "M21 11.5a8.5 8.5 0 0 1-12.4 7.6L3 21l1.9-5.6A8.5 8.5 0 1 1 21 11.5z",
  close: "M6 6l12 12M18 6L6 18",
  down: "M6 9.5l6 6 6-6",
  send: "M4 12l16-7-5 15-3.5-6.5zM11.5 13.5L20 5",
  clip: "M20.5 11.5l-8.8 8.8a5.5 5.5 0 0 1-7.8-7.8l9-9a3.7 3.7 0 0 1 5.2 5.2l-9 9a1.8 1.8 0 0 1-2.6-2.6l8.3-8.3",
  file: "M14 3H6v18h12V7zM14 3v4h4",
  done: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM8 12.5l2.7 2.7L16 10",
};
const TYPING_EVERY = 3000, TYPING_SHOWN = 6000, GROUP_GAP = 300000, STALLED_AFTER = 8000, FIELD_MAX = 132;

if (window.usherdChat) return;
const script = document.currentScript;
const options = script ? script.dataset : {};
const base = new URL(script ? script.src : location.href);
const lang = language(options.lang ? [options.lang] : navigator.languages);
const locale = navigator.languages.find((tag) => tag.toLowerCase().split("-")[0] === lang) || lang;
const T = TEXTS[lang];
const keep = new Keep(base.host);
const proof = /^#usherd=([\w-]{54})$/.exec(location.hash)?.[1]; // whoever comes by a link from a mail of ours
if (proof) {
  keep.set("proof", proof);
  history.replaceState(null, "", location.pathname + location.search); // not to stand in the address bar
}

function h(tag, props = {}, ...kids) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name in node && name !== "role") node[name] = value;
    else if (value !== null) node.setAttribute(name, value);
  }
  node.append(...kids.filter((kid) => kid !== null && kid !== undefined && kid !== false));
  return node;
}

function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  svg.append(document.createElementNS(svg.namespaceURI, "path"));
  svg.firstChild.setAttribute("d", ICONS[name]);
  return svg;
}

class Widget {
  constructor() {
    this.room = { title: "", form: false, file_bytes: 1e7, text_characters: 4000 };
    this.standing = { state: "none", who: "", online: true };
    this.shown = false;
    this.unread = 0;
    this.seen = new Set();
    this.known = false;
    this.form = null;
    this.typed = 0;
    this.typist = 0;
    this.lostAt = 0;
    this.build();
    this.thread = new Thread(keep, (one) => this.upload(one), () => this.draw());
    const url = new URL("/chat/live", base);
    url.protocol = url.protocol.replace("http", "ws");
    this.line = new Line(url, () => ({ pass: keep.get("pass") || "", after: this.thread.cursor }), (frame) => this.heard(frame),
      (up) => this.lineChanged(up), () => this.stranger());
    this.thread.line = this.line;
    document.addEventListener("visibilitychange", () => this.look());
    if (keep.get("pass")) this.line.start();
    if (proof) this.open();
    else if (keep.get("open") === "1" && matchMedia("(min-width: 481px)").matches) this.open(false);
    this.draw();
  }

  // -- what is there ---------------------------------------------------------------------------------------------

  build() {
    this.count = h("span", { className: "count", hidden: true });
    this.launch = h("button", { className: "launch", type: "button", "aria-haspopup": "dialog", onclick: () => (this.shown ? this.close() : this.open()) }, icon("chat"), this.count);
    this.title = h("h2", { id: "t" });
    this.how = h("p", { className: "how" });
    this.list = h("div", { className: "log", role: "log", "aria-live": "polite", "aria-label": T.log });
    this.more = h("button", { className: "link more", type: "button", hidden: true, onclick: () => this.line.say({ type: "earlier", before: this.thread.items[0].id }) }, T.earlier);
    this.dots = h("div", { className: "dots", hidden: true }, h("i"), h("i"), h("i"));
    this.body = h("div", { className: "body", tabIndex: 0, role: "region", "aria-label": T.log }, this.more, this.list, this.dots);
    this.field = h("textarea", { rows: 1, placeholder: T.write, "aria-label": T.write, enterKeyHint: "send", oninput: () => this.input(), onkeydown: (event) => this.key(event), onpaste: (event) => this.files(event, event.clipboardData) });
    this.picker = h("input", { type: "file", multiple: true, hidden: true, onchange: () => this.picked() });
    this.go = h("button", { className: "icon go", type: "submit", "aria-label": T.send, disabled: true }, icon("send"));
    const attach = h("button", { className: "icon", type: "button", "aria-label": T.attach, onclick: () => this.picker.click() }, icon("clip"));
    this.hint = h("p", { className: "hint", role: "status" });
    const say = h("form", { className: "say", onsubmit: (event) => this.send(event) }, attach, this.picker, this.field, this.go);
    this.toForm = h("p", { className: "foot", hidden: true }, h("button", { className: "link", type: "button", onclick: () => this.leave() }, T.toForm));
    this.chat = [this.body, this.hint, say, this.toForm];
    this.said = h("p", { className: "unseen", role: "status" });
    const close = h("button", { className: "icon", type: "button", "aria-label": T.close, onclick: () => this.close() }, icon("close"));
    this.panel = h("section", { className: "panel", id: "p", role: "dialog", "aria-labelledby": "t", hidden: true, onkeydown: (event) => event.key === "Escape" && this.close(), ondragover: (event) => event.preventDefault(), ondrop: (event) => this.files(event, event.dataTransfer) },
      h("header", {}, h("div", {}, this.title, this.how), close), ...this.chat);
    this.all = h("div", { className: "all", lang }, this.panel, this.launch, this.said);
    this.host = h("div", { id: "usherd-chat", "data-theme": options.theme || null });
    if (options.accent) this.host.style.setProperty("--usherd-accent", options.accent);
    const root = this.host.attachShadow({ mode: "open" });
    const sheet = new CSSStyleSheet(); // not a style element: pages may forbid those
    sheet.replaceSync(CSS);
    root.adoptedStyleSheets = [sheet];
    root.append(this.all);
    document.body.append(this.host);
  }

  open(focus = true) {
    this.shown = true;
    keep.set("open", "1");
    this.unread = 0;
    this.line.start();
    this.panel.hidden = false;
    this.draw();
    this.body.scrollTop = this.body.scrollHeight;
    if (focus) (this.form?.querySelector("input, textarea, button") || this.field).focus();
  }

  // Back at the page: what is shown has been seen.
  look() {
    if (document.hidden || !this.shown) return;
    this.unread = 0;
    this.draw();
  }

  close() {
    this.shown = false;
    keep.set("open", null);
    this.panel.hidden = true;
    this.draw();
    this.launch.focus();
  }

  // -- the line --------------------------------------------------------------------------------------------------

  heard(frame) {
    if (frame.type === "welcome") {
      this.room = frame;
      if (frame.pass) keep.set("pass", frame.pass);
    } else if (frame.type === "standing") {
      this.standing = frame.standing;
      this.offerForm();
    } else if (frame.type === "typing") {
      this.typing(frame.who);
    } else if (frame.type === "items") {
      this.news(frame.items);
    } else if (frame.type === "refused" && frame.code === "slow") {
      this.tell(T.slow);
    }
    this.thread.heard(frame);
  }

  // The pass is no longer good: whoever comes back is somebody new, and sees nothing of before.
  stranger() {
    keep.set("pass", null);
    this.thread.cursor = "";
  }

  lineChanged(up) {
    if (up) this.lostAt = 0;
    else this.lostAt ||= Date.now();
    if (!up) setTimeout(() => this.draw(), STALLED_AFTER + 100);
    this.thread.lineChanged(up);
  }

  news(items) {
    const fresh = items.filter((one) => !one.mine && !this.seen.has(one.id));
    for (const one of items) this.seen.add(one.id);
    if (this.known && fresh.length) {
      this.typing("");
      if (!this.shown || document.hidden) this.unread += fresh.length;
      if (!this.shown) this.said.textContent = T.unread(this.unread);
    }
    this.known = true;
  }

  typing(who) {
    clearTimeout(this.typist);
    const end = this.atEnd();
    this.dots.hidden = !who;
    this.said.textContent = who ? T.typing(who) : "";
    if (who) this.typist = setTimeout(() => this.typing(""), TYPING_SHOWN);
    if (end) this.body.scrollTop = this.body.scrollHeight;
  }

  // -- drawing ---------------------------------------------------------------------------------------------------

  draw() {
    const end = this.atEnd();
    this.launch.setAttribute("aria-expanded", this.shown);
    this.launch.setAttribute("aria-label", (this.shown ? T.close : T.open) + (this.unread ? `, ${T.unread(this.unread)}` : ""));
    this.launch.querySelector("path").setAttribute("d", this.shown ? ICONS.down : ICONS.chat);
    this.count.hidden = !this.unread;
    this.count.textContent = this.unread > 9 ? "9+" : this.unread;
    this.all.classList.toggle("opened", this.shown);
    if (!this.shown) return;
    this.title.textContent = options.title || this.room.title || "Chat";
    this.drawHow();
    this.more.hidden = !this.thread.more;
    this.toForm.hidden = !this.room.form || this.thread.items.length > 0;
    this.drawList();
    if (end) this.body.scrollTop = this.body.scrollHeight;
  }

  atEnd() {
    return this.body.scrollHeight - this.body.scrollTop - this.body.clientHeight < 60;
  }

  drawHow() {
    const { state, who, online } = this.standing;
    const lost = this.lostAt && Date.now() - this.lostAt > 2000;
    const calm = state === "open" && who ? T.withWho(who) : state === "waiting" && online ? T.waiting : online ? T.online : T.away;
    const text = lost ? T.lost : this.line.up || this.known ? calm : T.connecting;
    if (this.how.textContent !== text) this.how.textContent = text;
    this.how.className = `how ${lost ? "lost" : online && this.line.up ? "here" : ""}`;
  }

  // Nodes are kept by what they show, so that a screen reader is told only what is new.
  drawList() {
    const wanted = [];
    let before = null;
    const last = this.thread.items.findLast((one) => one.mine);
    if (this.known && !this.thread.items.length && !this.thread.waiting.length) {
      wanted.push(["hello", () => h("div", { className: "item theirs first" }, h("div", { className: "bubble" }, this.standing.online ? T.hello : T.helloAway))]);
    }
    for (const one of [...this.thread.items, ...this.thread.waiting.filter((each) => !each.email)]) {
      const mine = one.mine || !one.id;
      const day = new Date(one.at).toDateString();
      if (!before || day !== before.day) wanted.push([`day ${day}`, () => h("div", { className: "item day" }, dayName(one.at))]);
      const first = !before || before.day !== day || before.mine !== mine || before.who !== one.who || one.at - before.at > GROUP_GAP;
      const stalled = one.state === "sending" && !this.line.up && Date.now() - one.at > STALLED_AFTER;
      const sent = one === last && one.id && !this.thread.waiting.length;
      const key = `${one.client || one.id} ${first} ${one.state || ""} ${stalled} ${sent} ${one.code || ""} ${one.score || ""}`;
      wanted.push([key, () => this.item(one, mine, first, stalled, sent)]);
      before = { day, mine, who: one.who, at: one.at };
    }
    if (this.standing.state === "closed" && this.thread.items.length && !this.thread.waiting.length) {
      wanted.push(["closed", () => h("div", { className: "item day" }, T.closed)]);
    }
    const held = new Map([...this.list.children].map((node) => [node.key, node]));
    let spot = this.list.firstChild;
    for (const [key, make] of wanted) {
      const node = held.get(key) || Object.assign(make(), { key });
      held.delete(key);
      if (node === spot) spot = spot.nextSibling;
      else this.list.insertBefore(node, spot);
    }
    for (const node of held.values()) node.remove();
  }

  item(one, mine, first, stalled, sent) {
    const time = new Date(one.at).toLocaleTimeString(locale, { hour: "2-digit", minute: "2-digit" });
    const way = one.state ? (one.state === "failed" ? " failed" : " way") : "";
    const files = one.file ? [{ name: one.file.name, size: one.file.size }] : one.files || [];
    const node = h("div", { className: `item ${mine ? "mine" : "theirs"}${first ? " first" : ""}${way}` });
    const label = T.said(mine ? T.you : one.who || this.room.title, time);
    node.append(h("span", { className: !mine && first ? "who" : "unseen" }, label));
    if (one.text) node.append(h("div", { className: "bubble", title: time }, one.text));
    for (const file of files) {
      const words = [icon("file"), h("span", {}, file.name), h("small", {}, sizeName(file.size))];
      const get = { className: "bubble file", type: "button", "aria-label": T.get(file.name), onclick: () => this.fetch(one.id, file) };
      node.append(one.id ? h("button", get, ...words) : h("div", { className: "bubble file" }, ...words));
    }
    if (one.asks) {
      const choice = (text, place) => h("button", { className: "link", type: "button", onclick: () => this.line.say({ type: "rate", item: one.id, score: 5 - place }) }, text);
      node.append(one.score ? h("span", { className: "mark", role: "status" }, `${T.scores[5 - one.score]}. ${T.scored}`) : h("div", { className: "mark", role: "group", "aria-label": T.rate }, ...T.scores.map(choice)));
    }
    if (one.state === "failed" || stalled) {
      const why = one.code === "too_large" ? T.tooLarge(this.megabytes()) : one.file && one.state === "failed" ? T.noFile : stalled ? T.unsent : T.failed;
      node.append(h("span", { className: "mark" }, why, h("button", { className: "link", type: "button", onclick: () => this.thread.again(one.client) }, T.retry)));
    } else if (one.state || sent) {
      node.append(h("span", { className: "mark" }, one.state ? T.sending : T.sent));
    }
    return node;
  }

  tell(text, bad = false) {
    this.hint.textContent = text;
    this.hint.className = bad ? "hint bad" : "hint";
    clearTimeout(this.told);
    if (text) this.told = setTimeout(() => this.tell(""), 6000);
  }

  // -- writing ---------------------------------------------------------------------------------------------------

  input() {
    this.field.style.height = "44px";
    this.field.style.height = `${Math.min(this.field.scrollHeight, FIELD_MAX)}px`;
    const over = this.field.value.length - this.room.text_characters;
    this.go.disabled = !this.field.value.trim() || over > 0;
    if (over > 0) this.tell(T.tooLong(over), true);
    else if (this.hint.className === "hint bad") this.tell("");
    if (this.field.value && Date.now() - this.typed > TYPING_EVERY) {
      this.typed = Date.now();
      this.line.say({ type: "typing" });
    }
  }

  key(event) {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) this.send(event);
  }

  send(event) {
    event.preventDefault();
    if (this.go.disabled) return;
    this.thread.put({ text: this.field.value.trim(), name: options.name || "" });
    this.field.value = "";
    this.typed = 0;
    this.input();
    this.body.scrollTop = this.body.scrollHeight;
    this.field.focus();
  }

  picked() {
    this.take([...this.picker.files]);
    this.picker.value = "";
    this.field.focus();
  }

  files(event, from) {
    if (!from?.files?.length) return;
    event.preventDefault();
    this.take([...from.files]);
  }

  take(files) {
    for (const file of files) {
      if (file.size > this.room.file_bytes) this.tell(T.tooLarge(this.megabytes()), true);
      else if (file.size) this.thread.put({ file });
    }
    this.body.scrollTop = this.body.scrollHeight;
  }

  megabytes() {
    return Math.floor(this.room.file_bytes / 1e6);
  }

  async upload(one) {
    const headers = { Authorization: `Bearer ${keep.get("pass")}`, "Content-Type": one.file.type || "application/octet-stream", "X-Chat-Client": one.client, "X-Chat-Name": encodeURIComponent(one.file.name) };
    try {
      const answer = await fetch(new URL("/chat/files", base), { method: "POST", headers, body: one.file, credentials: "omit" });
      if (answer.ok) this.thread.stored(one.client, (await answer.json()).id);
      else if (answer.status === 429 || answer.status >= 500) this.thread.refused(one.client, "slow", Number(answer.headers.get("Retry-After")) || SLOW_STORE);
      else this.thread.refused(one.client, answer.status === 413 ? "too_large" : "no_file", null);
    } catch {
      this.thread.refused(one.client, "lost", SLOW_STORE);
    }
    this.draw();
  }

  async fetch(id, file) {
    try {
      const answer = await fetch(new URL(`/chat/links/${id}/${file.part}`, base), { method: "POST", headers: { Authorization: `Bearer ${keep.get("pass")}` }, credentials: "omit" });
      if (!answer.ok) throw new Error(answer.status);
      h("a", { href: new URL((await answer.json()).url, base), download: file.name }).click();
    } catch {
      this.tell(T.gone, true);
    }
  }

  // -- a message that is answered by mail --------------------------------------------------------------------------

  offerForm() {
    const begun = this.thread.items.length || this.thread.waiting.length || this.standing.state !== "none";
    if (!this.standing.online && this.room.form && !begun && !this.form && !this.declined) this.leave(false);
  }

  leave(focus = true) {
    const name = h("input", { id: "n", autocomplete: "name", maxLength: 80, value: options.name || "" });
    const email = h("input", { id: "e", type: "email", autocomplete: "email", required: true, maxLength: 254, value: options.email || "" });
    const text = h("textarea", { id: "m", required: true, maxLength: this.room.text_characters, value: this.field.value });
    const wrong = h("p", { className: "wrong", role: "alert" });
    const go = h("button", { className: "primary" }, T.send);
    const back = h("button", { className: "link", type: "button", onclick: () => this.unleave(true) }, T.toChat);
    const form = h("form", { className: "leave", noValidate: true },
      h("h3", {}, T.formTitle), h("p", {}, this.standing.online ? T.formText : `${T.away} ${T.formText}`),
      h("label", { htmlFor: "e" }, T.email), email, h("label", { htmlFor: "n" }, `${T.name} `, h("small", {}, `(${T.optional})`)), name,
      h("label", { htmlFor: "m" }, T.message), text, wrong, go, back);
    const fail = (field, words) => {
      wrong.textContent = words;
      go.disabled = false;
      go.textContent = T.send;
      field.focus();
    };
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const bad = !email.value.trim() || !email.checkValidity();
      if (bad || !text.value.trim()) return fail(bad ? email : text, bad ? T.badEmail : T.empty);
      wrong.textContent = "";
      go.disabled = true;
      go.textContent = T.sending;
      const done = (code) => (code ? fail(code === "empty" ? text : email, code === "bad_email" ? T.badEmail : T.failed) : this.left(email.value.trim()));
      this.thread.put({ email: email.value.trim(), name: name.value, text: text.value.trim(), done });
    });
    this.put(form);
    if (focus) email.focus();
  }

  left(email) {
    this.field.value = "";
    const done = h("div", { className: "done", tabIndex: -1 }, icon("done"), h("h3", {}, T.thanks), h("p", {}, T.thanksText(email)),
      h("button", { className: "link", type: "button", onclick: () => this.leave() }, T.another),
      h("button", { className: "link", type: "button", onclick: () => this.unleave(true) }, T.toChat));
    this.put(done);
    done.focus();
  }

  put(view) {
    this.form?.remove();
    this.form = view;
    for (const node of this.chat) node.style.display = "none";
    this.panel.append(view);
  }

  unleave(focus) {
    this.declined = true;
    this.form?.remove();
    this.form = null;
    for (const node of this.chat) node.style.display = "";
    this.draw();
    if (focus) this.field.focus();
  }
}

function dayName(at) {
  const day = new Date(at), now = new Date();
  const ago = Math.round((new Date(now.toDateString()) - new Date(day.toDateString())) / 864e5);
  return ago === 0 ? T.today : ago === 1 ? T.yesterday : day.toLocaleDateString(locale, { weekday: "long", day: "numeric", month: "long" });
}

function sizeName(bytes) {
  const [number, unit] = bytes < 1e6 ? [Math.max(1, bytes / 1e3), "kB"] : [bytes / 1e6, "MB"];
  return `${number.toLocaleString(locale, { maximumFractionDigits: unit === "MB" ? 1 : 0 })} ${unit}`;
}

function begin() {
  const widget = new Widget();
  window.usherdChat = { open: () => widget.open(), close: () => widget.close() };
}

if (document.body) begin();
else addEventListener("DOMContentLoaded", begin);
