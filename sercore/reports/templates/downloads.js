// Downloads of what a view shows: CSV, SVG, PNG, LaTeX and BibTeX.
const save = (name, type, content) => {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([content], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
};

// A spreadsheet computes text that starts so; an apostrophe makes it text. Numbers are not changed.
const csvField = (value) => {
  if (!known(value)) return "";
  if (typeof value === "number") return String(value);
  const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
};
const csvOf = (records) => records.map((record) => `${record.map(csvField).join(",")}\n`).join("");

const LATEX = {
  "\\": "\\textbackslash{}", "~": "\\textasciitilde{}", "^": "\\textasciicircum{}",
  "<": "\\textless{}", ">": "\\textgreater{}", "|": "\\textbar{}", "\u2014": "---", "\u2212": "$-$",
  "\u00b1": "$\\pm$", "\u00b7": "$\\cdot$", "\u00d7": "$\\times$", "&": "\\&", "%": "\\%", "$": "\\$",
  "#": "\\#", "_": "\\_", "{": "\\{", "}": "\\}",
};
const latexText = (text) => [...String(text).replace(/\s+/g, " ")]
  .map((letter) => LATEX[letter] || letter).join("");
const latexOf = (caption, columns, lines) => [
  "% Written by sercore. Needs \\usepackage{booktabs}.",
  "\\begin{table}",
  "\\centering",
  `\\caption{${latexText(caption)}}`,
  `\\begin{tabular}{l${"r".repeat(columns.length - 1)}}`,
  "\\toprule",
  `${columns.map(latexText).join(" & ")} \\\\`,
  "\\midrule",
  ...lines.map((line) => `${line.map(latexText).join(" & ")} \\\\`),
  "\\bottomrule",
  "\\end{tabular}",
  "\\end{table}",
  "",
].join("\n");

// Drawings use the colours of the style sheet by name; a file needs their values on white.
const withColours = (svg) => {
  const { documentElement: root } = document;
  const before = root.dataset.theme;
  root.dataset.theme = "light";
  const style = getComputedStyle(root);
  const text = svg.replace(/var\((--[a-z0-9]+)\)/g, (_, name) => style.getPropertyValue(name).trim());
  if (before) root.dataset.theme = before; else delete root.dataset.theme;
  return text;
};
const escaped = (text) => String(text).replace(/[&<>"']/g, (letter) => `&#${letter.charCodeAt(0)};`);

const heatSvg = (table) => {
  const width = 7 * Math.max(...table.rows.map((row) => row.title.length), table.corner.length) + 16;
  const top = 34 + 5 * Math.max(...table.columns.map((name) => name.length));
  const [wide, high] = [46, 26];
  const size = [width + wide * table.columns.length + 60, top + high * table.rows.length + 12];
  const label = (x, y, text, more = "") => `<text x="${x}" y="${y}" ${more}>${escaped(text)}</text>`;
  const parts = [label(8, 18, table.title, 'font-weight="bold"')];
  table.columns.forEach((name, column) => {
    const x = width + wide * (column + 0.5);
    parts.push(label(x, top - 6, name, `transform="rotate(-40 ${x} ${top - 6})"`));
  });
  table.rows.forEach((row, line) => {
    const y = top + high * line;
    parts.push(label(width - 8, y + 17, row.title, 'text-anchor="end"'));
    row.cells.forEach((cell, column) => {
      if (!cell) return;
      const x = width + wide * column;
      const [ground, ink] = cell.gone ? ["var(--panel)", "var(--muted)"]
        : [`var(--${cell.level})`, `var(--i${cell.level})`];
      const frame = cell.own ? ' stroke="var(--ink)" stroke-width="2"' : "";
      parts.push(`<rect x="${x + 1}" y="${y + 1}" width="${wide - 2}" height="${high - 2}" rx="3" `
        + `fill="${ground}"${frame}/>`);
      parts.push(label(x + wide / 2, y + 17, cell.gone ? "\u00d7" : cell.text,
        `text-anchor="middle" fill="${ink}"`));
    });
  });
  return svgFile(size, parts.join(""));
};
const svgFile = ([width, height], content) => withColours(
  `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" `
  + `viewBox="0 0 ${width} ${height}" font-family="DejaVu Sans, Verdana, sans-serif" font-size="12" `
  + `fill="var(--ink)"><rect width="${width}" height="${height}" fill="var(--ground)"/>${content}</svg>\n`,
);

const savePng = (name, svg) => {
  const picture = new Image();
  picture.addEventListener("load", () => {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [2 * picture.width, 2 * picture.height];
    const context = canvas.getContext("2d");
    context.scale(2, 2);
    context.drawImage(picture, 0, 0);
    canvas.toBlob((file) => save(name, "image/png", file));
  });
  picture.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(svg)}`;
};

const fileName = (text) => text.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "");

// A menu of downloads. What it offers: records (CSV), lines (LaTeX), a drawing (SVG, PNG).
const Downloads = ({ name, caption, records, columns, lines, drawing }) => {
  const stem = fileName(`${data.title} ${name}`);
  const kinds = [
    ["CSV", () => save(`${stem}.csv`, "text/csv", csvOf(records()))],
    drawing && ["SVG", () => save(`${stem}.svg`, "image/svg+xml", drawing())],
    drawing && ["PNG", () => savePng(`${stem}.png`, drawing())],
    ["LaTeX", () => save(`${stem}.tex`, "text/x-tex", latexOf(caption, columns, lines()))],
    ["BibTeX", () => save(`${stem}.bib`, "text/x-bibtex", data.bibtex)],
  ].filter(Boolean);
  return html`<div class="downloads" role="group" aria-label=${`Download: ${name}`}>
    <span aria-hidden="true">Download</span>
    ${kinds.map(([kind, run]) => html`<button type="button" data-download=${kind}
      aria-label=${`${kind} of ${name}`} onClick=${run}>${kind}</button>`)}
  </div>`;
};
const heatDownloads = (table) => ({
  name: table.title,
  caption: table.title,
  records: () => [
    [table.corner, "column", "value", "low", "high"],
    ...table.rows.flatMap((row) => row.cells.flatMap((cell, column) => (cell && !cell.gone
      ? [[row.title, table.columns[column], cell.value, cell.low, cell.high]] : []))),
  ],
  columns: [table.corner, ...table.columns],
  lines: () => table.rows.map((row) => [row.title,
    ...row.cells.map((cell) => (!cell ? "" : cell.gone ? data.missing : shown(cell.value)))]),
  drawing: () => heatSvg(table),
});
