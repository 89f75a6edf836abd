// Heat maps: models of what they show, and the one component that draws them.
const Scroll = ({ label, fit, children }) => html`
  <div class=${fit ? "scroll fit" : "scroll"} tabindex="0" role="region" aria-label=${label}>
    ${children}</div>`;

const Legend = ({ scale, kind }) => html`<span class="legend" aria-hidden="true">${scale.ends[0]}
  <span>${Array.from({ length: LEVELS }, (_, step) => html`<i class=${`${kind}${step}`}></i>`)}</span>
  ${scale.ends[1]}</span>`;

const ARROWS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
const moveByArrows = (event) => {
  const step = ARROWS[event.key];
  const own = event.target.closest("td");
  if (!step || !own) return;
  let [line, column] = [own.parentElement.rowIndex + step[0], own.cellIndex + step[1]];
  const rows = own.closest("table").rows;
  while (rows[line] && rows[line].cells[column]) {
    const next = rows[line].cells[column].querySelector("button");
    if (next) {
      event.preventDefault();
      next.focus();
      return;
    }
    [line, column] = [line + step[0], column + step[1]];
  }
};

const HeatCell = ({ cell, total }) => {
  if (!cell) return html`<td></td>`;
  if (cell.gone) return html`<td class="gone"><span data-tip=${cell.tip} tabindex="0">×</span></td>`;
  const place = [cell.own && "own", total && "total"].filter(Boolean).join(" ");
  const look = [cell.level, cell.unsure && "unsure", cell.sure && "sure"].filter(Boolean).join(" ");
  if (!cell.open) return html`<td class=${place}><span class=${look} data-tip=${cell.tip}>${cell.text}</span></td>`;
  return html`<td class=${place}><button type="button" class=${look} data-tip=${cell.tip}
    data-cell=${cell.open} aria-label=${`${cell.tip.replaceAll("\n", ", ")}. Opens the cell.`}
    onClick=${() => openCell(cell.open)}>${cell.text}</button></td>`;
};

const HeatTable = ({ table, small }) => html`<div class="heat-block">
  <${Scroll} label=${table.title} fit=${true}><table class=${small ? "heat small" : "heat"} onKeyDown=${moveByArrows}>
    ${table.caption && html`<caption><span>${table.caption}</span></caption>`}
    <thead><tr><th class="name" scope="col">${table.corner}</th>
      ${table.columns.map((name, place) => html`<th scope="col"
        class=${table.total && place === table.columns.length - 1 ? "total" : ""}><span>${name}</span></th>`)}
    </tr></thead>
    <tbody>${table.rows.map((row) => html`<tr class=${row.foot ? "foot" : ""}>
      <th scope="row"><span class="long">${row.title}</span></th>
      ${row.cells.map((cell, place) => html`<${HeatCell} cell=${cell}
        total=${table.total && place === row.cells.length - 1} />`)}</tr>`)}
    </tbody></table><//>
  ${!small && html`<${Downloads} ...${heatDownloads(table)} />`}
</div>`;

const cellKey = (row, train, test) => [row.title, corpusName(train), corpusName(test)].join("|");
const where = (train, test) => (train === test ? `${corpusName(train)} in domain`
  : `${corpusName(train)} on ${corpusName(test)}`);

const scoreTip = (scene, row, cell) => {
  const lines = [row.title, `${where(cell.train, cell.test)}: ${shown(cell.value)}`];
  if (known(cell.low)) lines.push(`95 % interval ${range(cell.low, cell.high)}`);
  if (known(cell.chance) && scene.view.scale === "score") {
    const skill = shown(skillOf(cell.value, cell.chance));
    lines.push(`best blind guess: ${shown(cell.chance)} (skill ${skill})`);
  }
  if (known(cell.published)) {
    lines.push(`paper: ${shown(cell.published)} (difference ${signed(cell.value - cell.published)})`);
  }
  if (cell.unsure) lines.push("not clearly above the best blind guess");
  return lines.join("\n");
};

const scoreCell = (scene, row, train, test, scale, frame) => {
  const cell = cellAt(row, train, test);
  if (!cell) {
    const reason = goneAt(row, train, test);
    return reason === null ? null
      : { gone: true, tip: `${row.title}\n${where(train, test)} is missing: ${reason}` };
  }
  return {
    ...cell,
    text: short(cell.value),
    level: `h${scale.level(cell.value, cell.chance)}`,
    tip: scoreTip(scene, row, cell),
    own: frame && train === test,
    open: cellKey(row, train, test),
  };
};

