"use strict";
// The page of one ability: its headline curves, the verdicts and why, companions, parts, numbers, examples.
function drawAbility(index) {
  const task = state.data.tasks[index], page = $("page-ability");
  if (!task) { location.hash = "#/overview"; return; }
  const curves = state.data.curves.filter((curve) => curve.t === index);
  const metrics = unique(curves.map((curve) => curve.m));
  const headline = curves.find((curve) => curve.p)?.m ?? metrics[0];
  const main = curves.filter((curve) => curve.m === headline);
  const figure = el("div", { class: "chart", id: "headline" });
  const left = el("div", {}, figure, el("p", { class: "note" }, say("band_note") + (main.some((c) => c.fan) ? " " + say("fan_note") : "")));
  page.replaceChildren(
    el("p", { class: "kicker" }, el("a", { href: "#/abilities" }, say("back")), task.parent ? ` · ${task.parent}` : ""),
    el("h1", {}, task.name),
    task.about ? el("p", { class: "lead" }, task.about) : "",
    el("ul", { class: "tags" }, ...[task.ref, ...task.keywords, ...task.flags].map((word) => el("li", {}, word))),
    el("div", { class: "head" }, left,
      el("div", {}, ...main.map((curve) => verdictBox(curve, main.length > 1)))));
  chart(figure, (width) => scoreSpec(main, width, { y: say(headline), extras: true, human: task.human,
    description: `${task.name}: ${say(headline)}. ${main.map((c) => `${seriesOf(c)}: ${shapeWord(shapeOf(c))}`).join("; ")}` }));
  const paired = addPaired(left, curves) ? ["correct_logprob", "wrong_logprob"] : [];
  addCompanions(left, curves, metrics.filter((metric) => metric !== headline && !paired.includes(metric) && !isProbe(metric)));
  addLadder(page, task, index);
  left.append(numbersOf(main, headline));
  const examples = el("section", { "aria-labelledby": "h-examples" }, el("h2", { id: "h-examples" }, say("examples")));
  page.append(examples);
  showExamples(examples, index);
}

function verdictBox(curve, several) {
  const v = curve.v || {}, key = el("span", { class: "key", "aria-hidden": "true" });
  key.style.background = colours().palette[state.data.curves.filter((c) => c.t === curve.t && c.m === curve.m).indexOf(curve) % 8];
  const lines = [];
  if (typeof v.threshold === "number")
    lines.push(`${say("threshold")} ${amount(v.threshold)}` + (typeof v.threshold_lo === "number" ? ` (${amount(v.threshold_lo)}–${amount(v.threshold_hi)})` : "") + (v.axis && v.axis !== "params_non_embedding" ? ` ${say(v.axis)}` : ""));
  const facts = [];
  if (v.linearity_share !== undefined) facts.push(`${say("linearity")} ${number(v.linearity_share, 2)}`);
  if (v.breakthroughness !== undefined) facts.push(`B ${number(v.breakthroughness, 1)}`);
  if (facts.length) lines.push(facts.join(" · "));
  if (v.artefact) lines.push(`${say("artefact")}: ${say(v.artefact)}`);
  if (curve.x) lines.push(`${curve.x} ${say("failed")}`);
  const sure = typeof v.confidence === "number" ? ` · ${say("confidence")} ${Math.round(100 * v.confidence)}%` : "";
  return el("div", { class: "verdict" }, el("h3", {}, several ? key : "", seriesOf(curve) || armOf(curve)),
    el("p", {}, badge(curve), el("span", { class: "soft" }, sure)),
    ...lines.map((line) => el("p", { class: "soft" }, line)),
    v.reasons || v.flags ? el("ul", {}, ...(v.reasons || []).map((reason) => el("li", {}, reason)), ...(v.flags || []).map((flag) => el("li", {}, say(flag)))) : "");
}

