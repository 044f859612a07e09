// The keyboard: which key does what, wherever nobody is typing.

export class Keys {
  constructor(app) {
    this.app = app;
    this.singleKeys = localStorage.getItem("usherd-keys") !== "off";
    document.addEventListener("keydown", (event) => this.key(event));
  }

  // Single keys on or off, kept for the next visit.
  choose(on) {
    this.singleKeys = on;
    localStorage.setItem("usherd-keys", on ? "on" : "off");
  }

  key(event) {
    const app = this.app;
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || !app.lists) return;
    const dialog = event.target.closest("dialog"); // one that has just closed may still have the focus
    if (dialog ? dialog.open : event.target.closest("input, textarea, select")) return;
    if (event.key === "Escape") { if (!app.thread?.hideDetails()) location.hash = "#/"; return; }
    if (event.key === "?") { app.help(); return; }
    if (!this.singleKeys) return;
    const does = {
      j: () => this.step(1), k: () => this.step(-1), q: () => { location.hash = "#/queue"; },
      "/": () => { location.hash = "#/search"; if (app.view === "search") app.search.open(); },
      c: () => app.startContact(), o: () => { if (app.lead) location.hash = "#/lead"; },
      s: () => app.lists.status.focus(),
      r: () => app.thread?.composer.choose("reply", true), n: () => app.thread?.composer.choose("note", true),
      w: () => app.shown && app.why(app.shown),
      a: () => this.press("accept") || this.press("take"), d: () => this.press("decline"),
      e: () => this.press("resolve"), t: () => this.press("transfer"), z: () => this.press("snooze"),
    }[event.key.toLowerCase()];
    if (does) { event.preventDefault(); does(); }
  }

  // As if its button was pressed, if the open contact has one.
  press(action) {
    const card = this.app.thread?.card;
    if (!card || !card.actions.includes(action)) return false;
    this.app.press(action, card);
    return true;
  }

  // To the next contact of the lists, or the one before.
  step(by) {
    const links = this.app.lists.order();
    const place = links.findIndex((link) => link.dataset.contact === this.app.shown);
    const next = links[place < 0 ? (by > 0 ? 0 : links.length - 1) : Math.max(0, Math.min(links.length - 1, place + by))];
    if (next) { next.focus({ preventScroll: false }); this.app.go(next.dataset.contact); }
  }
}
