// The page: switches, sections and addresses.
const TITLES = {
  source: "Run", set: "Corpora", rule: "Class rule", probe: "Probe", adjustment: "Adjustment", metric: "Metric",
  scale: "Scale", layer: "Layer", language: "Language", speech: "Speech", size: "Utterances",
};
const app = document.getElementById("app");
const dialog = document.getElementById("cell");
let state = stateOf(location.hash);
let printing = false;

const optionTitle = (name, value) => {
  if (name === "metric") return metricOf({ metric: value }).title;
  if (name === "adjustment" && value === null) return "none out of domain";
  if (name === "adjustment") return data.adjustments[value] || value;
  if (name === "scale") return value === "skill" ? "skill above chance" : "score";
  if (name === "set" && value === null) return "all";
  return value === null ? "in domain only" : value;
};

const Switch = ({ name, value, values, titles }) => html`<label class="switch">${TITLES[name]}
  <select name=${name} value=${String(value)} onChange=${(event) => go({ ...state, [name]: event.target.value, cell: "" })}>
    ${values.map((one) => html`<option value=${String(one)} selected=${one === value}>${titles(one)}</option>`)}
  </select></label>`;

const Switches = ({ scene }) => {
  const shownSwitches = SWITCHES.filter((name) => data.views.some((view) => view[name] !== data.views[0][name]));
  const filters = FILTERS.filter((name) => scene.choices[name].length > 1);
  if (!shownSwitches.length && !filters.length && data.whole) return null;
  return html`<form class="switches" aria-label="What the page shows" onSubmit=${(event) => event.preventDefault()}>
    ${shownSwitches.map((name) => html`<${Switch} name=${name} value=${scene.view[name]} values=${scene.options[name]}
      titles=${(value) => optionTitle(name, value)} />`)}
    ${filters.map((name) => html`<${Switch} name=${name} value=${scene.picked[name]} values=${[ALL, ...scene.choices[name]]}
      titles=${(value) => value} />`)}
    <button type="button" class="reset" disabled=${hashOf({ ...state, cell: "" }) === "#"} onClick=${() => go({})}>Reset</button>
    ${!data.whole && html`<p class="muted">This report has too many cells for switches of adjustment, metric and
      scale. 'sercore report --adjustment' and '--metric' write other pages.</p>`}
  </form>`;
};

const Answers = ({ scene }) => html`<section id="answer" aria-label="The answer in short">
  <div class="answers">${scene.view.answers.map((answer) => html`<div><h2>${answer.question}</h2><p>${answer.text}</p></div>`)}</div>
  ${scene.keep && html`<p class="partial">These sentences are about all ${scene.corpora.length} corpora; the filters
    below keep ${scene.part.length}.</p>`}
</section>`;

const RowChoice = ({ scene, name, value, none }) => html`<label>${none ? "compared with" : "Backbone"}
  <select name=${name} onChange=${(event) => go({ ...state, [name]: event.target.value, cell: "" })}>
    ${none && html`<option value="" selected=${!value}>none</option>`}
    ${scene.rows.filter((row) => !none || row !== scene.first).map((row) => html`
      <option value=${row.title} selected=${row === value}>${row.title}</option>`)}
  </select></label>`;

const Comparison = ({ scene }) => {
  const { first, second, view } = scene;
  const places = [view.rows.indexOf(first), view.rows.indexOf(second)];
  const sentences = scene.keep ? [] : unique(view.verdicts
    .filter(([, one, other]) => places.includes(one) && places.includes(other))
    .map(([, , , text]) => data.texts[text]));
  const table = differenceTable(scene, first, second);
  const inside = insideDifferences(scene, first, second);
  const line = (name, title) => {
    const [one, other] = [first, second].map((row) => scene.averages.get(row)[name]);
    return one && other && html`<tr><th scope="row">${title}</th><td>${shown(one.value)}</td>
      <td>${shown(other.value)}</td><td>${signed(other.value - one.value)}</td></tr>`;
  };
  return html`<div class="comparison" id="comparison">
    <h3>${second.title} minus ${first.title}</h3>
    <${Scroll} label="Averages of both" fit=${true}><table><thead><tr><th scope="col" class="name">average</th>
      <th scope="col">${first.title}</th><th scope="col">${second.title}</th><th scope="col">difference</th></tr></thead>
      <tbody>${boardAverages(scene).map(([name, title]) => line(name, title))}</tbody></table><//>
    ${sentences.length ? html`<ul>${sentences.map((sentence) => html`<li>${sentence}</li>`)}</ul>` : ""}
    ${table.columns.length > 1 && html`<${Legend} scale=${table.scale} kind="d" /><${HeatTable} table=${table} />`}
    ${inside.columns.length > 0 && html`<h4>In domain</h4><${HeatTable} table=${inside} />`}
  </div>`;
};

