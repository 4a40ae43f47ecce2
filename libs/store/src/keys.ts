import type { CadastreError } from '@cadastre/core';
import { CadastreError as Refusal } from '@cadastre/core';

/**
 * The one table of keys. Everything of one register lies under one prefix, so that one watch sees it all.
 *
 *   cluster                                who this register is
 *   keyspaces/NAME                         spec, and the id under which its map lies
 *   map/ID/head                            generation
 *   map/ID/segments/000012                 a run of neighbouring partitions (see SEGMENT)
 *   nodes/ID                               what an operator and the node itself said of it; stays when the node is gone
 *   sessions/ID                            lease-bound: the node is connected
 *   departures/ID                          the node said goodbye and has not come back: it need not be looked for
 *   plans/ID/head, plans/ID/body/0000      state; what was proposed, which never changes
 *   moves/PLAN/000003                      how far one move is
 *   settings                               how much automation may do, how fast data may move
 *   freeze                                 automation has stopped, and why
 *   frozen-by-hand                         a person has stopped automation
 *   recovery                               restored from a copy, and not yet what it is to go on with
 *   restoring                              a restore that has not ended: nothing here may be believed
 *   approval-policy                        who has to approve what, and when plans may run
 *   owed/ID                                leaderships that a node lost by dying
 *   floors/NAME                            last generation of a keyspace that was dropped
 *   controllers/                           election
 *   writers/ID                             lease-bound: the last transaction of one process, to look up unknown outcomes
 *   access/users/NAME                      who may sign in with a password
 *   access/sessions/HASH                   lease-bound: somebody is signed in
 *   audit/head, audit/00000000000000000001
 */
export const ROOT = 'cadastre/v1/';

const pad = (n: number, width: number): string => String(n).padStart(width, '0');

export const keys = {
  cluster: `${ROOT}cluster`,
  keyspaces: `${ROOT}keyspaces/`,
  keyspace: (name: string): string => `${ROOT}keyspaces/${name}`,
  map: `${ROOT}map/`,
  mapOf: (id: string): string => `${ROOT}map/${id}/`,
  mapHead: (id: string): string => `${ROOT}map/${id}/head`,
  mapSegment: (id: string, segment: number): string => `${ROOT}map/${id}/segments/${pad(segment, 6)}`,
  nodes: `${ROOT}nodes/`,
  node: (id: string): string => `${ROOT}nodes/${id}`,
  sessions: `${ROOT}sessions/`,
  session: (id: string): string => `${ROOT}sessions/${id}`,
  departure: (id: string): string => `${ROOT}departures/${id}`,
  plans: `${ROOT}plans/`,
  plan: (id: string): string => `${ROOT}plans/${id}/`,
  planHead: (id: string): string => `${ROOT}plans/${id}/head`,
  planBody: (id: string, chunk: number): string => `${ROOT}plans/${id}/body/${pad(chunk, 4)}`,
  moves: `${ROOT}moves/`,
  movesOf: (plan: string): string => `${ROOT}moves/${plan}/`,
  move: (plan: string, index: number): string => `${ROOT}moves/${plan}/${pad(index, 6)}`,
  settings: `${ROOT}settings`,
  freeze: `${ROOT}freeze`,
  manualFreeze: `${ROOT}frozen-by-hand`,
  approvalPolicy: `${ROOT}approval-policy`,
  recovery: `${ROOT}recovery`,
  restoring: `${ROOT}restoring`,
  owed: (node: string): string => `${ROOT}owed/${node}`,
  floor: (keyspace: string): string => `${ROOT}floors/${keyspace}`,
  controllers: `${ROOT}controllers`,
  writer: (id: string): string => `${ROOT}writers/${id}`,
  /** Entries in their order, without the head. */
  auditEntries: `${ROOT}audit/0`,
  access: `${ROOT}access/`,
  accessUsers: `${ROOT}access/users/`,
  accessUser: (name: string): string => `${ROOT}access/users/${name}`,
  accessSessions: `${ROOT}access/sessions/`,
  accessSession: (hash: string): string => `${ROOT}access/sessions/${hash}`,
  auditHead: `${ROOT}audit/head`,
  /** Entries 1000 n to 1000 n + 999. */
  auditThousand: (n: number): string => `${ROOT}audit/${pad(n, 17)}`,
  audit: (number: number): string => `${ROOT}audit/${pad(number, 20)}`,
} as const;

export type ParsedKey =
  | { readonly kind: (typeof SINGLE)[number] | 'audit-head' }
  | {
      readonly kind: 'keyspace' | 'map-head' | 'node' | 'session' | 'departure' | 'owed' | 'floor' | 'plan-head';
      readonly id: string;
    }
  | { readonly kind: 'map-segment' | 'plan-body' | 'move'; readonly id: string; readonly number: number }
  | { readonly kind: 'controller' }
  | { readonly kind: 'other' };

const SINGLE = ['cluster', 'settings', 'freeze', 'frozen-by-hand', 'approval-policy', 'recovery', 'restoring'] as const;

const NAMED = {
  keyspaces: 'keyspace',
  nodes: 'node',
  sessions: 'session',
  departures: 'departure',
  owed: 'owed',
  floors: 'floor',
} as const;

/** What a key is about; `other` for what nobody here reads. */
export const parseKey = (key: string): ParsedKey => {
  const parts = key.startsWith(ROOT) ? key.slice(ROOT.length).split('/') : [];
  const [head, id, third, fourth] = parts;
  const single = parts.length === 1 ? SINGLE.find((kind) => kind === head) : undefined;
  if (single) return { kind: single };
  if (head === 'controllers') return { kind: 'controller' };
  if (head === 'audit' && id === 'head') return { kind: 'audit-head' };
  if (!id) return { kind: 'other' };
  const kind = parts.length === 2 ? NAMED[head as keyof typeof NAMED] : undefined;
  if (kind) return { kind, id };
  if (head === 'map' && third === 'head') return { kind: 'map-head', id };
  if (head === 'map' && third === 'segments' && fourth) return { kind: 'map-segment', id, number: Number(fourth) };
  if (head === 'plans' && third === 'head') return { kind: 'plan-head', id };
  if (head === 'plans' && third === 'body' && fourth) return { kind: 'plan-body', id, number: Number(fourth) };
  if (head === 'moves' && third) return { kind: 'move', id, number: Number(third) };
  return { kind: 'other' };
};

/**
 * Partitions a map segment. One key per partition reads well but loads slowly (100,000 keys: 0.4 s, the same in 100 values: 4 ms), and
 * a lost rack touches as many keys as it has partitions; 64 records are about 4 KiB.
 */
export const SEGMENT = 64;

export const wrongRegister = (what: string): CadastreError =>
  new Refusal('DATA_LOSS', what, {
    remedy: 'the record is kept aside and the last good one used; inspect the key with etcdctl',
  });
