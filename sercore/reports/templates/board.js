// The leaderboard, and the chart of the averages with their intervals.
const AVERAGES = [["weighted", "Weighted"], ["matched", "Weighted, matched"], ["out-of-domain", "Out of domain"], ["in-domain", "In domain"]];
const SHOWN_WHEN_LOWER = new Set(["out-of-domain", "in-domain"]);
const board = { column: null, order: null, text: "", whole: false, more: false };

const boardAverages = (scene) => AVERAGES.filter(([name]) => (!scene.lower || SHOWN_WHEN_LOWER.has(name))
  && (name !== "matched" || board.more)
  && scene.rows.some((row) => scene.averages.get(row)[name]));

// The axis of a column: from the lowest to the highest end of its intervals.
const axisOf = (values, more = []) => {
  const ends = [...values.flatMap((mean) => (mean ? [mean.value, mean.low, mean.high] : [])), ...more]
    .filter(known);
  const [low, high] = [Math.min(...ends), Math.max(...ends)];
  const room = (high - low || 0.1) * 0.06;
  return { low: low - room, high: high + room, at: (value) => (value - low + room) / (high - low + 2 * room) };
};

const boardColumns = (scene) => {
  const chance = { "in-domain": real(scene.view.chance[0]), "out-of-domain": real(scene.view.chance[1]) };
  const means = boardAverages(scene).flatMap(([name, title]) => {
    const valueOf = (row) => scene.averages.get(row)[name];
    const axis = axisOf(scene.rows.map(valueOf));
    const column = {
      id: name, title, axis, chance: chance[name],
      sort: (row) => (valueOf(row) ? valueOf(row).value : null),
      mean: valueOf,
    };
    const letters = (row) => (scene.keep ? "" : row.letters[name] || "");
    const ties = { id: `${name}-ties`, title: "ties", text: letters, sort: letters, ascending: true };
    return scene.rows.some(letters) ? [column, ties] : [column];
  });
  return board.more ? [...means, ...moreColumns(scene)] : means;
};

const moreColumns = (scene) => {
  const averages = boardAverages(scene).filter(([name]) => SHOWN_WHEN_LOWER.has(name));
  const found = averages.flatMap(([name, title]) => {
    const valueOf = (row) => scene.averages.get(row)[name] || {};
    return [
      {
        id: `${name}-sd`, title: `${title}: deviation`, sort: (row) => valueOf(row).deviation,
        text: (row) => shown(valueOf(row).deviation),
      },
      {
        id: `${name}-n`, title: `${title}: complete`, sort: (row) => valueOf(row).n,
        text: (row) => (known(valueOf(row).n) ? `${valueOf(row).n} of ${valueOf(row).of}` : data.missing),
      },
    ];
  });
  const papers = scene.rows.some((row) => row.paper) && !scene.keep
    ? [["in-domain", 0], ["out-of-domain", 1], ["weighted", 2]] : [];
  for (const [name, place] of papers) {
    const paper = (row) => (row.paper ? real(row.paper[place]) : null);
    found.push({
      id: `paper-${name}`, title: `Paper: ${name}`, sort: paper,
      text: (row) => shown(paper(row)),
      small: (row) => {
        const own = scene.averages.get(row)[name];
        return known(paper(row)) && own ? signed(own.value - paper(row)) : "";
      },
    });
  }
  return found;
};

const sortedRows = (scene, columns) => {
  const first = columns[0];
  const column = columns.find((one) => one.id === board.column) || first;
  if (!column && board.column !== "name") return { rows: scene.rows, sorted: null, order: null };
  const natural = board.column === "name" || column.ascending || scene.lower ? "ascending" : "descending";
  const order = board.order || natural;
  const key = board.column === "name" ? (row) => row.title : column.sort;
  const sign = order === "ascending" ? 1 : -1;
  const absent = (value) => !known(value) || value === "";
  const rows = [...scene.rows].sort((a, b) => {
    const [x, y] = [key(a), key(b)];
    if (absent(x) || absent(y)) return absent(x) - absent(y);
    return sign * (typeof x === "string" ? x.localeCompare(y) : x - y);
  });
  return { rows, sorted: board.column === "name" ? "name" : column.id, order };
};

