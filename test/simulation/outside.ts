/** Doors to the world outside that nothing in a simulation may use: a run that did could not be repeated. */
export const forbidOutside = (): (() => void) => {
  const { setTimeout: timeout, setInterval: interval } = globalThis;
  const { random } = Math;
  const { now } = Date;
  const monotonic = performance.now;
  const forbid = (what: string) => (): never => {
    throw new Error(`${what} in the simulation: it must come through a port`);
  };
  globalThis.setTimeout = forbid('setTimeout') as never;
  globalThis.setInterval = forbid('setInterval') as never;
  Math.random = forbid('Math.random');
  return () => {
    globalThis.setTimeout = timeout;
    globalThis.setInterval = interval;
    Math.random = random;
    Date.now = now;
    performance.now = monotonic;
  };
};
