/** A share of the token space, exact: numerator / denominator in lowest terms, and the nearest number. */
export interface Share {
  readonly numerator: bigint;
  readonly denominator: bigint;
  /** 0 to 1. */
  readonly share: number;
}

const gcd = (a: bigint, b: bigint): bigint => {
  while (b !== 0n) [a, b] = [b, a % b];
  return a;
};

const PRECISION = 60n;

export const shareOf = (numerator: bigint, denominator: bigint): Share => {
  const divisor = numerator === 0n ? denominator : gcd(numerator, denominator);
  const [n, d] = [numerator / divisor, denominator / divisor];
  return { numerator: n, denominator: d, share: Number((n << PRECISION) / d) / 2 ** Number(PRECISION) };
};

export const NO_SHARE = shareOf(0n, 1n);
export const WHOLE_SHARE = shareOf(1n, 1n);

export const addShares = (a: Share, b: Share): Share =>
  a.denominator === b.denominator
    ? shareOf(a.numerator + b.numerator, a.denominator)
    : shareOf(a.numerator * b.denominator + b.numerator * a.denominator, a.denominator * b.denominator);

export const timesShare = (a: Share, b: Share): Share =>
  shareOf(a.numerator * b.numerator, a.denominator * b.denominator);

export const minusShare = (a: Share, b: Share): Share => addShares(a, { ...b, numerator: -b.numerator });

/** As `1/4`. */
export const formatShare = ({ numerator, denominator }: Share): string => `${numerator}/${denominator}`;
