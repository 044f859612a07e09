// What a supervisor gives to others, and what an agent begins: longer dialogues around one action.

import { get, whatif } from "./api.js";
import { askNew, askTransfer, askWhatIf, showWhatIf } from "./dialogs.js";
import { toast } from "./dom.js";
import { Enclosing, filesOf } from "./enclosing.js";
import { T } from "./texts.js";

// A supervisor gives a contact to somebody.
export async function assign(app, contact) {
  try {
    const chosen = await askTransfer(await get(`contacts/${encodeURIComponent(contact)}/people`));
    if (chosen) await app.act("transfer", { contact, ...chosen });
  } catch (error) {
    toast(error.message || T.failed, "bad");
  }
}

// A supervisor has the change that waits lived through; it goes on if the window is closed.
export async function rehearse() {
  const span = await askWhatIf();
  if (!span) return;
  let open = true;
  await showWhatIf(whatif(span, () => open));
  open = false;
}

const draftOf = (agent) => `usherd-new-${agent}`;
const LETTER = "new";

export function forgetDraft(agent) {
  localStorage.removeItem(draftOf(agent));
  localStorage.removeItem(filesOf(agent, LETTER));
}

// An agent writes to a customer first. What is typed outlives the dialog until it was sent.
export async function startContact(app) {
  const store = draftOf(app.agent);
  const draft = JSON.parse(localStorage.getItem(store) || "{}");
  draft.keep = (fields) => localStorage.setItem(store, JSON.stringify(fields));
  const chosen = await askNew(get("topics"), draft, (to, changed) => new Enclosing(app, LETTER, changed, to));
  if (!chosen) return;
  const { topic, ...fields } = chosen;
  app.holds.add("start", { ...fields, topics: topic ? [topic] : [] }, fields.to, app.desk.hold_ms);
}
