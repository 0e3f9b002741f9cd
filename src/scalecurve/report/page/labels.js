"use strict";
// Where words stand in a chart: at the ends of lines, beside points, on rules and under the axis, clear of each other
// and of what is drawn.
const PAD = 18, LETTER = 6.6, BESIDE = 45, BELOW = 46;
const longOf = (text) => LETTER * [...text].reduce((sum, letter) => sum + (letter > "\u2e80" ? 1.8 : 1), 0);
// A long name cut in the middle: names differ at both ends.
const shorter = (text, most) => (text.length > most ? `${text.slice(0, Math.ceil(most / 2))}…${text.slice(-Math.floor(most / 2) + 1)}` : text);

// The chart in pixels, y upwards; `taken` are the boxes [x, y, width, weight] of what is drawn: a line is a row of points.
function placeOn(data, width, height, reach, [low, high]) {
  const place = (x) => (state.axis === "loss" ? -x : logarithmic() ? Math.log10(x) : x), xs = (reach || [...data.points, ...data.fan].map((p) => p.x)).map(place);
  const least = Math.min(...xs), wide = Math.max(...xs) - least || 1;
  const placed = { low, high, width, height: height - BELOW, plot: width - BESIDE, taken: [], share: (x) => (place(x) - least) / wide,
    X: (x) => PAD + ((place(x) - least) / wide) * (placed.plot - 2 * PAD), Y: (y) => ((y - low) / (high - low || 1)) * placed.height };
  return placed;
}
function takeLines(data, { X, Y, taken }) {
  for (const rows of [data.points, data.fan]) for (const series of new Set(rows.map((p) => p.series))) {
    const own = rows.filter((p) => p.series === series);
    own.forEach((p, i) => { const next = own[i + 1] || p; for (let part = 0; part < 12; part++) taken.push([X(p.x) + (X(next.x) - X(p.x)) * part / 12, Y(p.y) + (Y(next.y) - Y(p.y)) * part / 12, 0]); });
  }
  for (const p of data.points) for (const y of [p.lo, (p.lo + p.y) / 2, (p.hi + p.y) / 2, p.hi]) taken.push([X(p.x), Y(y), 0]); // their error bars
}
// How much a word from `left` to `right` at height y is crossed: other words weigh more than lines, the edge most.
const crossing = ({ taken, height }, left, right, y) => taken.reduce((sum, [x, at, w, weight = 30]) => sum + (x + w > left && x < right && Math.abs(at - y) < (w && weight > 9 ? 15 : 8) ? (w ? weight : 1) : 0), 0) + (y > height + 14 || y < 4 ? 80 : 0);

