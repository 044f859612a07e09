// Block Kit as HTML. Elements are made by name and filled with text nodes; no string is ever parsed as markup.

const EMOJI = {
  alarm_clock: "⏰", bulb: "💡", crescent_moon: "🌙", large_orange_circle: "🟠", outbox_tray: "📤", paperclip: "📎",
  pencil2: "✏️", robot_face: "🤖", small_orange_diamond: "🔸", wastebasket: "🗑️", wave: "👋",
  "+1": "👍", arrow_right: "➡️", bell: "🔔", calendar: "📅", eyes: "👀", heart: "❤️", hourglass: "⌛", hourglass_flowing_sand: "⏳",
  inbox_tray: "📥", large_green_circle: "🟢", large_yellow_circle: "🟡", lock: "🔒", memo: "📝", palm_tree: "🌴",
  red_circle: "🔴", rotating_light: "🚨", slightly_smiling_face: "🙂", sos: "🆘", star: "⭐", tada: "🎉", warning: "⚠️",
  white_check_mark: "✅", white_circle: "⚪", x: "❌", zzz: "💤", clock3: "🕒", email: "✉️", speech_balloon: "💬",
};
const style = (options) => new Intl.DateTimeFormat(undefined, options);
export const dates = {
  time: style({ hour: "numeric", minute: "2-digit" }),
  time_secs: style({ hour: "numeric", minute: "2-digit", second: "2-digit" }),
  date: style({ dateStyle: "long" }),
  date_num: style({ year: "numeric", month: "2-digit", day: "2-digit" }),
  date_short: style({ dateStyle: "medium" }),
  date_long: style({ dateStyle: "full" }),
};

export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "key") made.dataset.key = value;
    else if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value !== undefined && value !== null) made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

export const fill = (name) => EMOJI[name] ?? `:${name}:`;

// ---- text ----------------------------------------------------------------------------------------------------------

export function spans(list, names) {
  return list.map((one) => span(one, names));
}

function span(one, names) {
  switch (one.is) {
    case "text": return document.createTextNode(one.text);
    case "line": return element("br");
    case "bold": return element("strong", {}, ...spans(one.of, names));
    case "italic": return element("em", {}, ...spans(one.of, names));
    case "strike": return element("s", {}, ...spans(one.of, names));
    case "code": return element("code", {}, one.text);
    case "pre": return element("pre", {}, one.text);
    case "emoji": return element("span", { role: "img", "aria-label": one.name }, fill(one.name));
    case "user": return element("span", { class: "ping" }, `@${names[one.id] ?? one.id}`);
    case "name": return element("span", { class: "ping" }, one.text);
    case "channel": return element("span", {}, `#${names[one.id] ?? one.id}`);
    case "broadcast": return element("span", { class: "ping" }, `@${one.name}`);
    case "date": return element("time", { datetime: new Date(one.at * 1000).toISOString() }, date(one));
    case "link": return link(one);
    default: return document.createTextNode("");
  }
}

function link(one) {
  const safe = /^(https?|mailto):/i.test(one.url);
  return safe ? element("a", { href: one.url, rel: "noopener noreferrer nofollow", target: "_blank" }, one.text) : document.createTextNode(one.text);
}

function date(one) {
  const at = new Date(one.at * 1000);
  return one.form.replaceAll(/\{([a-z_]+)\}/g, (whole, name) => {
    const plain = name.replace(/_pretty$/, "");
    return name === "ago" ? ago(at) : (dates[plain]?.format(at) ?? whole);
  });
}

function ago(at) {
  const minutes = Math.round((at - Date.now()) / 60_000);
  return new Intl.RelativeTimeFormat().format(minutes, "minute");
}

const words = (text, names) => element("div", { class: "words" }, ...spans(text.spans, names));

// ---- blocks --------------------------------------------------------------------------------------------------------

export function blocks(list, tools) {
  return list.map((one) => block(one, tools));
}

