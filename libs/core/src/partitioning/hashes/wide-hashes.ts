import { wordAt } from './words.js';

/**
 * The module of wide-hashes.wat, which is its source, in base64: the hashes whose 64-bit products take a dozen instructions each in
 * JavaScript. Where WebAssembly is not to be had (a browser's content policy may forbid it) the same hashes in 32-bit words take over.
 */
const MODULE = [
  'AGFzbQEAAAABIQZgAn9+AGACfn4BfmABfwBgAX4BfmADf39/AX5gAn9/AAMKCQABAQIDAwMEBQUDAQABByIDBm1lbW9yeQIACHh4aGFzaDY0AA',
  'MKbXVybXVyM3g2NAAICt4HCRUAIAAgAUIgiKc2AgAgACABpzYCBAshACAAIAFCz9bTvtLHq9lCfnxCH4lCh5Wvr5i23puef34LIwAgAEIAIAEQ',
  'AYVCh5Wvr5i23puef35C49zKlfzO8vWFf3wL1QMCAn8FfkHAACEBQcAAIABqIQJCxc/ZsvHluuonIQMgAEEgTwRAQtbrgu7q/Yn14AAhBELP1t',
  'O+0ser2UIhBUL56tDQ58mh5OEAIQcDQCAEIAEpAwAQASEEIAUgASkDCBABIQUgBiABKQMQEAEhBiAHIAEpAxgQASEHIAFBIGohASABQSBqIAJN',
  'DQALIARCAYkgBUIHiXwgBkIMiSAHQhKJfHwhAyADIAQQAiEDIAMgBRACIQMgAyAGEAIhAyADIAcQAiEDCyADIACtfCEDAkADQCABQQhqIAJLDQ',
  'EgA0IAIAEpAwAQAYUhAyADQhuJQoeVr6+Ytt6bnn9+QuPcypX8zvL1hX98IQMgAUEIaiEBDAALCyABQQRqIAJNBEAgAyABNQIAQoeVr6+Ytt6b',
  'nn9+hSEDIANCF4lCz9bTvtLHq9lCfkL5893xmfaZqxZ8IQMgAUEEaiEBCwJAA0AgASACTw0BIAMgATEAAELFz9my8eW66id+hSEDIANCC4lCh5',
  'Wvr5i23puef34hAyABQQFqIQEMAAsLIAMgA0IhiIUhAyADQs/W077Sx6vZQn4hAyADIANCHYiFIQMgA0L5893xmfaZqxZ+IQNBACADIANCIIiF',
  'EAALHwAgAELVp4mKkfLe4Yd/fkIfiUL/ppa6sqjr+swAfgsfACAAQv+mlrqyqOv6zAB+QiGJQtWniYqR8t7hh39+CzwAIAAgAEIhiIUhACAAQs',
  '2Z1ur++uuof34hACAAIABCIYiFIQAgAELT2JfU4b+u50R+IQAgACAAQiGIhQtAAQN+AkADQCAAIAFPDQEgADEAACEFIAIEQCAAMAAAIQULIAMg',
  'BSAEhoUhAyAEQgh8IQQgAEEBaiEADAALCyADC+oBAgN/An5BwAAhAkHAACAAaiEDAkADQCACQRBqIANLDQEgBSACKQMAEASFIQUgBUIbiSAGfC',
  'EFIAVCBX5Cqc7zlgV8IQUgBiACKQMIEAWFIQYgBkIfiSAFfCEGIAZCBX5CtbWlwgN8IQYgAkEQaiECDAALCyACQQhqIQQgAyAESwRAIAYgBCAD',
  'IAEQBxAFhSEGBSADIQQLIAUgAiAEIAEQBxAEhSEFIAUgAK2FIQUgBiAArYUhBiAFIAZ8IQUgBiAFfCEGIAUQBiEFIAYQBiEGIAUgBnwhBSAGIA',
  'V8IQZBACAFEABBCCAGEAAL',
].join('');

interface WideHashes {
  readonly memory: { readonly buffer: ArrayBuffer };
  /** Hashes `length` bytes from `INPUT_AT` on; the result is at 0. */
  readonly xxhash64: (length: number) => void;
  readonly murmur3x64: (length: number, signed: number) => void;
}

/** What is used of it: neither the types of ES2023 nor those of Node have it. */
declare const WebAssembly:
  | {
      readonly Module: new (bytes: Uint8Array) => object;
      readonly Instance: new (module: object) => { readonly exports: unknown };
    }
  | undefined;

export const INPUT_AT = 64;
/** One page of memory, which never grows. Longer keys are hashed in 32-bit words. */
export const INPUT_MAX = 65536 - INPUT_AT;

/** The module's memory is little-endian, and is written and read here by words. */
const littleEndian = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1;

const instantiate = (): WideHashes | undefined => {
  if (typeof WebAssembly === 'undefined' || !littleEndian) return undefined;
  try {
    const bytes = Uint8Array.from(atob(MODULE), (character) => character.charCodeAt(0));
    return new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports as WideHashes;
  } catch {
    return undefined; // Forbidden here, and not needed: only slower.
  }
};

export const wideHashes = instantiate();

const input = new Uint8Array(wideHashes?.memory.buffer ?? new ArrayBuffer(0));
const inputWords = new Int32Array(input.buffer);

/**
 * Copies a key to where the module reads it. By words put together here, as keys stand anywhere in their buffers, and not with `set`,
 * for which a view would be allocated.
 */
export const putInput = (key: Uint8Array, from: number, to: number): number => {
  let at = INPUT_AT;
  let i = from;
  for (; i + 4 <= to; i += 4, at += 4) inputWords[at >> 2] = wordAt(key, i);
  for (; i < to; i += 1, at += 1) input[at] = key[i]!;
  return to - from;
};
