// How far the run is, asked every two seconds; a newer page is loaded where one reads, at the same address and height.
function tellProgress(said, at) {
  const put = (text, values) => text.replace(/\{(\w+)\}/g, (_, key) => values[key]);
  const minutes = (s) => (s < 90 ? put(said.seconds_left, { n: Math.max(1, Math.round(s)) }) : s < 5400 ? put(said.minutes_left, { n: Math.round(s / 60) }) : put(said.hours_left, { n: (s / 3600).toFixed(1) }));
  const parts = [];
  if (at.problem) parts.push(at.problem);
  if (!at.cells) parts.push(said.run_begins);
  else parts.push(put(said.run_cells, { done: at.done, all: at.cells, share: Math.floor(at.share * 100) }), put(said.run_answers, { n: at.answers.toLocaleString("en") }));
  if (at.failed) parts.push(put(said.run_failed, { n: at.failed }));
  if (at.missing) parts.push(put(said.run_missing, { n: at.missing }));
  if (at.finished) parts.push(said.run_ended);
  else if (typeof at.left === "number") parts.push(minutes(at.left));
  else parts.push(put(said.seconds_waited, { n: Math.round(performance.now() / 1000) }));
  const box = document.getElementById("live"), bar = document.getElementById("bar");
  const text = parts.join(" · ");
  if (box.lastChild?.textContent !== text) box.replaceChildren(Object.assign(document.createElement("span"), { textContent: "● ", ariaHidden: "true" }), text);
  if (bar) bar.value = at.share;
}
function followRun(said, version) {
  const look = async () => {
    try {
      const reply = await fetch("/progress"), at = await reply.json();
      if (at.version && at.version !== version) { sessionStorage.setItem("read", JSON.stringify([location.hash, scrollY])); location.reload(); return; }
      tellProgress(said, at);
    } catch { /* the server has stopped */ }
  };
  look();
  setInterval(look, 2000);
}
