"use strict";
// The table of curves, the verdict counts, and the wall of small multiples: one filter each, drawn in portions.
const PORTION = 100;
const wish = { text: "", family: "", arm: "", shape: "", metric: "preferred", sort: "", down: false, shown: PORTION };
const KINDS = () => [...W.shapes, "metric-artefact", "undefined", "none"];
const unique = (values) => [...new Set(values)];
const armKey = (curve) => `${curve.s}\u0001${curve.k}`;

function chosen() {
  const needle = wish.text.toLowerCase();
  return state.data.curves.filter((curve) =>
    (!needle || (state.data.tasks[curve.t].name + " " + state.data.tasks[curve.t].ref).toLowerCase().includes(needle))
    && (!wish.family || String(curve.f) === wish.family) && (!wish.arm || armKey(curve) === wish.arm)
    && (!wish.shape || wish.shape.split(",").includes(kindOf(curve)))
    && (wish.metric === "preferred" ? curve.p : !wish.metric || curve.m === wish.metric));
}

// A group that has a score of its own stands for its parts, which are folded behind it.
function wholes() {
  if (!state.wholes) {
    state.wholes = new Map(); state.partOf = new Map(); state.open = new Set();
    const tasks = state.data.tasks, source = (task) => task.ref.slice(0, task.ref.lastIndexOf(":") + 1);
    const named = new Map(tasks.map((task, index) => [source(task) + task.name, index]));
    tasks.forEach((task, index) => {
      const whole = task.parent ? named.get(source(task) + task.parent) : undefined;
      if (whole === undefined || whole === index) return;
      if (!state.wholes.has(whole)) state.wholes.set(whole, []);
      state.wholes.get(whole).push(index); state.partOf.set(index, whole);
    });
  }
  return state.wholes;
}
const folded = (curve) => wholes().size > 0 && !wish.text && !wish.shape && state.partOf.has(curve.t) && !state.open.has(state.partOf.get(curve.t));
function foldButton(whole) {
  const open = state.open.has(whole), parts = state.wholes.get(whole);
  return el("button", { type: "button", class: "fold", "data-whole": whole, "aria-expanded": String(open), onclick: () => {
    if (open) state.open.delete(whole); else state.open.add(whole);
    drawTable(); document.querySelector(`#curves button[data-whole="${whole}"]`)?.focus(); } }, `${fill("parts", { n: parts.length })} ${open ? "▾" : "▸"}`);
}

function filterBox(box, onchange) {
  const curves = state.data.curves, set = (key) => (value) => { wish[key] = value; wish.shown = PORTION; onchange(); };
  const search = el("input", { type: "search", oninput: (event) => set("text")(event.target.value) });
  search.value = wish.text;
  const shapes = KINDS().filter((shape) => curves.some((curve) => kindOf(curve) === shape));
  if (wish.shape && !shapes.includes(wish.shape)) shapes.push(wish.shape); // several at once, as a card asks for
  const arms = unique(curves.map(armKey)).map((key) => [key, armOf(curves.find((curve) => armKey(curve) === key))]);
  box.replaceChildren(el("label", {}, say("search"), search));
  if (state.data.families.length > 1)
    box.append(select(say("family"), [["", say("all")], ...state.data.families.map((f, i) => [String(i), f.name])], wish.family, set("family")));
  if (arms.length > 1) box.append(select(say("strategy"), [["", say("all")], ...arms], wish.arm, set("arm")));
  box.append(select(say("verdict"), [["", say("all")], ...shapes.map((s) => [s, s.split(",").map(shapeWord).join(say("comma"))])], wish.shape, set("shape")));
  if (box.id === "filters")
    box.append(select(say("metric"), [["preferred", say("preferred_only")], ["", say("all")], ...unique(curves.map((c) => c.m)).map((m) => [m, say(m)])], wish.metric, set("metric")));
}

