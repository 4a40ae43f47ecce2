import type { Transport, Wire } from '@cadastre/contracts';
import type { Clock } from '@cadastre/runtime';
import type { BackupFrame } from '@cadastre/store';
import { nodeCodec, parseKey } from '@cadastre/store';

/** What the agents of a backup say now. */
export interface AskedAgents {
  /** Of the backup's nodes, that answered. */
  readonly answered: number;
  readonly nodes: number;
  /** Highest incarnation of the register that any of them has heard of; 0 when none says one. */
  readonly incarnation: number;
}

const DEADLINE_MS = 2_000;
const AT_ONCE = 32;
/** No keyspace can be called so: nothing but the mark at the end comes, which names all generations. */
const NO_KEYSPACE = '.';

/** Addresses of the nodes in a backup. */
export const agentAddresses = async (frames: AsyncIterable<BackupFrame>): Promise<string[]> => {
  const addresses: string[] = [];
  for await (const frame of frames) {
    if (frame.kind !== 'entries') continue;
    for (const { key, value } of frame.entries)
      if (parseKey(key).kind === 'node') addresses.push(nodeCodec.decode(value).entry.address);
  }
  return addresses;
};

/** Asks each for the generations of its maps; whoever does not answer in two seconds is left out. Agents of other clusters too. */
export const askAgents = async (
  addresses: readonly string[],
  clusterId: string,
  { clock, transport }: { readonly clock: Clock; readonly transport: Transport },
): Promise<AskedAgents> => {
  const answers: (number | undefined)[] = [];
  for (let at = 0; at < addresses.length; at += AT_ONCE)
    answers.push(
      ...(await Promise.all(addresses.slice(at, at + AT_ONCE).map((a) => ask(transport.peer(a), clusterId, clock)))),
    );
  const heard = answers.filter((answer) => answer !== undefined);
  return { nodes: addresses.length, answered: heard.length, incarnation: Math.max(0, ...heard) };
};

const ask = async (
  peer: ReturnType<Transport['peer']>,
  clusterId: string,
  clock: Clock,
): Promise<number | undefined> => {
  const call = peer.map.getMap({ known: [], keyspaces: [NO_KEYSPACE], forms: [] });
  const late = clock.after(DEADLINE_MS, () => call.cancel());
  try {
    for await (const event of call) {
      const { progress } = event as Wire.MapEvent__Output;
      if (!progress) continue;
      if (progress.clusterId !== '' && progress.clusterId !== clusterId) return undefined;
      return Math.max(0, ...progress.current.map((k) => Number(k.generation?.incarnation ?? 0)));
    }
    return undefined;
  } catch {
    return undefined;
  } finally {
    late.cancel();
    call.cancel();
    peer.close();
  }
};