function block(one, tools) {
  switch (one.type) {
    case "header": return element("h3", { class: "block" }, ...spans(one.text.spans, tools.names));
    case "divider": return element("hr", { class: "block" });
    case "rich_text": return element("div", { class: "words block" }, ...spans(one.spans, tools.names));
    case "markdown": return element("div", { class: "words block" }, one.text);
    case "image": return picture(one);
    case "section": return section(one, tools);
    case "context": return element("div", { class: "context block" }, ...one.elements.map((part) => (part.spans ? words(part, tools.names) : picture(part))));
    case "actions": return element("div", { class: "actions block" }, ...one.elements.map((part) => active(part, one, tools, (value) => tools.choose(part, value))));
    case "input": return input(one, tools);
    default: return element("p", { class: "error" }, `(a block of type ${one.type})`);
  }
}

function section(one, tools) {
  const said = element("div", { class: "words" });
  if (one.text) said.append(words(one.text, tools.names));
  if (one.fields) said.append(element("div", { class: "fields" }, ...one.fields.map((field) => words(field, tools.names))));
  const made = element("div", { class: "section block" }, said);
  if (one.accessory) made.append(active(one.accessory, one, tools, (value) => tools.choose(one.accessory, value)));
  return made;
}

// Pictures are named, not fetched: usherd fetches no address found in a message, and neither does its fake.
function picture(one) {
  return element("span", { role: "img", "aria-label": one.alt_text }, `🖼 ${one.alt_text}`);
}

function input(one, tools) {
  const chosen = one.dispatch_action ? (value) => tools.choose(one.element, value) : () => {};
  const made = active(one.element, one, tools, chosen);
  const name = one.label.said + (one.optional ? " (optional)" : "");
  const grouped = made.tagName === "FIELDSET";
  const label = grouped ? element("legend", {}, name) : element("label", {}, name);
  const error = element("p", { class: "error", role: "alert", id: `error ${one.block_id}`.replaceAll(" ", "-") });
  const hint = one.hint ? [element("p", { class: "quiet" }, ...spans(one.hint.spans, tools.names))] : [];
  if (grouped) made.prepend(label);
  const field = made.matches("input, textarea, select") ? made : made.querySelector("input, textarea, select");
  if (!grouped && field) {
    field.id = `field-${one.block_id}`;
    label.htmlFor = field.id;
  }
  field?.setAttribute("aria-describedby", error.id);
  const row = element("div", { class: "block" }, ...(grouped ? [] : [label]), made, ...hint, error);
  row.dataset.block = one.block_id;
  row.value = () => made.value_();
  return row;
}

// The values of all inputs of a modal, by block_id; null where nothing was entered.
export function entered(form) {
  return Object.fromEntries([...form.querySelectorAll("[data-block]")].map((row) => [row.dataset.block, row.value()]));
}

// ---- elements ------------------------------------------------------------------------------------------------------

function active(one, within, tools, chosen) {
  const made = draw(one, tools, chosen, tools.values[within.block_id]?.[one.action_id] ?? {});
  made.value_ ??= () => (made.value === "" ? null : made.value);
  if (made.matches("select, input, textarea") && within.type !== "input") made.setAttribute("aria-label", one.placeholder?.said ?? one.action_id);
  made.dataset.key ??= `${tools.place} ${within.block_id} ${one.action_id}`;
  made.dataset.action = one.action_id ?? "";
  return made;
}

function draw(one, tools, chosen, state) {
  switch (one.type) {
    case "button": return button(one, tools);
    case "overflow": return overflow(one, chosen);
    case "static_select": return select(one, options(one), state.selected_option?.value, chosen);
    case "users_select": return select(one, pairs(tools.people), state.selected_user, chosen);
    case "conversations_select":
    case "channels_select": return select(one, tools.channels.map((each) => [each.id, `#${each.name}`]), state.selected_conversation ?? state.selected_channel, chosen);
    case "external_select": return external(one, tools, chosen);
    case "multi_static_select": return boxes(one, options(one), state.selected_options, chosen, "checkbox");
    case "multi_users_select": return boxes(one, pairs(tools.people), (state.selected_users ?? []).map((value) => ({ value })), chosen, "checkbox");
    case "checkboxes": return boxes(one, options(one), state.selected_options, chosen, "checkbox");
    case "radio_buttons": return boxes(one, options(one), state.selected_option ? [state.selected_option] : [], chosen, "radio");
    case "datepicker": return typed(one, "date", state.selected_date, chosen);
    case "timepicker": return typed(one, "time", state.selected_time, chosen);
    case "datetimepicker": return moment(one, state.selected_date_time, chosen);
    case "email_text_input": return typed(one, "email", state.value, chosen);
    case "url_text_input": return typed(one, "url", state.value, chosen);
    case "number_input": return typed(one, "number", state.value, chosen);
    case "plain_text_input": return text(one, state.value, chosen);
    case "image": return picture(one);
    default: return element("span", { class: "error" }, `(an element of type ${one.type})`);
  }
}

