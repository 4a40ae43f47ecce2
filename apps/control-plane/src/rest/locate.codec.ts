import { checkKey, createPartitioner, describeScheme, formatToken, invalid, type TokenRange } from '@cadastre/core';
import type { Wire } from '@cadastre/contracts';
import type { z } from 'zod';
import { schemeJson, schemeOf } from './scheme.codec.js';
import type * as schemas from './schemas.js';
import { partitionPageJson } from './views.codec.js';

const RANGES_SHOWN = 20;

/** The bytes of a key as a query gives them. @throws CadastreError INVALID_ARGUMENT */
export const keyOf = (key: string, encoding: 'utf8' | 'base64'): Uint8Array => {
  const bytes = Buffer.from(key, encoding);
  if (encoding === 'base64' && bytes.toString('base64').replace(/=+$/, '') !== key.replace(/=+$/, ''))
    throw invalid('key', 'is not base64', 'give it as text, or encode it again');
  return bytes;
};

/** Where a key lives and by which steps: scheme, token, partition, copies. `wire` with its records. @throws CadastreError INVALID_ARGUMENT */
export const locatedJson = (wire: Wire.Keyspace, key: Uint8Array): z.output<typeof schemas.Located> => {
  checkKey(key);
  const partitioner = createPartitioner(schemeOf(schemeJson(wire.spec?.scheme)));
  const partition = partitioner.partitionOf(key);
  const page = partitionPageJson(wire, partition, 1);
  return {
    keyspace: page.keyspace,
    scheme: describeScheme(partitioner.scheme),
    keyHex: Buffer.from(key).toString('hex'),
    token: formatToken(partitioner.token(key)),
    partition,
    ranges: partitioner.rangesOf(partition).slice(0, RANGES_SHOWN).map(rangeText),
    generation: page.generation,
    replicas: page.partitions[0]?.replicas ?? [],
  };
};

const rangeText = ({ start, end }: TokenRange): string =>
  `from ${start === undefined ? 'the first token' : formatToken(start)} up to ${end === undefined ? 'the last' : `but not ${formatToken(end)}`}`;
