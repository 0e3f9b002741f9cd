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
  const numeric = new Set(["confidence", "linearity", "breakthroughness"]);
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
    threshold: () => el("td", { class: "tight" }, shapeOf(curve) === "inconclusive" ? "–" : curve.st ? `${startOf(curve).a} – ${startOf(curve).b}` : amount(v.threshold)),
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
    bar.style.width = `${(100 * n) / most}%`;
    return el("button", { type: "button", class: "count", "data-shape": shape, title: meaning(shape), "aria-pressed": String(wish.shape === shape), onclick: () => {
      wish.shape = wish.shape === shape ? "" : shape; wish.shown = PORTION; drawLists(); document.querySelector(`.count[data-shape="${shape}"]`).focus({ preventScroll: true }); if (wish.shape) $("table-box").scrollIntoView(); } },
    el("span", {}, glyph, shapeWord(shape)), el("span", {}, bar), el("b", {}, String(n)));
  }));
}
function drawLists() { filterBox($("filters"), () => { drawCounts(); drawTable(); }); drawCounts(); drawTable(); }

// The first screen: the finding's chart and a card for each kind of curve; a click filters the table.
function drawFirst() {
  for (const node of document.querySelectorAll("h1.finding, .doubt")) node.replaceChildren(...unbroken(node.textContent));
  const hero = onAxis(W_screen().hero.map((index) => state.data.curves[index])), first = hero[0];
  $("hero-box").hidden = !first;
  if (first) {
    $("hero").dataset.name = state.data.tasks[first.t].ref;
    chart($("hero"), (width) => scoreSpec(hero, width, { extras: true, band: hero, named: hero.length > 1 && hero.length < 7, name: (c) => nameAmong(c, hero), human: state.data.tasks[first.t].human,
      description: `${state.data.tasks[first.t].name}: ${hero.map((c) => `${seriesOf(c)}: ${shapeWord(shapeOf(c))}`).join("; ")}` }));
    const lead = state.data.curves[W_screen().lead];
    $("hero-title").replaceChildren(`${state.data.tasks[first.t].name}${say("colon")}${say(first.m)} `,
      lead.v ? el("span", { class: "judged" }, hero.length > 1 ? keyOf(lead) : "", badge(lead), lead.v.strength === "open" ? "" : ` · ${say(lead.v.strength)}`) : "");
    const aids = notesOf(hero), said = (...parts) => parts.filter(Boolean).join(say("space")), next = nextOf(state.data.curves[W_screen().lead]);
    if (innerWidth < PHONE && aids) $("hero-note").replaceChildren(said(next, unplaced(hero)), el("details", {}, el("summary", {}, say("how_to_read")), aids));
    else $("hero-note").textContent = said(next, aids, unplaced(hero));
    drawEnough(hero);
    drawChanged(state.data.curves[W_screen().lead]);
  }
  $("curve-is").textContent = say(W_screen().unit);
  $("findings").replaceChildren(...W_screen().cards.map((one) => {
    const curve = state.data.curves[one.curve];
    const last = (i) => one.whose[i] && one.whose[i] !== one.whose[i + 1]; // those of the same prompt or family share its name
    const names = one.names.flatMap(([name, task], i) => [i ? say("list") : "", el("a", { href: addressOf(task) }, name), last(i) ? fill("aside", { text: one.whose[i] }) : ""]);
    return el("li", {}, spark(curve, 96, 40),
      el("span", {}, el("b", {}, el("a", { href: `#/abilities?shape=${encodeURIComponent(one.shapes.join(","))}`, title: meaning(termOf(one.kind)) }, one.title), termOf(one.kind) ? fill("aside", { text: say(termOf(one.kind)) }) : "", ` · ${one.count}`), el("span", { class: "sub" }, ...names, one.more), one.where ? el("span", { class: "sub" }, one.where) : "", one.aside ? el("span", { class: "sub long" }, one.aside) : ""),
      el("span", { class: `chip ${one.strength}`, title: meaning(one.strength) }, one.sure));
  }));
  for (const [card, lifted] of [["card_unlock", W_screen().unlocks], ["card_harm", W_screen().harms]]) if (lifted.length) $("findings").append(el("li", {}, spark(state.data.curves[lifted[0].curve], 96, 40), el("span", {}, el("b", {}, say(card)),
    ...unique(lifted.map((one) => one.by)).slice(0, UNLOCKS).map((by) => el("span", { class: "sub long" }, by, say("colon"),
      ...lifted.filter((one) => one.by === by).flatMap((one, i) => [i ? say("list") : "", el("a", { href: addressOf(one.task) }, one.name)]))))));
}
// What the tables call a kind of curve, where its card says it in other words; "" where they are the same.
const termOf = (kind) => ({ emergent: "emergent", artefact: "metric-artefact", inverse: "inverse" })[kind] || "";
const PHONE = 704; // 44rem: below, how to read the chart is folded
const UNLOCKS = 4; // ways of asking, each with the model from which on it lifts
// What the headline's curve will score at the next sizes.
function nextOf(curve) {
  const points = curve ? fanOf(curve) : [];
  return points.length ? say("next_sizes") + say("colon") + points.map((p) => `${fill("at_size", { size: amount(p.x) })} ${number(p.y, 2)} (${number(p.lo80, 2)}–${number(p.hi80, 2)})`).join(say("semicolon")) + say("stop") : "";
}
// The smallest model that is good enough, of every curve in the headline's chart, and the way to those of all abilities.
function drawEnough(curves) {
  state.enough ??= .8;
  const box = $("hero-enough"), all = heatCurves().length > 0, own = curves.filter((curve) => curve.u === 1 && curve.up);
  const from = new Map(); // model, or "" for none → whose curves reach it there
  for (const curve of own) { const at = enoughAt(curve), rung = at < 0 ? "" : rungsOf(curve)[at].name; from.set(rung, [...(from.get(rung) || []), nameAmong(curve, curves)]); }
  const told = [...from].sort((a, b) => (a[0] === "") - (b[0] === "")).flatMap(([rung, names], i) => [i ? say("list") : "", el("b", {}, rung || say("enough_none")), own.length > 1 ? fill("aside", { text: names.join(say("comma")) }) : ""]);
  box.hidden = !all && !own.length;
  box.replaceChildren(...(own.length ? [fill("enough_line", { y: state.enough }) + say("colon"), ...told, say("stop")] : []),
    all ? el("a", { href: "#/overview/enough" }, say(own.length ? "enough_all" : "enough_every")) : "");
}
// One question that the headline's curve gained (or lost) between its two models, with what both said, and the way to all.
async function drawChanged(curve) {
  const box = $("changed"), asked = location.hash;
  box.hidden = true;
  if (!curve || (!W.live && !$(`examples-${curve.t}`))) return;
  const two = (curve.b || []).length === 2 ? { from: rungsOf(curve)[curve.b[0]].name, to: rungsOf(curve)[curve.b[1]].name } : {};
  const every = el("a", { href: `${addressOf(curve.t)}?${new URLSearchParams({ ...two, arm: curve.s })}` }, say("all_questions"));
  box.replaceChildren(el("p", {}, every));
  box.hidden = !(W.live && curve.cost); // live, all questions of a task are one reply: too many to ask for unasked
  if (W.live || !two.from) return;
  const book = await loadExamples(curve.t), arm = book && book.arms.find((one) => one.f === curve.f && one.s === curve.s && one.k === curve.k);
  if (!arm || location.hash !== asked) return;
  const [from, to] = curve.b.map((at) => curve.r[at]), look = { from, to }, rungs = state.data.families[curve.f].rungs, choice = CHOICE(curve.m);
  const fell = curve.up === (curve.y[curve.b[0]] > curve.y[curve.b[1]]), places = book.q.map((_, i) => i), told = (i) => wantedOf(book.q[i]).length > 0 && book.q[i].q;
  const found = [fell ? "lost" : "won", "changed"].map((show) => places.filter((i) => told(i) && matches(book, arm, i, look, show))).find((own) => own.length);
  if (!found) return;
  const i = found.reduce((best, one) => (book.q[one].q.length < book.q[best].q.length ? one : best)), question = book.q[i], cut = (text, most) => (text.length > most ? text.slice(0, most) + "…" : text);
  const counts = changesOf(arm, look);
  const said = (at) => { const answer = arm.a[at][i], right = solved(answer), [how, what] = saidIn(question, answer, choice); return el(right ? "b" : "span", {}, `${rungs[at].name} ${right ? "✓" : "✗"} `, how ? `${how} ` : "", el("bdi", {}, cut(what, 60))); };
  const whole = [from, to].filter((at) => arm.a[at][i] && (arm.a[at][i][2] || "").trim());
  box.replaceChildren(el("p", { class: "axis-title" }, fill("question_changed", { a: two.from, b: two.to }), counts ? fill("aside", { text: fill("won_lost", counts) }) : ""),
    el("p", {}, el("q", { dir: "auto" }, cut(question.q.trim(), 160)), " → ", el("b", {}, el("bdi", {}, cut(wantedOf(question)[0].trim(), 60)))),
    el("p", {}, said(from), say("semicolon"), said(to), say("stop"), every),
    whole.length ? el("details", {}, el("summary", {}, say("word_for_word")), ...whole.flatMap((at) => [el("p", { class: "note" }, rungs[at].name), exact(arm.a[at][i][2])])) : "");
  box.hidden = false;
}
const W_screen = () => state.data.screen;
// Models that the axis leaves out, or that have no score, are named: none vanishes without a word. (Budgets are no models, and have an axis of their own.)
function unplaced(curves) {
  const names = unique(curves.flatMap((curve) => rungsOf(curve).filter((rung) => typeof rung[state.axis] !== "number" && state.axis !== "answer_tokens" && typeof rung.answer_tokens !== "number").map((rung) => rung.name)));
  const few = (own) => own.slice(0, 6).join(say("comma")) + (own.length > 6 ? `${say("comma")}…` : "");
  const lost = curves.flatMap((curve) => rungsOf(curve).flatMap((rung, i) => (curve.y[i] === null ? rung.name + (curves.length > 1 ? fill("aside", { text: nameAmong(curve, curves) }) : "") : [])));
  return [names.length ? fill("no_place", { n: names.length, names: few(names) }) + say("stop") : "", lost.length ? fill("no_score", { names: few(lost) }) + say("stop") : ""].join("").trim();
}
// Models × abilities: one row an ability and way of asking, one column a model, one table a family. Outlined is the
// smallest model that is good enough, and so are all larger ones.
const HEAT_ROWS = 120, ENOUGH = [.5, .6, .7, .8, .9, .95, 1];
function enoughAt(curve) {
  if (!curve || curve.u !== 1 || !curve.up) return -1;
  let at = -1;
  for (let i = curve.y.length - 1; i >= 0 && (curve.y[i] ?? -1) >= state.enough; i--) at = i;
  return at;
}
const everyRung = () => state.data.families.flatMap((family, f) => family.rungs.map((rung, r) => ({ f, r, rung, family })));
function heatCurves() { // what the table of models and abilities holds; nothing where it would be too wide
  wholes();
  return everyRung().length > 60 ? [] : state.data.curves.filter((curve) => curve.p && curve.u !== null && !state.partOf.has(curve.t));
}
function drawHeat() {
  state.enough ??= .8;
  const curves = heatCurves(), rungs = everyRung();
  $("heat-box").hidden = !curves.length;
  if ($("heat-box").hidden) return;
  const rows = new Map();
  for (const curve of curves) { const key = `${curve.t} ${armKey(curve)}`; if (!rows.has(key)) rows.set(key, []); rows.get(key).push(curve); }
  const shown = [...rows.values()].slice(0, HEAT_ROWS), counts = rungs.map(() => 0);
  const { bare, without } = ofModels().length === 1 ? bareNames(rungs.map(({ rung }) => rung.name)) : { bare: null, without: "" };
  const head = el("tr", {}, el("th", { scope: "col" }, say("task")), ...rungs.map(({ rung }, i) => el("th", { scope: "col", class: "num", title: rung.name }, bare ? bare[i] : rung.name)));
  const body = shown.map((own) => el("tr", {}, el("th", { scope: "row" }, el("a", { href: addressOf(own[0].t) }, state.data.tasks[own[0].t].name), el("span", { class: "sub" }, " " + armOf(own[0]))),
    ...rungs.map(({ f, r, rung }, i) => {
      const curve = own.find((one) => one.f === f), at = curve ? curve.r.indexOf(r) : -1, y = at < 0 ? null : curve.y[at], from = enoughAt(curve);
      if (y === null) return el("td", { class: "num" }, "–");
      const floor = curve.c ?? (curve.up ? 0 : 1), share = Math.max(0, Math.min(1, curve.up ? (y - floor) / (curve.u - floor || 1) : (floor - y) / (floor - curve.u || 1)));
      if (curve.u === 1 && curve.up && y >= state.enough) counts[i] += 1; // as its label says: every such cell, whatever larger models do
      const cell = el("td", { class: at === from ? "num enough" : "num", title: at === from ? fill("enough_here", { rung: rung.name, y: state.enough }) : null }, number(y, 2));
      cell.style.background = `color-mix(in srgb, var(--score) ${Math.round(42 * share)}%, transparent)`;
      return cell;
    })));
  const foot = el("tr", {}, el("th", { scope: "row" }, fill("enough_rows", { y: state.enough, all: shown.length })), ...counts.map((n) => el("td", { class: "num" }, String(n))));
  $("heat-names").textContent = without ? `${say("model")}${say("colon")}${without}${say("stop")}` : "";
  $("heat-good").replaceChildren(select(say("enough"), ENOUGH.map((y) => [String(y), String(y)]), String(state.enough), (y) => { state.enough = Number(y); drawHeat(); drawFirst(); $("heat-good").querySelector("select").focus(); }));
  $("heat").replaceChildren(el("thead", {}, head), el("tbody", {}, ...body), el("tfoot", {}, foot));
  $("heat").parentElement.classList.toggle("fits", $("heat").scrollWidth <= $("heat").parentElement.clientWidth); // its head then stays under the page's
}

// Small multiples, one an ability with all its families and ways of asking, grouped by the ability they are part of;
// more are drawn as the end comes into sight.
function card(curves) {
  const among = curves.slice(0, curves.length > 6 ? 5 : 6);
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
        end.before(el("h2", {}, group || say("ungrouped")));
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
