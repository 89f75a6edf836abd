// The data of the page: unpacking, choices, and what a choice shows. Python computed the numbers.
const { Fragment, h, render } = preact;
const html = htm.bind(h);

const unpacked = async () => {
  const letters = atob(document.getElementById("data").textContent);
  const bytes = new Uint8Array(letters.length);
  for (let place = 0; place < letters.length; place += 1) bytes[place] = letters.charCodeAt(place);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return JSON.parse(await new Response(stream).text());
};

let data = null;

const SWITCHES = ["source", "set", "rule", "probe", "adjustment", "metric", "scale"];
const FILTERS = ["layer", "language", "speech", "size"];
const ALL = "all";
const UNKNOWN = "not stated";
const SIZES = [["under 1000", 1000], ["1000 to 4999", 5000], ["5000 and more", Infinity]];

// Numbers are integers in units of the last stored decimal; null is a missing number.
const known = (number) => number !== null && number !== undefined;
const real = (number) => (known(number) ? number / 10 ** data.digits : null);
const shown = (value, digits = 3) => (known(value) ? value.toFixed(digits) : data.missing);
const signed = (value, digits = 3) => {
  if (!known(value)) return data.missing;
  const text = value.toFixed(digits);
  return Number(text) === 0 ? text.replace("-", "") : (value > 0 ? "+" : "") + text;
};
const short = (value) => {
  if (!known(value)) return "";
  if (Math.abs(value) >= 10) return value.toFixed(1);
  return value.toFixed(2).replace(/^(-?)0\./, "$1.");
};
const range = (low, high, sign = false) => {
  const text = sign ? signed : shown;
  return known(low) && known(high) ? `${text(low)} to ${text(high)}` : "";
};
const plural = (count, noun) => `${count} ${noun}${count === 1 ? "" : "s"}`;

const unique = (values) => [...new Set(values)];
const corpusName = (place) => data.corpora[place].id;
const sizeOf = (corpus) => (known(corpus.utterances)
  ? SIZES.find(([, end]) => corpus.utterances < end)[0] : UNKNOWN);
const factOf = (corpus, name) => (name === "size" ? sizeOf(corpus) : corpus[name] || UNKNOWN);

