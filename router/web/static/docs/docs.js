// The API as a page, from /openapi.json; loads nothing from elsewhere.

import { fill, h } from "../desk/dom.js";

const T = {
  body: "Body", parameters: "Parameters", answers: "Answers", required: "required", try: "Example", source: "The same for machines: ",
  failed: "The description could not be loaded.",
};

const code = (text) => h("code", {}, text);

function words(text) {
  return (text || "").split(/\n\s*\n/).map((part) => h("p", {}, part.split(/(`[^`]+`)/).map((one) =>
    one.startsWith("`") && one.endsWith("`") && one.length > 2 ? code(one.slice(1, -1)) : one)));
}

const follow = (schema, all) => (schema?.$ref ? all[schema.$ref.split("/").pop()] || {} : schema || {});

function typeOf(schema, all) {
  if (schema?.$ref) return schema.$ref.split("/").pop();
  if (schema?.enum) return schema.enum.map((one) => JSON.stringify(one)).join(" | ");
  if (schema?.const !== undefined) return JSON.stringify(schema.const);
  const either = schema?.anyOf || schema?.oneOf;
  if (either) return either.map((one) => typeOf(one, all)).join(" | ");
  if (schema?.type === "array") return `[${typeOf(schema.items, all)}]`;
  return schema?.format ? `${schema.type} (${schema.format})` : schema?.type || "any";
}

function fields(schema, all, depth = 0) {
  const known = follow(schema, all);
  if (!known.properties) return h("p", {}, code(typeOf(schema, all)));
  const must = new Set(known.required || []);
  return h("table", {}, h("tbody", {}, Object.entries(known.properties).map(([name, one]) => {
    const inner = one.$ref || one.items?.$ref || one.anyOf?.find((each) => each.$ref)?.$ref;
    return h("tr", {}, h("th", { scope: "row" }, code(name), must.has(name) && h("span", { class: "must" }, T.required)),
      h("td", {}, code(typeOf(one, all)), one.description && h("span", {}, one.description),
        inner && depth < 2 && h("details", {}, h("summary", {}, inner.split("/").pop()), fields({ $ref: inner }, all, depth + 1))));
  })));
}

function operation(path, method, one, all) {
  const body = one.requestBody?.content?.["application/json"]?.schema;
  const parameters = one.parameters || [];
  return h("article", { id: `${method}-${path.replace(/\W+/g, "-")}` },
    h("h3", {}, h("span", { class: `method ${method}` }, method.toUpperCase()), code(path), h("span", { class: "summary" }, one.summary)),
    words(one.description),
    parameters.length > 0 && [h("h4", {}, T.parameters), h("table", {}, h("tbody", {}, parameters.map((each) =>
      h("tr", {}, h("th", { scope: "row" }, code(each.name), each.required && h("span", { class: "must" }, T.required)),
        h("td", {}, code(typeOf(each.schema, all)), ` ${each.in}`, each.description && h("span", {}, each.description))))))],
    body && [h("h4", {}, T.body), fields(body, all)],
    h("h4", {}, T.answers), h("ul", { class: "answers" }, Object.entries(one.responses).map(([status, each]) =>
      h("li", {}, code(status), ` ${each.description}`))));
}

async function show() {
  const main = document.getElementById("docs");
  const api = await (await fetch("/openapi.json")).json();
  const all = api.components?.schemas || {};
  const groups = new Map();
  for (const [path, methods] of Object.entries(api.paths)) {
    for (const [method, one] of Object.entries(methods)) {
      const tag = one.tags?.[0] || "";
      groups.set(tag, [...(groups.get(tag) || []), operation(path, method, one, all)]);
    }
  }
  fill(main, h("h1", {}, `${api.info.title} ${api.info.version}`), words(api.info.description),
    h("p", {}, T.source, h("a", { href: "/openapi.json" }, "/openapi.json")),
    [...groups].map(([tag, list]) => h("section", {}, h("h2", {}, tag), list)));
}

show().catch(() => { document.getElementById("docs").textContent = T.failed; });
