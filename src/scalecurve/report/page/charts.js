"use strict";
// Vega-Lite charts, drawn when they come into sight and again when theme, axis or width change.
const charts = new Map(); // element → function that draws it
const sight = new IntersectionObserver((entries) => {
  for (const entry of entries) if (entry.isIntersecting) { sight.unobserve(entry.target); drawNow(entry.target); }
}, { rootMargin: "300px" });

function drawNow(node) {
  if (!node.isConnected) { charts.delete(node); return; }
  const make = charts.get(node);
  if (!make || !node.clientWidth) return;
  const spec = make(node.clientWidth);
  vegaEmbed(node, spec, { actions: false, renderer: "svg", ast: true, tooltip: { theme: "custom" } })
    .then((drawn) => { node.setAttribute("data-drawn", ""); if (!node.classList.contains("small")) takeAway(node, drawn.view, spec); })
    .catch((error) => console.error(String(error)));
}
// Under every large chart: the picture, its numbers, and the address of what is shown.
function takeAway(node, view, spec) {
  const name = (node.dataset.name || node.id || "chart").replace(/[^\w-]+/g, "-").replace(/^-+|-+$/g, "") || "chart";
  const save = (blob, ending) => saveAs(blob, `${name}.${ending}`);
  const rows = (spec.usermeta || {}).rows || (spec.datasets || {}).points || [];
  const button = (text, act) => el("button", { type: "button", onclick: act }, text);
  const copy = button(say("copy_link"), async () => { try { await navigator.clipboard.writeText(location.href); copy.textContent = say("copied"); } catch { location.hash = location.hash; } });
  const bar = el("div", { class: "take" },
    button("SVG", async () => save(new Blob([await view.toSVG()], { type: "image/svg+xml" }), "svg")),
    button("PNG", async () => (await view.toCanvas(2)).toBlob((blob) => save(blob, "png"))),
    button("CSV", () => saveCsv(name, rows)), copy);
  if (node.nextElementSibling?.classList.contains("take")) node.nextElementSibling.remove();
  node.after(bar);
}
function saveAs(blob, name) {
  const link = el("a", { href: URL.createObjectURL(blob), download: name });
  document.body.append(link); link.click(); link.remove(); setTimeout(() => URL.revokeObjectURL(link.href), 1e4);
}
const saveCsv = (name, rows) => saveAs(new Blob([csv(rows)], { type: "text/csv" }), `${name}.csv`);
// A cell that a spreadsheet would take for a formula is written as text.
function csv(rows) {
  const cell = (value) => { const text = typeof value === "number" ? String(value) : String(value ?? "").replace(/^([=+\-@\t\r])/, "'$1");
    return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text; };
  const names = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  return [names, ...rows.map((row) => names.map((key) => row[key]))].map((row) => row.map(cell).join(",")).join("\n") + "\n";
}
function chart(node, make) { charts.set(node, make); node.removeAttribute("data-drawn"); sight.unobserve(node); sight.observe(node); }
function redraw() {
  for (const node of [...charts.keys()]) {
    if (!node.isConnected) charts.delete(node);
    else { node.removeAttribute("data-drawn"); sight.unobserve(node); sight.observe(node); }
  }
}

const LEAST = 12; // pixels of the smallest letters
function look() {
  const c = colours(), config = structuredClone(W.config);
  for (const part of [config.axis, config.legend, config.title, config.text, config.rule])
    for (const [key, value] of Object.entries(part)) if (Object.hasOwn(W.light, value)) part[key] = c[W.light[value]];
  for (const part of [config.axis, config.legend]) for (const key of ["labelFontSize", "titleFontSize"]) part[key] = LEAST;
  return config;
}
function based(name, width, height, datasets, description) {
  const spec = structuredClone(W.charts[name]);
  spec.layer = spec.layer.filter((layer) => datasets[(layer.data || spec.data).name].length); // an empty layer would only warn
  for (const layer of spec.layer) if (layer.mark && layer.mark.type === "text") layer.mark.fontSize = LEAST;
  const used = Object.fromEntries(Object.entries(datasets).filter(([, rows]) => rows.length));
  return { ...spec, width, height, datasets: used, description, config: look(), autosize: { type: "fit", contains: "padding" } };
}
function channels(spec, name, change) {
  for (const layer of spec.layer || []) if (layer.encoding && layer.encoding[name]) change(layer.encoding[name], layer.encoding);
}

