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

GROUPS = """
for (const table of document.querySelectorAll("table:has(td.group)")) {
  const rows = [...table.tBodies[0].rows].filter(row => row.querySelector("td.group"));
  // After z come a1, b1 and so on.
  const letters = new Map(rows.map(row =>
    [row, row.querySelector("td.group").textContent.match(/[a-z]\\d*/g) ?? []]));
  const members = letter => rows.filter(row => letters.get(row).includes(letter));
  let kept = "";
  const mark = letter => rows.forEach(row =>
    row.classList.toggle("member", letters.get(row).includes(letter)));
  const buttons = [];
  for (const row of rows) {
    row.querySelector("td.group").replaceChildren(...letters.get(row).map(letter => {
      const names = members(letter).map(one => one.cells[0].dataset.value).join(", ");
      const button = document.createElement("button");
      button.textContent = letter;
      button.title = `not shown to differ: ${names}`;
      button.ariaLabel = `group ${letter}: ${names}`;
      button.ariaPressed = "false";
      button.onmouseenter = button.onfocus = () => mark(letter);
      button.onmouseleave = button.onblur = () => mark(kept);
      button.onclick = () => {
        kept = kept === letter ? "" : letter;
        buttons.forEach(one => { one.ariaPressed = String(one.textContent === kept); });
        mark(kept);
      };
      buttons.push(button);
      return button;
    }));
  }
}
"""
"""Letters of groups as buttons: the pointer or the focus marks a group's rows, a click keeps it."""

FRAMES = """
for (const wide of document.querySelectorAll(".wide")) {
  const look = () => wide.parentElement.classList.toggle(
    "more", wide.scrollLeft + wide.clientWidth < wide.scrollWidth - 1);
  wide.addEventListener("scroll", look, { passive: true });
  new ResizeObserver(look).observe(wide);
}
"""
"""Marks each frame whose table goes on to the right of what is seen."""

SCRIPT = SORTING + WEIGHTS + GROUPS + FRAMES