// Line ends carry their names, each at the height beside its own end that crosses least; a legend is not needed then.
// Gives the room that names need to the right of what the chart itself keeps for them.
function labelEnds(data, curves, name, width, placed) {
  const ends = curves.map((curve) => {
    const series = name(curve), last = [...data.points, ...data.fan].filter((p) => p.series === series).at(-1);
    return last && { x: last.x, y: last.y, series, label: shorter(nameAmong(curve, curves), width < 520 ? 18 : 26) };
  }).filter(Boolean).sort((a, b) => a.y - b.y);
  const long = (end) => longOf(end.label) + 10, share = (end) => placed.share(end.x);
  placed.plot = width - BESIDE - Math.max(0, ...ends.map((end) => long(end) - (1 - share(end)) * width));
  takeLines(data, placed);
  for (const end of ends) {
    const left = placed.X(end.x) + 6, right = left + long(end), from = placed.Y(end.y);
    const crossed = (shift) => crossing(placed, left, right, from + shift) + Math.abs(shift) / 30;
    const shift = [0, 16, -16, 32, -32, 48, -48, 64, -64].reduce((best, one) => (crossed(one) < crossed(best) ? one : best));
    end.y += (shift / placed.height) * (placed.high - placed.low);
    placed.taken.push([left, from + shift, right - left]);
  }
  data.ends.push(...ends);
  return Math.max(0, ...ends.map((end) => (1 - share(end)) * Math.max(0, long(end) - (1 - share(end)) * width)));
}
// Words beside points and on rules, each where it crosses least: above or below, to the right or the left.
function placeLabels(data, placed) {
  if (!placed.taken.length) takeLines(data, placed);
  const put = (text, x, y, places) => {
    const long = longOf(text), box = ([align, dx, dy]) => { const at = x + dx - (align === "right" ? long : 0); return [at, y - dy + 4, long]; };
    const cost = (one, rank) => { const [left, at] = box(one); return crossing(placed, left, left + long, at) + (left < 0 || left + long > placed.plot + 20 ? 60 : 0) + rank / 10; };
    const best = places.map((one, rank) => [one, cost(one, rank)]).sort((a, b) => a[1] - b[1])[0][0];
    placed.taken.push(box(best));
    return { align: best[0], dx: best[1], dy: best[2] };
  };
  const beside = [["left", 9, -8], ["right", -9, -8], ["left", 9, 18], ["right", -9, 18], ["left", 9, -24], ["right", -9, -24], ["left", 9, 34], ["right", -9, 34], ["left", 12, -42], ["right", -12, -42]];
  for (const rule of data.rules) placed.taken.push([0, placed.Y(rule.y), placed.plot, 9]); // a word on a dashed line
  for (const one of [...data.left_out, ...data.unlock]) if (one.label) Object.assign(one, put(one.label, placed.X(one.x), placed.Y(one.y), beside));
  for (const rule of data.rules) {
    const ways = [["left", 3, -4], ["right", placed.plot - 3, -4], ["left", 3, 14], ["right", placed.plot - 3, 14], ["left", placed.plot * .35, -4], ["left", placed.plot * .35, 14]];
    placed.taken.splice(placed.taken.findIndex((one) => one[3] === 9), 1); // its own line does not cross it
    const best = put(rule.label, 0, placed.Y(rule.y), ways);
    rule.right = best.align === "right";
    Object.assign(rule, { dx: rule.right ? -3 : best.dx, dy: best.dy });
  }
}
// Models' names without what all of them begin and end with; null where nothing would be left of one.
function bareNames(names) {
  const shared = (texts) => { let n = 0; while (n < texts[0].length && texts.every((text) => text[n] === texts[0][n])) n++; return texts[0].slice(0, n); };
  const back = (text) => [...text].reverse().join("");
  const head = (shared(names).match(/^.*[-_/ ]/) || [""])[0], tail = back((shared(names.map((name) => back(name.slice(head.length)))).match(/^.*[-_/ ]/) || [""])[0]);
  const bare = names.map((name) => name.slice(head.length, name.length - tail.length)), parts = [head, tail].filter(Boolean).map((part) => `“${part}”`);
  return bare.every(Boolean) && parts.length ? { bare, without: fill("without", { parts: parts.join(say("comma")) }) } : { bare: null, without: "" };
}
// The models' own names as ticks (as many as there are: of more values than its count Vega keeps every other) where one
// family is drawn: whole, without what all of them share ("stem"), or every second one, as there is room; else round
// numbers.
function modelTicks(points, { X }) {
  const apart = (ticks) => !ticks || ticks.every((x, i) => !i || X(x) - X(ticks[i - 1]) > 42), xs = points.map((p) => p.x);
  const round = logarithmic() ? [roundTicks(xs), roundTicks(xs, [1])].find((ticks, i) => apart(ticks) || i) : undefined;
  const numbers = { axis: { ...(round ? { values: round, tickCount: round.length, labelSeparation: 6 } : {}), labelExpr: amountExpr() }, stem: "" };
  const at = new Map();
  for (const p of points) if (!at.has(p.x)) at.set(p.x, p.rung);
  const models = [...at].sort((a, b) => X(a[0]) - X(b[0])), names = models.map(([, rung]) => rung);
  if (state.axis === "loss" || names.length > 12 || names.length < 2 || new Set(names).size < names.length || ofModels().length > 1) return numbers;
  const { bare, without } = bareNames(names);
  const fit = (texts) => {
    const told = models.map(([x], i) => [X(x), texts[i]]).filter(([, text]) => text);
    return told.every(([x, text], i) => !i || x - told[i - 1][0] > (longOf(text) + longOf(told[i - 1][1])) / 2 + 5);
  };
  const every2nd = (texts) => texts.map((text, i) => ((texts.length - 1 - i) % 2 ? "" : text)); // the largest keeps its own
  const short = bare || names, tried = [names, short, ...(models.length > 4 ? [every2nd(names), every2nd(short)] : [])];
  const shown = tried.find(fit);
  if (!shown) return numbers;
  const labels = models.map(([x], i) => `datum.value == ${x} ? ${JSON.stringify(shown[i])} : `).join("");
  return { axis: { values: models.map(([x]) => x), tickCount: models.length, labelExpr: labels + '""', labelOverlap: false }, stem: bare && shown.at(-1) === bare.at(-1) ? without : "" };
}
// What an axis is, in two lines where one is too long for it.
function titleOf(axis, stem, wide) {
  const parts = [say(axis), stem].filter(Boolean), whole = parts.join(say("list"));
  return parts.length > 1 && longOf(whole) > wide ? parts : whole;
}
// 1, 3, 10, 30, … (or other digits) within the range, every power of ten where that would be many.
function roundTicks(xs, digits = [1, 3]) {
  const low = Math.min(...xs), high = Math.max(...xs), ticks = [];
  if (!(low > 0) || high / low < 3) return undefined;
  for (let power = Math.floor(Math.log10(low)); 10 ** power <= high; power++) for (const digit of digits) ticks.push(digit * 10 ** power);
  const inside = ticks.filter((x) => x >= low * .999 && x <= high * 1.001);
  return inside.length > 8 ? inside.filter((x) => Number.isInteger(Math.log10(x))) : inside;
}
const amountExpr = (axis = state.axis) => (axis === "training_flops" ? "replace(format(datum.value, '.0e'), 'e+', 'e')" : axis === "loss" ? "format(datum.value, '.3~f')" : "replace(format(datum.value, '.3~s'), 'G', 'B')");
// Few, round ticks for a small logarithmic axis; none asked for when it spans less than a decade.
function powersOfTen(xs) {
  const low = Math.ceil(Math.log10(Math.min(...xs))), high = Math.floor(Math.log10(Math.max(...xs)));
  return high > low ? Array.from({ length: high - low + 1 }, (_, i) => 10 ** (low + i)) : undefined;
}