const Header = ({ id, title, sorted, order, rows, className, first }) => html`
  <th scope="col" class=${className} aria-sort=${sorted === id ? order : null} rowspan=${rows}>
    <button type="button" data-sort=${id} onClick=${() => {
      board.order = sorted === id ? (order === "ascending" ? "descending" : "ascending") : first;
      board.column = id;
      draw();
    }}>${title}</button></th>`;

const Mean = ({ column, row }) => {
  const mean = column.mean(row);
  if (!mean) return html`<td class="value start">${data.missing}</td>`;
  const partial = known(mean.of) && mean.n < mean.of;
  const tip = [`${row.title}, ${column.title.toLowerCase()}: ${shown(mean.value)}`,
    known(mean.low) && `95 % interval ${range(mean.low, mean.high)}`,
    known(mean.of) && `${mean.n} of ${mean.of} values`,
    known(column.chance) && `best blind guess: ${shown(column.chance)}`].filter(Boolean).join("\n");
  const at = (value) => `${(100 * column.axis.at(value)).toFixed(2)}%`;
  return html`<td class="value start" data-of=${column.id} data-tip=${tip}>
    <small>${range(mean.low, mean.high)}</small> <span class=${partial ? "partial" : ""}>${shown(mean.value)}</span>
    <i class="track" aria-hidden="true">
      ${known(mean.low) && html`<i class="whisker" style=${{ left: at(mean.low), right: `calc(100% - ${at(mean.high)})` }}></i>`}
      <i class="dot" style=${{ left: at(mean.value) }}></i></i></td>`;
};

const Leaderboard = ({ scene }) => {
  const columns = boardColumns(scene);
  const { rows, sorted, order } = sortedRows(scene, columns);
  const wanted = board.text.trim().toLowerCase();
  const found = rows.filter((row) => `${row.title} ${row.name}`.toLowerCase().includes(wanted)
    && (!board.whole || row.complete));
  const textOf = (column, row) => (column.mean ? shown((column.mean(row) || {}).value) : column.text(row));
  const flat = columns.flatMap((column) => (column.mean
    ? [[column.title, (row) => (column.mean(row) || {}).value],
      [`${column.title}, low`, (row) => (column.mean(row) || {}).low],
      [`${column.title}, high`, (row) => (column.mean(row) || {}).high]]
    : [[column.title, column.text]]));
  return html`
    <div class="tools">
      <label>Filter <input type="search" placeholder="backbone" aria-label="Filter the leaderboard by backbone"
        value=${board.text} onInput=${(event) => { board.text = event.target.value; draw(); }} /></label>
      <label><input type="checkbox" name="whole" checked=${board.whole}
        onChange=${(event) => { board.whole = event.target.checked; draw(); }} /> complete only</label>
      <label><input type="checkbox" name="more" checked=${board.more}
        onChange=${(event) => { board.more = event.target.checked; draw(); }} /> more columns</label>
      <output aria-live="polite">${found.length} of ${rows.length}</output>
    </div>
    <${Scroll} label="Leaderboard"><table class=${board.more ? "board dense" : "board"}>
      <caption><span>${boardCaption(scene)}</span></caption>
      <thead><tr>
        <${Header} id="name" title="Backbone" className="name" sorted=${sorted} order=${order} first="ascending" />
        ${columns.map((column) => html`<${Header} id=${column.id} title=${column.title} sorted=${sorted}
          order=${order} className=${column.mean ? "start" : ""}
          first=${column.ascending || scene.lower ? "ascending" : "descending"} />`)}
      </tr></thead>
      <tbody>${found.map((row) => html`<tr data-name=${row.name} key=${row.title}>
        <th scope="row"><span class="long">${row.title}</span>${row.title !== row.name
          && html`<small>${row.name}</small>`}</th>
        ${columns.map((column) => (column.mean ? html`<${Mean} column=${column} row=${row} />`
          : html`<td data-of=${column.id}>${column.text(row)}
            ${column.small && html`<small>${column.small(row)}</small>`}</td>`))}</tr>`)}
      </tbody>
      ${footOf(scene, columns).length > 0 && html`<tfoot>${footOf(scene, columns).map((line) => html`<tr>
        <th scope="row"><span class="long">${line.title}</span></th>
        ${line.texts.map((text) => html`<td>${text}</td>`)}</tr>`)}</tfoot>`}
    </table><//>
    <${Downloads} name="leaderboard" caption=${`Averages per backbone: ${scene.view.title}`}
      records=${() => [["backbone", ...flat.map(([title]) => title)],
        ...found.map((row) => [row.title, ...flat.map(([, value]) => value(row))])]}
      columns=${["Backbone", ...columns.map((column) => column.title)]}
      lines=${() => found.map((row) => [row.title, ...columns.map((column) => textOf(column, row))])}
      drawing=${() => chartFile(scene, found)} />`;
};

