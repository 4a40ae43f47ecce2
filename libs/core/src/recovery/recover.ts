import { compareStrings } from '../bytes.js';
import type { Generation } from '../map/generation.js';
import { compareGenerations, formatGeneration } from '../map/generation.js';
import type { KeyspaceMap } from '../map/keyspace-map.js';
import type { KeyspaceSpec, NodeEntry, PartitionRecord } from '../map/records.js';
import type { FoundCopy, PartitionFinding } from './recover-partition.js';
import { recoverPartition, samePlacement } from './recover-partition.js';

/** What is known after a register was restored from an older copy of it. */
export interface RecoveryInput {
  /** Of the restored register: above all that any agent has heard of. */
  readonly incarnation: number;
  /** By the restored register. */
  readonly registered: ReadonlyMap<string, KeyspaceMap>;
  /** The newest map of each keyspace that any agent has. */
  readonly found: ReadonlyMap<string, KeyspaceMap>;
  /** Keyspaces of which a node has a newer map that could not be had, and that node. */
  readonly unread?: ReadonlyMap<string, string>;
  readonly copies: readonly FoundCopy[];
  /** Nodes that have said what they have. */
  readonly heard: ReadonlySet<string>;
}

/** `gone`: in the copy, and no agent knows it any more: dropped after the copy was taken. */
export const KEYSPACE_VERDICTS = ['unchanged', 'moved-on', 'found', 'gone'] as const;
export type KeyspaceVerdict = (typeof KEYSPACE_VERDICTS)[number];

export interface RecoveredKeyspace {
  readonly name: string;
  readonly verdict: KeyspaceVerdict;
  readonly spec: KeyspaceSpec;
  readonly partitions: number;
  /** Of the newest map that is known. */
  readonly known: Generation;
  /** That it goes on with. */
  readonly generation: Generation;
  /** Empty when it is gone. */
  readonly records: readonly PartitionRecord[];
  /** Nodes that its map names. */
  readonly nodes: readonly NodeEntry[];
  /** Partitions that are placed otherwise than the restored register says; all of one that it does not know. */
  readonly changed: readonly number[];
  /** Partitions by what was found of them. */
  readonly findings: Readonly<Partial<Record<PartitionFinding, readonly number[]>>>;
}

export interface Recovery {
  readonly keyspaces: readonly RecoveredKeyspace[];
  /** Nodes that hold copies by the newest maps and have not been heard: one of them may know more than everybody else. */
  readonly waitsFor: readonly string[];
  /** Whole copies that no map names: kept until a person says that they may go. */
  readonly unnamed: readonly FoundCopy[];
}

/** The register as it goes on, from the newest that any agent knows. Pure: the same input, the same answer, in the order of names. */
export const recover = (input: RecoveryInput): Recovery => {
  const copies = copiesByPartition(input.copies);
  const names = [...new Set([...input.registered.keys(), ...input.found.keys()])].sort(compareStrings);
  const keyspaces = names.map((name) => recoverKeyspace(name, input, copies));
  const silent = new Set([...silentIn(keyspaces, input.heard), ...(input.unread?.values() ?? [])]);
  return { keyspaces, waitsFor: [...silent].sort(compareStrings), unnamed: unnamedIn(keyspaces, input.copies) };
};

/** Nothing is different from what the restored register says, and nobody is missing: there is nothing to decide. */
export const isAsRestored = ({ keyspaces, waitsFor }: Recovery): boolean =>
  waitsFor.length === 0 && keyspaces.every((k) => k.verdict === 'unchanged' && k.changed.length === 0);

type Copies = ReadonlyMap<string, readonly FoundCopy[]>;

const at = (keyspace: string, partition: number): string => `${keyspace}/${partition}`;

const copiesByPartition = (copies: readonly FoundCopy[]): Copies => {
  const found = new Map<string, FoundCopy[]>();
  for (const copy of copies) {
    const key = at(copy.keyspace, copy.partition);
    const list = found.get(key);
    if (list) list.push(copy);
    else found.set(key, [copy]);
  }
  return found;
};

const recoverKeyspace = (name: string, input: RecoveryInput, copies: Copies): RecoveredKeyspace => {
  const registered = input.registered.get(name);
  const found = input.found.get(name);
  const base = found && (!registered || isNewer(found, registered)) ? found : registered!;
  const next = { incarnation: input.incarnation, number: base.generation.number + 1 };
  const about = { name, spec: base.spec, partitions: base.partitions, known: base.generation, generation: next };
  if (registered && !found && input.heard.size > 0 && !input.unread?.has(name))
    return { ...about, verdict: 'gone', records: [], nodes: [], changed: [], findings: {} };
  const records: PartitionRecord[] = [];
  const changed: number[] = [];
  const findings: Partial<Record<PartitionFinding, number[]>> = {};
  const comparable = registered?.partitions === base.partitions ? registered : undefined;
  for (let p = 0; p < base.partitions; p += 1) {
    const { record, finding } = recoverPartition(base.record(p), copies.get(at(name, p)) ?? [], input.heard);
    records.push(record);
    (findings[finding] ??= []).push(p);
    if (!comparable || !samePlacement(record, comparable.record(p))) changed.push(p);
  }
  const same = registered !== undefined && compareGenerations(base.generation, registered.generation) === 0;
  const verdict = !registered ? 'found' : same && changed.length === 0 ? 'unchanged' : 'moved-on';
  return { ...about, verdict, records, nodes: base.nodes, changed, findings };
};

const isNewer = (a: KeyspaceMap, b: KeyspaceMap): boolean => compareGenerations(a.generation, b.generation) > 0;

const silentIn = (keyspaces: readonly RecoveredKeyspace[], heard: ReadonlySet<string>): Set<string> => {
  const silent = new Set<string>();
  for (const { records } of keyspaces)
    for (const { replicas } of records) for (const { node } of replicas) if (!heard.has(node)) silent.add(node);
  return silent;
};

const unnamedIn = (keyspaces: readonly RecoveredKeyspace[], copies: readonly FoundCopy[]): FoundCopy[] => {
  const byName = new Map(keyspaces.map((k) => [k.name, k]));
  return copies.filter(({ keyspace, partition, node, whole }) => {
    const record = byName.get(keyspace)?.records[partition];
    return whole && !record?.replicas.some((r) => r.node === node);
  });
};

/** What a person reads of one keyspace, in one sentence. */
export const recoverySentence = ({
  name,
  verdict,
  changed,
  known,
  findings,
  partitions,
}: RecoveredKeyspace): string => {
  const of = (finding: PartitionFinding): number => findings[finding]?.length ?? 0;
  const notes = [
    of('by-promise') > 0 && `${of('by-promise')} go on from one copy, which has promised more than any map says`,
    of('shrunk') > 0 && `${of('shrunk')} without copies that are not there any more`,
    of('lost') > 0 && `${of('lost')} have no copy that counts on any node that was heard`,
    of('unheard') > 0 && `${of('unheard')} count on nodes that have not been heard`,
  ].filter((note) => note !== false);
  const what = {
    unchanged: 'as in the copy',
    'moved-on': `${changed.length} of ${partitions} partitions are placed otherwise by now, as of ${formatGeneration(known)}`,
    found: `not in the copy; found at the agents with ${partitions} partitions, as of ${formatGeneration(known)}`,
    gone: 'in the copy, and no agent knows it any more: dropped since',
  }[verdict];
  return [`${name}: ${what}`, ...notes].join('; ');
};
