/** Repeats, medians, and a table on stdout. */

export interface Series {
  readonly name: string;
  readonly milliseconds: readonly number[];
}

export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((left, right) => left - right);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

export const median = (values: readonly number[]) => percentile(values, 0.5);

export async function timed(body: () => unknown): Promise<number> {
  const begun = performance.now();
  await body();
  return performance.now() - begun;
}

/** In turns, A B A B …, so that a machine that slows down slows both. The first round does not count. */
export async function inTurns(
  rounds: number,
  contenders: Readonly<Record<string, () => unknown>>,
): Promise<readonly Series[]> {
  const all = Object.entries(contenders).map(([name, body]) => ({ name, body, milliseconds: [] as number[] }));
  for (let round = 0; round <= rounds; round += 1) {
    for (const each of all) {
      const taken = await timed(each.body);
      if (round > 0) each.milliseconds.push(taken);
    }
  }
  return all;
}

/** The last series is what the others are compared with. */
export function print(title: string, series: readonly Series[]): void {
  const reference = median(series.at(-1)?.milliseconds ?? []);
  const rows = series.map(({ name, milliseconds }) => [
    name,
    median(milliseconds).toFixed(1),
    percentile(milliseconds, 0.95).toFixed(1),
    `${(median(milliseconds) / reference).toFixed(2)} ×`,
  ]);
  printRows(title, ['', 'median ms', 'p95 ms', 'ratio'], rows);
}

/** The first column is text, the others are figures. */
export function printRows(title: string, header: readonly string[], rows: readonly (readonly string[])[]): void {
  const widths = header.map((_, index) => Math.max(...[header, ...rows].map((row) => (row[index] ?? '').length)));
  const line = (row: readonly string[]) =>
    row
      .map((cell, index) => (index === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[index] ?? 0)))
      .join('  ');
  process.stdout.write(`\n${title}\n${[header, ...rows].map(line).join('\n')}\n`);
}
