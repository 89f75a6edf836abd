"use strict";
const headers = document.querySelectorAll("section:not(#sources) thead th");
const compare = (one, other) => {
  const [first, second] = [Number(one), Number(other)];
  return Number.isNaN(first) || Number.isNaN(second)
    ? one.localeCompare(other, "en")
    : first - second;
};
for (const header of headers) {
  const button = header.querySelector("button");
  if (!button) continue;
  button.addEventListener("click", () => {
    const place = [...header.parentElement.children].indexOf(header);
    const body = header.closest("table").tBodies[0];
    const numbers = !header.classList.contains("left") && !header.classList.contains("rank");
    const order = header.ariaSort || header.getAttribute("aria-sort");
    const up = order ? order === "descending" : !numbers;
    for (const other of header.parentElement.children) other.removeAttribute("aria-sort");
    header.setAttribute("aria-sort", up ? "ascending" : "descending");
    const keyed = [...body.rows].map((row) => [row.children[place].dataset.sort, row]);
    // Rows without a value stay at the end in both directions.
    keyed.sort(([one], [other]) => (one === "") - (other === "") || (up ? 1 : -1) * compare(one, other));
    body.append(...keyed.map(([, row]) => row));
  });
}
const filter = document.getElementById("filter");
const lines = [...document.querySelectorAll("tr[data-search]")];
const show = () => {
  const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
  for (const line of lines) line.hidden = !words.every((word) => line.dataset.search.includes(word));
  const shown = lines.filter((line) => !line.hidden).length;
  document.getElementById("count").textContent = words.length ? `${shown} of ${lines.length} rows` : "";
};
filter.addEventListener("input", show);
const open = () => {
  const target = document.getElementById(location.hash.slice(1));
  if (target instanceof HTMLDetailsElement) target.open = true;
};
addEventListener("hashchange", open);
open();
show();
document.documentElement.dataset.ready = "yes";