const Matrices = ({ scene, scales }) => {
  const chosen = printing ? scene.rows : [scene.first, scene.second].filter(Boolean);
  if (!clustersOf(scene).length) return null;
  return html`<section id="matrices" aria-labelledby="matrices-title"><h2 id="matrices-title">Matrices</h2>
    <p>Train corpora are in rows, test corpora in columns. Framed cells are in domain. Cells in italics are not
      clearly above the best blind guess. A click opens the cell.</p>
    <div class="tools"><${RowChoice} scene=${scene} name="first" value=${scene.first} />
      <${RowChoice} scene=${scene} name="second" value=${scene.second} none=${true} />
      <${Legend} scale=${scales.outside} kind="h" /></div>
    <div class="beside">${chosen.map((row) => html`<div key=${row.title} data-matrix=${row.title}><h3>${row.title}</h3>
      ${matrixTables(scene, row, scales.outside).map((table) => html`<${HeatTable} table=${table} />`)}</div>`)}</div>
    ${scene.second && html`<${Comparison} scene=${scene} />`}
  </section>`;
};

// Without out-of-domain cells two backbones are still compared.
const InDomain = ({ scene, scales }) => {
  const table = insideTable(scene, scales.inside);
  return table && html`<section id="in-domain" aria-labelledby="in-domain-title">
    <h2 id="in-domain-title">In domain</h2><${Legend} scale=${scales.inside} kind="h" /><${HeatTable} table=${table} />
    ${!clustersOf(scene).length && scene.rows.length > 1 && html`<div class="tools">
      <${RowChoice} scene=${scene} name="first" value=${scene.first} />
      <${RowChoice} scene=${scene} name="second" value=${scene.second} none=${true} /></div>
      ${scene.second && html`<${Comparison} scene=${scene} />`}`}
  </section>`;
};

const Sides = ({ scene, scales }) => {
  if (!clustersOf(scene).length) return null;
  return html`<section id="corpora" aria-labelledby="corpora-title"><h2 id="corpora-title">By corpus</h2>
    <${Legend} scale=${scales.outside} kind="h" />
    <div class="beside">${["tested", "trained"].map((side) => {
      const table = sideTable(scene, side, scales.outside);
      return html`<div><h3>${table.title}</h3><${HeatTable} table=${table} /></div>`;
    })}</div></section>`;
};

const Classes = ({ scene }) => {
  const table = classTable(scene);
  return table && html`<section id="classes" aria-labelledby="classes-title"><h2 id="classes-title">Classes</h2>
    <p>Mean F1 of each class over the cells of all corpora where it has test support.</p>
    <${HeatTable} table=${table} /></section>`;
};

const numberIn = (text) => {
  const found = text.match(/-?\d*\.?\d+/);
  return found ? Number(found[0]) : null;
};
const sorting = new Map();
const Test = ({ test, id }) => {
  const chosen = sorting.get(id);
  const lines = [...test.lines];
  if (chosen) {
    const sign = chosen.order === "ascending" ? 1 : -1;
    lines.sort((a, b) => {
      const [x, y] = [a, b].map((line) => line[chosen.column]);
      const [p, q] = [numberIn(x), numberIn(y)];
      return sign * (p === null || q === null ? x.localeCompare(y) : p - q);
    });
  }
  const flip = (column) => {
    const ascending = chosen && chosen.column === column && chosen.order === "ascending";
    sorting.set(id, { column, order: ascending ? "descending" : "ascending" });
    draw();
  };
  return html`<h3>${test.title}</h3><p>${test.text}</p>
    ${test.lines.length > 0 && html`<details open=${printing || test.lines.length <= 6 || test.noun === "backbone"}>
      <summary>${plural(test.lines.length, test.noun)}</summary>
      <${Scroll} label=${test.title} fit=${true}><table><thead><tr>${test.columns.map((title, column) => html`<th scope="col"
        class=${column < 2 ? "left" : ""} aria-sort=${chosen && chosen.column === column ? chosen.order : null}>
        <button type="button" onClick=${() => flip(column)}>${title}</button></th>`)}</tr></thead>
      <tbody>${lines.map((line) => html`<tr>${line.map((text, column) => html`<td
        class=${column < 2 ? "left" : ""}>${text}</td>`)}</tr>`)}</tbody></table><//>
      <${Downloads} name=${test.title} caption=${test.title} records=${() => [test.columns, ...lines]}
        columns=${test.columns} lines=${() => lines} />
      ${test.sentences.length > 0 && html`<ul>${test.sentences.map((text) => html`<li>${data.texts[text]}</li>`)}</ul>`}
    </details>`}`;
};
const Tests = ({ scene, name, title, tests }) => tests.length > 0 && html`<section id=${name} aria-labelledby=${`${name}-title`}>
  <h2 id=${`${name}-title`}>${title}</h2>
  ${scene.keep && html`<p class="partial">These tables are about all corpora; the filters do not change them.</p>`}
  ${tests.map((test) => html`<${Test} test=${test} id=${`${scene.view.title} ${test.title}`} key=${test.title} />`)}
</section>`;

