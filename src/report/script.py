"""The page's few lines of script, inline; without them every table is complete."""

from __future__ import annotations

SORTING = """
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0], heads = [...table.tHead.rows[0].cells];
  const value = (row, i) => row.cells[i]?.dataset.value ?? "";
  heads.forEach((head, i) => {
    const button = document.createElement("button");
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.onclick = () => {
      const down = head.ariaSort !== (i ? "descending" : "ascending");
      const sign = (down ? -1 : 1) * (i ? 1 : -1);
      heads.forEach(other => other.removeAttribute("aria-sort"));
      head.ariaSort = sign < 0 ? "descending" : "ascending";
      const order = (a, b) => {
        const x = value(a, i), y = value(b, i);
        if (x === "" || y === "") return (x === "") - (y === "");
        return sign * (i ? x - y : x.localeCompare(y));
      };
      body.append(...[...body.rows].sort(order));
    };
  });
}
"""
"""Turns the headings of a table into buttons that sort it."""

WEIGHTS = """
for (const block of document.querySelectorAll(".weights")) {
  const inputs = [...block.querySelectorAll("input")], live = block.querySelector("[role=status]");
  const body = block.querySelector("tbody"), rows = [...body.rows];
  const atStart = rows.map(row => [...row.cells].map(cell => cell.textContent));
  const numbers = text => text.split(" ").map(Number);
  const places = values => values.map(one => 1 + values.filter(other => other < one).length);
  const update = () => {
    const weights = inputs.map(input => input.valueAsNumber);
    const total = weights.reduce((sum, one) => sum + one, 0);
    const equal = total > 0 && weights.every(one => one === weights[0]);
    inputs.forEach((input, i) => {
      const share = `${Math.round(100 * weights[i] / (total || 1))} %`;
      input.setAttribute("aria-valuetext", `weight ${weights[i]}, ${share}`);
      input.nextElementSibling.textContent = share;
    });
    block.classList.toggle("equal", equal);
    if (!total) { live.textContent = block.dataset.nothing; return; }
    const mean = values => values.reduce((sum, one, i) => sum + weights[i] * one, 0) / total;
    const scores = rows.map(row => mean(numbers(row.dataset.scores)));
    const ranks = rows.map(row => mean(numbers(row.dataset.ranks)).toFixed(2));
    // Scores that read alike share a place, as they do in the other tables.
    const place = places(scores.map(one => -one.toFixed(3))), byRank = places(ranks.map(Number));
    rows.forEach((row, i) => {
      const [method, , , before] = atStart[i];
      const shown = [method, scores[i].toFixed(3), place[i], before, ranks[i], byRank[i]];
      const texts = equal ? atStart[i] : shown;
      [...row.cells].slice(1).forEach((cell, k) => { cell.textContent = texts[k + 1]; });
    });
    const order = rows.map((_, i) => i).sort((a, b) => equal ? a - b : scores[b] - scores[a]);
    body.append(...order.map(i => rows[i]));
    const names = order.map(i => rows[i].cells[0].dataset.value).join(", ");
    live.textContent = (equal ? block.dataset.equal : block.dataset.order) + names;
  };
  block.querySelector("button").onclick = () => {
    inputs.forEach(input => { input.value = 1; });
    update();
  };
  inputs.forEach(input => { input.oninput = update; });
  block.hidden = false;
  update();
}
"""
"""Means of scores and ranks, and the order of the methods, anew for each change of a weight."""

SCRIPT = SORTING + WEIGHTS
