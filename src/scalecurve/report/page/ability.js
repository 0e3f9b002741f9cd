"use strict";
// The page of one ability. Its argument is a pair of charts: the strict score beside a finer one of the same answers.
// Then why we say so, what the next size will do, the questions that changed, and the parts.
const CHOICE = (metric) => new RegExp(W.choice).test(metric);

function drawAbility(index, given = new URLSearchParams()) {
  const task = state.data.tasks[index], page = $("page-ability");
  if (!task) { location.hash = "#/overview"; return; }
  const curves = state.data.curves.filter((curve) => curve.t === index);
  const metrics = unique(curves.map((curve) => curve.m));
  const headline = curves.find((curve) => curve.p)?.m ?? metrics[0];
  const main = onAxis(curves.filter((curve) => curve.m === headline));
  const usual = CHOICE(headline) ? W.finerOfChoice : W.finer, jump = jumpOf(main); // what a verdict rests on stands beside it
  const finer = [...(jump ? [jump.by] : []), ...usual].find((metric) => metric && metric !== headline && metrics.includes(metric));
  page.replaceChildren(
    el("p", { class: "kicker" }, el("a", { href: "#/abilities" }, say("back")), task.parent ? ` · ${task.parent}` : ""),
    el("h1", {}, task.name),
    el("p", { class: "lead asked" }, task.about, " ", el("span", { id: "asked" })),
    el("div", { class: finer ? "" : "beside" }, el("div", { class: main.length > 3 ? "claims many" : "claims" }, ...main.map((curve) => claimOf(curve, main))),
      pairOf(task, curves, main, headline, finer)),
    whyOf(main));
  const ahead = aheadOf(main);
  if (ahead) page.append(ahead);
  addParts(page, task, index);
  const examples = el("section", { "aria-labelledby": "h-examples" }, el("h2", { id: "h-examples" }, say("examples")));
  page.append(examples);
  showExamples(examples, index, main, given);
  const paired = ["correct_logprob", "wrong_logprob"].every((metric) => metrics.includes(metric)) ? ["correct_logprob", "wrong_logprob"] : [];
  addOthers(page, curves, metrics.filter((metric) => ![headline, finer, ...paired].includes(metric) && !isProbe(metric)), paired);
  page.append(numbersOf(main, headline), el("ul", { class: "tags" }, ...unique([task.ref, ...task.keywords, ...task.flags]).map((word) => el("li", {}, word))));
}

// The prompt with the clearest jump, where one has it, else the one that changes most between two models.
function jumpOf(curves) {
  const change = (curve) => ((curve.b || []).length === 2 ? Math.abs(curve.y[curve.b[1]] - curve.y[curve.b[0]]) : 0) + (["emergent", "late", "one-model"].includes(shapeOf(curve)) ? 1 : 0);
  return [...curves].sort((a, b) => change(b) - change(a))[0];
}
// A curve's name among others: only what tells it from them.
function nameAmong(curve, among) {
  const differ = (key) => new Set(among.map(key)).size > 1, names = [];
  if (differ((c) => c.f)) names.push(state.data.families[curve.f].name);
  if (differ((c) => c.s)) names.push(differ((c) => c.s.split("@")[0]) ? wayOf(curve.s) : fill("budget_of", { n: curve.s.split("@")[1] || "–" }));
  if (differ((c) => c.k) && among.some((c) => c !== curve && c.s === curve.s && c.f === curve.f && c.k !== curve.k)) names.push(fill("shots", { k: curve.k }));
  return names.join(" · ") || armOf(curve);
}
function keyOf(curve) {
  const key = el("span", { class: "key", "aria-hidden": "true" });
  key.style.background = colours().palette[styleOf(curve).colour];
  return key;
}
// The verdict in large type, and in a few chips.
function claimOf(curve, among) {
  const v = curve.v || {}, chip = (text, kind = "", ...terms) => el("li", {}, el("span", { class: `chip ${kind}`, title: meaning(...terms) }, text));
  const chips = [el("li", {}, badge(curve))];
  if (curve.v) chips.push(chip(fill("shape_is", { strength: say(v.strength || "open") }) + (typeof v.confidence === "number" ? ` (${Math.round(100 * v.confidence)}%)` : ""), v.strength || "open", v.strength || "open"));
  if (v.artefact && v.artefact !== "metric-artefact") chips.push(chip(say("artefact") + say("colon") + say(v.artefact), "", "artefact", v.artefact));
  const other = (curve.ov || []).map((at) => rungsOf(curve)[at].name).join(say("comma"));
  for (const at of curve.o || []) chips.push(chip(fill(other ? "either_out" : "left_out", { rung: rungsOf(curve)[at].name, other }), "hollow", "hollow"));
  if (curve.x) chips.push(chip(`${curve.x} ${say("failed")}`, "amber"));
  if (curve.z) chips.push(chip(fill("cut_off", { n: curve.z, bounds: boundsOf(curve) }), "amber long"));
  return el("div", { class: "claim" },
    el("p", { class: "says" }, ...(among.length > 1 ? [keyOf(curve), el("span", { class: "who" }, nameAmong(curve, among) + say("colon"))] : []), ...unbroken(v.claim || say("not_computed"))),
    el("ul", { class: "chips" }, ...chips));
}

