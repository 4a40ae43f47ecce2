/** First releases whose answer to a progress request never overtakes events: issue 15220 was fixed a release or two before. */
const FIXED: Record<string, number> = { '3.4': 26, '3.5': 10 };

/** `version` as etcd reports it, e.g. `3.5.16`. Unknown versions are not believed. */
export function isProgressExactIn(version: string): boolean {
  const [, major, minor, patch] = /^(\d+)\.(\d+)\.(\d+)/.exec(version)?.map(Number) ?? [];
  if (major === undefined || minor === undefined || patch === undefined) return false;
  if (major > 3 || (major === 3 && minor > 5)) return true;
  const fixed = FIXED[`${major}.${minor}`];
  return fixed !== undefined && patch >= fixed;
}
