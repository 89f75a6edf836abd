// The page of one cell, opened by a click or by #cell=backbone|train|test.
const openCell = (key) => go({ ...state, cell: key });
const closeCell = () => go({ ...state, cell: "" });

// Titles can contain the separator, corpora cannot.
const cellOf = (scene) => {
  const parts = (scene.state.cell || "").split("|");
  if (parts.length < 3) return null;
  const [test, train] = [parts.pop(), parts.pop()];
  const row = scene.view.rows.find((one) => one.title === parts.join("|"));
  const places = [train, test].map((name) => data.corpora.findIndex((corpus) => corpus.id === name));
  const cell = row && cellAt(row, ...places);
  return cell && { row, cell };
};

const ClassesOfCell = ({ labels, predictions, counts }) => {
  const width = predictions.length;
  const at = (line, column) => counts[line * width + column];
  const shared = (hits, total) => (total ? shown(hits / total) : data.missing);
  return html`<${Scroll} label="Classes of the cell"><table>
    <thead><tr>${["class", "utterances", "precision", "recall", "F1"].map((name, place) => html`
      <th scope="col" class=${place ? "" : "name"}>${name}</th>`)}</tr></thead>
    <tbody>${labels.map((label, line) => {
      const total = predictions.reduce((sum, _, column) => sum + at(line, column), 0);
      const column = predictions.indexOf(label);
      const hits = column < 0 ? 0 : at(line, column);
      const said = column < 0 ? 0 : labels.reduce((sum, _, other) => sum + at(other, column), 0);
      return html`<tr><th scope="row">${data.classes[label]}</th><td>${total}</td>
        <td>${shared(hits, said)}</td><td>${shared(hits, total)}</td><td>${shared(2 * hits, total + said)}</td></tr>`;
    })}</tbody></table><//>`;
};

const confusionTable = (labels, predictions, counts) => ({
  title: "Confusion",
  caption: "Utterances by label (rows) and prediction (columns), over all probes; the colour is the share of the label.",
  corner: "label",
  columns: predictions.map((place) => data.classes[place]),
  rows: labels.map((label, line) => {
    const own = counts.slice(line * predictions.length, (line + 1) * predictions.length);
    const total = own.reduce((sum, count) => sum + count, 0);
    return {
      title: data.classes[label],
      cells: own.map((count, column) => ({
        value: count, low: null, high: null,
        text: String(count),
        level: `h${Math.round((total ? count / total : 0) * (LEVELS - 1))}`,
        own: predictions[column] === label,
        tip: `${data.classes[label]} taken for ${data.classes[predictions[column]]}: ${count} of ${total}`
          + ` (${(total ? 100 * count / total : 0).toFixed(1)} %)`,
      })),
    };
  }),
});

const Speakers = ({ stored: [names, counts, shares], adjustment }) => {
  const listed = data.texts[names].split("\n").map((name, place) => ({
    name, count: data.texts[counts].split("\n")[place], share: shares[place] / 1000,
  })).sort((a, b) => a.share - b.share);
  return html`<${Fragment}><p>Share of the utterances of a speaker that was recognised, over all
    probes${adjustment ? `, with the adjustment ${adjustment}` : ""}; the lowest first.</p>
  <div class="speakers" tabindex="0" role="region" aria-label="Scores by speaker"><table><thead><tr>
    <th scope="col" class="name">speaker</th><th scope="col">utterances</th><th scope="col">right</th></tr></thead>
    <tbody>${listed.map((speaker) => html`<tr><th scope="row">${speaker.name}</th><td>${speaker.count}</td>
      <td class="value">${shown(speaker.share)}<i class="bar" aria-hidden="true"
        style=${{ width: `${100 * speaker.share}%` }}></i></td></tr>`)}</tbody></table></div><//>`;
};

// The same cell under every metric and adjustment.
const OtherScores = ({ view, row, cell }) => {
  const alike = data.views.filter((other) => ["source", "rule", "probe"].every((name) => other[name] === view[name])
    && other.scale === "score");
  const adjustments = unique(alike.map((other) => other.adjustment));
  const metrics = unique(alike.map((other) => other.metric));
  if (alike.length < 2) return null;
  const valueOf = (metric, adjustment) => {
    const other = alike.find((one) => one.metric === metric && one.adjustment === adjustment);
    const found = rowLike(other, row);
    return found && (cellAt(found, cell.train, cell.test) || {}).value;
  };
  const columns = cell.train === cell.test ? adjustments.slice(0, 1) : adjustments;
  return html`<h3>All scores</h3><${Scroll} label="All scores of the cell"><table><thead><tr>
    <th scope="col" class="name">metric</th>${columns.map((name) => html`<th scope="col">
      ${cell.train === cell.test ? "value" : name || "value"}</th>`)}</tr></thead>
    <tbody>${metrics.map((metric) => html`<tr><th scope="row">${metricOf({ metric }).title}</th>
      ${columns.map((name) => html`<td class=${metric === view.metric && name === view.adjustment ? "chosen" : ""}>
        ${shown(valueOf(metric, name))}</td>`)}</tr>`)}</tbody></table><//>`;
};

