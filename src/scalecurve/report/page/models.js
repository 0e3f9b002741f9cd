"use strict";
// The models: every one of them, and two set side by side on all abilities, on the same questions where they are known.
function everyModel() {
  return state.data.families.flatMap((family, f) => (isBudget(family) ? [] : family.rungs.map((rung, r) => ({ f, r, rung, family, key: `${family.name}/${rung.name}` }))));
}
function drawModels(given = new URLSearchParams()) {
  const page = $("models-body"), models = everyModel(), find = (key) => models.findIndex((model) => model.key === key);
  if (models.length < 2) { page.replaceChildren(el("p", { class: "note" }, say("one_model_only"))); return; }
  const largest = models.filter((model) => model.f === models[0].f);
  const look = { a: find(given.get("a")), b: find(given.get("b")) };
  if (look.a < 0) look.a = models.indexOf(largest[Math.max(0, largest.length - 2)]);
  if (look.b < 0) look.b = largest.length > 1 ? models.indexOf(largest.at(-1)) : models.findIndex((_, i) => i !== look.a);
  const result = el("div"), controls = el("div", { class: "filters" });
  const draw = () => {
    const options = models.map((model, i) => [String(i), ofModels().length > 1 ? `${model.family.name} · ${model.rung.name}` : model.rung.name]);
    const set = (key) => (value) => { look[key] = Number(value); state.query = { a: models[look.a].key, b: models[look.b].key }; writeAddress(); draw(); controls.querySelector(`[data-of=${key}] select`).focus(); };
    const tagged = (key, label) => { label.dataset.of = key; return label; };
    controls.replaceChildren(tagged("a", select(say("baseline"), options, String(look.a), set("a"))), tagged("b", select(say("compared"), options, String(look.b), set("b"))));
    result.replaceChildren(...compared(models[look.a], models[look.b]));
  };
  page.replaceChildren(controls, result);
  draw();
}
// Rows of B − A: with the paired interval where both were asked the same questions, else as if of other questions.
function differences(a, b) {
  const rows = [];
  for (const one of state.data.curves.filter((curve) => curve.p && curve.f === a.f)) {
    const other = a.f === b.f ? one : state.data.curves.find((curve) => curve.p && curve.f === b.f && curve.t === one.t && curve.s === one.s && curve.k === one.k && curve.m === one.m);
    if (!other) continue;
    const i = one.r.indexOf(a.r), j = other.r.indexOf(b.r), before = one.y[i], now = other.y[j];
    if (typeof before !== "number" || typeof now !== "number") continue;
    const known = typeof one.e[i] === "number" && typeof other.e[j] === "number" && one.e[i] + other.e[j] > 0;
    const reach = known ? 1.96 * Math.hypot(one.e[i], other.e[j]) : Infinity;
    let low = now - before - reach, high = now - before + reach, paired = false;
    if (one === other && one.d) {
      const found = one.d[pairAt(Math.min(i, j), Math.max(i, j), one.r.length)];
      if (found) { paired = true; [low, high] = i < j ? found : [-found[1], -found[0]]; }
    }
    rows.push({ curve: one, before, now, low, high, paired, bounded: one.c !== null && one.u !== null });
  }
  // A difference is sure when its interval, widened for the many rows, leaves zero out.
  const wider = quantile(1 - .025 / Math.max(1, rows.length)) / 1.96;
  for (const row of rows) {
    const middle = (row.low + row.high) / 2, reach = wider * (row.high - row.low) / 2;
    row.known = Number.isFinite(reach);
    row.sure = !row.known ? 0 : middle - reach > 0 || middle + reach < 0 ? Math.sign(middle) * (row.curve.up ? 1 : -1) : 0;
  }
  return rows.sort((x, y) => y.sure - x.sure || (y.now - y.before) * (y.curve.up ? 1 : -1) - (x.now - x.before) * (x.curve.up ? 1 : -1));
}
// The normal quantile for p above one half, to 5·10⁻⁴ (Abramowitz and Stegun, 26.2.23).
function quantile(p) {
  const t = Math.sqrt(-2 * Math.log(1 - p));
  return t - (2.515517 + .802853 * t + .010328 * t * t) / (1 + 1.432788 * t + .189269 * t * t + .001308 * t ** 3);
}
const pairAt = (i, j, count) => i * count - (i * (i + 1)) / 2 + (j - i - 1);
function compared(a, b) {
  const rows = differences(a, b), count = (sign) => rows.filter((row) => row.sure === sign).length;
  if (!rows.length) return [el("p", { class: "note" }, say("nothing_shared"))];
  const widest = Math.max(...rows.filter((row) => row.bounded && row.known).flatMap((row) => [Math.abs(row.low), Math.abs(row.high)]), .05);
  const linked = a.f === b.f && rows.some((row) => row.curve.cost);
  const table = el("table", { class: "fit", id: "differences" }, el("thead", {}, el("tr", {}, ...["task", "strategy"].map((key) => el("th", { scope: "col" }, say(key))),
    el("th", { scope: "col", class: "num" }, a.rung.name), el("th", { scope: "col", class: "num" }, b.rung.name), el("th", { scope: "col", class: "num" }, say("difference")), el("th", { scope: "col" }, say("interval")), linked ? el("th", { scope: "col" }, say("to_questions")) : "")),
  el("tbody", {}, ...rows.map((row) => {
    const link = `${addressOf(row.curve.t)}?${new URLSearchParams({ from: a.rung.name, to: b.rung.name, arm: row.curve.s })}`;
    return el("tr", {}, el("th", { scope: "row" }, el("a", { href: addressOf(row.curve.t) }, state.data.tasks[row.curve.t].name)), el("td", { class: "of-arm" }, armOf(row.curve)),
      el("td", { class: "num of-side", "data-label": a.rung.name }, number(row.before, 2)), el("td", { class: "num of-side", "data-label": b.rung.name }, number(row.now, 2)),
      el("td", { class: `num of-change ${row.sure > 0 ? "better" : row.sure < 0 ? "worse" : ""}` }, (row.sure > 0 ? "▲ " : row.sure < 0 ? "▼ " : "") + signed(row.now - row.before)),
      el("td", { class: "of-interval" }, row.bounded && row.known ? interval(row, widest) : "", el("span", { class: "soft" }, row.known ? ` ${signed(row.low)} … ${signed(row.high)}${row.paired ? "" : " *"}` : "–")),
      !linked ? "" : el("td", { class: "of-link" }, a.f === b.f && row.curve.cost ? el("a", { href: link, "aria-label": `${say("to_questions")}${say("colon")}${state.data.tasks[row.curve.t].name}, ${armOf(row.curve)}` }, say("to_questions")) : ""));
  })));
  const bar = el("div", { class: "take" }, el("button", { type: "button", onclick: () => saveCsv("models", rows.map((row) => ({ task: state.data.tasks[row.curve.t].ref, strategy: row.curve.s, shots: row.curve.k, metric: row.curve.m,
    [a.rung.name]: row.before, [b.rung.name]: row.now, difference: row.now - row.before, low: row.known ? row.low : "", high: row.known ? row.high : "", paired: row.paired }))) }, "CSV"));
  return [el("p", { class: "says" }, rows.every((row) => !row.known) ? say("no_errors_known") : fill("models_say", { b: b.rung.name, a: a.rung.name, better: count(1), worse: count(-1), all: rows.length })),
    el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": say("difference") }, table), bar,
    el("p", { class: "note" }, say("models_note"), rows.some((row) => row.known && !row.paired) ? say("space") + say("unpaired_note") : "")];
}
const signed = (value) => (value > 0 ? "+" : "") + number(value, 2);
function interval(row, widest) {
  const width = 120, X = (x) => width / 2 + (x / widest) * (width / 2 - 3), ink = row.sure ? "var(--ink)" : colours().soft;
  return svg("svg", { class: "interval", width, height: 14, viewBox: `0 0 ${width} 14`, "aria-hidden": "true" },
    svg("line", { x1: width / 2, x2: width / 2, y1: 0, y2: 14, stroke: colours().soft, "stroke-width": 1 }),
    svg("line", { x1: X(row.low), x2: X(row.high), y1: 7, y2: 7, style: `stroke:${ink}`, "stroke-width": 2 }),
    svg("circle", { cx: X(row.now - row.before), cy: 7, r: 3.2, style: `fill:${ink}` }));
}