// What stands under the backbones: chance, and what is scored without any sound.
const shortcutsOf = (view) => (view.scale === "score" && view.metric === baseOf(view).metric
  ? baseOf(view).shortcuts : []);
const footOf = (scene, columns) => {
  if (scene.view.scale !== "score") return [];
  const found = [];
  if (columns.some((column) => known(column.chance))) {
    found.push({
      title: "best blind guess",
      texts: columns.map((column) => (known(column.chance) ? shown(column.chance) : "")),
    });
  }
  const shortcuts = scene.keep ? [] : shortcutsOf(scene.view);
  for (const shortcut of shortcuts) {
    const { value, low, high } = stored(shortcut.mean);
    found.push({
      title: shortcut.title,
      texts: columns.map((column) => (column.id === "in-domain"
        ? `${shown(value)} [${range(low, high)}]` : "")),
    });
  }
  return found;
};

const boardCaption = (scene) => {
  const parts = [`${scene.name}.`];
  if (scene.keep) {
    parts.push(`Plain means over ${scene.part.length} of ${scene.corpora.length} corpora, without intervals.`);
  } else if (scene.rows.some((row) => known((scene.averages.get(row)["in-domain"] || {}).low))) {
    parts.push("Small numbers are 95 % intervals, corrected for the bias of averages of finite test sets: "
      + "a mean can lie outside.");
  }
  if (scene.rows.some((row) => Object.keys(row.letters).length) && !scene.keep) {
    parts.push("Backbones that share a letter are not separable on other corpora like these.");
  }
  if (board.more && scene.rows.some((row) => row.paper)) {
    parts.push("Small numbers under those of the paper are measured minus paper.");
  }
  if (!scene.lower && scene.rows.some((row) => scene.averages.get(row).weighted)) {
    parts.push("Weighted average: half the sum of both means minus half the sum of both deviations.");
    if (scene.view.adjustment && scene.view.adjustment !== "none") {
      const matched = scene.rows.some((row) => scene.averages.get(row).matched)
        ? "; 'weighted, matched' among more columns adjusts neither side" : "";
      parts.push("It joins scores in domain, which are not adjusted, and scores out of domain with the "
        + `adjustment '${scene.view.adjustment}'${matched}.`);
    }
  }
  return parts.join(" ");
};

