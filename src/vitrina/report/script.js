"use strict";
// A model under the pointer is marked wherever it is on the page.
const same = (key) => document.querySelectorAll(`[data-model="${key}"]`);
const mark = (on) => (event) => {
  const found = event.target.closest && event.target.closest("[data-model]");
  if (found) same(found.dataset.model).forEach((each) => each.classList.toggle("hot", on));
};
document.addEventListener("pointerover", mark(true));
document.addEventListener("pointerout", mark(false));

// The leaderboard sorts by any column of numbers; models that failed stay last.
const value = (row, at) => {
  const cell = row.children[at];
  const number = cell ? parseFloat(cell.textContent.replace(/[,<>]/g, "").replace("−", "-")) : NaN;
  return Number.isNaN(number) ? null : number;
};
const board = document.getElementById("board");
if (board) {
  const body = board.tBodies[0], heads = [...board.tHead.rows[0].cells];
  heads.forEach((head, at) => {
    if (!head.classList.contains("num")) return;
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const order = head.getAttribute("aria-sort") === "descending" ? "ascending" : "descending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", order);
      const sign = order === "ascending" ? 1 : -1;
      const rows = [...body.rows].map((row) => [value(row, at), row]);
      rows.sort(([a], [b]) => (a === null) - (b === null) || sign * (a - b));
      body.append(...rows.map(([, row]) => row));
    });
  });
}

// What is wider than the page says that it goes on.
const wide = () => document.querySelectorAll(".scroll").forEach((each) => each.classList.toggle("more", each.scrollWidth > each.clientWidth + 4));
addEventListener("resize", wide);
document.addEventListener("toggle", wide, true);
wide();