const COLUMNS = [
  ["task", (c) => state.data.tasks[c.t].name],
  ["strategy", armOf],
  ["metric", (c) => say(c.m)],
  ["family", (c) => state.data.families[c.f].name],
  ["score", null],
  ["smallest_largest", (c) => c.y.findLast((y) => y !== null) ?? -Infinity],
  ["verdict", (c) => W.shapes.indexOf(shapeOf(c))],
  ["confidence", (c) => (c.v && c.v.confidence) ?? -1],
  ["threshold", (c) => (c.v && c.v.threshold) ?? Infinity],
  ["linearity", (c) => (c.v && c.v.linearity_share) ?? -Infinity],
  ["breakthroughness", (c) => real((c.v && c.v.breakthroughness) ?? "-inf")],
];

function drawTable() {
  writeAddress();
  const all = chosen(), rows = all.filter((curve) => !folded(curve)), columns = COLUMNS.filter(([key]) => key !== "family" || state.data.families.length > 1);
  if (wish.sort) {
    const value = COLUMNS.find(([key]) => key === wish.sort)[1], sign = wish.down ? -1 : 1;
    const compare = (a, b) => (typeof a === "string" ? a.localeCompare(b, undefined, { numeric: true }) : a === b ? 0 : a - b);
    rows.sort((a, b) => sign * compare(value(a), value(b)));
  }
  const numeric = new Set(["confidence", "threshold", "linearity", "breakthroughness"]);
  const head = columns.map(([key, value]) => el("th", { scope: "col", class: numeric.has(key) ? "num" : null,
    "aria-sort": wish.sort === key ? (wish.down ? "descending" : "ascending") : null },
  value ? el("button", { type: "button", onclick: () => { wish.down = wish.sort === key && !wish.down; wish.sort = key; drawTable(); document.querySelector(`#curves button[data-key="${key}"]`).focus(); }, "data-key": key }, say(key)) : say(key)));
  $("curves").replaceChildren(el("thead", {}, el("tr", {}, ...head)),
    el("tbody", {}, ...rows.slice(0, wish.shown).map((curve) => row(curve, columns))));
  $("shown").textContent = fill("shown_of", { shown: Math.min(rows.length, wish.shown), all: all.length });
  $("more").hidden = rows.length <= wish.shown;
}
function row(curve, columns) {
  const v = curve.v || {}, ends = pointsOf(curve);
  const cells = {
    task: () => el("th", { scope: "row" }, el("a", { href: addressOf(curve.t) }, state.data.tasks[curve.t].name),
      wholes().has(curve.t) && !wish.text && !wish.shape ? foldButton(curve.t) : ""),
    strategy: () => el("td", { class: "tight" }, armOf(curve)),
    metric: () => el("td", {}, say(curve.m)),
    family: () => el("td", {}, state.data.families[curve.f].name),
    score: () => el("td", {}, spark(curve)),
    smallest_largest: () => el("td", { class: "tight" }, ends.length ? `${number(ends[0].y)} → ${number(ends.at(-1).y)}` : "–"),
    verdict: () => el("td", {}, badge(curve)),
    confidence: () => el("td", { class: "num" }, typeof v.confidence === "number" ? Math.round(100 * v.confidence) + "%" : "–"),
    threshold: () => el("td", { class: "num" }, amount(v.threshold)),
    linearity: () => el("td", { class: "num" }, number(v.linearity_share, 2)),
    breakthroughness: () => el("td", { class: "num" }, number(v.breakthroughness, 1)),
  };
  return el("tr", {}, ...columns.map(([key]) => { const cell = cells[key](); cell.classList.add(`of-${key}`); return cell; }));
}

