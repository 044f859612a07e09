// Questions that need more than a button. Each gives what was chosen, or null.

import { fill, h } from "./dom.js";
import { T } from "./texts.js";

function ask(title, content, confirm, read) {
  return new Promise((done) => {
    const before = document.activeElement;
    const form = h("form", { method: "dialog" }, h("h2", { id: "dialog-title" }, title), content,
      h("div", { class: "dialog-buttons" },
        h("button", { value: "", formnovalidate: true, type: "submit" }, confirm ? T.cancel : T.close),
        confirm && h("button", { value: "yes", class: "primary", type: "submit" }, confirm)));
    const dialog = h("dialog", { "aria-labelledby": "dialog-title" }, form);
    form.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && confirm) {
        event.preventDefault();
        form.requestSubmit(form.querySelector("button.primary"));
      }
    });
    dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(""); });
    dialog.addEventListener("close", () => {
      const chosen = dialog.returnValue === "yes" ? read(form) : null;
      dialog.remove();
      before?.focus?.();
      done(chosen);
    });
    document.body.append(dialog);
    dialog.returnValue = "";
    dialog.showModal();
  });
}

const radio = (name, value, checked, ...label) =>
  h("label", { class: "choice" }, h("input", { type: "radio", name, value, checked }), h("span", {}, label));

export function askDecline() {
  return ask(T.declineTitle, [h("p", { class: "muted" }, T.declineText),
    h("fieldset", {}, h("legend", {}, T.reason), Object.entries(T.declineReasons).map(([code, reason], place) =>
      radio("reason", code, place === 0, reason)))], T.decline, (form) => ({ reason: new FormData(form).get("reason") }));
}

export function askTransfer(people) {
  const select = h("select", { name: "to", "aria-label": T.transferTo, data: { focus: "to" } },
    h("option", { value: "" }, T.transferBest),
    h("optgroup", { label: T.transferTeams }, people.teams.map((team) =>
      h("option", { value: `team:${team.id}` }, T.teamRow(team.name, team.available, team.members)))),
    h("optgroup", { label: T.transferAgents }, people.agents.map((one) =>
      h("option", { value: `agent:${one.id}` }, [one.name, T.statuses[one.status], one.able ? null : T.notAble,
        one.able && !one.room ? T.noRoom : null].filter(Boolean).join(" · ")))));
  const note = h("textarea", { name: "note", rows: "3", dir: "auto", "aria-label": T.transferNote, placeholder: T.transferNote });
  return ask(T.transferTitle, [h("label", { class: "field" }, h("span", {}, T.transferTo), select),
    h("label", { class: "field" }, h("span", {}, T.transferNote), note)], T.transfer, () => {
    const [kind, id] = [select.value.slice(0, select.value.indexOf(":")), select.value.slice(select.value.indexOf(":") + 1)];
    return { to_agent: kind === "agent" ? id : null, to_team: kind === "team" ? id : null, text: note.value.trim() };
  });
}

function snoozeTimes(now) {
  const day = (add, hour) => { const one = new Date(now); one.setDate(one.getDate() + add); one.setHours(hour, 0, 0, 0); return one.getTime(); };
  const toMonday = (8 - new Date(now).getDay()) % 7 || 7;
  return { hour: now + 3600000, three: now + 3 * 3600000, tomorrow: day(1, 9), monday: day(toMonday, 9) };
}

export function askSnooze(now) {
  const times = snoozeTimes(now);
  const own = h("input", { type: "datetime-local", name: "own", "aria-label": T.snoozeOwn });
  return ask(T.snoozeTitle, [h("p", { class: "muted" }, T.snoozeText),
    h("fieldset", {}, h("legend", { class: "unseen" }, T.snoozeTitle),
      Object.keys(times).map((key, place) => radio("until", key, place === 0, T.snoozeChoices[key]))),
    h("label", { class: "field" }, h("span", {}, T.snoozeOwn), own)], T.snooze,
  (form) => ({ until: own.value ? new Date(own.value).getTime() : times[new FormData(form).get("until")] }));
}

export function askTopics(people, current) {
  const chosen = new Set(current);
  return ask(T.retagTitle, [h("p", { class: "muted" }, T.retagText),
    h("fieldset", { class: "many" }, h("legend", { class: "unseen" }, T.topics), people.topics.map((topic) =>
      h("label", { class: "choice" }, h("input", { type: "checkbox", name: "topic", value: topic.id, checked: chosen.has(topic.id) }),
        h("span", {}, topic.label))))], T.save, (form) => ({ topics: new FormData(form).getAll("topic") }));
}

