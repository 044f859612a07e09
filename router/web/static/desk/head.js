// The line at the head of the desk: where one is, what waits, the ways to everything else, light or dark.

import { h, icon, say } from "./dom.js";
import { T } from "./texts.js";

const THEMES = ["auto", "light", "dark"];

// Light or dark as it was chosen at the last visit; before there is anything to press.
export function theme() {
  document.documentElement.dataset.theme = localStorage.getItem("usherd-theme") || "auto";
}

export class Head {
  // lead: whether there is an overview. `notice` goes below the head; `skip` comes first of all.
  constructor(app, lead) {
    this.queueCount = h("span", { class: "count" });
    this.line = h("span", { class: "line", role: "status" });
    this.themeButton = h("button", { class: "icon-button", onclick: () => this.nextTheme() }, icon("half"));
    this.workspace = h("span", { class: "workspace" });
    this.notice = h("p", { class: "notice", role: "note", hidden: true });
    this.skip = h("a", { class: "skip", href: "#main", onclick: (event) => { event.preventDefault(); app.main.focus(); } }, T.skip);
    this.root = h("header", { class: "top" },
      h("a", { class: "brand", href: "#/", "aria-label": T.brand }, h("img", { src: "/static/desk/icon.svg", alt: "", width: "24", height: "24" }),
        h("strong", {}, T.brand), this.workspace),
      this.line,
      h("nav", { class: "top-nav", "aria-label": T.menu },
        h("button", { class: "icon-button", "aria-label": T.newContact, title: `${T.newContact} (C)`, onclick: () => app.startContact() }, icon("pen")),
        h("a", { class: "icon-button", href: "#/search", "aria-label": T.search, title: `${T.search} (/)` }, icon("search")),
        h("a", { class: "queue-link", href: "#/queue" }, icon("queue"), h("span", { class: "label" }, T.queue), this.queueCount),
        lead && h("a", { class: "queue-link", href: "#/lead", title: `${T.overview} (O)` }, icon("chart"), h("span", { class: "label" }, T.overview)),
        this.themeButton,
        h("button", { class: "icon-button", "aria-label": T.helpTitle, title: `${T.helpTitle} (?)`, onclick: () => app.help() }, icon("help")),
        h("button", { class: "icon-button", "aria-label": T.signOut, title: T.signOut, onclick: () => app.leave() }, icon("out"))));
    this.nameTheme();
  }

  showDesk(desk) {
    this.workspace.textContent = desk.workspace;
    this.notice.textContent = desk.notice;
    this.notice.hidden = !desk.notice;
    this.showQueueCount(desk.queue);
    document.title = T.title(desk.workspace, desk.offers.length);
  }

  showQueueCount(number) {
    this.queueCount.textContent = number || "";
    this.queueCount.title = T.queueCount(number);
  }

  connected(connected) {
    if (this.wasConnected === connected) return;
    document.body.classList.toggle("offline", !connected);
    this.line.replaceChildren(connected ? "" : T.offline);
    if (connected && this.wasConnected === false) say(T.backOnline);
    this.wasConnected = connected;
  }

  nextTheme() {
    const name = THEMES[(THEMES.indexOf(document.documentElement.dataset.theme) + 1) % THEMES.length];
    localStorage.setItem("usherd-theme", name);
    theme();
    this.nameTheme();
  }

  nameTheme() {
    const text = `${T.theme}: ${T.themes[document.documentElement.dataset.theme]}`;
    this.themeButton.setAttribute("aria-label", text);
    this.themeButton.title = text;
  }
}
