// What every benchmark shares: one JSON object a line with --json, a readable line without.
const asJson = process.argv.includes('--json');

/** n, p50, p99 and max of milliseconds (or any number), rounded to micros. */
export function summarise(values) {
  const sorted = Float64Array.from(values).sort();
  const at = (share) => round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0);
  return { n: sorted.length, p50: at(0.5), p99: at(0.99), max: round(sorted.at(-1) ?? 0) };
}

export const round = (value) => Math.round(value * 1000) / 1000;

/** `ratio` is our p50 and p99 over the baseline's, taken in the same run. */
export function compare(ours, baseline) {
  return { ratioP50: round(ours.p50 / baseline.p50), ratioP99: round(ours.p99 / baseline.p99) };
}

export function print(row) {
  if (asJson) process.stdout.write(`${JSON.stringify(row)}\n`);
  else
    process.stdout.write(
      `${Object.entries(row)
        .map(([k, v]) => `${k} ${v}`)
        .join('  ')}\n`,
    );
}

export const argument = (name, fallback) => {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? fallback : Number(process.argv[at + 1]);
};
