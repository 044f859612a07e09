// Choosing a saved reply: type to narrow down, arrows to go, Enter to take.

import { fill, h } from "./dom.js";
import { T } from "./texts.js";

const PLACEHOLDER = /\{(customer|agent|reference)\}/;

// Where a placeholder that nothing filled stands in `text`, as [from, to], or null.
export function unfilled(text) {
  const found = PLACEHOLDER.exec(text);
  return found && [found.index, found.index + found[0].length];
}

const plain = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();

// `coming` promises the replies: the dialog is there at once, so that whoever types on types into it.
export function askSaved(coming) {
  return new Promise((done) => {
    const before = document.activeElement;
    let replies = [];
    let shown = [];
    let place = 0;
    let entered = false; // before there was anything to choose from
    const list = h("ul", { class: "saved-list", role: "listbox", id: "saved-list", "aria-label": T.savedTitle });
    const preview = h("div", { class: "saved-preview words", dir: "auto" });
    const none = h("p", { class: "empty", role: "status" }, T.loading);
    const input = h("input", { type: "text", role: "combobox", "aria-expanded": "true", "aria-controls": "saved-list",
      "aria-autocomplete": "list", "aria-label": T.savedFind, placeholder: T.savedFind, autocomplete: "off" });
    const dialog = h("dialog", { class: "saved", "aria-labelledby": "saved-title" },
      h("h2", { id: "saved-title" }, T.savedTitle), input, h("div", { class: "saved-panes" }, list, preview), none);
    const close = (chosen) => { dialog.returnValue = chosen ? chosen.name : ""; dialog.close(dialog.returnValue); };

    const mark = (to) => {
      place = Math.max(0, Math.min(shown.length - 1, to));
      [...list.children].forEach((node, at) => node.setAttribute("aria-selected", String(at === place)));
      list.children[place]?.scrollIntoView({ block: "nearest" });
      if (shown[place]) input.setAttribute("aria-activedescendant", `saved-${place}`);
      else input.removeAttribute("aria-activedescendant");
      preview.textContent = shown[place]?.text || "";
    };
    const narrow = () => {
      const words = plain(input.value).split(/\s+/).filter(Boolean);
      shown = replies.filter((one) => words.every((word) => plain(`${one.label} ${one.text}`).includes(word)));
      list.replaceChildren();
      fill(list, shown.map((one, at) => h("li", { id: `saved-${at}`, role: "option", onclick: () => close(one) },
        h("strong", {}, one.label), one.fits && h("span", { class: "chip fits" }, T.savedFits))));
      none.hidden = shown.length > 0;
      list.hidden = shown.length === 0;
      mark(0);
    };
    input.addEventListener("input", narrow);
    input.addEventListener("keydown", (event) => {
      const does = { ArrowDown: () => mark(place + 1), ArrowUp: () => mark(place - 1), Home: () => mark(0),
        End: () => mark(shown.length - 1), Enter: () => (shown[place] ? close(shown[place]) : (entered = !replies.length)) }[event.key];
      if (does && !event.isComposing) { event.preventDefault(); does(); }
    });
    dialog.addEventListener("click", (event) => { if (event.target === dialog) close(null); });
    dialog.addEventListener("close", () => {
      dialog.remove();
      before?.focus?.();
      done(replies.find((one) => one.name === dialog.returnValue) || null);
    });
    document.body.append(dialog);
    narrow();
    dialog.showModal();
    input.focus();
    coming.then((found) => {
      replies = found;
      none.textContent = replies.length ? T.savedNone : T.savedEmpty;
      narrow();
      if (entered && shown[0]) close(shown[0]);
    }, (error) => { none.textContent = error.message || T.failed; });
  });
}
