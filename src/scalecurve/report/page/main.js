"use strict";
// Start, routes, and the controls in the header.
const PAGES = ["overview", "abilities", "models", "map", "methods", "ability"];

// The address holds all that is shown: page, ability by name, axis, scale and theme; a question, and two models compared.
const KEPT = ["q", "from", "to", "arm", "a", "b"];
function readAddress() {
  const [path, query = ""] = location.hash.slice(1).split("?"), given = new URLSearchParams(query);
  const [, first = "", name = ""] = path.split("/"), page = first || "overview";
  if (given.get("axis") && state.axes.includes(given.get("axis"))) state.axis = given.get("axis");
  if (given.get("log")) state.log = given.get("log") !== "0";
  if (["light", "dark"].includes(given.get("theme"))) { state.chosenTheme = true; setTheme(given.get("theme")); }
  let ref = name;
  try { ref = decodeURIComponent(name); } catch { /* not an address of ours */ }
  let index = state.data.tasks.findIndex((task) => task.ref === ref);
  if (index < 0 && /^\d+$/.test(name)) index = Number(name);
  state.unknown = !PAGES.includes(page) ? path : page === "ability" && !state.data.tasks[index] ? ref || path : "";
  readWish(page, given);
  state.query = Object.fromEntries(KEPT.filter((key) => given.has(key)).map((key) => [key, given.get(key)]));
  return [page, index, given];
}
// What the lists are filtered by, families by name.
const FILTERED = ["overview", "abilities"];
const wished = () => ({ find: wish.text, family: wish.family && state.data.families[wish.family].name, way: wish.arm, shape: wish.shape, metric: wish.metric === "preferred" ? "" : wish.metric || "all", sort: wish.sort && (wish.down ? "-" : "") + wish.sort });
function readWish(page, given) {
  if (!FILTERED.includes(page) || !Object.keys(wished()).some((key) => given.has(key))) return;
  const family = state.data.families.findIndex((one) => one.name === given.get("family")), sort = given.get("sort") || "";
  Object.assign(wish, { text: given.get("find") || "", family: family < 0 ? "" : String(family), arm: given.get("way") || "", shape: given.get("shape") || "", metric: given.has("metric") ? given.get("metric").replace(/^all$/, "") : "preferred" });
  if (COLUMNS.some(([key, value]) => value && key === sort.replace(/^-/, ""))) Object.assign(wish, { sort: sort.replace(/^-/, ""), down: sort.startsWith("-") });
}
function writeAddress() {
  const [path] = location.hash.slice(1).split("?"), kept = new URLSearchParams();
  if (state.axis !== state.usual) kept.set("axis", state.axis);
  if (!state.log) kept.set("log", "0");
  if (state.chosenTheme) kept.set("theme", state.theme);
  for (const [key, value] of Object.entries(state.query || {})) kept.set(key, value);
  if (FILTERED.includes(path.split("/")[1] || "overview")) for (const [key, value] of Object.entries(wished())) if (value) kept.set(key, value);
  const query = String(kept), wanted = `#${path || "/overview"}${query ? "?" + query : ""}`;
  if (location.hash !== wanted && (location.hash || query)) history.replaceState(history.state, "", wanted);
}
const places = new Map(); // address → how far down it was read
function route(first) {
  const [page, index, given] = readAddress();
  $("axis").value = state.axis; $("log").checked = logarithmic();
  $("log-box").hidden = !freeScale() && state.axis !== "loss"; $("log").disabled = state.axis === "loss";
  $("not-found").hidden = !state.unknown; $("not-found").textContent = state.unknown ? fill("not_found", { address: state.unknown.slice(0, 120) }) : "";
  writeAddress();
  const wanted = PAGES.includes(page) && !state.unknown ? page : "overview";
  for (const name of PAGES) $(`page-${name}`).hidden = name !== wanted;
  for (const link of document.querySelectorAll("nav a")) {
    if (link.dataset.page === (wanted === "ability" ? "abilities" : wanted === "map" ? "methods" : wanted)) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  const task = wanted === "ability" ? state.data.tasks[index] : null;
  document.title = [task ? task.name : wanted === "overview" ? "" : say(wanted), document.documentElement.dataset.title].filter(Boolean).join(" · ");
  if (wanted === "overview") { drawFirst(); drawHeat(); drawLists(); showThresholds(); }
  if (wanted === "abilities") { filterBox($("card-filters"), drawCards); drawCards(); }
  if (wanted === "map") chart($("map"), mapSpec);
  if (wanted === "models") drawModels(given);
  if (wanted === "ability") drawAbility(index, given);
  const [, , part] = location.hash.slice(1).split("?")[0].split("/"), place = wanted === "methods" && part ? $(`term-${part}`) || $(part) : wanted === "overview" && part === "enough" ? $("heat-box") : null;
  if (place) place.scrollIntoView();
  else if (!first) { scrollTo(0, places.get(location.hash) || 0); }
  if (!first) $("main").focus({ preventScroll: true });
}
const BESIDE_CARDS = 16; // rises of which the strip stands beside the cards; of more it has a row of its own
function showThresholds() {
  const any = thresholdCurves().length > 0;
  if (any) chart($("thresholds"), thresholdSpec);
  $("thresholds-box").hidden = !any;
  $("thresholds-box").classList.toggle("long", thresholdCurves().length > BESIDE_CARDS);
  const axis = any ? thresholdCurves()[0].v.axis : state.axis;
  $("thresholds-by").textContent = axis === state.axis ? "" : fill("only_by", { axis: say(axis) });
}

function setTheme(theme) {
  state.theme = theme;
  document.documentElement.dataset.theme = theme;
}
function refresh() { route(true); redraw(); }
// The controls' new state goes into the address before the page is drawn from it.
function readdress() {
  const [path] = location.hash.split("?");
  history.replaceState(null, "", (path || "#/overview") + (Object.keys(state.query || {}).length ? "?" + new URLSearchParams(state.query) : ""));
  refresh();
}

function tools() {
  // An axis on which the models do not differ shows nothing; that which most models have comes first, and what answers
  // cost, an axis within each model, where there is no other.
  const has = (axis) => state.data.families.flatMap((family) => family.rungs.map((rung) => rung[axis]).filter((x) => typeof x === "number"));
  const axes = W.axes.filter((axis) => state.data.families.some((family) => new Set(family.rungs.map((rung) => rung[axis]).filter((x) => typeof x === "number")).size > 1));
  state.axes = axes;
  state.axis = axes.reduce((best, axis) => (best === null || (axis !== "answer_tokens" && has(axis).length > has(best).length) ? axis : best), null) || "params_non_embedding";
  state.usual = state.axis;
  document.documentElement.dataset.title = document.title;
  $("axis").append(...axes.map((axis) => el("option", { value: axis, selected: axis === state.axis }, say(axis))));
  $("axis").addEventListener("change", (event) => { state.axis = event.target.value; readdress(); });
  $("log").addEventListener("change", (event) => { state.log = event.target.checked; readdress(); });
  $("theme").addEventListener("click", () => { state.chosenTheme = true; setTheme(state.theme === "dark" ? "light" : "dark"); readdress(); });
  $("more").addEventListener("click", () => { wish.shown += PORTION; drawTable(); });
  for (const told of document.querySelectorAll(".told")) {
    const glyph = el("span", { class: "glyph", "aria-hidden": "true" }, GLYPHS[told.dataset.shape] || "·");
    told.prepend(glyph);
  }
  let width = innerWidth, waiting;
  addEventListener("resize", () => { if (innerWidth !== width) { width = innerWidth; clearTimeout(waiting); waiting = setTimeout(redraw, 200); } });
  document.querySelector(".skip").addEventListener("click", (event) => { event.preventDefault(); $("main").focus(); });
}
// After a newer page was loaded: as far down as one had read.
function backToPlace() {
  const [hash, y] = JSON.parse(sessionStorage.getItem("read") || "[]");
  sessionStorage.removeItem("read");
  if (hash === location.hash && y) setTimeout(() => scrollTo(0, y), 100);
}

async function start() {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  setTheme(dark.matches ? "dark" : "light");
  dark.addEventListener("change", (event) => { setTheme(event.matches ? "dark" : "light"); refresh(); });
  state.data = await unpack($("data").textContent);
  tools();
  addEventListener("hashchange", () => route(false));
  addEventListener("scroll", () => places.set(location.hash, scrollY), { passive: true });
  let before = null; // paper is light: every chart is drawn for it, those in folds too
  addEventListener("beforeprint", () => { before = state.theme; setTheme("light");
    for (const fold of document.querySelectorAll("details.others")) fold.open = true;
    for (const node of charts.keys()) drawNow(node); });
  addEventListener("afterprint", () => { if (before) { setTheme(before); before = null; redraw(); } });
  route(true);
  if (W.live) { backToPlace(); followRun(W.words, W.version); }
  document.documentElement.dataset.ready = "";
}
start();