// One score chart: curves overlaid, each a series. Options: title of y, small, names of the series, with verdicts.
function scoreSpec(curves, width, options = {}) {
  const perRow = width < 520 ? 1 : 3, legendRows = curves.length > 1 && !options.named && (!options.small || options.legend) ? Math.ceil(curves.length / perRow) : 0;
  const height = (options.small ? 150 : Math.min(320, Math.max(200, width * 0.5), Math.max(200, innerHeight * .4))) + 18 * legendRows;
  const data = { points: [], rules: [], labels: [], labels_right: [], threshold: [], left_out: [], unlock: [], fan: [], ends: [], bounds: [] };
  const name = options.name || ((curve) => seriesOf(curve));
  for (const curve of curves) {
    const series = name(curve);
    const apart = new Set((options.small ? [] : curve.o || []).map((at) => rungsOf(curve)[at].name));
    // Two standard errors, but no further than a share can go.
    const share = curve.u === 1 && curve.y.every((y) => y === null || (y >= 0 && y <= 1));
    if (options.apart) { apart.clear(); for (const own of options.apart) if (own.f === curve.f && own.s === curve.s && own.k === curve.k) for (const at of own.o || []) apart.add(rungsOf(own)[at].name); }
    for (const p of pointsOf(curve)) {
      const point = { x: p.x, y: p.y, lo: share ? Math.max(0, p.y - 2 * p.e) : p.y - 2 * p.e, hi: share ? Math.min(1, p.y + 2 * p.e) : p.y + 2 * p.e, series, rung: p.rung, n: p.n, m: curve.m };
      data.points.push(point);
      if (apart.has(p.rung)) data.left_out.push({ ...point, label: data.left_out.some((one) => one.rung === p.rung) ? "" : fill("left_out", { rung: p.rung }) });
      if (cutOff(p)) data.bounds.push({ x: p.x, lo: p.wrong, hi: p.right, series });
    }
    if (options.extras) addExtras(data, curve, series);
  }
  const rows = numbersIn(curves, data, name);
  for (const curve of options.band || []) if (onThisAxis(curve)) data.threshold.push({ x: curve.v.threshold_lo, x2: curve.v.threshold_hi });
  const first = curves[0];
  if (first && first.c !== null && (first.c !== 0 || first.p) && curves.every((curve) => curve.c === first.c)) data.rules.push({ y: first.c, label: say("chance"), right: first.up });
  if (first && first.u !== null && data.points.some((p) => Math.abs(p.hi - first.u) < .1 * Math.max(1, Math.abs(first.u))))
    data.rules.push({ y: first.u, label: say(first.up ? "ceiling" : "best_possible"), right: !first.up });
  if (options.human) for (const [key, value] of Object.entries(options.human)) data.rules.push({ y: value, label: say("human_" + key), right: false });
  const reach = options.domain ? reachOf(options.domain) : null;
  // Shares are drawn from 0 to 1, so that charts can be compared, but where all are near the floor, whose rise would
  // be a line on the axis; other scores over what they reach. A little room below shows points on the floor whole.
  const ys = [...data.points.flatMap((p) => [p.lo, p.hi]), ...data.fan.flatMap((p) => [p.lo95, p.hi95]), ...data.bounds.flatMap((p) => [p.lo, p.hi]), ...data.rules.map((rule) => rule.y)];
  const unit = curves.every((curve) => curve.u === 1 && curve.up) && ys.every((y) => y >= 0 && y <= 1);
  const top = unit ? topOf(Math.max(...ys), curves) : 0;
  const low = unit ? 0 : Math.min(...ys), high = unit ? top : Math.max(...ys), room = .04 * (high - low || 1), range = [low - room, high + (unit ? 0 : room)];
  const placed = placeOn(data, width, height, reach, range);
  const beyond = options.named ? labelEnds(data, curves, name, width, placed) : 0;
  if (!options.small) placeLabels(data, placed);
  for (const rule of data.rules) data[rule.right ? "labels_right" : "labels"].push(rule);
  const spec = based("score", width, height, data, options.description || "");
  spec.usermeta = { rows };
  if (beyond) spec.padding = { left: 5, top: 5, bottom: 5, right: 5 + beyond };
  const log = logarithmic(), ticks = options.small ? null : modelTicks(data.points, placed);
  channels(spec, "x", (x) => { if (!x.field) return; x.title = options.small ? null : titleOf(state.axis, ticks.stem, placed.plot);
    x.scale = { type: log ? "log" : "linear", nice: false, padding: options.small ? 10 : PAD,
      ...(reach ? { domain: reach } : {}), ...(log ? {} : { zero: false }), reverse: state.axis === "loss" };
    if (options.small && log) x.axis = { ...x.axis, values: powersOfTen(data.points.map((p) => p.x)) };
    else if (ticks) x.axis = { ...x.axis, ...ticks.axis };
    if (x.axis) x.axis = { ...x.axis, ...(x.axis.labelExpr ? {} : { labelExpr: amountExpr() }) }; });
  const tiny = data.points.every((p) => Math.abs(p.hi) < 1e-3) && data.points.some((p) => p.hi !== 0);
  channels(spec, "y", (y) => { y.title = options.y || null; if (options.small) y.axis = { tickCount: 3 };
    if (tiny) y.axis = { ...y.axis, format: ".0e" };
    y.scale = { ...y.scale, domain: range, nice: false, zero: false }; });
  const several = new Set(data.points.map((p) => p.series)).size > 1;
  const shown = [...new Set(data.points.map((p) => p.series))];
  const legend = several && (!options.small || options.legend) && !options.named ? { title: null, columns: perRow, labelLimit: width - 40 } : null;
  const twice = new Set(curves.map((curve) => curve.m)).size > 1; // the same series under several metrics
  const styles = shown.map((series, i) => (twice ? { colour: i % 8, mark: MARKS[i % 8], dash: DASHES[i % 8] } : styleOf(curves.find((curve) => name(curve) === series))));
  if (shown.length === 1) styles[0] = { ...styles[0], dash: DASHES[0] }; // dots are for what is foretold
  channels(spec, "color", (c) => { c.scale = { domain: shown, range: styles.map((s) => colours().palette[s.colour]) }; });
  channels(spec, "shape", (c) => { c.scale = { domain: shown, range: styles.map((s) => s.mark) }; });
  channels(spec, "strokeDash", (c) => { c.scale = { domain: shown, range: styles.map((s) => s.dash) }; });
  for (const layer of spec.layer) { if (layer.data && layer.data.name === "left_out" && layer.mark.fill) layer.mark.fill = colours().paper; if (layer.mark && layer.mark.stroke === "#ffffff") layer.mark.stroke = colours().paper; }
  for (const part of ["color", "shape", "strokeDash"]) channels(spec, part, (c) => { c.legend = legend; });
  return spec;
}
// Where an axis of shares ends: at 1, or for scores that hardly leave a floor near 0 at the next tenth that holds them.
const LOW = .4;
const topOf = (most, curves) => (most <= LOW && curves.every((curve) => curve.c !== null && curve.c <= .05) ? Math.max(.1, Math.ceil(most * 10 - 1e-9) / 10) : 1);
// What is drawn, as a table to take away: every score with its 95% interval, and what is foretold with its 80% and 95%.
function numbersIn(curves, data, name) {
  const round = (value) => (typeof value === "number" ? Number(value.toPrecision(6)) : "");
  return curves.flatMap((curve) => {
    const series = name(curve), own = { ability: state.data.tasks[curve.t].ref, family: state.data.families[curve.f].name, prompt: curve.s, shots: curve.k, metric: curve.m };
    const measured = data.points.filter((p) => p.series === series && p.m === curve.m).map((p) => ({ ...own, kind: "measured", model: p.rung, [state.axis]: round(p.x), score: round(p.y), low_95: round(p.lo), high_95: round(p.hi), low_80: "", high_80: "", chance: round(curve.c), items: p.n ?? "" }));
    return [...measured, ...data.fan.filter((p) => p.series === series && p.lo95 !== p.hi95).map((p) => ({ ...own, kind: "forecast", model: "", [state.axis]: round(p.x), score: round(p.y), low_95: round(p.lo95), high_95: round(p.hi95), low_80: round(p.lo80), high_80: round(p.hi80), chance: round(curve.c), items: "" }))];
  });
}
// From the smallest to the largest place of curves and their forecasts: charts side by side share it.
function reachOf(curves) {
  const xs = curves.flatMap((curve) => [...pointsOf(curve).map((p) => p.x), ...fanOf(curve).map((p) => p.x)]);
  return new Set(xs).size > 1 ? [Math.min(...xs), Math.max(...xs)] : null;
}
// What is foretold, on the axis that it was foretold on; a linear axis has no room for sizes far beyond the largest.
const BEYOND = 1.3;
function fanOf(curve) {
  if (!curve.fan || curve.fan.axis !== state.axis) return [];
  const last = pointsOf(curve).at(-1);
  return curve.fan.points.filter((p) => logarithmic() || (last && p.x <= BEYOND * last.x));
}
function addExtras(data, curve, series) {
  if (fanOf(curve).length) {
    const last = pointsOf(curve).at(-1);
    if (last) data.fan.push({ x: last.x, y: last.y, lo80: last.y, hi80: last.y, lo95: last.y, hi95: last.y, series });
    for (const p of fanOf(curve)) data.fan.push({ ...p, series });
  }
  if (curve.unlock && !(curve.o || []).some((at) => rungsOf(curve)[at].name === curve.unlock)) {
    const p = pointsOf(curve).find((point) => point.rung === curve.unlock);
    if (p) data.unlock.push({ x: p.x, y: p.y, label: data.unlock.length ? "" : say("unlock") });
  }
}