// At each model whose answers a limit cut off: the score with all of these wrong, and right.
const boundsOf = (curve) => rungsOf(curve).map((rung, i) => (curve.w[i] === curve.g[i] ? "" : `${rung.name} ${number(curve.w[i], 2)}–${number(curve.g[i], 2)}`)).filter(Boolean).join(say("comma"));

// Two charts of the same size over the same models.
function pairOf(task, curves, main, headline, finer) {
  const name = (curve) => nameAmong(curve, main), draw = (own, metric, extras) => (width) => scoreSpec(own, width, {
    extras, apart: main, band: main, domain: [...curves.filter((c) => c.m === headline || c.m === finer)], named: main.length > 1 && main.length < 6, human: extras ? task.human : null, name, pair: true,
    description: `${task.name}: ${say(metric)}. ${own.map((c) => `${name(c)}: ${shapeWord(shapeOf(c))}`).join("; ")}` });
  const strict = el("div", { class: "chart", id: "headline", "data-name": `${task.ref}-${headline}` });
  const box = el("div", { class: finer ? "pair" : "pair single" }, el("figure", {}, el("h2", {}, say(headline)), strict));
  chart(strict, draw(main, headline, true));
  if (finer) {
    const other = el("div", { class: "chart", id: "finer", "data-name": `${task.ref}-${finer}` }), own = onAxis(curves.filter((curve) => curve.m === finer));
    box.append(el("figure", {}, el("h2", {}, say(finer)), other));
    chart(other, draw(own, finer, false));
  }
  const rests = finer && main.some((c) => c.by === finer && ["metric-artefact", "metric-robust"].includes((c.v || {}).artefact));
  const beside = finer ? [say("space"), el("span", { class: "wide" }, say("right_chart")), el("span", { class: "narrow" }, say("lower_chart")), say(rests ? "pair_decides" : "pair_note")] : [];
  return el("div", {}, box, el("p", { class: "note" }, notesOf(main), ...beside, " ", unplaced(main), " ", el("a", { href: "#/methods/glossary" }, say("glossary"))));
}
// The caption speaks only of what is drawn.
function notesOf(main) {
  const notes = main.some((c) => c.e.some((e) => e > 0)) ? [say("bars_note")] : [];
  if (main.some((c) => pointsOf(c).some(cutOff))) notes.push(say("bounds_note"));
  if (main.some((c) => onThisAxis(c))) notes.push(say("band_note"));
  if (main.some((c) => fanOf(c).length)) notes.push(say("fan_note"));
  if (main.some((c) => (c.o || []).length)) notes.push(say("hollow_note"));
  const rings = main.filter((c) => c.unlock && pointsOf(c).some((p) => p.rung === c.unlock));
  notes.push(...unique(rings.map((c) => fill("unlock_note", { rung: c.unlock }))));
  const elsewhere = main.find((c) => (c.fan && c.fan.axis !== state.axis) || (c.v && typeof c.v.threshold === "number" && c.v.axis !== state.axis));
  if (elsewhere) notes.push(fill("only_by", { axis: say(elsewhere.fan ? elsewhere.fan.axis : elsewhere.v.axis) }));
  return notes.join(say("space"));
}
const onThisAxis = (curve) => curve.v && curve.v.axis === state.axis && typeof curve.v.threshold_lo === "number" && curve.v.shape !== "inconclusive";