// The state of the page is its address: what is not in the hash has its default.
const stateOf = (hash) => Object.fromEntries(new URLSearchParams(hash.replace(/^#/, "")));
const hashOf = (state) => {
  const chosen = Object.entries(state).filter(([, value]) => value !== "" && known(value));
  return `#${new URLSearchParams(chosen)}`;
};

// The view that fits a state best, and the options of every switch, given the switches before it.
const chosenView = (state) => {
  let views = data.views;
  const options = {};
  for (const name of SWITCHES) {
    const values = unique(views.map((view) => view[name]));
    const fitting = [(value) => String(value) === state[name],
      (value) => value === data.views[0][name], () => true];
    const value = values.find(fitting.find((test) => values.some(test)));
    options[name] = values;
    views = views.filter((view) => view[name] === value);
  }
  return { view: views[0], options };
};

// The same comparison with other values of some switches, or undefined.
const siblingOf = (view, changes) => data.views.find((other) => SWITCHES.every(
  (name) => other[name] === (name in changes ? changes[name] : view[name]),
));
const rowLike = (view, row) => view && view.rows.find((other) => other.title === row.title);
const baseOf = (view) => data.views.find((other) => other.own && other.source === view.source
  && other.set === view.set && other.rule === view.rule && other.probe === view.probe);
const detailedOf = (view) => siblingOf(view, { metric: baseOf(view).metric, scale: "score" });

// Cells by their pair of corpora, made once per row.
const placesOf = (row) => {
  if (!row.places) {
    const places = new Map(row.at.map(([train, test], place) => [`${train} ${test}`, place]));
    const gone = new Map(row.gone.map(([[train, test], text]) => [`${train} ${test}`, text]));
    Object.defineProperties(row, { places: { value: places }, missing: { value: gone } });
  }
  return row.places;
};
const cellAt = (row, train, test) => {
  const place = placesOf(row).get(`${train} ${test}`);
  if (place === undefined) return null;
  const at = (name) => (row[name] ? real(row[name][place]) : null);
  return {
    place, train, test, value: at("value"), low: at("low"), high: at("high"),
    chance: at("chance"), published: at("published"),
    unsure: Boolean(row.unsure && row.unsure[place]),
  };
};
const goneAt = (row, train, test) => {
  placesOf(row);
  const text = row.missing.get(`${train} ${test}`);
  return text === undefined ? null : data.texts[text];
};

// Averages of a row. Over all corpora they come from Python with their intervals. Over a part of
// the corpora they are plain means of its cells, by the same definitions and without intervals.
const stored = (numbers) => numbers && {
  value: real(numbers[0]), low: real(numbers[1]), high: real(numbers[2]), deviation: real(numbers[3]),
  n: numbers[4], of: numbers[5],
};
const meanOf = (values, of) => {
  const found = values.filter(known);
  if (!found.length) return null;
  const value = found.reduce((sum, next) => sum + next, 0) / found.length;
  const squares = found.reduce((sum, next) => sum + (next - value) ** 2, 0);
  const deviation = found.length > 1 ? Math.sqrt(squares / (found.length - 1)) : null;
  return { value, low: null, high: null, deviation, n: found.length, of };
};
const partAverages = (view, row, keep) => {
  const at = (train, test) => (cellAt(row, train, test) || {}).value;
  const inside = view.inside.filter(keep);
  const cluster = (view.clusters[0] || []).filter(keep);
  const over = (valueAt, expected) => {
    const values = cluster.filter(expected).map(valueAt);
    return values.length ? meanOf(values, values.length) : null;
  };
  const isCell = (train, test) => train !== test
    && (placesOf(row).has(`${train} ${test}`) || row.missing.has(`${train} ${test}`));
  const trained = cluster.map((train) => over((test) => at(train, test), (test) => isCell(train, test)));
  const tested = cluster.map((test) => over((train) => at(train, test), (train) => isCell(train, test)));
  const inDomain = meanOf(inside.map((corpus) => at(corpus, corpus)), inside.length);
  const outside = meanOf(trained.map((mean) => mean && mean.value), trained.filter(Boolean).length);
  const both = inDomain && outside && known(inDomain.deviation) && known(outside.deviation);
  const weighted = both ? {
    value: (outside.value + inDomain.value) / 2 - (outside.deviation + inDomain.deviation) / 2,
    low: null, high: null,
  } : null;
  return { "in-domain": inDomain, "out-of-domain": outside, weighted, trained, tested };
};
const averagesOf = (view, row, keep) => {
  if (keep) return partAverages(view, row, keep);
  return {
    "in-domain": stored(row.averages["in-domain"]),
    "out-of-domain": stored(row.averages["out-of-domain"]),
    weighted: stored(row.averages.weighted),
    matched: stored(row.averages.matched),
    trained: row.trained.map(stored),
    tested: row.tested.map(stored),
  };
};

const metricOf = (view) => data.metrics.find((metric) => metric.id === view.metric)
  || { id: view.metric, title: view.metric, lower: false };

// Everything that the sections of the page need, from the state alone.
const sceneOf = (state) => {
  const { view, options } = chosenView(state);
  const corpora = unique([...view.inside, ...view.clusters.flat()]);
  const sorted = (values) => unique(values).sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
  const choices = { layer: sorted(view.rows.map((row) => row.layer || UNKNOWN)) };
  for (const name of ["language", "speech"]) {
    choices[name] = sorted(corpora.map((place) => factOf(data.corpora[place], name)));
  }
  const sizes = corpora.map((place) => factOf(data.corpora[place], "size"));
  choices.size = [...SIZES.map(([title]) => title), UNKNOWN].filter((title) => sizes.includes(title));
  const picked = {};
  for (const name of FILTERS) {
    picked[name] = choices[name].includes(state[name]) ? state[name] : ALL;
  }
  const fits = (place) => ["language", "speech", "size"].every(
    (name) => picked[name] === ALL || factOf(data.corpora[place], name) === picked[name],
  );
  const part = corpora.filter(fits);
  const keep = part.length < corpora.length ? (place) => part.includes(place) : null;
  const rows = view.rows.filter((row) => picked.layer === ALL || (row.layer || UNKNOWN) === picked.layer);
  const averages = new Map(rows.map((row) => [row, averagesOf(view, row, keep)]));
  const first = rows.find((row) => row.title === state.first) || rows[0];
  const second = rows.find((row) => row.title === state.second && row !== first) || null;
  const metric = metricOf(view);
  return {
    state, view, options, choices, picked, keep, part, corpora, rows, averages, first, second, metric,
    name: view.scale === "skill" ? `skill (${metric.title})` : metric.title,
    lower: metric.lower,
  };
};