// The ceiling and the floor of an in-domain cell.
const withoutSound = (view, corpus) => {
  const found = shortcutsOf(view).flatMap((shortcut) => shortcut.cells
    .filter(([place]) => place === corpus)
    .map(([, value, low, high]) => [shortcut.title,
      `${shown(real(value))} [${range(real(low), real(high))}]`]));
  const human = view.human.filter(([place]) => place === corpus)
    .map(([, share]) => ["accuracy of human listeners", shown(real(share))]);
  return [...found, ...human];
};

const factsOf = (scene, row, cell) => {
  const { view } = scene;
  const own = rowLike(baseOf(view), row);
  const detailed = rowLike(detailedOf(view), row);
  const facts = [[scene.name, shown(cell.value)]];
  const isScored = detailed && view.scale === "score" && view.metric === baseOf(view).metric;
  const at = (source, name) => {
    const place = source && placesOf(source).get(`${cell.train} ${cell.test}`);
    return place === undefined || !source[name] ? null : source[name][place];
  };
  if (known(cell.low)) {
    const note = at(detailed, "note");
    facts.push(["95 % interval", `${range(cell.low, cell.high)} ${known(note) ? data.texts[note] : ""}`]);
  }
  const [seeds, folds] = (isScored && at(detailed, "repeated")) || [[], []];
  if (seeds.length > 1) facts.push(["by seed", seeds.map((value) => shown(real(value))).join(", ")]);
  if (folds.length) facts.push(["by probe", folds.map((value) => shown(real(value))).join(", ")]);
  if (known(cell.chance) && view.scale === "score") {
    facts.push(["best blind guess", `${shown(cell.chance)}, skill ${shown(skillOf(cell.value, cell.chance))}`]);
  }
  if (cell.train === cell.test) facts.push(...withoutSound(view, cell.train));
  if (known(cell.published)) {
    facts.push(["paper", `${shown(cell.published)} (difference ${signed(cell.value - cell.published)})`]);
  }
  const counts = at(own, "counts") || [];
  data.counts.forEach((name, place) => {
    if (known(counts[place])) facts.push([name, counts[place]]);
  });
  if (counts.length) facts.push(["complete", counts[data.counts.length] ? "yes" : "no"]);
  return { facts, confusion: at(detailed, "confusion"), speakers: at(own, "speakers"), keys: at(own, "keys"), own };
};

const Facts = ({ facts }) => html`<dl>${facts.map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}</dl>`;

const CellPage = ({ scene }) => {
  const found = cellOf(scene);
  if (!found) return null;
  const { row, cell } = found;
  const { view } = scene;
  const { facts, confusion, speakers, keys, own } = factsOf(scene, row, cell);
  const [train, test] = [data.corpora[cell.train], data.corpora[cell.test]];
  const record = [
    ["run", view.run], ...((own && own.setting) || []),
    ["class rule", view.rule], ["adjustment", cell.train === cell.test ? "none" : view.adjustment],
    ["train corpus", `${train.title}, manifest ${train.manifest}`],
    ["test corpus", `${test.title}, manifest ${test.manifest}`],
    ["predictions", (keys || []).join(", ")],
  ].filter(([, value]) => known(value) && value !== "");
  return html`<div class="cell-page">
    <h2 id="cell-title">${row.title}: ${cell.train === cell.test ? `${train.id}, in domain` : `${train.id} on ${test.id}`}</h2>
    <button type="button" class="close" onClick=${closeCell}>Close</button>
    <p class="muted">${view.title} · <a href=${hashOf(scene.state)}>Permalink</a></p>
    <${Facts} facts=${facts} />
    ${confusion ? html`<h3>Confusion</h3><${HeatTable} table=${confusionTable(...confusion)} />
      <h3>Classes</h3><${ClassesOfCell} labels=${confusion[0]} predictions=${confusion[1]} counts=${confusion[2]} />`
      : html`<p>The confusion counts of this cell are not stored.</p>`}
    <h3>Speakers</h3>
    ${speakers ? html`<${Speakers} stored=${speakers} adjustment=${cell.train === cell.test ? null : baseOf(view).adjustment} />`
      : html`<p>There are no scores by speaker: the predictions are not stored, the corpus names no
        speakers, or it has one.</p>`}
    <${OtherScores} view=${view} row=${row} cell=${cell} />
    <h3>Record</h3><${Facts} facts=${record} />
  </div>`;
};