// What estimated frequencies are worth is computed once, for the comparison of the report itself.
const recoveryOf = (view) => (view.metric === baseOf(view).metric ? baseOf(view).recovery : []);

const captionOf = (scene) => {
  const means = scene.rows.map((row) => scene.averages.get(row)["in-domain"] || {});
  const lines = means.some((mean) => known(mean.low)) ? "Lines are 95 % intervals over speakers and seeds." : "";
  const chance = scene.view.scale === "score" && scene.view.chance.some(known)
    ? " The dashed line is the best blind guess." : "";
  return lines + chance;
};

const App = ({ scene }) => {
  const scales = scalesOf(scene);
  return html`<${Answers} scene=${scene} />
    <${Switches} scene=${scene} />
    <section id="leaderboard" aria-labelledby="leaderboard-title">
      <h2 id="leaderboard-title">Leaderboard</h2>
      <p class="muted">${scene.view.title}</p>
      ${scene.view.refusal && html`<p class="partial">Not ranked: ${scene.view.refusal}.</p>`}
      <${Leaderboard} scene=${scene} />
      <figure><${Scroll} label="Averages of all backbones"><${Chart} scene=${scene} rows=${scene.rows} /><//>
        <figcaption>${captionOf(scene)}
          ${scene.rows.some((row) => row.paper) && !scene.keep && ` Diamonds are the numbers of the paper. ${scene.view.paper}`}
        </figcaption></figure>
    </section>
    <${Matrices} scene=${scene} scales=${scales} />
    <${Sides} scene=${scene} scales=${scales} />
    <${InDomain} scene=${scene} scales=${scales} />
    <${Classes} scene=${scene} />
    <${Tests} scene=${scene} name="verdicts" title="Verdicts" tests=${scene.view.tests} />
    <${Tests} scene=${scene} name="adjustments" title="Adjustments" tests=${recoveryOf(scene.view)} />`;
};

const draw = () => {
  const scene = sceneOf(state);
  render(html`<${App} scene=${scene} />`, app);
  const cell = cellOf(scene);
  render(cell ? html`<${CellPage} scene=${scene} />` : null, dialog);
  if (cell && !dialog.open) dialog.showModal();
  if (!cell && dialog.open) dialog.close();
  updateLinks();
};

// A change of the state is a step in the history, so the button Back works.
const go = (next) => {
  const hash = hashOf(next);
  if (hash === "#") history.pushState(null, "", location.pathname + location.search);
  else history.pushState(null, "", hash);
  state = next;
  hideTip();
  draw();
};
const follow = () => {
  // Links to sections are no states.
  if (location.hash && !location.hash.includes("=")) return;
  state = stateOf(location.hash);
  hideTip();
  draw();
};

// Links to sections scroll and leave the address alone: it holds the state.
const startLinks = () => document.querySelectorAll("nav a").forEach((link) => {
  link.addEventListener("click", (event) => {
    const section = document.getElementById(link.hash.slice(1));
    if (!data || !section) return;
    event.preventDefault();
    section.scrollIntoView();
  });
});
const updateLinks = () => document.querySelectorAll("nav a[data-needs]").forEach((link) => {
  link.hidden = !document.getElementById(link.dataset.needs);
});

const start = async () => {
  startLinks();
  data = await unpacked();
  if (!data.views.length) return;
  app.replaceChildren();
  draw();
  window.addEventListener("popstate", follow);
  dialog.addEventListener("cancel", (event) => { event.preventDefault(); closeCell(); });
  dialog.addEventListener("click", (event) => { if (event.target === dialog) closeCell(); });
  window.addEventListener("beforeprint", () => {
    document.querySelectorAll("header details").forEach((notices) => { notices.open = true; });
    printing = true;
    draw();
  });
  window.addEventListener("afterprint", () => { printing = false; draw(); });
  root.dataset.ready = "yes";
};
start();