const pairs = (people) => Object.entries(people);

function options(one) {
  const groups = one.option_groups?.flatMap((group) => group.options) ?? [];
  return [...(one.options ?? []), ...groups].map((option) => [option.value, option.text.said ?? plain(option.text), option.description]);
}

const plain = (shown) => shown.spans.map((one) => one.text ?? "").join("");

function button(one, tools) {
  const label = one.accessibility_label ?? null;
  return element("button", { type: "button", class: one.style, "aria-label": label, onclick: () => tools.click(one) }, ...spans(one.text.spans, tools.names));
}

function overflow(one, chosen) {
  const choices = options(one).map(([value, name]) => element("button", { type: "button", onclick: () => chosen(value) }, name));
  return element("details", { class: "overflow" }, element("summary", { "aria-label": "More actions" }, "⋯"), element("div", {}, ...choices));
}

function select(one, choices, now, chosen) {
  const made = element("select", {}, element("option", { value: "" }, one.placeholder?.said ?? "Choose"), ...choices.map(([value, name]) => element("option", { value }, name)));
  made.value = now ?? "";
  made.addEventListener("change", () => made.value && chosen(made.value));
  return made;
}

function external(one, tools, chosen) {
  const menu = element("select", { "aria-label": "Results" }, element("option", { value: "" }, "Nothing found yet"));
  const search = element("input", { type: "search", placeholder: one.placeholder?.said ?? "Search", autocomplete: "off" });
  search.addEventListener("input", async () => {
    if (search.value.length < (one.min_query_length ?? 3)) return;
    const query = search.value;
    const found = await tools.options(one, query);
    if (query !== search.value) return; // an answer to what was typed before
    menu.replaceChildren(element("option", { value: "" }, found.length ? "Choose" : "Nothing found"), ...found.map((each) => element("option", { value: each.value }, each.said)));
  });
  menu.addEventListener("change", () => menu.value && chosen(menu.value));
  const made = element("div", {}, search, menu);
  made.value_ = () => menu.value || null;
  return made;
}

function boxes(one, choices, now, chosen, type) {
  const on = new Set((now ?? []).map((each) => each.value));
  const name = `boxes ${one.action_id} ${Math.random()}`;
  const rows = choices.map(([value, label, description]) => {
    const box = element("input", { type, value, name });
    box.checked = on.has(value);
    const more = description ? [element("span", { class: "quiet" }, ` ${plain(description)}`)] : [];
    return element("label", {}, box, ` ${label}`, ...more);
  });
  const made = element("fieldset", {}, ...rows);
  const ticked = () => [...made.querySelectorAll("input:checked")].map((box) => box.value);
  made.value_ = () => (type === "radio" ? (ticked()[0] ?? null) : ticked());
  made.addEventListener("change", () => chosen(made.value_()));
  return made;
}

function typed(one, type, now, chosen) {
  const made = element("input", { type, placeholder: one.placeholder?.said, min: one.min_value, max: one.max_value });
  made.value = now ?? "";
  made.addEventListener("change", () => made.value && chosen(made.value));
  return made;
}

function moment(one, now, chosen) {
  const local = (seconds) => new Date(seconds * 1000 - new Date(seconds * 1000).getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
  const made = element("input", { type: "datetime-local" });
  made.value = now ? local(now) : "";
  made.value_ = () => (made.value ? Math.floor(new Date(made.value).getTime() / 1000) : null);
  made.addEventListener("change", () => made.value && chosen(made.value_()));
  return made;
}

function text(one, now, chosen) {
  const made = element(one.multiline ? "textarea" : "input", { placeholder: one.placeholder?.said, maxlength: one.max_length, minlength: one.min_length });
  made.value = now ?? "";
  made.addEventListener("change", () => made.value && chosen(made.value));
  return made;
}
