import { CadastreError, leaderOf } from '@cadastre/core';
import type { Compare, Draft, LeaseId, NodeRecord, RegisterState, SessionView } from '@cadastre/store';
import { compare, isWaitingForRecovery, join, keys, mapUnchanged, nodePart, sessionPart } from '@cadastre/store';
import type { Hello } from './hello.codec.js';

/** Whether and how a node may register, as a pure function of the register. */
export const decideRegistration = (
  state: RegisterState,
  hello: Hello,
  leaseId: LeaseId,
  nowMs: number,
  ttlMs: number,
): Draft<SessionView | undefined> => {
  const { id, address } = hello.entry;
  const session = state.sessions.get(id);
  refuseOtherProcess(session, hello, ttlMs);
  const known = state.nodes.get(id)?.value;
  const isNewData = known !== undefined && known.incarnation !== '' && known.incarnation !== hello.incarnation;
  // What a restored register says of a node's data may be long out of date: what is there is what it says itself.
  const doubted = isNewData && !isWaitingForRecovery(state);
  if (doubted) refuseWhileTrusted(state, id, known.incarnation);
  const node = nodeRecord(known, hello, nowMs);
  const wantsNode = known === undefined || !sameNode(known, node);
  const wantsSession = session === undefined || session.leaseId !== leaseId;
  return {
    ...join(
      { compare: [sessionUnchanged(id, session)], ops: [] },
      doubted ? mapUnchanged(state, state.keyspaces.keys()) : join(),
      wantsNode ? nodePart(state, node) : join(),
      wantsSession ? sessionPart({ node: id, incarnation: hello.incarnation, address }, leaseId) : join(),
    ),
    result: session,
  };
};

const sessionUnchanged = (id: string, session: SessionView | undefined): Compare =>
  session ? compare.lease(keys.session(id), session.leaseId) : compare.absent(keys.session(id));

const refuseOtherProcess = (session: SessionView | undefined, { entry, incarnation }: Hello, ttlMs: number): void => {
  if (!session || (session.incarnation === incarnation && session.address === entry.address)) return;
  throw new CadastreError(
    'ALREADY_EXISTS',
    `node ${entry.id} is connected already, from ${session.address} with incarnation ${session.incarnation}`,
    {
      field: 'node.id',
      remedy: `give each node its own id; if this is the same node started anew, the old session ends within ${ttlMs / 1000} s: try again`,
    },
  );
};

/** Wiped data under an old name: while the map counts on what was there, letting it in would turn loss into silence (INV-4, INV-5). */
const refuseWhileTrusted = (state: RegisterState, node: string, before: string): void => {
  for (const [keyspace, { map }] of state.keyspaces) {
    for (let p = 0; p < map.partitions; p += 1) {
      const record = map.record(p);
      if (leaderOf(record) !== node && !record.replicas.some((r) => r.node === node && r.inSync)) continue;
      throw new CadastreError(
        'FAILED_PRECONDITION',
        `node ${node} comes with new data, but ${keyspace}/${p} still counts on its copy of incarnation ${before}`,
        {
          field: 'incarnation',
          remedy:
            'try again when the controller has taken this node out of the in-sync sets; if it holds the last copy, bring the old data back',
        },
      );
    }
  }
};

const nodeRecord = (known: NodeRecord | undefined, hello: Hello, nowMs: number): NodeRecord => ({
  entry: hello.entry,
  capacity: hello.capacity,
  incarnation: hello.incarnation,
  adminState: known?.adminState ?? 'active',
  registeredMs: known?.registeredMs ?? Math.round(nowMs),
  ...(known?.drain && { drain: known.drain }),
});

const sameNode = (a: NodeRecord, b: NodeRecord): boolean =>
  a.incarnation === b.incarnation &&
  a.entry.address === b.entry.address &&
  a.entry.weight === b.entry.weight &&
  sameEntries(a.entry.labels, b.entry.labels) &&
  sameEntries(a.capacity, b.capacity);

const sameEntries = (
  a: Readonly<Record<string, string | number>>,
  b: Readonly<Record<string, string | number>>,
): boolean => {
  const keysOfA = Object.keys(a);
  return keysOfA.length === Object.keys(b).length && keysOfA.every((key) => a[key] === b[key]);
};