function drawCounts() {
  const curves = state.data.curves.filter((curve) => wish.metric !== "preferred" || curve.p);
  const shapes = KINDS().map((shape) => [shape, curves.filter((c) => kindOf(c) === shape).length]).filter(([, n]) => n);
  const most = Math.max(1, ...shapes.map(([, n]) => n));
  $("counts").replaceChildren(...shapes.map(([shape, n]) => {
    const bar = el("i"), glyph = el("span", { class: "glyph", "aria-hidden": "true" }, GLYPHS[shape] || "·");
    bar.style.cssText = `width:${(100 * n) / most}%;background:${shapeColour(shape)}`;
    glyph.style.color = shapeColour(shape);
    return el("button", { type: "button", class: "count", "data-shape": shape, title: meaning(shape), "aria-pressed": String(wish.shape === shape), onclick: () => {
      wish.shape = wish.shape === shape ? "" : shape; wish.shown = PORTION; drawLists(); document.querySelector(`.count[data-shape="${shape}"]`).focus({ preventScroll: true }); if (wish.shape) $("table-box").scrollIntoView(); } },
    el("span", {}, glyph, shapeWord(shape)), el("span", {}, bar), el("b", {}, String(n)));
  }));
}
function drawLists() { filterBox($("filters"), () => { drawCounts(); drawTable(); }); drawCounts(); drawTable(); }

// The first screen: the finding's chart and a card for each kind of curve; a click filters the table.
function drawFirst() {
  const hero = onAxis(W_screen().hero.map((index) => state.data.curves[index])), first = hero[0];
  $("hero-box").hidden = !first;
  if (first) {
    $("hero").dataset.name = state.data.tasks[first.t].ref;
    chart($("hero"), (width) => scoreSpec(hero, width, { extras: true, band: hero, named: hero.length > 1 && hero.length < 7, name: (c) => nameAmong(c, hero), human: state.data.tasks[first.t].human,
      description: `${state.data.tasks[first.t].name}: ${hero.map((c) => `${seriesOf(c)}: ${shapeWord(shapeOf(c))}`).join("; ")}` }));
    $("hero-title").textContent = `${state.data.tasks[first.t].name}${say("colon")}${say(first.m)}`;
    $("hero-note").textContent = `${notesOf(hero)} ${unplaced(hero)}`;
  }
  $("findings").replaceChildren(...W_screen().cards.map((one) => {
    const curve = state.data.curves[one.curve];
    const names = one.names.flatMap(([name, task], i) => [i ? say("list") : "", el("a", { href: addressOf(task) }, name)]);
    return el("li", {}, spark(curve, 96, 40),
      el("span", {}, el("b", {}, el("a", { href: `#/abilities?shape=${encodeURIComponent(one.shapes.join(","))}` }, one.title), ` · ${one.count}`), el("span", { class: "sub" }, ...names, one.more), one.aside ? el("span", { class: "sub" }, one.aside) : ""),
      el("span", { class: `chip ${one.strength}`, title: meaning(one.strength) }, one.sure));
  }));
}
const W_screen = () => state.data.screen;
// Models that the axis leaves out are named: none vanishes without a word. (Budgets are no models, and have an axis of their own.)
function unplaced(curves) {
  const names = unique(curves.flatMap((curve) => rungsOf(curve).filter((rung) => typeof rung[state.axis] !== "number" && state.axis !== "answer_tokens" && typeof rung.answer_tokens !== "number").map((rung) => rung.name)));
  return names.length ? fill("no_place", { n: names.length, names: names.slice(0, 6).join(", ") + (names.length > 6 ? ", …" : "") }) : "";
}
// Models × abilities: one row an ability and way of asking, one column a model, one table a family.
const HEAT_ROWS = 120;
function drawHeat() {
  wholes();
  const curves = state.data.curves.filter((curve) => curve.p && curve.c !== null && curve.u !== null && !state.partOf.has(curve.t));
  $("heat-box").hidden = !curves.length;
  const rungs = state.data.families.flatMap((family, f) => family.rungs.map((rung, r) => ({ f, r, rung, family })));
  if (!curves.length || rungs.length > 60) { $("heat-box").hidden = true; return; }
  const rows = new Map();
  for (const curve of curves) { const key = `${curve.t} ${armKey(curve)}`; if (!rows.has(key)) rows.set(key, []); rows.get(key).push(curve); }
  const head = el("tr", {}, el("th", { scope: "col" }, say("task")), ...rungs.map(({ rung }) => el("th", { scope: "col", class: "num" }, rung.name)));
  $("heat").replaceChildren(el("thead", {}, head), el("tbody", {}, ...[...rows.values()].slice(0, HEAT_ROWS).map((own) => {
    const cells = rungs.map(({ f, r }) => {
      const curve = own.find((one) => one.f === f), at = curve ? curve.r.indexOf(r) : -1, y = at < 0 ? null : curve.y[at];
      if (y === null) return el("td", { class: "num" }, "–");
      const share = Math.max(0, Math.min(1, curve.up ? (y - curve.c) / (curve.u - curve.c || 1) : (curve.c - y) / (curve.c - curve.u || 1)));
      const cell = el("td", { class: "num" }, number(y, 2));
      cell.style.background = `color-mix(in srgb, ${colours().palette[0]} ${Math.round(42 * share)}%, transparent)`;
      return cell;
    });
    return el("tr", {}, el("th", { scope: "row" }, el("a", { href: addressOf(own[0].t) }, state.data.tasks[own[0].t].name), el("span", { class: "sub" }, " " + armOf(own[0]))), ...cells);
  })));
}