const SYMBOLS = ["triangle-up", "circle", "M-1,-.3H1V.3H-1Z", "triangle-down", "diamond", "square", "cross", "triangle-right", "M-1,-.7L-.7,-1L0,-.3L.7,-1L1,-.7L.3,0L1,.7L.7,1L0,.3L-.7,1L-1,.7L-.3,0Z", "triangle-left", "M-1,.5A1,1,0,0,1,1,.5Z", "M-.3,-1H.3V.4H1V1H-1V.4H-.3Z"];
const BAR = "M-1.2,-.35H1.2V.35H-1.2Z"; // a colour alone
const RING = "M-1,0A1,1,0,1,1,1,0A1,1,0,1,1,-1,0ZM-.55,0A.55,.55,0,1,0,.55,0A.55,.55,0,1,0,-.55,0Z"; // made by the metric: hollow
// Verdicts are told by their marks, curves by their colours: a chart that shows both has two legends.
function shapeScales(spec, shapes, curves, legendColumns) {
  const domain = shapes.map(shapeWord), own = new Map(curves.map((curve) => [hueOf(curve), colours().palette[styleOf(curve).colour]]));
  channels(spec, "color", (c) => { c.scale = { domain: [...own.keys()], range: [...own.values()] }; c.legend = own.size > 1 ? { title: null, columns: legendColumns, symbolType: BAR } : null; });
  channels(spec, "shape", (c) => { c.scale = { domain, range: shapes.map((s) => (s === "metric-artefact" ? RING : SYMBOLS[W.shapes.indexOf(s)] || "circle")) };
    c.legend = { title: null, columns: legendColumns, symbolFillColor: colours().ink }; });
}
const nameOf = (curve) => `${state.data.tasks[curve.t].name} (${seriesOf(curve)})`;

