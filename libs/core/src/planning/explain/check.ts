/** `pass`: does not stand in the way. `avoid`: a preference or goal speaks against it. `fail`: must not be. */
export const CHECK_VERDICTS = ['pass', 'avoid', 'fail'] as const;
export type CheckVerdict = (typeof CHECK_VERDICTS)[number];

/** One constraint or goal, looked at for one partition and one node. */
export interface PlacementCheck {
  /** `state`, `required[0]`, `spread[1]`, `capacity.bytes`, `balance.replicas`, ... */
  readonly rule: string;
  readonly verdict: CheckVerdict;
  /** What it is now, or would be with a copy here. */
  readonly value: string;
  /** What the rule allows. */
  readonly limit: string;
  /** One sentence. */
  readonly text: string;
}

export const check = (
  rule: string,
  verdict: CheckVerdict,
  value: string | number,
  limit: string | number,
  text: string,
): PlacementCheck => ({ rule, verdict, value: String(value), limit: String(limit), text });

export const figure = (value: number): string => String(Math.round(value * 100) / 100);
