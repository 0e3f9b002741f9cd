"use strict";
// Vega-Lite charts, drawn when they come into sight and again when theme, axis or width change.
const charts = new Map(); // element → function that draws it
const sight = new IntersectionObserver((entries) => {
  for (const entry of entries) if (entry.isIntersecting) { sight.unobserve(entry.target); drawNow(entry.target); }
}, { rootMargin: "300px" });

function drawNow(node) {
  if (!node.isConnected) { charts.delete(node); return; }
  const make = charts.get(node);
  if (make && node.clientWidth) vegaEmbed(node, make(node.clientWidth), { actions: false, renderer: "svg", ast: true, tooltip: { theme: "custom" } })
    .then(() => node.setAttribute("data-drawn", "")).catch((error) => console.error(String(error)));
}
function chart(node, make) { charts.set(node, make); node.removeAttribute("data-drawn"); sight.unobserve(node); sight.observe(node); }
function redraw() {
  for (const node of [...charts.keys()]) {
    if (!node.isConnected) charts.delete(node);
    else { node.removeAttribute("data-drawn"); sight.unobserve(node); sight.observe(node); }
  }
}

function look() {
  const c = colours(), config = structuredClone(W.config);
  for (const part of [config.axis, config.legend, config.title, config.text, config.rule])
    for (const [key, value] of Object.entries(part)) if (Object.hasOwn(W.light, value)) part[key] = c[W.light[value]];
  return config;
}
function based(name, width, height, datasets, description) {
  const spec = structuredClone(W.charts[name]);
  spec.layer = spec.layer.filter((layer) => datasets[(layer.data || spec.data).name].length); // an empty layer would only warn
  const used = Object.fromEntries(Object.entries(datasets).filter(([, rows]) => rows.length));
  return { ...spec, width, height, datasets: used, description, config: look(), autosize: { type: "fit", contains: "padding" } };
}
function channels(spec, name, change) {
  for (const layer of spec.layer || []) if (layer.encoding && layer.encoding[name]) change(layer.encoding[name], layer.encoding);
}

// One score chart: curves overlaid, each a series. Options: title of y, small, names of the series, with verdicts.
function scoreSpec(curves, width, options = {}) {
  const perRow = width < 520 ? 1 : 3, legendRows = curves.length > 1 ? Math.ceil(curves.length / perRow) : 0;
  const height = options.small ? 150 : Math.min(340, Math.max(220, width * 0.5)) + 16 * legendRows;
  const data = { points: [], rules: [], threshold: [], unlock: [], fan: [] };
  const name = options.name || ((curve) => seriesOf(curve));
  for (const curve of curves) {
    const series = name(curve);
    for (const p of pointsOf(curve)) data.points.push({ x: p.x, y: p.y, lo: p.y - 2 * p.e, hi: p.y + 2 * p.e, series, rung: p.rung, n: p.n });
    if (options.extras) addExtras(data, curve, series);
  }
  const first = curves[0];
  if (first && first.c !== null && curves.every((curve) => curve.c === first.c)) data.rules.push({ y: first.c, label: say("chance") });
  if (first && first.u !== null && data.points.some((p) => Math.abs(p.hi - first.u) < .1 * Math.max(1, Math.abs(first.u))))
    data.rules.push({ y: first.u, label: say("ceiling") });
  if (options.human) for (const [key, value] of Object.entries(options.human)) data.rules.push({ y: value, label: say("human_" + key) });
  const spec = based("score", width, height, data, options.description || "");
  const logarithmic = state.log && state.axis !== "loss";
  channels(spec, "x", (x) => { if (!x.field) return; x.title = options.small ? null : say(state.axis);
    x.scale = { type: logarithmic ? "log" : "linear", nice: false, padding: options.small ? 10 : 18,
      ...(logarithmic ? {} : { zero: false }), reverse: state.axis === "loss" };
    if (options.small && logarithmic) x.axis = { ...x.axis, values: powersOfTen(data.points.map((p) => p.x)) }; });
  // Charts to be compared share the scale from 0 to 1, where scores stay within it.
  const unit = options.unit && data.points.every((p) => p.y >= 0 && p.y <= 1);
  const tiny = data.points.every((p) => Math.abs(p.hi) < 1e-3) && data.points.some((p) => p.hi !== 0);
  channels(spec, "y", (y) => { y.title = options.y || null; if (options.small) y.axis = { tickCount: 3 };
    if (tiny) y.axis = { ...y.axis, format: ".0e" };
    if (unit) y.scale = { ...y.scale, domain: [0, 1], nice: false, clamp: true }; });
  const several = new Set(data.points.map((p) => p.series)).size > 1;
  const shown = [...new Set(data.points.map((p) => p.series))];
  const legend = several && !options.small ? { title: null, columns: perRow, labelLimit: width - 40 } : null;
  channels(spec, "color", (c) => { c.scale = { domain: shown, range: colours().palette }; });
  for (const part of ["shape", "strokeDash"]) channels(spec, part, (c) => { c.scale.domain = shown; });
  for (const part of ["color", "shape", "strokeDash"]) channels(spec, part, (c) => { c.legend = legend; });
  return spec;
}
// Few, round ticks for a small logarithmic axis; none asked for when it spans less than a decade.
function powersOfTen(xs) {
  const low = Math.ceil(Math.log10(Math.min(...xs))), high = Math.floor(Math.log10(Math.max(...xs)));
  return high > low ? Array.from({ length: high - low + 1 }, (_, i) => 10 ** (low + i)) : undefined;
}
function addExtras(data, curve, series) {
  const v = curve.v || {};
  const onAxis = v.axis === state.axis;
  if (onAxis && typeof v.threshold_lo === "number" && typeof v.threshold_hi === "number" && v.shape !== "inconclusive")
    data.threshold.push({ x: v.threshold_lo, x2: v.threshold_hi });
  if (curve.fan && curve.fan.axis === state.axis) {
    const last = pointsOf(curve).at(-1);
    if (last) data.fan.push({ x: last.x, y: last.y, lo80: last.y, hi80: last.y, lo95: last.y, hi95: last.y, series });
    for (const p of curve.fan.points) data.fan.push({ ...p, series });
  }
  if (curve.unlock) {
    const p = pointsOf(curve).find((point) => point.rung === curve.unlock);
    if (p) data.unlock.push({ x: p.x, y: p.y, label: data.unlock.length ? "" : say("unlock") });
  }
}

