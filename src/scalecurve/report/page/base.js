"use strict";
// The ground: words, elements, data, and the state every page draws from. Text from tasks and models only ever
// becomes DOM text (textContent), never markup.
const W = JSON.parse(document.getElementById("words").textContent);
const say = (key) => (Object.hasOwn(W.words, key) ? W.words[key] : key);
const fill = (key, values) => say(key).replace(/\{(\w+)\}/g, (_, name) => values[name]);
const $ = (id) => document.getElementById(id);

function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== null && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null));
  return node;
}
function svg(tag, attributes = {}, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

// A text whose names with hyphens stay whole where a line ends ("lab-3m"), but for names too long for a phone.
const unbroken = (text) => text.split(/((?:[\w.]+-)+[\w.]*\w)/).map((part, i) => (i % 2 && part.length <= 24 ? el("span", { class: "whole" }, part) : part));

async function unpack(text) {
  const bytes = Uint8Array.from(atob(text.trim()), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return JSON.parse(await new Response(stream).text());
}

const state = { axis: "params_non_embedding", log: true, theme: "light", data: null };
const THEMES = {
  light: { ink: "#1d1f23", soft: "#5c6068", line: "#e3e4e8", paper: "#ffffff",
    palette: W.palette },
  dark: { ink: "#e9ebee", soft: "#a6abb5", line: "#2d3139", paper: "#14161a",
    palette: ["#58a9e0", "#f58a3c", "#38c79d", "#e2a0c5", "#efb52f", "#93d3f7", "#a9a9a9", "#cf7ba0"] },
};
const GLYPHS = { emergent: "┘", smooth: "╱", flat: "─", inverse: "╲", U: "∪", "inverted-U": "∩", saturated: "▔",
  irregular: "∿", inconclusive: "?", "too-few": "…", undefined: "?", none: "·",
  "late-onset": "╯", late: "╯", "one-model": "┴", "metric-artefact": "≈" };
const colours = () => THEMES[state.theme];
const shapeOf = (curve) => (curve.v ? curve.v.shape : "none");
const shapeWord = (shape) => (shape === "none" ? say("not_computed") : say(shape));

// What words of the page mean, for a tooltip.
const meaning = (...keys) => keys.filter((key) => Object.hasOwn(W.terms, key)).map((key) => `${say(key)}${say("colon")}${W.terms[key]}`).join("\n") || null;
// A jump that the metric alone makes is counted and filtered as a kind of its own.
const kindOf = (curve) => (curve.v && ["emergent", "late"].includes(curve.v.shape) && curve.v.artefact === "metric-artefact" ? "metric-artefact" : shapeOf(curve));
function badge(curve) {
  const shape = shapeOf(curve);
  const glyph = el("span", { class: "glyph", "aria-hidden": "true" }, GLYPHS[shape] || "·");
  const subs = curve.v ? [curve.v.sublabel, (shape === "emergent" || shape === "late") && curve.v.artefact === "metric-artefact" ? curve.v.artefact : ""] : [];
  return el("span", { class: "badge", title: meaning(shape, ...subs) }, glyph, [shapeWord(shape), ...subs.filter(Boolean).map(say)].join(" · "));
}

const SI = [[1e18, "E"], [1e15, "P"], [1e12, "T"], [1e9, "B"], [1e6, "M"], [1e3, "k"]];
function amount(value) {
  if (typeof value !== "number") return "–";
  for (const [size, letter] of SI) if (Math.abs(value) >= size) return Number((value / size).toPrecision(3)) + letter;
  return String(Number(value.toPrecision(3)));
}
function number(value, digits = 3) {
  if (value === "inf") return "∞";
  if (value === "-inf") return "−∞";
  if (typeof value !== "number") return "–";
  return value.toFixed(digits).replace("-", "−");
}
const real = (value) => (value === "inf" ? Infinity : value === "-inf" ? -Infinity : value);

// Where an ability's page is: by its name, so that another order of tasks leaves every address as it was.
const addressOf = (index) => `#/ability/${encodeURIComponent(state.data.tasks[index].ref)}`;

// A way of asking, and after its "@" the budget it had.
function wayOf(strategy) {
  const [way, budget] = strategy.split("@");
  return budget && !W.words[strategy] ? fill("budget", { way: say(way), n: budget }) : say(strategy);
}
const armOf = (curve) => `${wayOf(curve.s)}${say("list")}${fill("shots", { k: curve.k })}`;
// What one model reaches with more tokens is a curve, but no further family.
const isBudget = (family) => family.rungs.every((rung) => typeof rung.answer_tokens === "number");
const ofModels = () => state.data.families.filter((family) => !isBudget(family));
// Of curves over sizes and curves over budgets, those that the axis is for; all where there are none.
function onAxis(curves) {
  const own = curves.filter((curve) => isBudget(state.data.families[curve.f]) === (state.axis === "answer_tokens"));
  return own.length ? own : curves;
}
function seriesOf(curve, parts) {
  const names = [];
  if (ofModels().length > 1 || isBudget(state.data.families[curve.f])) names.push(state.data.families[curve.f].name);
  if (parts !== "family") names.push(armOf(curve));
  return names.join(" · ");
}
// A family (or, with one family, a way of asking) has one colour wherever it is drawn, whatever else is shown beside it,
// and nothing else has it: verdicts are told by their marks, right and wrong by theirs, scores by a hue of their own.
const DASHES = [[1, 0], [6, 3], [2, 2], [8, 2, 2, 2], [4, 4], [1, 3], [10, 3], [3, 1]];
const MARKS = ["circle", "square", "triangle-up", "diamond", "cross", "triangle-down", "triangle-right", "triangle-left"];
function styleOf(curve) {
  if (!state.arms) {
    const fewest = new Map(); // an ability asked in one way with several shots: those with more than the fewest are ways of their own
    const key = (one) => `${one.f} ${one.t} ${one.s}`;
    for (const one of state.data.curves) fewest.set(key(one), Math.min(one.k, fewest.get(key(one)) ?? Infinity));
    state.armOf = (one) => ((fewest.get(key(one)) ?? one.k) < one.k ? `${one.s}\u0001${one.k}` : one.s);
    state.arms = [...new Set(state.data.curves.map(state.armOf))];
  }
  const arm = state.arms.indexOf(state.armOf(curve)), several = ofModels().length > 1 || isBudget(state.data.families[curve.f]);
  return { colour: (several ? curve.f : arm) % 8, mark: MARKS[(several ? curve.f : arm) % 8], dash: DASHES[arm % 8] };
}
// What a colour stands for.
const hueOf = (curve) => (ofModels().length > 1 || isBudget(state.data.families[curve.f]) ? state.data.families[curve.f].name
  : styleOf(curve) && state.armOf(curve) !== curve.s ? armOf(curve) : wayOf(curve.s));
// A logarithmic axis is a choice only where a linear one shows all models: beyond a span of thirty they pile up.
const SPAN = 30;
function freeScale(axis = state.axis) {
  if (axis === "loss") return false;
  const xs = state.data.families.flatMap((family) => family.rungs.map((rung) => rung[axis])).filter((x) => x > 0);
  return Math.max(...xs) <= SPAN * Math.min(...xs);
}
const logarithmic = (axis = state.axis) => axis !== "loss" && (state.log || !freeScale(axis));
// The last model on the floor and the first off it: where a rise begins, by one rule wherever the page says it.
const startOf = (curve) => (curve.st ? { a: rungsOf(curve)[curve.st[0]].name, b: rungsOf(curve)[curve.st[1]].name } : null);
const rungsOf = (curve) => curve.r.map((index) => state.data.families[curve.f].rungs[index]);

// Points of a curve on the chosen axis, ascending; those without a score or a place on it are left out.
function pointsOf(curve, axis = state.axis) {
  return rungsOf(curve).map((rung, i) => ({
    x: rung[axis], y: curve.y[i], e: curve.e[i] || 0, n: curve.n[i], rung: rung.name,
    ...(curve.z ? { wrong: curve.w[i], right: curve.g[i] } : {}),
  })).filter((p) => typeof p.x === "number" && typeof p.y === "number" && (!logarithmic(axis) || p.x > 0))
    .sort((a, b) => (axis === "loss" ? b.x - a.x : a.x - b.x));
}

// Whether answers that a limit cut off leave a point's score open.
const cutOff = (point) => typeof point.right === "number" && point.wrong !== point.right;

// A chart no larger than a word: lines, two-standard-error bands, chance, hollow points that the verdict left out.
const spark = (curve, width = 96, height = 26) => sparkOf([curve], width, height, curve.v && !pointsOf(curve).length ? curve.v.axis : state.axis);
function sparkOf(curves, width, height, axis = state.axis) {
  const drawn = curves.map((curve) => [curve, pointsOf(curve, axis)]).filter(([, points]) => points.length);
  const ends = drawn.map(([, points]) => `${number(points[0].y, 2)} → ${number(points.at(-1).y, 2)}`);
  const box = svg("svg", { class: "spark", width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": ends.join("; ") || say("not_computed") });
  if (!drawn.length) return box;
  const flip = axis === "loss" ? -1 : 1, first = curves[0];
  const place = (x) => flip * (logarithmic(axis) ? Math.log10(x) : x);
  const all = drawn.flatMap(([, points]) => points), ys = all.flatMap((p) => [p.y - 2 * p.e, p.y + 2 * p.e]), xs = all.map((p) => place(p.x));
  const bounded = first.u !== null && (first.c !== null || first.u === 1);
  const low = bounded ? Math.min(0, first.u, ...ys) : Math.min(...ys);
  const high = bounded ? Math.max(first.u, 1, ...ys) : Math.max(...ys);
  const x0 = Math.min(...xs), x1 = Math.max(...xs);
  const X = (x) => 4 + ((place(x) - x0) / (x1 - x0 || 1)) * (width - 8);
  const Y = (y) => height - 3 - ((y - low) / (high - low || 1)) * (height - 6);
  const path = (pairs) => pairs.map(([x, y], i) => `${i ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");
  if (first.c !== null) box.append(svg("line", { x1: 0, x2: width, y1: Y(first.c), y2: Y(first.c),
    stroke: colours().soft, "stroke-width": .75, "stroke-dasharray": "2 3" }));
  for (const [curve, points] of drawn) {
    const colour = colours().palette[styleOf(curve).colour];
    const apart = new Set((curve.o || []).map((at) => rungsOf(curve)[at].name));
    box.append(
      svg("path", { d: path([...points.map((p) => [X(p.x), Y(p.y + 2 * p.e)]),
        ...points.slice().reverse().map((p) => [X(p.x), Y(p.y - 2 * p.e)])]) + "Z", fill: colour, opacity: curves.length > 3 ? 0 : .16 }),
      svg("path", { d: path(points.map((p) => [X(p.x), Y(p.y)])), fill: "none", stroke: colour, "stroke-width": 1.6,
        "stroke-linejoin": "round" }),
      svg("circle", { cx: X(points.at(-1).x), cy: Y(points.at(-1).y), r: 2.1, fill: colour }),
      ...points.filter((p) => apart.has(p.rung)).map((p) => svg("circle", { cx: X(p.x), cy: Y(p.y), r: 2.6, fill: colours().paper, stroke: colour, "stroke-width": 1.4 })));
  }
  return box;
}

function select(label, options, value, onchange) {
  const box = el("select", { onchange: (event) => onchange(event.target.value) },
    ...options.map(([key, text]) => el("option", { value: key, selected: key === value }, text)));
  return el("label", {}, label, box);
}
