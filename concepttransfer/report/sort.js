"use strict";

/* A click on a heading sorts its table by that column: numbers by value, text by the reader's alphabet, missing ones last. */
function keyOf(row, column) {
  const cell = row.cells[column];
  if (!("sort" in cell.dataset)) return cell.textContent.trim();
  if (cell.dataset.sort === "" || cell.dataset.sort === "nan") return null;
  return cell.dataset.sort === "inf" ? Infinity : cell.dataset.sort === "-inf" ? -Infinity : Number(cell.dataset.sort);
}

function compare(a, b) {
  if (typeof a === "number" && typeof b === "number") return a - b;
  return String(a).localeCompare(String(b), undefined, { numeric: true, sensitivity: "base" });
}

function sortBy(heading) {
  const table = heading.closest("table");
  const column = heading.cellIndex;
  const rising = heading.getAttribute("aria-sort") !== "ascending";
  const sign = rising ? 1 : -1;
  for (const other of heading.parentElement.cells) other.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", rising ? "ascending" : "descending");
  const rows = Array.from(table.tBodies[0].rows, (row) => ({ row, key: keyOf(row, column) }));
  rows.sort((a, b) => (a.key === null) - (b.key === null) || (a.key === null ? 0 : sign * compare(a.key, b.key)));
  table.tBodies[0].append(...rows.map((entry) => entry.row));
}

for (const button of document.querySelectorAll("th[scope=col] > button")) {
  button.addEventListener("click", () => sortBy(button.parentElement));
}

/* What is folded is unfolded on paper. */
let opened = [];
window.addEventListener("beforeprint", () => {
  opened = Array.from(document.querySelectorAll("details.on-paper:not([open])"));
  for (const details of opened) details.open = true;
});
window.addEventListener("afterprint", () => {
  for (const details of opened) details.open = false;
});
