// A workspace of the fake Slack, drawn from the very blocks that were sent. Nothing here reads markup: the server sends
// spans, and every text of anybody's becomes a text node.
import { blocks, dates, element, entered, fill, spans } from "/page/blocks.js";

const page = Object.fromEntries([...document.querySelectorAll("[id]")].map((one) => [one.id, one]));
const wanted = new URLSearchParams(location.search);
const place = { as: wanted.get("as") ?? "", at: wanted.get("at") ?? "messages", thread: wanted.get("thread") };
let seen = null; // the state drawn last

// ---- the server ----------------------------------------------------------------------------------------------------

async function post(path, body) {
  const request = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ as: place.as, ...body }) };
  return fetch(path, request);
}

async function act(body) {
  const response = await post("/page/do", body);
  const answer = response.ok || response.status === 400 ? await response.json() : { problem: `error ${response.status}` };
  page.problem.textContent = answer.problem ? `That did not work: ${answer.problem}` : "";
  await look();
  return answer;
}

async function look() {
  const asked = place.as;
  const response = await fetch(`/page/state?as=${encodeURIComponent(asked)}`);
  const state = await response.json();
  if (asked !== place.as) return; // somebody else is looking by now
  if (!response.ok) {
    place.as = state.names[0] ?? "";
    if (place.as) await look();
    return;
  }
  // Answers may overtake each other: what is older than what is drawn is not drawn.
  if (seen?.me.name === state.me.name && state.version < seen.version) return;
  place.as = state.me.name;
  seen = state;
  draw(state);
}

// ---- what to draw --------------------------------------------------------------------------------------------------

function draw(state) {
  drawPlaces(state);
  const channel = state.channels.find((one) => one.id === place.at) ?? state.channels[0];
  const atHome = place.at === "home";
  page.title.textContent = atHome || channel.kind === "im" ? state.app.name : `#${channel.name}`;
  page.home.hidden = !atHome;
  page.messages.hidden = page.composer.hidden = atHome;
  drawTabs(atHome || channel.kind === "im", atHome);
  if (atHome) drawHome(state);
  page.composer.dataset.channel = page.answer.dataset.channel = channel.id;
  const top = channel.messages.filter((one) => one.thread === one.ts || one.only_you);
  drawMessages(page.messages, top, channel, state, true);
  const inside = channel.messages.filter((one) => one.thread === place.thread);
  page.thread.hidden = atHome || inside.length === 0;
  page.answer.dataset.thread = place.thread ?? "";
  drawMessages(page.replies, inside, channel, state, false);
  drawModal(state);
  page.link.textContent = state.sockets ? `The app is connected (${state.sockets}).` : "The app has no socket open.";
}

function drawPlaces(state) {
  const names = state.names.join();
  if (page.who.dataset.names !== names) {
    page.who.dataset.names = names;
    page.who.replaceChildren(...state.names.map((name) => element("option", { value: name }, name)));
  }
  page.who.value = state.me.name;
  const entries = state.channels.map((one) => [one.id, one.kind === "im" ? state.app.name : `#${one.name}`, false]);
  entries.push(...state.others.map((one) => [one.id, `Join #${one.name}`, true]));
  const now = JSON.stringify([entries, place.at]);
  if (page.places.dataset.now === now) return;
  page.places.dataset.now = now;
  const items = entries.map(([id, name, joins], number) => {
    const current = !joins && (place.at === id || (number === 0 && ["home", "messages"].includes(place.at)));
    const go = async () => {
      if (joins) await act({ do: "join", channel: id });
      await move(number === 0 ? "messages" : id);
    };
    return element("li", {}, element("button", { type: "button", "aria-current": String(current), onclick: go, key: `place ${id}` }, name));
  });
  redraw(page.places, items);
}

async function move(at) {
  place.at = at;
  place.thread = null;
  if (["home", "messages"].includes(at)) await act({ do: "home", tab: at });
  else await look();
}

function drawTabs(isApp, atHome) {
  const tab = (at, name) =>
    element("button", { type: "button", "aria-pressed": String(atHome === (at === "home")), onclick: () => move(at), key: at }, name);
  redraw(page.tabs, isApp ? [tab("home", "Home"), tab("messages", "Messages")] : []);
}

function drawHome(state) {
  const hash = state.home?.hash ?? "";
  if (page.home.dataset.hash === hash + place.as) return;
  page.home.dataset.hash = hash + place.as;
  const nothing = [element("p", { class: "quiet" }, "The app has not published a home for this person.")];
  redraw(page.home, state.home ? blocks(state.home.blocks, on(state, { view: state.home.id }, state.home.state)) : nothing);
}

