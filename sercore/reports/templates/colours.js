// Colours of heat maps: the classes h0 to h20 run from chance to the best, d0 to d20 from worse to
// better. The style sheet gives them grounds and inks for light and dark pages.
const LEVELS = 21;
const between = (value, low, high) => Math.min(Math.max(value, low), high);
const quantile = (values, share) => {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.round(share * (sorted.length - 1))];
};

// Scores are coloured by skill above chance, so that cells with different chance compare. The scale
// ends at what the shown cells reach: out-of-domain scores would have one colour on a scale to 1.
const skillOf = (value, chance) => (known(chance) && chance < 1 ? (value - chance) / (1 - chance) : value);

const heatScale = (cells, lower) => {
  const found = cells.filter((cell) => cell && known(cell.value));
  if (!found.length) return { level: () => 0, ends: ["", ""] };
  if (lower) {
    const values = found.map((cell) => cell.value);
    const [best, worst] = [quantile(values, 0.02), quantile(values, 0.95)];
    const share = (value) => (worst > best ? (worst - value) / (worst - best) : 0.5);
    return {
      level: (value) => Math.round(between(share(value), 0, 1) * (LEVELS - 1)),
      ends: [shown(worst, 2), shown(best, 2)],
    };
  }
  const top = Math.max(quantile(found.map((cell) => skillOf(cell.value, cell.chance)), 0.98), 0.05);
  return {
    level: (value, chance) => Math.round(
      between(skillOf(value, chance) / top, 0, 1) * (LEVELS - 1),
    ),
    ends: ["chance", `skill ${shown(top, 2)}`],
  };
};

const differenceScale = (values) => {
  const sizes = values.filter(known).map(Math.abs);
  const top = sizes.length ? Math.max(quantile(sizes, 0.98), 0.005) : 1;
  return {
    level: (value) => Math.round((between(value / top, -1, 1) + 1) / 2 * (LEVELS - 1)),
    ends: [signed(-top, 2), signed(top, 2)],
  };
};
