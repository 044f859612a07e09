// Times as people read them, in the browser's zone and language. `skew`: server clock less ours, in ms.

let skew = 0;
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const clockSeconds = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const day = new Intl.DateTimeFormat(undefined, { weekday: "short", day: "numeric", month: "short" });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const relative = new Intl.RelativeTimeFormat(undefined, { numeric: "auto", style: "short" });

export const setServerTime = (server) => { skew = server - Date.now(); };
export const now = () => Date.now() + skew;
export const atClock = (ms) => clock.format(ms);
export const atSeconds = (ms) => clockSeconds.format(ms);
export const exact = (ms) => full.format(ms);

export function at(ms) {
  const sameDay = new Date(ms).toDateString() === new Date(now()).toDateString();
  return sameDay ? clock.format(ms) : `${day.format(ms)}, ${clock.format(ms)}`;
}

export function ago(ms) {
  const seconds = Math.round((ms - now()) / 1000);
  const size = Math.abs(seconds);
  if (size < 45) return relative.format(0, "second");
  if (size < 3600) return relative.format(Math.round(seconds / 60), "minute");
  if (size < 86400) return relative.format(Math.round(seconds / 3600), "hour");
  return relative.format(Math.round(seconds / 86400), "day");
}

// How long since: 40 s, 12 min, 3 h, 2 d.
export function since(ms) {
  const seconds = Math.max(0, Math.round((now() - ms) / 1000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 172800) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86400)} d`;
}

export function size(bytes) {
  if (bytes < 1000) return `${bytes} B`;
  if (bytes < 1e6) return `${Math.round(bytes / 1000)} kB`;
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

// A <time> that is brought up to date by `refreshTimes`.
export function refreshTimes(root = document) {
  for (const node of root.querySelectorAll("time[data-ago]")) node.textContent = ago(Number(node.dataset.ago));
  for (const node of root.querySelectorAll("[data-due]")) {
    node.classList.toggle("late", Number(node.dataset.due) < now());
    node.classList.toggle("soon", Number(node.dataset.due) - now() < 15 * 60000);
  }
  for (const node of root.querySelectorAll("[data-until]")) {
    const from = Number(node.dataset.from);
    const until = Number(node.dataset.until);
    const left = Math.max(0, Math.min(1, (until - now()) / Math.max(1, until - from)));
    node.style.setProperty("--left", left.toFixed(4));
    node.classList.toggle("soon", left < 0.25);
    node.classList.toggle("over", left === 0);
  }
}