// A colleague who is to look on and write notes.
export function askCall(people) {
  const select = h("select", { name: "target", "aria-label": T.callWhom, data: { focus: "to" } }, people.agents.map((one) =>
    h("option", { value: one.id }, [one.name, T.statuses[one.status], one.able ? T.able : null].filter(Boolean).join(" · "))));
  const note = h("textarea", { name: "note", rows: "3", dir: "auto", "aria-label": T.callNote, placeholder: T.callNote });
  return ask(T.callTitle, [h("p", { class: "muted" }, T.callText), h("label", { class: "field" }, h("span", {}, T.callWhom), select),
    h("label", { class: "field" }, h("span", {}, T.callNote), note)], T.call, () => select.value && { target: select.value, text: note.value.trim() });
}

// Another open contact of the same customer, whose messages come here; its id.
export function askMerge(twins) {
  if (!twins.length) return ask(T.mergeTitle, h("p", {}, T.mergeNone), null, () => null);
  return ask(T.mergeTitle, [h("p", { class: "muted" }, T.mergeText),
    h("fieldset", {}, h("legend", { class: "unseen" }, T.mergeTitle), twins.map((row, place) =>
      radio("twin", row.id, place === 0, [row.subject, T.states[row.state], row.by && T.heldBy(row.by)].filter(Boolean).join(" · "))))],
  T.merge, (form) => new FormData(form).get("twin"));
}

export function askSpam() {
  return ask(T.spamTitle, [h("p", { class: "muted" }, T.spamText),
    h("label", { class: "choice" }, h("input", { type: "checkbox", name: "block" }), h("span", {}, T.spamBlock))], T.spam,
  (form) => ({ block: new FormData(form).has("block") }));
}

export function askPriority(current) {
  return ask(T.priorityTitle, h("fieldset", {}, h("legend", { class: "unseen" }, T.priorityTitle),
    Object.entries(T.priorities).map(([value, text]) => radio("priority", value, value === current, text))), T.save,
  (form) => ({ priority: new FormData(form).get("priority") }));
}

// A contact that an agent opens. What was typed stands in `draft` until it is sent. `coming` promises the topics: the
// dialog is there at once, so that whoever types on types into it. `enclosing(to, changed)` makes the list of its files.
export function askNew(coming, draft, enclosing) {
  const field = (name, label, node) => h("label", { class: "field" }, h("span", {}, label), node);
  const to = h("input", { type: "email", name: "to", required: true, maxlength: "254", autocomplete: "off", value: draft.to || "", placeholder: T.newToHint });
  const subject = h("input", { type: "text", name: "subject", required: true, maxlength: "300", autocomplete: "off", value: draft.subject || "" });
  const topic = h("select", { name: "topic" }, h("option", { value: "" }, T.newNoTopic));
  const signature = h("div", { class: "signature", dir: "auto", hidden: true });
  coming.then((answer) => {
    signature.textContent = answer.signature;
    signature.hidden = !answer.signature;
    const chosen = topic.value || draft.topic;
    fill(topic, answer.topics.map((one) => h("option", { value: one.id, selected: one.id === chosen }, one.label)));
  }, () => { /* without a topic, then */ });
  const text = h("textarea", { name: "text", rows: "7", required: true, dir: "auto", value: draft.text || "" });
  const read = () => ({ to: to.value.trim(), subject: subject.value.trim(), topic: topic.value, text: text.value });
  let files = null;
  const settle = () => {
    if (!files) return;
    files.button.disabled = !to.value.trim() || !to.checkValidity();
    text.setCustomValidity(files.pending() ? T.filesPending : "");
  };
  to.addEventListener("input", settle);
  to.addEventListener("change", () => files.follow());
  files = enclosing(() => to.value.trim().toLowerCase(), settle);
  settle();
  const content = h("div", { class: "new-contact", oninput: () => draft.keep(read()) }, h("p", { class: "muted" }, T.newText),
    field("to", T.newTo, to), field("subject", T.newSubject, subject), field("topic", T.newTopic, topic), field("text", T.newWords, text), signature,
    h("div", { class: "new-files" }, files.button, files.limit, files.root));
  return ask(T.newTitle, content, T.send, () => ({ ...read(), files: files.ready().map((one) => one.id) }));
}

