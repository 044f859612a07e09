// Builds elements. Text only ever becomes a text node: nothing a customer wrote can become markup here.

const SVG = "http://www.w3.org/2000/svg";

export function h(tag, props, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props || {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "class") element.className = value;
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "data") Object.assign(element.dataset, value);
    else if (name === "vars") for (const [key, one] of Object.entries(value)) element.style.setProperty(key, one);
    else if (name === "value" || name === "checked" || name === "disabled" || name === "selected") element[name] = value;
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  fill(element, children);
  return element;
}

export function fill(element, ...children) {
  for (const child of children.flat(Infinity)) {
    if (child === undefined || child === null || child === false || child === "") continue;
    element.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
  return element;
}

export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 20 20");
  svg.setAttribute("aria-hidden", "true");
  svg.classList.add("icon");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", ICONS[name] || ICONS.dot);
  svg.append(path);
  return svg;
}

// Drawn on a grid of 20, by stroke.
const ICONS = {
  email: "M3 5h14v10H3zM3 6l7 5 7-5",
  webchat: "M3 4h14v9H9l-4 3v-3H3z",
  telegram: "M17 4 3 9.5l4.5 1.8L9 16l2.6-3 4 2.6z",
  slack: "M7 3v14M13 3v14M3 7h14M3 13h14",
  http: "M7 6l-4 4 4 4M13 6l4 4-4 4",
  clip: "M14 7l-6 6a2 2 0 0 0 3 3l6-6a4 4 0 0 0-6-6l-6 6",
  back: "M12 4 6 10l6 6",
  check: "M4 10.5l4 4 8-9",
  cross: "M5 5l10 10M15 5 5 15",
  clock: "M10 3a7 7 0 1 0 0 14 7 7 0 0 0 0-14zM10 6v4l3 2",
  hand: "M4 10h11M11 6l4 4-4 4",
  note: "M4 4h12v8l-4 4H4zM12 16v-4h4",
  moon: "M15 12A6 6 0 0 1 8 5a6 6 0 1 0 7 7z",
  info: "M10 3a7 7 0 1 0 0 14 7 7 0 0 0 0-14zM10 9v5M10 6.2v.3",
  tag: "M3 4v6l7 7 6-6-7-7zM6.4 7.4v.2",
  flag: "M5 17V4h10l-2 3.5L15 11H5",
  people: "M7 10a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM2 16c0-3 2-4.500 5-4.500s5 1.500 5 4.500M13.500 9.500a2.500 2.500 0 1 0 0-5M14 12c2.500 0 4 1.500 4 4",
  queue: "M4 5h12M4 10h12M4 15h7",
  half: "M10 3a7 7 0 1 0 0 14zM10 3a7 7 0 0 1 0 14",
  help: "M7.500 7.500a2.500 2.500 0 1 1 3.500 2.300c-.7.3-1 .8-1 1.700M10 14.500v.2M10 2.500a7.500 7.500 0 1 0 0 15 7.500 7.500 0 0 0 0-15z",
  out: "M8 4H4v12h4M9 10h8M14 7l3 3-3 3",
  saved: "M5 3h10v14l-5-4-5 4z",
  search: "M9 4a5 5 0 1 0 0 10A5 5 0 0 0 9 4zM13 13l4 4",
  pen: "M4 16l1-4 8-8 3 3-8 8zM12 5l3 3",
  chart: "M4 16V9M10 16V4M16 16v-5",
  wall: "M3 4h14v9H3zM7 17h6M10 13v4",
  dot: "M10 10v.1",
};

// Brings a list to `items`, keeping the nodes of those that did not change: focus, open folds and scrolling survive.
export function patch(container, items, key, render) {
  const before = new Map();
  for (const node of [...container.children]) before.set(node.dataset.key, node);
  let place = container.firstElementChild;
  for (const item of items) {
    const id = key(item);
    const content = JSON.stringify(item);
    let node = before.get(id);
    before.delete(id);
    if (!node || node.content !== content) {
      const fresh = render(item, node);
      fresh.dataset.key = id;
      fresh.content = content;
      if (node) {
        const focused = node.contains(document.activeElement) ? document.activeElement.dataset.focus : null;
        for (const fold of node.querySelectorAll("details[open]")) {
          fresh.querySelector(`details[data-fold="${fold.dataset.fold}"]`)?.setAttribute("open", "");
        }
        if (place === node) place = fresh;
        node.replaceWith(fresh);
        if (focused) fresh.querySelector(`[data-focus="${focused}"]`)?.focus();
      }
      node = fresh;
    }
    if (node === place) place = place.nextElementSibling;
    else container.insertBefore(node, place);
  }
  for (const node of before.values()) node.remove();
}

export function say(text) {
  const region = document.getElementById("said");
  region.textContent = "";
  requestAnimationFrame(() => { region.textContent = text; });
}

// `undo`: {label, does}, a button within the message.
export function toast(text, kind = "good", undo = null) {
  const shown = undo || kind === "bad" ? 6000 : 3200;
  const node = h("div", { class: `toast ${kind}` }, text,
    undo && h("button", { onclick: () => { node.remove(); undo.does(); } }, undo.label));
  document.getElementById("toasts").append(node);
  if (kind === "bad") document.getElementById("alarm").textContent = text;
  else say(text);
  setTimeout(() => node.classList.add("leaving"), shown);
  setTimeout(() => node.remove(), shown + 400);
}