// The chart: one panel per average, one line per backbone.
const chartSvg = (scene, rows) => {
  const panels = boardAverages(scene).filter(([name]) => SHOWN_WHEN_LOWER.has(name));
  const label = Math.min(8 * Math.max(...rows.map((row) => row.title.length), 8) + 12, 230);
  const [wide, high, top] = [360, 24, 34];
  const size = [label + panels.length * (wide + 24) + 12, top + high * rows.length + 40];
  const chances = { "in-domain": real(scene.view.chance[0]), "out-of-domain": real(scene.view.chance[1]) };
  const drawn = panels.map(([name, title], place) => {
    const left = label + place * (wide + 24) + 12;
    const means = rows.map((row) => scene.averages.get(row)[name]);
    const chance = scene.view.scale === "score" ? chances[name] : null;
    const paper = (row) => (row.paper && !scene.keep ? real(row.paper[name === "in-domain" ? 0 : 1]) : null);
    const axis = axisOf(means, [chance, ...rows.map(paper)]);
    return { left, title, means, chance, paper, axis, x: (value) => left + wide * axis.at(value) };
  });
  return { size, label, wide, high, top, drawn, rows };
};
const ticksOf = ({ low, high }) => {
  const power = 10 ** Math.floor(Math.log10((high - low) / 4));
  const steps = [1, 2, 5, 10].map((factor) => factor * power);
  const far = (step) => Math.abs((high - low) / step - 4.5);
  const step = steps.reduce((best, next) => (far(next) < far(best) ? next : best));
  const count = Math.floor((high - low) / step) + 2;
  return Array.from({ length: count }, (_, place) => (Math.ceil(low / step) + place) * step)
    .filter((value) => value <= high);
};
const Panel = ({ chart, panel, name }) => {
  const bottom = chart.top + chart.high * chart.rows.length;
  return html`<g>
    <text x=${panel.left} y="14" font-weight="bold">${panel.title}</text>
    ${ticksOf(panel.axis).map((value) => html`<${Fragment}>
      <line x1=${panel.x(value)} x2=${panel.x(value)} y1=${chart.top - 6} y2=${bottom} stroke="var(--line)" />
      <text x=${panel.x(value)} y=${bottom + 16} text-anchor="middle" fill="var(--muted)">${Number(value.toFixed(4))}</text><//>`)}
    ${known(panel.chance) && html`<line x1=${panel.x(panel.chance)} x2=${panel.x(panel.chance)} y1=${chart.top - 6}
      y2=${bottom} stroke="var(--muted)" stroke-dasharray="4 3" />
      <text x=${panel.x(panel.chance) + 3} y=${chart.top - 8} fill="var(--muted)">chance</text>`}
    ${chart.rows.map((row, place) => {
      const mean = panel.means[place];
      const y = chart.top + chart.high * (place + 0.5);
      const paper = panel.paper(row);
      const tip = mean && [`${row.title}, ${panel.title.toLowerCase()}: ${shown(mean.value)}`,
        known(mean.low) && `95 % interval ${range(mean.low, mean.high)}`,
        known(paper) && `paper: ${shown(paper)}`].filter(Boolean).join("\n");
      return mean && html`<g class="mark" tabindex="0" role="img" data-tip=${tip} aria-label=${tip.replaceAll("\n", ", ")}>
        <rect x=${panel.left} y=${y - chart.high / 2} width=${chart.wide} height=${chart.high} fill="transparent" />
        ${known(mean.low) && html`<line x1=${panel.x(mean.low)} x2=${panel.x(mean.high)} y1=${y} y2=${y}
          stroke="var(--dot)" stroke-width="2" stroke-linecap="round" />`}
        <circle cx=${panel.x(mean.value)} cy=${y} r="4.5" fill="var(--dot)" />
        ${known(paper) && html`<path d=${`M${panel.x(paper)} ${y - 6}l6 6l-6 6l-6 -6z`} fill="none" stroke="var(--muted)" stroke-width="1.5" />`}
      </g>`;
    })}
    <text x=${panel.left + chart.wide / 2} y=${bottom + 34} text-anchor="middle">${name}</text>
  </g>`;
};
const Chart = ({ scene, rows }) => {
  const chart = chartSvg(scene, rows);
  return html`<svg class="figure" role="group" aria-label="Averages of all backbones with their intervals"
    style=${`--w:${chart.size[0]}px`} viewBox=${`0 0 ${chart.size[0]} ${chart.size[1]}`} font-size="12" fill="var(--ink)">
    ${rows.map((row, place) => html`<text x=${chart.label} y=${chart.top + chart.high * (place + 0.5) + 4}
      text-anchor="end">${row.title.length > 30 ? `${row.title.slice(0, 29)}…` : row.title}</text>`)}
    ${chart.drawn.map((panel) => html`<${Panel} chart=${chart} panel=${panel} name=${scene.name} />`)}
  </svg>`;
};
const chartFile = (scene, rows) => {
  const place = document.createElement("div");
  render(html`<${Chart} scene=${scene} rows=${rows} />`, place);
  return svgFile(chartSvg(scene, rows).size, place.firstChild.innerHTML);
};