function on(state, where, values = {}) {
  return {
    names: { ...state.people, ...Object.fromEntries(state.channels.map((one) => [one.id, one.name])) },
    people: state.people,
    channels: state.channels.filter((one) => one.kind !== "im"),
    values,
    place: where.ts ?? where.view,
    click: async (button) => (await confirmed(button)) && act({ do: "click", action: button.action_id, value: button.value, ...where }),
    choose: async (menu, value) => (await confirmed(menu)) && act({ do: "choose", action: menu.action_id, value, ...where }),
    options: async (menu, query) => (await post("/page/options", { action: menu.action_id, query, ...where })).json(),
  };
}

// ---- messages ------------------------------------------------------------------------------------------------------

function drawMessages(list, messages, channel, state, top) {
  const before = new Map([...list.children].map((one) => [one.dataset.ts, one]));
  const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
  const active = document.activeElement?.dataset?.key;
  const wanted = messages.map((message) => {
    const drawn = JSON.stringify([message, place.as, top]);
    const old = before.get(message.ts);
    return old?.drawn === drawn ? old : drawMessage(message, channel, state, top, drawn);
  });
  if (wanted.length !== list.children.length || wanted.some((one, number) => one !== list.children[number])) {
    list.replaceChildren(...wanted);
    refocus(active);
  }
  if (atEnd) list.scrollTop = list.scrollHeight;
}

function drawMessage(message, channel, state, top, drawn) {
  const where = { channel: channel.id, ts: message.ts };
  const tools = on(state, where);
  const when = new Date(Number(message.ts) * 1000);
  const known = message.user === "USLACKBOT" ? "Slackbot" : (state.people[message.user] ?? message.user);
  const writer = message.called || known;
  const head = element("header", {}, element("b", {}, writer), " ", element("time", { datetime: when.toISOString() }, dates.time.format(when)));
  if (message.only_you) head.append(element("span", { class: "quiet" }, " · only visible to you"));
  if (message.edited) head.append(element("span", { class: "quiet" }, " (edited)"));
  const words = message.text ? [element("div", { class: "words" }, ...spans(message.text.spans, tools.names))] : blocks(message.blocks, tools);
  const files = message.files.map((one) => element("p", {}, element("a", { href: `/page/file/${one.id}`, download: one.name }, `📎 ${one.name}`)));
  const row = element("article", { class: message.only_you ? "message only-you" : "message", "aria-label": `${writer}, ${dates.time.format(when)}` }, head, ...words, ...files);
  row.append(element("div", { class: "tools" }, ...under(message, where, top)));
  row.dataset.ts = message.ts;
  row.drawn = drawn;
  return row;
}

function under(message, where, top) {
  if (message.only_you) return [];
  const react = (name, label, pressed) =>
    element("button", { type: "button", "aria-pressed": String(pressed), key: `${where.ts} ${name}`, onclick: () => act({ do: "react", name, ...where }) }, label);
  const given = message.reactions.map((one) => react(one.name, `${fill(one.name)} ${one.count}`, one.mine));
  const free = ["eyes", "white_check_mark", "+1"].filter((name) => !message.reactions.some((one) => one.name === name));
  const menu = element("details", { class: "overflow" }, element("summary", { key: `${where.ts} react` }, "React"), element("div", {}, ...free.map((name) => react(name, `${fill(name)} ${name}`, false))));
  const tools = [...given, menu];
  if (top) {
    const open = () => {
      place.thread = message.ts;
      draw(seen);
      page.answer.elements.text.focus();
    };
    const label = message.replies ? `${message.replies} ${message.replies === 1 ? "reply" : "replies"}` : "Reply in thread";
    tools.push(element("button", { type: "button", onclick: open, key: `${where.ts} thread` }, label));
  }
  if (message.mine) {
    const edit = () => {
      const form = place.thread === message.thread && !top ? page.answer : page.composer;
      form.dataset.editing = message.ts;
      form.elements.text.value = message.raw;
      form.elements.text.focus();
    };
    tools.push(element("button", { type: "button", onclick: edit, key: `${where.ts} edit` }, "Edit"));
    tools.push(element("button", { type: "button", onclick: () => act({ do: "delete", ...where }), key: `${where.ts} delete` }, "Delete"));
  }
  return tools;
}

function composer(form, label) {
  const text = element("textarea", { name: "text", "aria-label": label, placeholder: `${label} (Enter sends, Shift+Enter: new line)` });
  const file = element("input", { type: "file", name: "file", "aria-label": "Attach a file" });
  form.append(text, element("div", {}, element("button", { class: "primary" }, "Send"), file));
  text.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      form.requestSubmit();
    }
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const { channel, thread, editing } = form.dataset;
    const body = { channel, thread, text: text.value };
    if (!text.value.trim() && !file.files.length) return;
    let answer;
    if (editing) answer = await act({ do: "edit", ts: editing, ...body });
    else if (file.files.length) answer = await act({ do: "upload", name: file.files[0].name, data: await inBase64(file.files[0]), ...body });
    else answer = await act({ do: "write", ...body });
    if (answer.problem) return;
    delete form.dataset.editing;
    form.reset();
  });
}