function addCompanions(page, curves, metrics) {
  if (!metrics.length) return;
  const grid = el("div", { class: "grid" });
  page.append(el("h2", {}, say("companions")), grid);
  for (const metric of metrics) {
    const same = curves.filter((curve) => curve.m === metric), figure = el("div", { class: "chart small" });
    grid.append(el("div", {}, el("h3", {}, say(metric)), figure));
    chart(figure, (width) => scoreSpec(same, width, { small: true, description: say(metric) }));
  }
}
function addPaired(page, curves) {
  const pair = curves.filter((curve) => ["correct_logprob", "wrong_logprob"].includes(curve.m));
  if (unique(pair.map((curve) => curve.m)).length < 2) return false;
  const figure = el("div", { class: "chart" });
  page.append(el("h2", {}, say("logprobs")), figure);
  chart(figure, (width) => scoreSpec(pair, Math.min(width, 720), { description: say("logprobs"), name: (curve) => `${say(curve.m)} · ${seriesOf(curve)}` }));
  return true;
}
// The ladder of partial abilities: probes of this ability's answers and the parts of its family, in the order in which
// they appear. Very many parts are shown as cards instead.
const isProbe = (metric) => metric.startsWith("probe:");
const LADDER = 24;
function addLadder(page, task, index) {
  const own = task.name.split(": ")[0], tasks = state.data.tasks;
  const kin = (t) => tasks[t].source === task.source && tasks[t].parent === (task.parent || own);
  const steps = new Map();
  for (const curve of state.data.curves) {
    const probe = isProbe(curve.m) && (curve.t === index || kin(curve.t));
    if (!probe && !(curve.p && (curve.t === index || kin(curve.t)))) continue;
    const key = probe ? `${curve.t} ${curve.m}` : `${curve.t}`;
    if (!steps.has(key)) steps.set(key, []);
    steps.get(key).push(curve);
  }
  if (steps.size < 2) return;
  const heading = [el("h2", { id: "h-ladder" }, say("subabilities"))];
  if (steps.size > LADDER) {
    page.append(...heading, el("ul", { class: "cards" }, ...[...steps.values()].flat().filter((c) => c.t !== index).slice(0, 60).map(card)));
    return;
  }
  const size = (rung, i) => rung.params_non_embedding ?? rung.params_total ?? i;
  const first = (curves) => Math.min(...curves.map((c) => (c.a === null ? Infinity : size(rungsOf(c)[c.a], c.a))));
  const ordered = [...steps.values()].sort((a, b) => (first(a) === first(b) ? (b[0].y.at(-1) ?? 0) - (a[0].y.at(-1) ?? 0) : first(a) - first(b)));
  const list = el("ol", { class: "grid ladder", "aria-labelledby": "h-ladder" });
  page.append(...heading, el("p", { class: "note" }, say("ladder_note")), list);
  for (const curves of ordered) list.append(step(curves, index));
}
function step(curves, index) {
  const figure = el("div", { class: "chart small" }), curve = curves[0], task = state.data.tasks[curve.t];
  const name = isProbe(curve.m) ? curve.m.slice("probe:".length) : task.parent ? task.name.slice(task.parent.length).replace(/^: /, "") : task.name;
  const title = curve.t === index ? name : el("a", { href: `#/ability/${curve.t}` }, name);
  const kind = isProbe(curve.m) ? fill("probe_of", { task: task.name }) : say(curve.m);
  chart(figure, (width) => scoreSpec(curves, width, { small: true, unit: true, description: `${name}: ${curves.map(appears).join("; ")}` }));
  return el("li", {}, el("h3", {}, title), el("p", { class: "soft sub" }, kind), figure,
    ...curves.map((one) => el("p", { class: "sub" }, appears(one, curves.length > 1))));
}
function appears(curve, several) {
  const arm = several ? `${seriesOf(curve)}: ` : "";
  if (curve.c === null) return arm + shapeWord(shapeOf(curve));
  return arm + (curve.a === null ? say("not_yet") : curve.a === 0 ? say("from_the_first") : fill("appears", { rung: rungsOf(curve)[curve.a].name }));
}
function numbersOf(curves, metric) {
  const rungs = unique(curves.flatMap((curve) => rungsOf(curve).map((rung) => rung.name)));
  return el("details", {}, el("summary", {}, `${say("numbers")} (${say(metric)})`), el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": say("numbers") },
    el("table", {}, el("thead", {}, el("tr", {}, el("th", { scope: "col" }, say("series")), ...rungs.map((rung) => el("th", { scope: "col", class: "num" }, rung)))),
      el("tbody", {}, ...curves.map((curve) => el("tr", {}, el("th", { scope: "row" }, seriesOf(curve) || armOf(curve)), ...rungs.map((name) => {
        const i = rungsOf(curve).findIndex((rung) => rung.name === name);
        return el("td", { class: "num" }, i < 0 || curve.y[i] === null ? "–" : `${number(curve.y[i])} ± ${number(curve.e[i])}`);
      })))))));
}