function mapSpec(width) {
  const known = state.data.curves.filter((c) => c.v && typeof c.v.linearity_share === "number" && c.v.breakthroughness !== undefined && (c.p || !state.data.curves.some((d) => d.p)));
  const finite = known.map((c) => Math.abs(real(c.v.breakthroughness))).filter(Number.isFinite).sort((a, b) => a - b);
  const edge = Math.max(10, (finite[Math.floor(finite.length * .98)] || 10) * 1.2, (state.data.null || { b: 0 }).b * 1.3);
  const points = known.map((c) => ({ share: c.v.linearity_share, b: Math.max(-edge, Math.min(edge, real(c.v.breakthroughness))),
    shown: number(c.v.breakthroughness, 1), label: shapeWord(c.v.shape), name: nameOf(c), series: hueOf(c), link: addressOf(c.t) }));
  const noise = state.data.null ? [{ x: -state.data.null.l, x2: state.data.null.l, y: -state.data.null.b, y2: state.data.null.b }] : [];
  const spec = based("map", width, Math.min(560, Math.max(340, width * .55)), { points, null: noise }, say("map_note"));
  shapeScales(spec, W.shapes.filter((s) => known.some((c) => c.v.shape === s)), known, width < 520 ? 2 : 5);
  return spec;
}