// Evidence, what would refute it, caveats, and the numbers for those who want them.
function whyOf(main) {
  const judged = main.filter((curve) => curve.v), box = el("section", { "aria-labelledby": "h-why" }, el("h2", { id: "h-why" }, say("why")));
  const list = (rows) => el("ul", {}, ...rows.map((row) => el("li", {}, row)));
  for (const curve of judged) {
    const v = curve.v, facts = [];
    if (typeof v.threshold_lo === "number") facts.push((curve.st ? fill("begins", startOf(curve)) : say("threshold") + say("colon") + amount(v.threshold)) + say("semicolon") + `95%${say("colon")}${amount(v.threshold_lo)}–${amount(v.threshold_hi)} ${say(v.axis)}`);
    if (typeof v.confidence === "number") facts.push(fill("probability", { p: Math.round(100 * v.confidence) }));
    if (v.linearity_share !== undefined) facts.push(`${say("linearity")} ${number(v.linearity_share, 2)}`);
    if (v.breakthroughness !== undefined) facts.push(`${say("breakthroughness")} ${number(v.breakthroughness, 1)}`);
    const flags = (v.flags || []).map((flag) => say(flag));
    box.append(judged.length > 1 ? el("h3", {}, keyOf(curve), nameAmong(curve, judged)) : "",
      el("dl", { class: "why" }, ...(v.evidence ? [el("dt", {}, say("evidence")), el("dd", {}, list(v.evidence))] : []),
        ...(v.refute ? [el("dt", {}, say("refute")), el("dd", {}, list(v.refute))] : []),
        ...(v.caveats ? [el("dt", {}, say("caveats_of")), el("dd", {}, list(v.caveats))] : []),
        el("dt", {}, say("numbers")), el("dd", {}, el("details", {}, el("summary", {}, say("numbers_fold")), list([...facts, ...(v.numbers || []), ...flags])))));
  }
  return judged.length ? box : el("div");
}
// What the next sizes will score, and what an answer costs.
function aheadOf(main) {
  const known = main.filter((curve) => curve.fan || curve.cost);
  if (!known.length) return null;
  const fans = known.filter((curve) => curve.fan), places = unique(fans.flatMap((curve) => curve.fan.points.map((p) => p.x))), cost = known.some((curve) => curve.cost);
  const head = [el("th", { scope: "col" }, say("series")), ...places.map((x) => el("th", { scope: "col", class: "num" }, fill("at_size", { size: amount(x) }))),
    ...(cost ? [el("th", { scope: "col", class: "num" }, say("prompt_tokens_each")), el("th", { scope: "col", class: "num" }, say("generated_tokens_each"))] : [])];
  const cell = (curve, x) => { const p = curve.fan && curve.fan.points.find((one) => one.x === x); return el("td", { class: "num", "data-label": fill("at_size", { size: amount(x) }) }, p ? `${number(p.y, 2)} (${number(p.lo80, 2)}–${number(p.hi80, 2)})` : "–"); };
  return el("section", {}, el("h2", { id: "h-ahead" }, say(fans.length ? "ahead" : "cost_each")),
    el("div", { class: "scroll", tabindex: "0", role: "region", "aria-labelledby": "h-ahead" }, el("table", { class: "fit stack" }, el("thead", {}, el("tr", {}, ...head)),
      el("tbody", {}, ...known.map((curve) => el("tr", {}, el("th", { scope: "row" }, known.length > 1 ? keyOf(curve) : "", nameAmong(curve, main)), ...places.map((x) => cell(curve, x)),
        ...(cost ? (curve.cost || [null, null]).map((tokens, i) => el("td", { class: "num", "data-label": say(i ? "generated_tokens_each" : "prompt_tokens_each") }, tokens === null ? "–" : String(tokens))) : [])))))),
    fans.length ? el("p", { class: "note" }, fill("ahead_note", { axis: say(fans[0].fan.axis) }),
      ...fans.filter((curve) => (curve.o || []).length).map((curve) => say("space") + fill("ahead_odd", { names: nameAmong(curve, main), rung: curve.o.map((at) => rungsOf(curve)[at].name).join(say("comma")) }))) : "");
}

