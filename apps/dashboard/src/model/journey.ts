const KEY = 'cadastre.journey';

/** Where a person stood when the browser left for the identity provider, which sends it back to the root of this page. */
interface Journey {
  readonly hash: string;
  /** As it was typed, so that nobody has to type it twice. */
  readonly reason: string;
}

let back: Journey | undefined;

export const leave = (reason = ''): void => {
  const journey: Journey = { hash: location.hash, reason };
  sessionStorage.setItem(KEY, JSON.stringify(journey));
};

/** Once, when the page is loaded: back to where the person stood. */
export const comeBack = (): void => {
  const kept = sessionStorage.getItem(KEY);
  sessionStorage.removeItem(KEY);
  if (kept === null || location.hash !== '') return;
  back = JSON.parse(kept) as Journey;
  history.replaceState(null, '', `/${back.hash}`);
};

/** The reason that was typed on this very page before the journey; once. */
export const reasonBack = (): string => {
  const { hash, reason } = back ?? { hash: '', reason: '' };
  if (back === undefined || hash !== location.hash) return '';
  back = undefined;
  return reason;
};
