/** What a bench measures, and the two forms in which it is printed. */

export interface Reference {
  readonly name: string;
  readonly value: number;
}

export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** What the value is held against, measured in the same run, in the same unit. */
  readonly reference?: Reference;
  /** Value over reference. */
  readonly ratio?: number;
}

/** A figure with its reference. */
export function against(figure: Figure, reference: Reference): Figure {
  return { ...figure, reference, ratio: rounded(figure.value / reference.value, 3) };
}

export function rounded(value: number, decimals: number): number {
  return Number(value.toFixed(decimals));
}

/** One line a figure, columns in line. */
export function tableOf(figures: readonly Figure[]): string {
  const rows = figures.map(({ name, value, unit, reference, ratio }) => [
    name,
    `${value}`,
    unit,
    reference === undefined ? '' : `${reference.name} ${reference.value}`,
    ratio === undefined ? '' : `${ratio}`,
  ]);
  const table = [['figure', 'value', 'unit', 'reference', 'ratio'], ...rows];
  const widths = table[0]?.map((_, i) => Math.max(...table.map((row) => row[i]?.length ?? 0)));
  return table
    .map((row) =>
      row
        .map((cell, i) =>
          i === 1 ? cell.padStart(widths?.[i] ?? 0) : cell.padEnd(widths?.[i] ?? 0),
        )
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** The value below which `share` (0 to 1) of the samples lie; NaN without samples. */
export function percentile(samples: readonly number[], share: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}
