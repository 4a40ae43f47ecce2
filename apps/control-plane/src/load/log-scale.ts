const STEPS = 253;

/** Nobody measured; measured, and nothing there. Above them it goes up by constant ratios. */
export const CODE = { none: 0, zero: 1, least: 2, most: 255 } as const;

/**
 * A figure in one byte, for a history that is looked at on a logarithmic scale. Codes are ordered as what they stand for, so the greatest
 * of many is found without decoding.
 */
export class LogScale {
  /** What each code stands for; 0 for none. */
  readonly table = new Float64Array(CODE.most + 1);
  private readonly perStep: number;

  /** @param least at most half of it counts as zero @param most what is above counts as it */
  constructor(
    private readonly least: number,
    most: number,
  ) {
    this.perStep = STEPS / Math.log(most / least);
    for (let code = CODE.least; code <= CODE.most; code += 1)
      this.table[code] = least * Math.exp((code - CODE.least) / this.perStep);
  }

  encode(value: number): number {
    if (!(value > this.least / 2)) return CODE.zero;
    return Math.max(
      CODE.least,
      Math.min(CODE.most, CODE.least + Math.round(Math.log(value / this.least) * this.perStep)),
    );
  }

  /** Undefined where nobody measured. */
  decode(code: number): number | undefined {
    return code === CODE.none ? undefined : this.table[code]!;
  }
}

export const METRICS = ['reads', 'writes', 'bytes', 'p99'] as const;
export type Metric = (typeof METRICS)[number];

/** Reads and writes a second, bytes that a copy holds, milliseconds: to within 4.3, 4.3, 6.3 and 3.3 %. */
export const SCALES: Readonly<Record<Metric, LogScale>> = {
  reads: new LogScale(0.01, 1e7),
  writes: new LogScale(0.01, 1e7),
  bytes: new LogScale(1, 1e13),
  p99: new LogScale(0.01, 1e5),
};