function addOthers(page, curves, metrics, paired) {
  if (!metrics.length && !paired.length) return;
  const grid = el("div", { class: "grid" }), box = el("details", { class: "others" }, el("summary", {}, say("companions")), grid);
  page.append(box);
  const add = (title, own, options) => {
    const figure = el("div", { class: "chart small" });
    grid.append(el("div", {}, el("h3", {}, title), figure));
    chart(figure, (width) => scoreSpec(own, width, { small: true, description: title, ...options }));
  };
  if (paired.length) add(say("logprobs"), curves.filter((curve) => paired.includes(curve.m)), { name: (curve) => `${say(curve.m)} · ${seriesOf(curve)}` });
  for (const metric of metrics) add(say(metric), curves.filter((curve) => curve.m === metric), {});
}
// The parts of an ability in one strip: probes of its answers and the subtasks beside it, in the order in which they
// are surely above chance.
const isProbe = (metric) => metric.startsWith("probe:");
const STRIP = 40;
function addParts(page, task, index) {
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
  const size = (rung, i) => rung.params_non_embedding ?? rung.params_total ?? i;
  const first = (curves) => Math.min(...curves.map((c) => { const at = beginsAt(c); return at === null ? Infinity : size(rungsOf(c)[at], at); }));
  const ordered = [...steps.values()].sort((a, b) => (first(a) === first(b) ? (b[0].y.at(-1) ?? 0) - (a[0].y.at(-1) ?? 0) : first(a) - first(b)));
  page.append(el("section", {}, el("h2", { id: "h-ladder" }, say("subabilities")), el("p", { class: "note" }, say("ladder_note")),
    el("div", { class: "scroll", tabindex: "0", role: "region", "aria-labelledby": "h-ladder" }, el("ol", { class: "ladder" }, ...ordered.slice(0, STRIP).map((curves) => step(curves, index, 1 + ordered.filter((other) => first(other) < first(curves)).length))))));
}
// The first model off the floor by the verdict, as everywhere on the page; without one, that from which on it is surely above chance, no odd one.
function beginsAt(curve) {
  if (curve.st) return curve.st[1];
  let at = curve.a;
  while (at !== null && [...(curve.o || []), ...(curve.ov || [])].includes(at)) at = at + 1 < curve.r.length ? at + 1 : null;
  return at;
}
function step(curves, index, place) {
  const curve = curves[0], task = state.data.tasks[curve.t];
  const name = isProbe(curve.m) ? curve.m.slice("probe:".length) : task.parent ? task.name.slice(task.parent.length).replace(/^: /, "") : task.name;
  return el("li", { "aria-current": curve.t === index && !isProbe(curve.m) ? "true" : null },
    el("h3", { "data-place": String(place) }, curve.t === index ? name : el("a", { href: addressOf(curve.t) }, name)), sparkOf(curves, 150, 48),
    el("p", { class: "sub soft" }, isProbe(curve.m) ? fill("probe_of", { task: task.name }) : say(curve.m)),
    ...curves.map((one) => el("p", { class: "sub" }, curves.length > 1 ? keyOf(one) : "", appears(one, curves))));
}
function appears(curve, among) {
  const arm = among.length > 1 ? `${nameAmong(curve, among)}${say("colon")}` : "";
  if (curve.c === null) return arm + shapeWord(shapeOf(curve));
  const at = beginsAt(curve), rung = at === null ? "" : rungsOf(curve)[at].name;
  return arm + (curve.st ? fill("begins", startOf(curve)) : at === null ? say("not_yet") : at === 0 ? say("from_the_first") : fill("appears", { rung }));
}
function numbersOf(curves, metric) {
  const rungs = unique(curves.flatMap((curve) => rungsOf(curve).map((rung) => rung.name)));
  return el("details", {}, el("summary", {}, `${say("numbers")} (${say(metric)})`), el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": say("numbers") },
    el("table", { class: "fit" }, el("thead", {}, el("tr", {}, el("th", { scope: "col" }, say("model")), ...curves.map((curve) => el("th", { scope: "col", class: "num" }, seriesOf(curve) || armOf(curve))))),
      el("tbody", {}, ...rungs.map((name) => el("tr", {}, el("th", { scope: "row" }, name), ...curves.map((curve) => {
        const i = rungsOf(curve).findIndex((rung) => rung.name === name);
        return el("td", { class: "num" }, i < 0 || curve.y[i] === null ? "–" : `${number(curve.y[i])} ± ${number(curve.e[i])}`);
      })))))));
}
