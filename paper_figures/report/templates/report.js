"use strict";
// Tables that sort by a heading, and forms that filter the rows of their table. Without a script the page shows all rows.

/** What a row's cell is sorted by: its data-value as a number where it has one, else its text; "" comes last. */
function sortKey(row, column) {
  const cell = row.cells[column];
  const value = cell.dataset.value;
  if (value === undefined) return cell.textContent.trim();
  return value === "" || Number.isNaN(Number(value)) ? "" : Number(value);
}

function compare(first, second, direction) {
  if (first === "" || second === "") return (first === "") - (second === "");
  if (typeof first === "number" && typeof second === "number") return direction * (first - second);
  return direction * String(first).localeCompare(String(second), "en", { numeric: true });
}

function sortBy(heading) {
  const table = heading.closest("table");
  const body = table.tBodies[0];
  const ascending = heading.getAttribute("aria-sort") !== "ascending";
  for (const other of table.tHead.rows[0].cells) other.setAttribute("aria-sort", "none");
  heading.setAttribute("aria-sort", ascending ? "ascending" : "descending");
  const keyed = [...body.rows].map((row) => [sortKey(row, heading.cellIndex), row]);
  keyed.sort((a, b) => compare(a[0], b[0], ascending ? 1 : -1));
  body.append(...keyed.map(([, row]) => row));
}

function filterRows(form) {
  const rows = [...document.getElementById(form.dataset.table).tBodies[0].rows];
  const words = form.querySelector("[data-filter=text]").value.toLowerCase().match(/"[^"]+"|[^\s"]+/g) ?? [];
  const choices = [...form.querySelectorAll("select")].filter((select) => select.value);
  let shown = 0;
  for (const row of rows) {
    const text = row.textContent.toLowerCase();
    const fits =
      words.every((word) => text.includes(word.replaceAll('"', ""))) &&
      choices.every((select) => row.dataset[select.dataset.filter] === select.value);
    row.hidden = !fits;
    shown += fits;
  }
  form.querySelector(".shown").value = `${shown} of ${rows.length} rows`;
}

/** A link to a row inside a closed part opens it. */
function openTarget() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  for (let part = target; part; part = part.parentElement) if (part.tagName === "DETAILS") part.open = true;
  if (target && target.tagName === "TR") target.scrollIntoView({ block: "center" });
}

for (const button of document.querySelectorAll(".sortable th > button")) {
  button.addEventListener("click", () => sortBy(button.parentElement));
}
for (const form of document.querySelectorAll("form.filters")) {
  for (const event of ["input", "change"]) form.addEventListener(event, () => filterRows(form));
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", (event) => {
    event.preventDefault(); // by itself it would empty the fields after this
    for (const field of form.querySelectorAll("[data-filter]")) field.value = "";
    filterRows(form);
  });
  filterRows(form); // a browser may restore what was typed before
}
for (const link of document.querySelectorAll("a[data-verdict]")) {
  link.addEventListener("click", () => {
    const form = document.querySelector("form[data-table=claims-table]");
    form.querySelector("[data-filter=text]").value = link.dataset.text ? `"${link.dataset.text}"` : "";
    for (const select of form.querySelectorAll("select")) select.value = link.dataset[select.dataset.filter];
    filterRows(form);
  });
}
window.addEventListener("hashchange", openTarget);
openTarget();