// Means over cells are coloured with the mean chance of these cells.
const meanCell = (scene, mean, scale, tip, inside) => {
  if (!mean || !known(mean.value)) return null;
  const chance = real(scene.view.chance[inside ? 0 : 1]);
  const lines = [`${tip}: ${shown(mean.value)}`];
  if (known(mean.low)) lines.push(`95 % interval ${range(mean.low, mean.high)}`);
  if (known(mean.of)) lines.push(`over ${mean.n} of ${mean.of} cells`);
  return {
    value: mean.value, low: mean.low, high: mean.high,
    text: short(mean.value),
    level: `h${scale.level(mean.value, chance)}`,
    tip: lines.join("\n"),
  };
};

// One scale for the out-of-domain cells of all shown rows, and one for the in-domain cells.
const allCells = (scene, inside) => scene.rows.flatMap((row) => row.at
  .filter(([train, test]) => (train === test) === inside)
  .map(([train, test]) => cellAt(row, train, test)));
const scalesOf = (scene) => {
  const inside = heatScale(allCells(scene, true), scene.lower);
  const outside = allCells(scene, false);
  return { inside, outside: outside.length ? heatScale(outside, scene.lower) : inside };
};

const clustersOf = (scene) => scene.view.clusters
  .map((corpora) => (scene.keep ? corpora.filter(scene.keep) : corpora))
  .filter((corpora) => corpora.length > 1);

const matrixTables = (scene, row, scale) => clustersOf(scene).map((corpora, place) => {
  const main = place === 0;
  const averages = scene.averages.get(row);
  const own = (scene.view.clusters[0] || []).filter((corpus) => !scene.keep || scene.keep(corpus));
  const mean = (side, corpus, verb) => (main
    ? meanCell(scene, averages[side][own.indexOf(corpus)], scale, `${row.title}\n${verb} ${corpusName(corpus)}`)
    : null);
  const lines = corpora.map((train) => ({
    title: corpusName(train),
    cells: [...corpora.map((test) => scoreCell(scene, row, train, test, scale, true)),
      ...(main ? [mean("trained", train, "mean of others, trained on")] : [])],
  }));
  if (main) {
    lines.push({
      title: "mean of others",
      foot: true,
      cells: [...corpora.map((test) => mean("tested", test, "mean of others, tested on")),
        meanCell(scene, averages["out-of-domain"], scale, `${row.title}\nout-of-domain mean`)],
    });
  }
  return {
    title: main ? `Matrix of ${row.title}` : `Small cluster of ${row.title}`,
    caption: main ? `${scene.name}; train corpora in rows, test corpora in columns.`
      : `${scene.name}; a small cluster, which no average includes.`,
    corner: "train ╲ test",
    columns: [...corpora.map(corpusName), ...(main ? ["mean of others"] : [])],
    rows: lines,
    total: main,
  };
});

// Second minus first, cell by cell, with the paired interval where Python computed one.
const differenceOf = (scene, first, second, train, test) => {
  const [one, other] = [cellAt(first, train, test), cellAt(second, train, test)];
  if (!one || !other) return null;
  const { view } = scene;
  const places = [view.rows.indexOf(first), view.rows.indexOf(second)];
  const swapped = places[0] > places[1];
  const found = view.paired && view.paired.pairs && view.paired.pairs[`${Math.min(...places)}-${Math.max(...places)}`];
  // Intervals are stored by the cells of the row that comes first in the view.
  const place = (swapped ? other : one).place;
  const ends = found ? [real(found[0][place]), real(found[1][place])] : [null, null];
  const [low, high] = swapped && known(ends[0]) ? [-ends[1], -ends[0]] : ends;
  const excludes = known(low) && (low > 0 || high < 0);
  const decided = known(low) && view.paired.decided;
  let verdict = "there is no interval of this difference";
  if (known(low) && !decided) verdict = "not decided: fewer than three seeds";
  if (decided) verdict = excludes ? "they differ" : "within the noise of speakers and seeds";
  return {
    train, test, value: other.value - one.value, low, high, verdict, sure: decided && excludes,
    tip: [`${second.title} minus ${first.title}`, `${where(train, test)}: ${signed(other.value - one.value)}`,
      known(low) ? `95 % interval ${range(low, high, true)}` : "", verdict].filter(Boolean).join("\n"),
  };
};

