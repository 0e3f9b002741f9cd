"use strict";
// One question, the answers of every model or of two. What opens first are the questions that changed between the two
// models around the threshold. The address keeps a question (q) and the two models (from, to).
const SOLVED = 0.5, CARDS = 20;

async function loadExamples(index) {
  if (W.live) { const reply = await fetch(`/examples/${index}`); return reply.ok ? reply.json() : null; }
  const chunk = $(`examples-${index}`);
  return chunk ? unpack(chunk.textContent) : null;
}
async function showExamples(section, index, main, given) {
  section.append(el("p", { class: "note" }, say("loading")));
  const book = await loadExamples(index);
  section.lastChild.remove();
  if (!book || !book.arms.length) {
    section.append(el("p", { class: "note" }, say(!book && state.data.left.includes(index) ? "examples_left" : "examples_none")));
    return;
  }
  showOne(book);
  const look = { arm: 0, from: 0, to: 1, show: "any", two: true, cards: CARDS, only: given.get("q") };
  const rungs = () => state.data.families[book.arms[look.arm].f].rungs;
  const startAt = (arm) => {
    look.arm = arm;
    const own = book.arms[arm], curve = main.find((c) => c.f === own.f && c.s === own.s && c.k === own.k), names = rungs().map((rung) => rung.name);
    [look.from, look.to] = curve && (curve.b || []).length === 2 ? curve.b.map((at) => curve.r[at]) : [Math.max(0, names.length - 2), names.length - 1];
    if (names.includes(given.get("from")) && names.includes(given.get("to"))) [look.from, look.to] = [names.indexOf(given.get("from")), names.indexOf(given.get("to"))];
    look.show = look.from !== look.to && book.q.some((_, i) => matches(book, own, i, look, "changed")) ? "changed" : "any";
  };
  const wished = book.arms.findIndex((arm) => String(arm.s) === given.get("arm"));
  const clearest = jumpOf(main);
  startAt(wished < 0 ? Math.max(0, book.arms.findIndex((arm) => clearest && arm.f === clearest.f && arm.s === clearest.s && arm.k === clearest.k)) : wished);
  const note = el("p", { class: "note" }, book.q.length < book.all ? fill("examples_note", { shown: book.q.length - (book.x || 0), all: book.all }) + (book.x ? say("space") + fill("examples_more", { n: book.x }) : "") : "");
  const counts = el("p", { class: "note", id: "example-counts", role: "status" });
  const filters = el("div", { class: "filters" }), list = el("div", { id: "examples" }), after = el("p", { class: "after" });
  section.append(el("p", { class: "note", id: "scored" }, scoredBy(book, main)), counts, note, filters, list, after);
  const draw = () => {
    const arm = book.arms[look.arm], found = book.q.map((_, i) => i).filter((i) => (look.only ? book.q[i].id === look.only : matches(book, arm, i, look, look.show)));
    const shown = look.two && PAIRED.includes(look.show) && !look.only ? [look.from, look.to] : arm.a.map((_, r) => r);
    const arms = look.show === "prompt" && !look.only ? [arm, ...book.arms.filter((other) => other !== arm && other.f === arm.f)] : [arm];
    list.replaceChildren(...found.slice(0, look.cards).map((i) => exampleCard(book, arms, i, shown, index, main)));
    counts.textContent = look.only ? "" : countsOf(book, arm, look, rungs());
    if (!found.length) list.append(el("p", { class: "note" }, say("no_match")));
    after.replaceChildren(heldOf(book, arm, look, Math.min(found.length, look.cards), found.length), " ");
    if (look.only) after.append(el("button", { type: "button", onclick: () => { look.only = null; controls(); draw(); } }, say("any")));
    if (found.length > look.cards) after.append(el("button", { type: "button", onclick: () => { look.cards += CARDS; draw(); } }, say("more")));
  };
  const controls = () => {
    const arm = book.arms[look.arm], names = rungs().map((rung) => rung.name), pick = names.map((name, i) => [String(i), name]);
    const two = { a: names[look.from], b: names[look.to] };
    const shows = [["changed", fill("changed_between", two)], ["won", fill("won_between", two)], ["lost", fill("lost_between", two)], ["any", say("any")],
      ...names.map((rung, i) => [`first ${i}`, fill("first_solved", { rung })]), ["never", say("never_solved")]];
    if (book.arms.filter((other) => other.f === arm.f).length > 1) shows.push(["prompt", say("prompt_changed")]);
    if (!shows.some(([key]) => key === look.show)) look.show = "any";
    const set = (key) => (value) => { look[key] = ["arm", "from", "to"].includes(key) ? Number(value) : value; look.only = null; look.cards = CARDS; if (key === "show") { filters.querySelector(".check").hidden = !PAIRED.includes(look.show); draw(); return; } if (key === "arm") startAt(look.arm); else look.show = "changed"; controls(); draw(); filters.querySelector(`[data-of=${key}] select`).focus(); };
    const tagged = (key, label) => { label.dataset.of = key; return label; };
    filters.replaceChildren();
    if (book.arms.length > 1) filters.append(tagged("arm", select(say("strategy"), book.arms.map((a, i) => [String(i), armName(a, book)]), String(look.arm), set("arm"))));
    filters.append(tagged("show", select(say("filter"), shows, look.show, set("show"))),
      tagged("from", select(say("from_model"), pick, String(look.from), set("from"))), tagged("to", select(say("to_model"), pick, String(look.to), set("to"))));
    const two_only = el("input", { type: "checkbox", checked: look.two, onchange: (event) => { look.two = event.target.checked; draw(); } });
    filters.append(el("label", { class: "check" }, two_only, say("two_only")));
    filters.lastChild.hidden = !PAIRED.includes(look.show) || Boolean(look.only);
    for (const box of filters.querySelectorAll("select")) box.disabled = Boolean(look.only); // one question is shown, whatever they say
  };
  controls();
  draw();
  if (look.only || given.get("from")) section.scrollIntoView();
}
// Which of the two is marked right or wrong: the option picked, or what was written; "" where there is neither.
function scoredBy(book, main) {
  const any = (test) => book.arms.some((arm) => arm.a.some((answers) => answers.some((answer) => answer && test(answer))));
  if (main.some((curve) => CHOICE(curve.m)) && any((answer) => answer[4].length)) return say("scored_pick");
  return any((answer) => answer[3] !== null) ? say("scored_text") : "";
}
// Of all questions of the task, not only of those in the page: how many one model gained and lost against another.
function changesOf(arm, look) {
  const before = (arm.w || [])[look.from] || "", now = (arm.w || [])[look.to] || "";
  if (!before || !now || look.from === look.to) return null;
  const of = (one, other) => [...before].filter((letter, i) => letter === one && now[i] === other).length;
  const won = of("0", "1"), lost = of("1", "0");
  return { won, lost, changed: won + lost };
}
function countsOf(book, arm, look, rungs) {
  const changes = changesOf(arm, look);
  return changes ? fill("examples_counts", { all: book.all, ...changes, a: rungs[look.from].name, b: rungs[look.to].name, arm: armName(arm, book) }) : "";
}
// How many are shown of those that the filter holds; and where the file has fewer of them than there are, how many.
function heldOf(book, arm, look, shown, found) {
  const all = !look.only && PAIRED.includes(look.show) ? (changesOf(arm, look) || {})[look.show] : 0;
  return fill("shown_held", { shown, all: look.only ? book.q.length : found }) + (all > found ? say("list") + fill(`held_${look.show}`, { n: found, all }) : "");
}
// One real question with its answer, under the title: the shortest that has one.
function showOne(book) {
  const known = book.q.map((question) => [question, wantedOf(question)]).filter(([question, wanted]) => question.q && wanted.length);
  const [question, wanted] = known.sort((a, b) => a[0].q.length + a[1][0].length - b[0].q.length - b[1][0].length)[0] || [null];
  if (!question || !$("asked")) return;
  const cut = (text, most) => (text.length > most ? text.slice(0, most) + "…" : text);
  $("asked").replaceChildren(el("q", { dir: "auto" }, cut(question.q.trim(), 160)), " → ", el("b", {}, el("bdi", {}, cut(wanted[0].trim(), 60))));
}
const wantedOf = (question) => (question.targets && question.targets.length ? question.targets : (question.options || []).filter((_, o) => (question.worth || [])[o] > 0));
function armName(arm, book) {
  const seeds = unique(book.arms.map((a) => a.seed)).length > 1 ? ` · ${arm.seed}` : "";
  return seriesOf(arm) + seeds;
}
const solved = (answer) => (answer && answer[1] !== null ? answer[1] >= SOLVED : null);
const PAIRED = ["changed", "won", "lost"];

