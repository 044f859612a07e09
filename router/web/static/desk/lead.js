// What a supervisor watches: the queue by topic, promises at risk, agents and how full they are, problems, today.

import { fill, h, icon, patch } from "./dom.js";
import { initials } from "./lists.js";
import { fullRow } from "./search.js";
import { T } from "./texts.js";
import { refreshTimes, since } from "./time.js";

const number = (value, label, kind = "") =>
  h("div", { class: `figure ${kind}` }, h("strong", {}, value), h("span", {}, label));

export class LeadView {
  constructor(app) {
    this.app = app;
    this.figures = h("div", { class: "figures" });
    this.problems = h("ul", { class: "problems", "aria-label": T.problems });
    this.incidents = h("ul", { class: "problems incidents", "aria-label": T.incidents });
    this.change = h("ul", { class: "problems changes" }, h("li", {}, icon("clock"), h("span", {}, T.whatifWaits),
      h("button", { class: "small", data: { focus: "whatif" }, onclick: () => this.app.whatif() }, T.whatif)));
    this.change.hidden = true;
    this.topics = h("tbody");
    this.noTopics = h("p", { class: "empty" }, T.queueEmpty);
    this.topicTable = h("table", { class: "table" },
      h("thead", {}, h("tr", {}, [T.topic, T.waitingColumn, T.longest, T.riskColumn, T.couldTake].map((one, at) => h("th", { scope: "col", class: at ? "number" : "" }, one)))), this.topics);
    this.risky = h("ul", { class: "rows" });
    this.noRisk = h("p", { class: "empty" }, T.noRisk);
    this.agents = h("tbody");
    this.root = h("section", { class: "queue-view lead", "aria-label": T.overview },
      h("header", { class: "queue-head" }, h("a", { class: "icon-button back", href: "#/", "aria-label": T.goBack }, icon("back")),
        h("h1", {}, T.overview), h("a", { href: "/desk/report", target: "_blank", rel: "noopener" }, T.report), h("a", { href: "/wall", target: "_blank", rel: "noopener" }, T.wallboard)),
      this.change, this.problems, this.incidents, this.figures,
      h("div", { class: "lead-panes" },
        h("section", {}, h("h2", {}, T.queueByTopic), h("div", { class: "table-scroll", tabindex: "0", role: "region", "aria-label": T.queueByTopic }, this.topicTable), this.noTopics),
        h("section", {}, h("h2", {}, T.atRisk), this.risky, this.noRisk)),
      h("section", {}, h("h2", {}, T.agents), h("div", { class: "table-scroll", tabindex: "0", role: "region", "aria-label": T.agents },
        h("table", { class: "table agents" },
          h("thead", {}, h("tr", {}, [T.agent, T.status, T.load, T.offeredColumn, T.openColumn, T.parkedColumn].map((one, at) => h("th", { scope: "col", class: at > 2 ? "number" : "" }, one)))),
          this.agents))));
  }

  update(view) {
    const board = view.board;
    this.figures.replaceChildren();
    fill(this.figures, number(board.waiting, T.figureWaiting),
      number(board.oldest ? since(board.oldest) : "–", T.figureLongest), number(board.late, T.figureLate, board.late ? "bad" : ""),
      number(board.at_risk - board.late, T.figureRisk, board.at_risk - board.late ? "warn" : ""), number(board.open, T.figureOpen),
      number(board.today.opened, T.figureOpened), number(board.today.answers, T.figureAnswers), number(board.today.resolved, T.figureResolved),
      board.today.rated > 0 && number(board.today.csat, T.csatToday));
    patch(this.incidents, board.incidents.map((one) => ({ ...one, said: view.answers[one.id] || "" })), (one) => one.id, (one) => h("li", {}, icon("flag"),
      h("span", {}, h("strong", {}, T.incidentLine(one)), h("span", { class: "muted" }, ` ${T.incidentOpen(one.affected)}`), one.said && h("span", { class: "muted" }, ` ${T.incidentTold} ${one.said}`)),
      h("button", { class: "small", data: { focus: `tell-${one.id}` }, onclick: () => this.app.incident(one.id, one.said) }, T.incidentTell),
      h("button", { class: "small quiet", data: { focus: `end-${one.id}` }, onclick: () => this.app.act("incident_end", { incident: one.id }) }, T.incidentEnd)));
    this.incidents.hidden = !board.incidents.length;
    const wrong = [...view.matters.filter((one) => one.code !== "incidents").map((one) => ({ text: [one.text, ...one.details].join(" ") })), ...board.problems.map((text) => ({ text }))];
    patch(this.problems, wrong, (one) => one.text, (one) => h("li", {}, icon("flag"), one.text));
    this.problems.hidden = !wrong.length;
    this.change.hidden = !view.changes;
    patch(this.topics, board.topics.map((one) => ({ ...one, shown: since(one.oldest) })), (one) => one.topic, (one) =>
      h("tr", {}, h("th", { scope: "row" }, one.label), h("td", { class: "number" }, one.waiting), h("td", { class: "number" }, one.shown),
        h("td", { class: `number ${one.at_risk ? "warn" : ""}` }, one.at_risk || "–"),
        h("td", { class: `number ${one.able ? "" : "bad"}` }, one.able ? T.freeOf(one.free, one.able) : T.nobody)));
    this.topicTable.hidden = !board.topics.length;
    this.noTopics.hidden = board.topics.length > 0;
    patch(this.risky, view.risky, (row) => row.id, (row) => this.row(row));
    this.noRisk.hidden = view.risky.length > 0;
    patch(this.agents, view.agents, (one) => one.id, (one) => this.agent(one));
    refreshTimes(this.root);
  }

  row(row) {
    const node = fullRow(this.app, row);
    node.classList.add("with-button");
    node.append(h("button", { class: "small", data: { focus: `give-${row.id}` }, onclick: () => this.app.assign(row.id) }, T.assign));
    return node;
  }

  agent(one) {
    const status = h("select", { class: `status ${one.status}`, "aria-label": T.statusOf(one.name), data: { focus: `status-${one.id}` },
      onchange: (event) => this.app.setStatusOf(one.id, event.target.value) },
    Object.entries(T.statuses).map(([value, text]) => h("option", { value, selected: value === one.status }, text)));
    return h("tr", {}, h("th", { scope: "row" }, h("span", { class: "agent-name" }, h("span", { class: "face", "aria-hidden": "true" }, initials(one.name)),
      h("span", {}, h("strong", {}, one.name), h("span", { class: "muted" }, [one.team, one.on_shift ? null : T.offShift].filter(Boolean).join(" · "))))),
    h("td", {}, status),
    h("td", {}, h("div", { class: "loads" }, one.capacity.map((bar) => h("span", { class: `load${bar.held >= bar.limit ? " full" : ""}`, title: T.barOf(bar.held, bar.limit) },
      h("span", {}, bar.label), h("span", { class: "number" }, `${bar.held}/${bar.limit}`),
      h("span", { class: "track" }, h("i", { vars: { "--share": bar.limit ? Math.min(1, bar.held / bar.limit) : 0 } })))),
    h("span", { class: "muted" }, T.utilisation(one.utilisation)))),
    h("td", { class: "number" }, one.offered || "–"), h("td", { class: "number" }, one.open || "–"), h("td", { class: "number" }, one.parked || "–"));
  }
}
