import type * as Wire from '../generated/index.js';
import type { Rpc } from './allow-list.js';

/** A message says that it speaks for this node. */
export interface Claim {
  /** Path in the message. */
  readonly field: string;
  readonly node: string;
}

type ClaimsOf<Message> = (message: Message) => readonly Claim[];

const ofNode: ClaimsOf<{ readonly node: string }> = ({ node }) => [{ field: 'node', node }];

/** Where a message names who sends it. An agent may say only its own name there; nothing else of a message counts as a name. */
const CLAIMS: Partial<Record<Rpc, ClaimsOf<never>>> = {
  'cadastre.v1.Agent/Session': (({ hello }) =>
    hello
      ? [{ field: 'hello.node.id', node: hello.node?.id ?? '' }]
      : []) satisfies ClaimsOf<Wire.SessionRequest__Output>,
  'cadastre.v1.Agent/Report': ofNode satisfies ClaimsOf<Wire.ReportRequest__Output>,
  'cadastre.v1.Agent/ChangeInSync': ofNode satisfies ClaimsOf<Wire.ChangeInSyncRequest__Output>,
  'cadastre.v1.Agent/ChangeInSyncMany': (({ changes }) =>
    changes.map(({ node }, i) => ({
      field: `changes[${i}].node`,
      node,
    }))) satisfies ClaimsOf<Wire.ChangeInSyncManyRequest__Output>,
  'cadastre.v1.Agent/Suspect': ofNode satisfies ClaimsOf<Wire.SuspectRequest__Output>,
  'cadastre.v1.Map/WatchMap': (({ subscribe }) =>
    subscribe?.node
      ? [{ field: 'subscribe.node', node: subscribe.node }]
      : []) satisfies ClaimsOf<Wire.WatchMapRequest__Output>,
  'cadastre.v1.Transfer/Replicate': (({ hello }) =>
    hello ? [{ field: 'hello.node', node: hello.node }] : []) satisfies ClaimsOf<Wire.FollowerMessage__Output>,
  'cadastre.v1.Transfer/Snapshot': ofNode satisfies ClaimsOf<Wire.SnapshotRequest__Output>,
};

/** Undefined where messages do not name their sender. */
export const claimsOf = (path: string): ((message: unknown) => readonly Claim[]) | undefined =>
  CLAIMS[path.slice(1) as Rpc] as ((message: unknown) => readonly Claim[]) | undefined;
