import type { PeerRole } from '@cadastre/core';
import type * as Wire from '../generated/index.js';

type Named<Definition> = keyof { [Name in keyof Definition as string extends Name ? never : Name]: true } & string;
type Rpcs<Service extends string, Definition> = `${Service}/${Named<Definition>}`;

/** Every RPC that is served anywhere, `cadastre.v1.Kv/Get`. */
export type Rpc =
  | Rpcs<'cadastre.v1.Agent', Wire.AgentDefinition>
  | Rpcs<'cadastre.v1.Kv', Wire.KvDefinition>
  | Rpcs<'cadastre.v1.Liveness', Wire.LivenessDefinition>
  | Rpcs<'cadastre.v1.Map', Wire.MapDefinition>
  | Rpcs<'cadastre.v1.Operator', Wire.OperatorDefinition>
  | Rpcs<'cadastre.v1.Transfer', Wire.TransferDefinition>
  | 'grpc.health.v1.Health/Check'
  | 'grpc.health.v1.Health/Watch';

/** Who may call, where certificates are asked for. */
export interface Decision {
  readonly roles: readonly PeerRole[];
  /**
   * Also a person without a certificate, where people sign in: whoever serves it asks for the token. So it is only for RPCs that do, and
   * for those that tell nothing.
   */
  readonly people?: true;
}

const AGENTS: Decision = { roles: ['agent'] };
const MAP_READERS: Decision = { roles: ['agent', 'router', 'client', 'operator'] };
/** `agent`: what one of them passes on to the leader. */
const DATA: Decision = { roles: ['client', 'router', 'agent', 'operator'] };
const PEOPLE: Decision = { roles: ['operator'], people: true };
const ANYBODY: Decision = { roles: ['agent', 'control-plane', 'router', 'client', 'operator'], people: true };

/** The one table of who may call what; a new RPC without an entry does not compile, and what is not here is refused. */
export const ALLOW_LIST: Readonly<Record<Rpc, Decision>> = {
  'cadastre.v1.Agent/Session': AGENTS,
  'cadastre.v1.Agent/Report': AGENTS,
  'cadastre.v1.Agent/ChangeInSync': AGENTS,
  'cadastre.v1.Agent/ChangeInSyncMany': AGENTS,
  'cadastre.v1.Agent/Suspect': AGENTS,
  'cadastre.v1.Kv/Get': DATA,
  'cadastre.v1.Kv/Put': DATA,
  'cadastre.v1.Kv/Delete': DATA,
  'cadastre.v1.Kv/Batch': DATA,
  'cadastre.v1.Kv/Scan': DATA,
  'cadastre.v1.Kv/Pipeline': DATA,
  'cadastre.v1.Liveness/Ping': { roles: ['control-plane', 'agent'] },
  'cadastre.v1.Liveness/Probe': { roles: ['control-plane'] },
  'cadastre.v1.Map/WatchMap': MAP_READERS,
  // `control-plane`: after a restore agents know the map better than the register does.
  'cadastre.v1.Map/GetMap': { roles: [...MAP_READERS.roles, 'control-plane'] },
  'cadastre.v1.Map/Locate': { roles: MAP_READERS.roles, people: true },
  'cadastre.v1.Map/ListWatchers': PEOPLE,
  'cadastre.v1.Operator/CreateKeyspace': PEOPLE,
  'cadastre.v1.Operator/DropKeyspace': PEOPLE,
  'cadastre.v1.Operator/GetKeyspace': PEOPLE,
  'cadastre.v1.Operator/ListKeyspaces': PEOPLE,
  'cadastre.v1.Operator/ListNodes': PEOPLE,
  'cadastre.v1.Operator/DrainNode': PEOPLE,
  'cadastre.v1.Operator/ProposePlan': PEOPLE,
  'cadastre.v1.Operator/ListPlans': PEOPLE,
  'cadastre.v1.Operator/GetPlan': PEOPLE,
  'cadastre.v1.Operator/ActOnPlan': PEOPLE,
  'cadastre.v1.Operator/WatchPlan': PEOPLE,
  'cadastre.v1.Operator/Status': PEOPLE,
  'cadastre.v1.Operator/GetPolicy': PEOPLE,
  'cadastre.v1.Operator/SetPolicy': PEOPLE,
  'cadastre.v1.Operator/Why': PEOPLE,
  'cadastre.v1.Operator/Unfreeze': PEOPLE,
  'cadastre.v1.Operator/GetSettings': PEOPLE,
  'cadastre.v1.Operator/ChangeSettings': PEOPLE,
  'cadastre.v1.Operator/Freeze': PEOPLE,
  'cadastre.v1.Operator/GetApprovalPolicy': PEOPLE,
  'cadastre.v1.Operator/SetApprovalPolicy': PEOPLE,
  'cadastre.v1.Operator/UndoPlan': PEOPLE,
  'cadastre.v1.Operator/CancelAll': PEOPLE,
  'cadastre.v1.Operator/GetReport': PEOPLE,
  'cadastre.v1.Operator/GetDrain': PEOPLE,
  'cadastre.v1.Operator/GetHeat': PEOPLE,
  'cadastre.v1.Operator/ListAudit': PEOPLE,
  'cadastre.v1.Operator/VerifyAudit': PEOPLE,
  'cadastre.v1.Operator/Backup': PEOPLE,
  'cadastre.v1.Operator/GetRecovery': PEOPLE,
  'cadastre.v1.Operator/ActOnRecovery': PEOPLE,
  'cadastre.v1.Transfer/Replicate': AGENTS,
  'cadastre.v1.Transfer/Snapshot': AGENTS,
  'grpc.health.v1.Health/Check': ANYBODY,
  'grpc.health.v1.Health/Watch': ANYBODY,
};

/** Undefined for what is not in the table, which nobody may call. @param path as gRPC has it: `/cadastre.v1.Kv/Get` */
export const decisionOf = (path: string): Decision | undefined => {
  const rpc = path.slice(1);
  return Object.hasOwn(ALLOW_LIST, rpc) ? ALLOW_LIST[rpc as Rpc] : undefined;
};
