import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import type { KeyspaceSpec, KeyType, NodeEntry, PresetName, PresetParams, Scheme } from '@cadastre/core';
import { createPartitioner, keyFromText, KeyspaceMap, keyTypeOf, newRecord, presetScheme } from '@cadastre/core';
import { decodeColumns, encodeColumns } from '@cadastre/contracts';

/** A preset with the flags that make the same scheme on the command line. */
export interface Subject {
  readonly preset: PresetName;
  readonly params: PresetParams;
  readonly flags: readonly string[];
  /** Takes ASCII alone, and says so of other keys. */
  readonly ascii?: boolean;
}

const NODES = ['n1', 'n2', 'n3', 'n4'];
const ring = (preset: PresetName, vnodes: number): Subject => ({
  preset,
  params: { nodes: NODES, vnodes },
  flags: ['--nodes', NODES.join(), '--vnodes', `${vnodes}`],
});
const plain = (preset: PresetName, partitions?: number): Subject => ({
  preset,
  params: partitions === undefined ? {} : { partitions },
  flags: partitions === undefined ? [] : ['--partitions', `${partitions}`],
});
const typed = (preset: PresetName, partitions: number, type: string): Subject => ({
  preset,
  params: { partitions, type },
  flags: ['--partitions', `${partitions}`, '--type', type],
});

/** Every preset, with numbers that are powers of two and numbers that are not; rings with nodes, and every type of key. */
export const SUBJECTS: readonly Subject[] = [
  plain('redis-cluster'),
  plain('kafka', 7),
  ring('cassandra-murmur3', 16),
  plain('cassandra-murmur3', 12),
  ring('cassandra-random', 16),
  ring('cassandra-byte-ordered', 8),
  plain('cassandra-byte-ordered', 33),
  typed('citus', 32, 'text'),
  typed('citus', 33, 'int4'),
  typed('citus', 32, 'int8'),
  typed('citus', 32, 'uuid'),
  plain('elasticsearch', 5),
  plain('couchbase'),
  plain('vitess-xxhash', 16),
  plain('vitess-hash', 3),
  plain('vitess-binary-md5', 6),
  { ...plain('vitess-unicode-loose-xxhash', 16), ascii: true },
  typed('mongodb-hashed', 10, 'string'),
  typed('mongodb-hashed', 10, 'int32'),
  typed('mongodb-hashed', 10, 'int64'),
  typed('mongodb-hashed', 10, 'objectid'),
  {
    preset: 'mongodb-ranged',
    params: { splitPoints: [Buffer.from('g'), Buffer.from('p')] },
    flags: ['--split-points', 'g,p'],
  },
  plain('riak', 64),
  plain('solr-composite', 12),
  ring('md5-ring', 64),
  plain('dynamodb-style', 100),
  plain('xxhash64', 1000),
  plain('murmur3', 100_003),
];

/** A difference between two who should agree. */
export interface Disagreement {
  readonly preset: string;
  readonly key: string;
  readonly client: number;
  readonly agent: number;
  readonly cli: number | undefined;
}

/**
 * Places all keys three times: as the client does (the map that a snapshot gave it), as the agent and its gate do (a map that a
 * delta has changed since), and as the CLI prints it in a process of its own.
 * @returns the first differences, and how many keys were compared
 */
export const compareOn = async (
  cli: string,
  { preset, params, flags }: Subject,
  texts: readonly string[],
): Promise<{ compared: number; disagreements: Disagreement[] }> => {
  const scheme = presetScheme(preset, params);
  const { client, agent } = mapsOf(scheme);
  const disagreements: Disagreement[] = [];
  let compared = 0;
  await locate(cli, ['--scheme', preset, ...flags], texts, ({ key, partition, token }) => {
    const text = texts[compared]!;
    const bytes = keyFromText(scheme, text);
    const found = { client: client.partitionOf(bytes), agent: agent.partitionOf(bytes) };
    const same = key === text && found.client === partition && found.agent === partition && typeof token === 'string';
    if (!same && disagreements.length < 5) disagreements.push({ preset, key: text, ...found, cli: partition });
    compared += 1;
  });
  return { compared, disagreements };
};

const mapsOf = (scheme: Scheme): { client: KeyspaceMap; agent: KeyspaceMap } => {
  const spec: KeyspaceSpec = { name: 'agree', scheme, replicationFactor: 1, minInSync: 1, spread: [] };
  const nodes: NodeEntry[] = NODES.map((id) => ({ id, address: `${id}:1`, labels: {}, weight: 1 }));
  const generation = { incarnation: 1, number: 1 };
  const partitions = createPartitioner(scheme).partitions;
  const records = Array.from({ length: partitions }, (_, p) => newRecord(p, [NODES[p % NODES.length]!]));
  const made = KeyspaceMap.fromRecords(spec, generation, records, nodes);
  const changed = made.withDelta({
    keyspace: spec.name,
    from: generation,
    to: { incarnation: 1, number: 2 },
    records: [{ ...records[0]!, epoch: 2 }],
    nodes: [],
  });
  return { client: decodeColumns(encodeColumns(made)), agent: changed };
};

interface Line {
  readonly key: string;
  readonly token: string;
  readonly partition: number;
}

const locate = async (
  cli: string,
  flags: readonly string[],
  texts: readonly string[],
  each: (line: Line) => void,
): Promise<void> => {
  const folder = mkdtempSync(path.join(tmpdir(), 'cadastre-agree-'));
  try {
    const file = path.join(folder, 'keys.json');
    writeFileSync(file, JSON.stringify(texts));
    const child = spawn(process.execPath, [cli, 'locate', ...flags, '--keys-file', file, '--json'], {
      cwd: folder,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let complaint = '';
    child.stderr.on('data', (chunk: Buffer) => (complaint += chunk.toString()));
    const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
    for await (const line of createInterface({ input: child.stdout })) each(JSON.parse(line) as Line);
    const code = await ended;
    if (code !== 0) throw new Error(`cadastre locate ${flags.join(' ')} ended with ${code}: ${complaint}`);
  } finally {
    rmSync(folder, { recursive: true });
  }
};

/** What kind of text a subject's keys are. */
export const keyKindOf = ({ preset, params, ascii }: Subject): KeyType | 'ascii' =>
  ascii ? 'ascii' : keyTypeOf(presetScheme(preset, params));