function thresholdCurves() {
  const first = (c) => (c.st && rungsOf(c)[c.st[0]][c.v.axis]) || c.v.threshold, rank = (c) => [first(c), c.v.threshold];
  return state.data.curves.filter((c) => c.p && c.v && typeof c.v.threshold === "number" && ["emergent", "late", "smooth", "inconclusive"].includes(c.v.shape)
    && c.v.shape !== "inconclusive").sort((a, b) => rank(a)[0] - rank(b)[0] || rank(a)[1] - rank(b)[1]).slice(0, 60);
}
const PART = " · "; // between an ability and the way it is asked; on a phone they stand under each other
// What a rise is marked as: its shape, or as made by the metric.
const RISES = () => [...W.shapes, "metric-artefact"];
function thresholdSpec(width) {
  const narrow = width < 520, curves = thresholdCurves(), between = (c) => (c.st ? startOf(c) : { a: amount(c.v.threshold), b: "" });
  const sizes = (c) => { const own = (c.st || []).map((at) => rungsOf(c)[at][c.v.axis]); return own.length === 2 && own.every((x) => typeof x === "number") ? own : [c.v.threshold, c.v.threshold]; };
  const points = curves.map((c) => { const [low, high] = sizes(c), log = logarithmic(c.v.axis);
    const among = state.data.curves.filter((one) => one.p && one.t === c.t), own = among.length > 1 ? `${PART}${nameAmong(c, among)}` : "";
    return { name: state.data.tasks[c.t].name + own, x: log ? Math.sqrt(low * high) : (low + high) / 2, low, high,
      lo: c.v.threshold_lo ?? c.v.threshold, hi: c.v.threshold_hi ?? c.v.threshold, between: [between(c).a, between(c).b].filter(Boolean).join(" – "), label: shapeWord(kindOf(c)), series: hueOf(c), link: addressOf(c.t) }; });
  const shapes = RISES().filter((s) => curves.some((c) => kindOf(c) === s)); // on a phone each in a row of its own: beside the names two do not fit
  const spec = based("threshold", width, narrow ? 36 * points.length + 70 + 18 * shapes.length : 24 * points.length + 70, { points }, say("thresholds_note")), axis = curves[0] ? curves[0].v.axis : state.axis;
  const reached = points.flatMap((p) => [p.lo, p.hi, p.low, p.high]), ticks = logarithmic(axis) ? [[1, 3], [1, 2, 5]].map((digits) => roundTicks(reached, digits)).find((own) => own && own.length > 1) : undefined;
  channels(spec, "x", (x) => { x.title = say(axis); if (x.scale) x.scale = { ...x.scale, type: logarithmic(axis) ? "log" : "linear", ...(logarithmic(axis) ? {} : { zero: false }) }; if (x.axis) x.axis = { tickCount: 6, ...(ticks ? { values: ticks } : {}), labelOverlap: "greedy", labelExpr: amountExpr(axis) }; });
  spec.usermeta = { rows: curves.map((c) => ({ ability: state.data.tasks[c.t].ref, family: state.data.families[c.f].name, prompt: c.s, shots: c.k, metric: c.m, verdict: kindOf(c), begins_after: c.st ? between(c).a : "", begins_by: c.st ? between(c).b : "", [`begins_${axis}`]: c.v.threshold, low_95: c.v.threshold_lo ?? "", high_95: c.v.threshold_hi ?? "" })) };
  channels(spec, "y", (y) => { y.axis = { ...y.axis, labelLimit: Math.min(280, width * .45), ...(narrow ? { labelExpr: `split(datum.label, "${PART}")` } : {}) }; });
  shapeScales(spec, shapes, curves, narrow ? 1 : 5);
  return spec;
}