const differenceTable = (scene, first, second) => {
  const corpora = clustersOf(scene)[0] || [];
  const cells = corpora.map((train) => corpora.map((test) => differenceOf(scene, first, second, train, test)));
  return differencesDrawn({
    title: `${second.title} minus ${first.title}`,
    caption: `${scene.name}; cells with a dot differ: the paired 95 % interval excludes zero.`,
    corner: "train ╲ test",
    columns: corpora.map(corpusName),
    rows: corpora.map((train, line) => ({ title: corpusName(train), cells: cells[line] })),
  });
};
const insideDifferences = (scene, first, second) => {
  const corpora = scene.view.inside.filter((corpus) => !scene.keep || scene.keep(corpus));
  return differencesDrawn({
    title: `In domain: ${second.title} minus ${first.title}`,
    caption: "",
    corner: "",
    columns: corpora.map(corpusName),
    rows: [{
      title: "difference",
      cells: corpora.map((corpus) => differenceOf(scene, first, second, corpus, corpus)),
    }],
  });
};
const differencesDrawn = (table) => {
  const scale = differenceScale(table.rows.flatMap((row) => row.cells.map((cell) => cell && cell.value)));
  const drawn = (cell) => cell && {
    ...cell,
    text: `${signed(cell.value, 2).replace("0.", ".")}${cell.sure ? "•" : ""}`,
    level: `d${scale.level(cell.value)}`,
    own: cell.train === cell.test && table.rows.length > 1,
  };
  return { ...table, scale, rows: table.rows.map((row) => ({ ...row, cells: row.cells.map(drawn) })) };
};

const insideTable = (scene, scale) => {
  const corpora = scene.view.inside.filter((corpus) => !scene.keep || scene.keep(corpus));
  if (!corpora.length) return null;
  return {
    title: "In-domain scores",
    caption: `${scene.name}; trained and tested on the same corpus.`,
    corner: "backbone",
    columns: [...corpora.map(corpusName), "mean"],
    total: true,
    rows: scene.rows.map((row) => ({
      title: row.title,
      cells: [...corpora.map((corpus) => scoreCell(scene, row, corpus, corpus, scale, false)),
        meanCell(scene, scene.averages.get(row)["in-domain"], scale, `${row.title}\nin-domain mean`, true)],
    })),
  };
};

const sideTable = (scene, side, scale) => {
  const corpora = (scene.view.clusters[0] || []).filter((corpus) => !scene.keep || scene.keep(corpus));
  const verb = side === "trained" ? "trained on" : "tested on";
  return {
    title: side === "trained" ? "Out-of-domain mean by training corpus" : "Out-of-domain mean by test corpus",
    caption: `Mean ${scene.name} over the other corpora, of probes ${verb} the corpus.`,
    corner: "backbone",
    columns: corpora.map(corpusName),
    rows: scene.rows.map((row) => ({
      title: row.title,
      cells: corpora.map((corpus, place) => meanCell(scene, scene.averages.get(row)[side][place], scale,
        `${row.title}\n${verb} ${corpusName(corpus)}`)),
    })),
  };
};

const classTable = (scene) => {
  const detailed = detailedOf(scene.view);
  const rows = scene.rows.map((row) => [row, new Map(((rowLike(detailed, row) || {}).classes || [])
    .map(([place, inside, outside]) => [place, [real(inside), real(outside)]]))]);
  const classes = unique(rows.flatMap(([, found]) => [...found.keys()])).sort((a, b) => a - b);
  const columns = classes.flatMap((place) => [0, 1].map((side) => [place, side]))
    .filter(([place, side]) => rows.some(([, found]) => known((found.get(place) || [])[side])));
  if (!columns.length) return null;
  const values = rows.flatMap(([, found]) => columns.map(([place, side]) => ({
    value: (found.get(place) || [])[side], chance: null,
  })));
  const scale = heatScale(values, false);
  const named = ([place, side]) => `${data.classes[place]}, ${side ? "out" : "in"}`;
  return {
    title: "F1 of each class",
    caption: "in: in-domain cells; out: out-of-domain cells.",
    corner: "backbone",
    columns: columns.map(named),
    rows: rows.map(([row, found]) => ({
      title: row.title,
      cells: columns.map(([place, side]) => {
        const value = (found.get(place) || [])[side];
        return known(value) ? {
          value, low: null, high: null, text: short(value), level: `h${scale.level(value, null)}`,
          tip: `${row.title}\nmean F1 of ${named([place, side])} of domain: ${shown(value)}`
            .replace("in of domain", "in domain"),
        } : null;
      }),
    })),
  };
};
