"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const make = (tag, text, attributes = {}) => {
    const node = document.createElement(tag);
    if (text !== undefined && text !== null) node.textContent = text;
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    return node;
  };

  // Light, dark, or what the system says.
  const root = document.documentElement;
  const theme = document.getElementById("theme");
  const themes = ["auto", "light", "dark"];
  theme.hidden = false;
  theme.addEventListener("click", () => {
    const now = themes[(themes.indexOf(root.dataset.theme || "auto") + 1) % themes.length];
    if (now === "auto") delete root.dataset.theme; else root.dataset.theme = now;
    theme.textContent = `Theme: ${now}`;
  });

  // Sorting: a click on a header sorts by its column, a second one the other way round.
  const sortable = (table) => {
    const body = table.tBodies[0];
    all("thead th[data-column]", table).forEach((header) => {
      header.querySelector("button").addEventListener("click", () => {
        const column = header.dataset.column;
        const first = header.dataset.first || "descending";
        const other = first === "descending" ? "ascending" : "descending";
        const order = header.getAttribute("aria-sort") === first ? other : first;
        all("thead th[aria-sort]", table).forEach((each) => each.removeAttribute("aria-sort"));
        header.setAttribute("aria-sort", order);
        const key = (row) => row.querySelector(`[data-of="${column}"]`).dataset.v;
        const sign = order === "ascending" ? 1 : -1;
        const rows = [...body.rows].sort((a, b) => {
          const [x, y] = [key(a), key(b)];
          if (x === "" || y === "") return (x === "") - (y === "");  // what is missing goes last
          const [p, q] = [Number(x), Number(y)];
          const gap = Number.isNaN(p) || Number.isNaN(q) ? x.localeCompare(y) : p - q;
          return sign * gap;
        });
        body.append(...rows);
      });
    });
  };
  all("table.sortable").forEach(sortable);

  // Filtering by name and by completeness.
  all("[data-filters]").forEach((tools) => {
    const table = document.getElementById(tools.dataset.filters);
    const text = tools.querySelector("input[type=search]");
    const whole = tools.querySelector("input[type=checkbox]");
    const count = tools.querySelector("output");
    const apply = () => {
      const wanted = text.value.trim().toLowerCase();
      let shown = 0;
      for (const row of table.tBodies[0].rows) {
        const fits = row.dataset.name.toLowerCase().includes(wanted)
          && (!whole.checked || row.dataset.complete === "true");
        row.hidden = !fits;
        shown += fits;
      }
      count.textContent = `${shown} of ${table.tBodies[0].rows.length}`;
    };
    text.addEventListener("input", apply);
    whole.addEventListener("change", apply);
    tools.hidden = false;
    apply();
  });

  // One matrix at a time; all of them in print and without scripts.
  all("select[data-shows]").forEach((select) => {
    const apply = () => all(`[data-matrix^="${select.dataset.shows}/"]`).forEach((each) => {
      each.hidden = each.dataset.matrix !== select.value;
    });
    select.addEventListener("change", apply);
    select.closest(".tools").hidden = false;
    apply();
  });

  // Tooltips for everything that has one, by pointer and by keyboard.
  const tip = document.getElementById("tip");
  let owner = null;
  const hide = () => { tip.hidden = true; owner = null; };
  const show = (node) => {
    owner = node;
    // An open dialog covers everything outside it, so its tips must be inside.
    (node.closest("dialog") || document.body).append(tip);
    tip.textContent = node.dataset.tip;
    tip.hidden = false;
    const box = node.getBoundingClientRect();
    const own = tip.getBoundingClientRect();
    const left = Math.min(Math.max(8, box.left + box.width / 2 - own.width / 2),
      root.clientWidth - own.width - 8);
    const above = box.top - own.height - 8;
    tip.style.left = `${left}px`;
    tip.style.top = `${above > 8 ? above : box.bottom + 8}px`;
  };
  const tipped = (event) => event.target.closest && event.target.closest("[data-tip]");
  document.addEventListener("pointerover", (event) => {
    const node = tipped(event);
    if (node) show(node); else if (owner && owner !== document.activeElement) hide();
  });
  document.addEventListener("focusin", (event) => {
    const node = tipped(event);
    if (node && node.matches(":focus-visible")) show(node); else hide();
  });
  document.addEventListener("focusout", hide);
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });
  window.addEventListener("scroll", hide, { passive: true, capture: true });

  // The cell that was clicked: its numbers, its confusion matrix, its classes.
  const dialog = document.getElementById("cell");
  const heat = (share) => `h${Math.round(share ** data.gamma * (data.levels - 1))}`;
  const heads = (names, corner) => {
    const row = make("tr");
    row.append(make("th", corner, { class: "name", scope: "col" }));
    for (const name of names) {
      const header = make("th", null, { scope: "col" });
      header.append(make("span", name));
      row.append(header);
    }
    const head = make("thead");
    head.append(row);
    return head;
  };
  const confusion = (cell) => {
    const table = make("table", null, { class: "heat" });
    table.append(make("caption", "Utterances by label (rows) and prediction (columns); the colour"
      + " is the share of the label."));
    table.append(heads(cell.predictions, "label"));
    const body = make("tbody");
    cell.labels.forEach((label, i) => {
      const row = make("tr");
      const total = cell.counts[i].reduce((a, b) => a + b, 0);
      row.append(make("th", label, { scope: "row" }));
      cell.predictions.forEach((prediction, j) => {
        const share = total ? cell.counts[i][j] / total : 0;
        const place = make("td", null, label === prediction ? { class: "own" } : {});
        place.append(make("span", cell.counts[i][j], {
          class: heat(share),
          "data-tip": `${label} taken for ${prediction}: ${cell.counts[i][j]} of ${total}`
            + ` (${(100 * share).toFixed(1)} %)`,
        }));
        row.append(place);
      });
      body.append(row);
    });
    table.append(body);
    return table;
  };
  const classes = (cell) => {
    const table = make("table");
    const head = make("tr");
    ["class", "utterances", "precision", "recall", "F1"].forEach((name, i) =>
      head.append(make("th", name, { scope: "col", class: i ? "" : "name" })));
    const top = make("thead");
    top.append(head);
    const body = make("tbody");
    cell.labels.forEach((label, i) => {
      const total = cell.counts[i].reduce((a, b) => a + b, 0);
      const j = cell.predictions.indexOf(label);
      const hits = j < 0 ? 0 : cell.counts[i][j];
      const predicted = j < 0 ? 0 : cell.counts.reduce((a, row) => a + row[j], 0);
      const row = make("tr");
      row.append(make("th", label, { scope: "row" }));
      const shown = (value) => Number.isFinite(value) ? value.toFixed(3) : data.missing;
      [total, shown(hits / predicted), shown(hits / total), shown((2 * hits) / (total + predicted))]
        .forEach((value) => row.append(make("td", value)));
      body.append(row);
    });
    table.append(top, body);
    return table;
  };
  const scrolled = (node) => {
    const box = make("div", null, { class: "scroll", tabindex: "0" });
    box.append(node);
    return box;
  };
  const open = (cell) => {
    const inner = make("div");
    const close = make("button", "Close", { class: "close", type: "button" });
    close.addEventListener("click", () => dialog.close());
    inner.append(make("h3", cell.title, { id: "cell-title" }), close);
    const facts = make("dl");
    for (const [name, value] of cell.facts) facts.append(make("dt", name), make("dd", value));
    inner.append(facts);
    if (cell.counts.length) {
      inner.append(make("h3", "Confusion"), scrolled(confusion(cell)));
      inner.append(make("h3", "Classes"), scrolled(classes(cell)));
    } else {
      inner.append(make("p", "The confusion counts of this cell are not stored."));
    }
    dialog.replaceChildren(inner);
    hide();
    dialog.showModal();
  };
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-cell]");
    if (button) open(data.cells[button.dataset.cell]);
    else if (event.target === dialog) dialog.close();
  });
})();