// Small multiples, one an ability with all its families and ways of asking, grouped by the ability they are part of;
// more are drawn as the end comes into sight.
function card(curves) {
  const among = curves.slice(0, 4);
  return el("li", { class: "card" }, el("a", { href: addressOf(curves[0].t) },
    el("span", { class: "name" }, state.data.tasks[curves[0].t].name), sparkOf(curves, 200, 64),
    ...among.map((curve) => el("span", { class: "sub" }, ...(curves.length > 1 ? [keyOf(curve), nameAmong(curve, curves), say("colon")] : []), badge(curve))),
    curves.length > among.length ? el("span", { class: "sub" }, `+ ${curves.length - among.length}`) : ""));
}
function drawCards() {
  writeAddress();
  const before = wish.metric;
  wish.metric = "preferred";
  const abilities = new Map(), groups = new Map(), found = chosen();
  wish.metric = before;
  for (const curve of found) { if (!abilities.has(curve.t)) abilities.set(curve.t, []); abilities.get(curve.t).push(curve); }
  const hidden = (curves) => folded(curves[0]) && abilities.has(state.partOf.get(curves[0].t));
  const parts = (whole) => (wholes().get(whole) || []).filter((index) => abilities.has(index) && hidden(abilities.get(index))).map((index) => abilities.get(index));
  for (const [index, curves] of abilities) {
    if (wholes().size && hidden(curves)) continue;
    const group = state.data.tasks[index].parent || "";
    if (!groups.has(group)) groups.set(group, []);
    groups.get(group).push(curves);
  }
  const todo = [...groups].flatMap(([group, members]) => members.map((curves, i) => [i ? null : group, curves]));
  const box = $("cards"), end = el("div");
  let list = el("ul", { class: "cards" });
  box.replaceChildren(list, end);
  if (!todo.length) box.append(el("p", { class: "note" }, say("no_ability")));
  const portion = () => {
    for (const [group, curves] of todo.splice(0, 60)) {
      if (group !== null && groups.size > 1) {
        if (!list.children.length) list.remove();
        list = el("ul", { class: "cards" });
        if (group) end.before(el("h2", {}, group));
        end.before(list);
      }
      list.append(card(curves));
      const inner = parts(curves[0].t);
      if (inner.length) {
        const shown = el("ul", { class: "cards" }), box = el("details", { class: "parts" }, el("summary", {}, `${state.data.tasks[curves[0].t].name}${say("colon")}${fill("parts", { n: inner.length })}`), shown);
        box.addEventListener("toggle", () => { if (box.open && !shown.children.length) shown.append(...inner.map(card)); });
        end.before(box);
        list = el("ul", { class: "cards" });
        end.before(list);
      }
    }
  };
  portion();
  new IntersectionObserver((entries, watch) => {
    if (!end.isConnected) watch.disconnect();
    else if (entries.some((entry) => entry.isIntersecting) && todo.length) portion();
  }, { rootMargin: "600px" }).observe(end);
}