async function inBase64(file) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  let text = "";
  for (let start = 0; start < bytes.length; start += 8192) text += String.fromCharCode(...bytes.subarray(start, start + 8192));
  return btoa(text);
}

// ---- windows -------------------------------------------------------------------------------------------------------

function drawModal(state) {
  const view = state.modals.at(-1);
  if (!view) {
    if (page.modal.open) page.modal.close();
    page.modal.dataset.drawn = "";
    return;
  }
  const now = `${view.id} ${view.hash}`;
  if (page.modal.dataset.drawn === now) return;
  page.modal.dataset.drawn = now;
  const form = element("form", { method: "dialog", novalidate: "" });
  const tools = on(state, { view: view.id }, view.state);
  const alone = element("p", { class: "error", role: "alert" });
  const cancel = () => act({ do: "close", view: view.id });
  const footer = element("footer", {}, element("button", { type: "button", onclick: cancel }, view.close || "Cancel"));
  if (view.submit) footer.append(element("button", { class: "primary" }, view.submit));
  form.append(element("h2", { id: "modal-title" }, view.title), ...blocks(view.blocks, tools), alone, footer);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const answer = await act({ do: "submit", view: view.id, values: entered(form) });
    alone.textContent = answer.problem ?? "";
    for (const one of form.querySelectorAll("[data-block]")) {
      const said = answer.errors?.[one.dataset.block] ?? "";
      one.querySelector(".error").textContent = said;
      if (said) one.querySelector("input, textarea, select")?.focus();
    }
  });
  page.modal.replaceChildren(form);
  if (!page.modal.open) page.modal.showModal();
  form.querySelector("input, textarea, select")?.focus();
}

page.modal.addEventListener("cancel", (event) => {
  event.preventDefault(); // Escape: the app may want to know
  const view = seen?.modals.at(-1);
  if (view) act({ do: "close", view: view.id, everything: true });
});

function confirmed(asked) {
  if (!asked.confirm) return Promise.resolve(true);
  const { title, text, confirm, deny } = asked.confirm;
  return new Promise((resolve) => {
    const end = (value) => () => {
      page.confirm.close();
      resolve(value);
    };
    const yes = element("button", { type: "button", class: asked.confirm.style ?? "primary", onclick: end(true) }, confirm.said);
    const no = element("button", { type: "button", onclick: end(false) }, deny.said);
    page.confirm.replaceChildren(element("h2", { id: "confirm-title" }, title.said), element("p", { class: "words" }, ...spans(text.spans, {})), element("footer", {}, no, yes));
    page.confirm.oncancel = end(false);
    page.confirm.showModal();
  });
}

// ---- so that nobody loses their place ------------------------------------------------------------------------------

function redraw(list, children) {
  const active = document.activeElement?.dataset?.key;
  list.replaceChildren(...children);
  refocus(active);
}

function refocus(key) {
  if (key && document.activeElement === document.body) document.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus();
}

// ---- beginning -----------------------------------------------------------------------------------------------------

composer(page.composer, "Write a message");
composer(page.answer, "Reply in the thread");
page.who.addEventListener("change", async () => {
  Object.assign(place, { as: page.who.value, at: "messages", thread: null });
  history.replaceState(null, "", `?as=${encodeURIComponent(place.as)}`);
  await look();
});
page.leave.addEventListener("click", () => {
  place.thread = null;
  draw(seen);
  page.composer.elements.text.focus();
});
page.status.querySelector("form").addEventListener("submit", (event) => {
  event.preventDefault();
  const { emoji, text, minutes } = event.target.elements;
  act({ do: "status", emoji: emoji.value, text: text.value, minutes: Number(minutes.value) });
});
// A link to a message leads to its thread, here, whoever is looking.
document.addEventListener("click", (event) => {
  const to = new URL(event.target.closest?.("a")?.href ?? location.href);
  const [, channel, seconds, rest] = /^\/archives\/(\w+)\/p(\d+)(\d{6})$/.exec(to.pathname) ?? [];
  if (channel === undefined || to.origin !== location.origin) return;
  event.preventDefault();
  Object.assign(place, { at: channel, thread: `${seconds}.${rest}` });
  draw(seen);
});
page.clear.addEventListener("click", () => act({ do: "status", emoji: "", text: "", minutes: 0 }));

let waiting = null;
new EventSource("/page/changes").addEventListener("message", () => {
  waiting ??= setTimeout(() => {
    waiting = null;
    look();
  }, 30); // many changes in one look
});