const SYMBOLS = ["triangle-up", "circle", "M-1,-.3H1V.3H-1Z", "triangle-down", "diamond", "square", "cross", "triangle-right", "M-1,-.7L-.7,-1L0,-.3L.7,-1L1,-.7L.3,0L1,.7L.7,1L0,.3L-.7,1L-1,.7L-.3,0Z", "triangle-left"];
function shapeScales(spec, shapes, legendColumns) {
  const domain = shapes.map(shapeWord);
  channels(spec, "color", (c) => { c.scale = { domain, range: shapes.map(shapeColour) }; c.legend = { title: null, columns: legendColumns }; });
  channels(spec, "shape", (c) => { c.scale = { domain, range: shapes.map((s) => SYMBOLS[W.shapes.indexOf(s)] || "circle") };
    c.legend = { title: null, columns: legendColumns }; });
}
const nameOf = (curve) => `${state.data.tasks[curve.t].name} (${seriesOf(curve)})`;

function mapSpec(width) {
  const known = state.data.curves.filter((c) => c.v && typeof c.v.linearity_share === "number" && c.v.breakthroughness !== undefined && (c.p || !state.data.curves.some((d) => d.p)));
  const finite = known.map((c) => Math.abs(real(c.v.breakthroughness))).filter(Number.isFinite).sort((a, b) => a - b);
  const edge = Math.max(10, (finite[Math.floor(finite.length * .98)] || 10) * 1.2, (state.data.null || { b: 0 }).b * 1.3);
  const points = known.map((c) => ({ share: c.v.linearity_share, b: Math.max(-edge, Math.min(edge, real(c.v.breakthroughness))),
    shown: number(c.v.breakthroughness, 1), label: shapeWord(c.v.shape), name: nameOf(c), link: `#/ability/${c.t}` }));
  const noise = state.data.null ? [{ x: -state.data.null.l, x2: state.data.null.l, y: -state.data.null.b, y2: state.data.null.b }] : [];
  const spec = based("map", width, Math.min(560, Math.max(340, width * .55)), { points, null: noise }, say("map_note"));
  shapeScales(spec, W.shapes.filter((s) => known.some((c) => c.v.shape === s)), width < 520 ? 2 : 5);
  return spec;
}

function thresholdCurves() {
  const rank = (c) => c.v.threshold;
  return state.data.curves.filter((c) => c.p && c.v && typeof c.v.threshold === "number" && ["emergent", "smooth", "inconclusive"].includes(c.v.shape)
    && c.v.shape !== "inconclusive").sort((a, b) => rank(a) - rank(b)).slice(0, 60);
}
function thresholdSpec(width) {
  const curves = thresholdCurves();
  const points = curves.map((c) => ({ name: width < 520 ? state.data.tasks[c.t].name + " · " + armOf(c) : nameOf(c), x: c.v.threshold,
    lo: c.v.threshold_lo ?? c.v.threshold, hi: c.v.threshold_hi ?? c.v.threshold, label: shapeWord(c.v.shape), link: `#/ability/${c.t}` }));
  const spec = based("threshold", width, { step: 24 }, { points }, say("thresholds_note"));
  spec.autosize = { type: "fit-x", contains: "padding" };
  channels(spec, "x", (x) => { x.title = say(curves[0] ? curves[0].v.axis : state.axis); });
  channels(spec, "y", (y) => { y.axis = { ...y.axis, labelLimit: Math.min(280, width * .45) }; });
  shapeScales(spec, W.shapes.filter((s) => curves.some((c) => c.v.shape === s)), width < 520 ? 2 : 5);
  return spec;
}