// "first i": right at model i and at no smaller one. "won", "lost", "changed": between the two models looked at.
function matches(book, arm, i, look, show) {
  const pattern = arm.a.map((answers) => solved(answers[i])), before = pattern[look.from], now = pattern[look.to];
  const [kind, at] = show.split(" ");
  if (kind === "first") return pattern.indexOf(true) === Number(at);
  if (kind === "never") return !pattern.includes(true);
  if (kind === "won") return before === false && now === true;
  if (kind === "lost") return before === true && now === false;
  if (kind === "changed") return before !== null && now !== null && before !== now;
  if (kind === "prompt") return book.arms.some((other) => other.f === arm.f && other !== arm
    && other.a.some((answers, rung) => pattern[rung] !== null && solved(answers[i]) !== null && solved(answers[i]) !== pattern[rung]));
  return true;
}

function exampleCard(book, arms, i, shown, index, main) {
  const question = book.q[i], rungs = state.data.families[arms[0].f].rungs, wanted = wantedOf(question);
  const told = arms.flatMap((arm) => shown.map((r) => [arm, r, arm.a[r][i]])), prompts = unique(told.map(([, , answer]) => answer && answer[0]).filter((p) => typeof p === "number"));
  const who = (arm, r) => (arms.length > 1 ? `${armName(arm, book)} · ` : "") + rungs[r].name;
  const whose = (p) => { // an arm where all its models got it, else the models
    const got = told.filter(([, , answer]) => answer && answer[0] === p), all = arms.length > 1 && arms.every((arm) => [0, shown.length].includes(got.filter(([one]) => one === arm).length));
    return unique(got.map(([arm, r]) => (all ? armName(arm, book) : who(arm, r)))).join(", ");
  };
  const texts = told.map(([arm, r, answer]) => [who(arm, r), answer && answer[2]]).filter(([, text]) => text !== null && text !== undefined);
  const thoughts = told.filter(([, , answer]) => answer && answer[7]).map(([arm, r, answer]) => [who(arm, r), answer[7]]);
  const choice = main.some((curve) => CHOICE(curve.m)), link = `${addressOf(index)}?q=${encodeURIComponent(question.id)}`;
  return el("article", { class: "example" }, el("h3", {}, el("a", { href: link }, `${say("question")} ${question.id}`)),
    el("p", { class: "ask", tabindex: "0", dir: "auto" }, question.q || ""),
    wanted.length ? el("p", { class: "note" }, `${say("wanted")}${say("colon")}`, el("bdi", {}, wanted.join(" / "))) : "",
    ...arms.flatMap((arm) => [arms.length > 1 ? el("p", { class: "note arm" }, armName(arm, book)) : "",
      el("div", { class: "rungs", tabindex: "0", role: "group", "aria-label": arms.length > 1 ? armName(arm, book) : say("examples") }, ...shown.map((r) => rungCell(question, arm.a[r][i], rungs[r], choice)))]),
    ...prompts.map((p) => el("details", {}, el("summary", {}, say("prompt_shown") + (prompts.length > 1 ? ` (${whose(p)})` : "")), exact(book.p[p]))),
    thoughts.length ? el("details", {}, el("summary", {}, say("thought")), ...thoughts.flatMap(([name, text]) => [el("p", { class: "note" }, name), exact(text)])) : "",
    texts.length ? el("details", {}, el("summary", {}, say("raw")), ...texts.flatMap(([name, text]) => [el("p", { class: "note" }, name), exact(text)])) : "");
}
// What is marked right or wrong stands first: the option picked where options are scored, else what was written.
function rungCell(question, answer, rung, choice) {
  const right = solved(answer), word = answer === null ? say("no_answer") : right === null ? say("unscored") : right ? say("right") : say("wrong");
  const mark = answer && right !== null ? (right ? "✓ " : "✗ ") : "";
  const cell = el("div", { class: `rung ${right === null ? "" : right ? "right" : "wrong"}` },
    el("div", { class: "who" }, el("span", {}, rung.name), el("b", {}, mark + word)));
  if (!answer) return cell;
  const [, , text, response, logprobs, target, error] = answer;
  const said = (kind, what, small) => el("p", { class: small ? "said soft small" : "said", dir: "auto" }, el("span", { class: "soft" }, say(kind) + say("colon")), what);
  if (error) { cell.append(el("p", { class: "said soft" }, error)); return cell; }
  const best = logprobs.length ? logprobs.reduce((top, value, o) => (real(value) > real(logprobs[top]) ? o : top), 0) : -1;
  const byPick = choice && best >= 0;
  if (byPick) cell.append(said("picked", (question.options || [])[best] ?? String(best), false));
  if (response !== null) cell.append(said(byPick ? "wrote_beside" : "wrote", response, byPick));
  else if (text !== null && !byPick) cell.append(el("p", { class: "said soft" }, say("no_response")));
  if (logprobs.length) cell.append(...optionBars(question, logprobs));
  else if (typeof target === "number") cell.append(el("p", { class: "note" }, fill("logprob_of", { value: number(target, 2) })));
  return cell;
}
// What is marked right or wrong and how it was said, [word, text]: picks the option where options are scored, else writes.
function saidIn(question, answer, choice) {
  const [, , text, response, logprobs] = answer;
  if (choice && logprobs.length) return [say("picks"), String((question.options || [])[logprobs.reduce((top, value, o) => (real(value) > real(logprobs[top]) ? o : top), 0)] ?? "")];
  const written = (response ?? text ?? "").trim();
  return written ? [say("writes"), written] : ["", say("no_response")];
}
// The width is the option's share of probability among the options; the number its log-probability in nats.
function optionBars(question, logprobs) {
  const finite = logprobs.map((value) => (typeof value === "number" ? value : -Infinity)), top = Math.max(...finite);
  const weights = finite.map((value) => Math.exp(value - top)), sum = weights.reduce((a, b) => a + b, 0);
  return [...logprobs.map((value, o) => {
    const bar = el("i"), name = (question.options || [])[o] ?? String(o);
    bar.style.width = `${(100 * weights[o]) / (sum || 1)}%`;
    return el("div", { class: `option ${(question.worth || [])[o] > 0 ? "true" : ""}`, title: fill("option_bar", { name, share: Math.round((100 * weights[o]) / (sum || 1)), value: number(value, 3) }) }, bar, el("span", { dir: "auto" }, name), el("span", {}, `${Math.round((100 * weights[o]) / (sum || 1))}%`));
  })];
}
// Text exactly as sent: spaces at line ends and line breaks are marked.
function exact(text) {
  const box = el("pre", { class: "exact", tabindex: "0", dir: "ltr" });
  text.split("\n").forEach((line, i, lines) => {
    const bare = line.replace(/ +$/, "");
    box.append(bare);
    if (bare.length < line.length) box.append(el("span", { class: "ws" }, "␣".repeat(line.length - bare.length)));
    if (i < lines.length - 1) box.append(el("span", { class: "ws" }, "↵"), "\n");
  });
  return box;
}
