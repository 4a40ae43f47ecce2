import { describe, expect, it } from '@jest/globals';
import { OnceKeys } from './once.js';

describe('keys of changes', () => {
  const numbered = (): OnceKeys => {
    let n = 0;
    return new OnceKeys(() => `k${(n += 1)}`);
  };

  // Plan: the same change without an answer keeps its key; another place, another body, and the same after an answer have their own.
  it('stay the same while the outcome is not known', () => {
    const keys = numbered();
    expect([keys.of('/a', { x: 1 }), keys.of('/a', { x: 1 })]).toEqual(['k1', 'k1']);
    expect([keys.of('/b', { x: 1 }), keys.of('/a', { x: 2 })]).toEqual(['k2', 'k3']);
    keys.answered('/a', { x: 1 });
    expect([keys.of('/a', { x: 1 }), keys.of('/b', { x: 1 })]).toEqual(['k4', 'k2']);
  });

  // Plan: the server takes 1 to 128 visible characters; two are never the same.
  it('are such as the server takes', () => {
    const keys = new OnceKeys();
    const [a, b] = [keys.of('/a', {}), keys.of('/b', {})];
    expect(a).toMatch(/^[0-9a-f]{32}$/);
    expect(b).not.toBe(a);
  });
});