export function askLink() {
  const other = h("input", { type: "text", required: true, maxlength: "60", autocomplete: "off", placeholder: T.linkHint });
  const why = h("textarea", { rows: "3", required: true, dir: "auto" });
  return ask(T.linkTitle, [h("p", { class: "muted" }, T.linkText), h("label", { class: "field" }, h("span", {}, T.linkOther), other),
    h("label", { class: "field" }, h("span", {}, T.linkWhy), why)], T.save, () => ({ other: other.value.trim(), text: why.value.trim() }));
}

export function askWishes(wishes) {
  const pick = (label, chosen, options) => h("label", { class: "field" }, h("span", {}, label),
    h("select", {}, Object.entries({ "": T.unsaid, ...options }).map(([value, text]) => h("option", { value, selected: value === chosen }, text))));
  const language = pick(T.wants, wishes.language, wishes.languages);
  const consent = pick(T.consent, wishes.consent === null ? "" : wishes.consent ? "yes" : "no", { yes: T.consentYes, no: T.consentNo });
  const value = (field) => field.querySelector("select").value;
  return ask(T.wishesTitle, [h("p", { class: "muted" }, T.wishesText), language, consent], T.save,
    () => ({ language: value(language) || null, consent: value(consent) ? value(consent) === "yes" : null }));
}

export function askUnlink() {
  const why = h("textarea", { rows: "3", required: true, dir: "auto" });
  return ask(T.unlinkTitle, [h("p", { class: "muted" }, T.unlinkText), h("label", { class: "field" }, h("span", {}, T.linkWhy), why)], T.unlink,
    () => ({ text: why.value.trim() }));
}

export function askIncident(said) {
  const text = h("textarea", { rows: "6", required: true, dir: "auto", value: said });
  const tell = h("input", { type: "checkbox" });
  return ask(T.incidentTitle, [h("p", { class: "muted" }, T.incidentText), h("label", { class: "field" }, h("span", {}, T.incidentWords), text),
    h("label", { class: "choice" }, tell, h("span", {}, T.incidentTellOpen))], T.send, () => ({ text: text.value.trim(), tell: tell.checked }));
}

// How far back a what-if looks, as the server reads it.
export function askWhatIf() {
  return ask(T.whatif, [h("p", { class: "muted" }, T.whatifText), h("fieldset", {}, h("legend", {}, T.whatifSince),
    Object.entries(T.whatifSpans).map(([span, text]) => radio("span", span, span === "7d", text)))], T.whatifBegin,
  (form) => new FormData(form).get("span"));
}

// What a rehearsal found, once it is there: `coming` promises its lines.
export function showWhatIf(coming) {
  const content = h("div", { role: "status" }, h("p", {}, T.whatifRuns));
  coming.then((lines) => content.replaceChildren(...lines.map((line) => h("p", {}, line))),
    (error) => content.replaceChildren(h("p", { class: "problem" }, error.message || T.failed)));
  return ask(T.whatif, content, null, () => null);
}

export function showWhy(why) {
  return ask(T.whyTitle, [h("p", { class: "headline" }, why.headline), why.sentences.map((text) => h("p", {}, text)),
    why.candidates.length > 0 && [h("h3", {}, T.whyCandidates), h("ol", { class: "candidates" }, why.candidates.map((one) =>
      h("li", { class: one.you ? "you" : "" }, h("strong", {}, one.name), one.you && h("span", { class: "muted" }, ` (${T.you})`),
        h("span", { class: "muted" }, one.why))))],
    why.could.length > 0 && [h("h3", {}, T.whyCould), h("ul", { class: "could" }, why.could.map((one) =>
      h("li", {}, h("strong", {}, one.name), h("span", { class: "muted" }, [T.statuses[one.status], one.status === "available" && (one.room ? T.room : T.noRoom)].filter(Boolean).join(" · ")))))],
    why.ruled_out.length > 0 && [h("h3", {}, T.whyRuledOut), h("p", { class: "muted" }, why.ruled_out.join(", "))]], null, () => null);
}

export function showHelp(singleKeys, onChange) {
  const box = h("input", { type: "checkbox", checked: singleKeys, onchange: (event) => onChange(event.target.checked) });
  const table = h("dl", { class: "keys" });
  for (const [keys, text] of T.helpKeys) fill(table, h("dt", {}, keys.split(" ").map((key) => (/^[/+]$/.test(key) ? ` ${key} ` : h("kbd", {}, key)))), h("dd", {}, text));
  return ask(T.helpTitle, [table, h("label", { class: "choice" }, box, h("span", {}, T.helpOn))], null, () => null);
}
