import type { KeyspaceMap } from '@cadastre/core';
import { CadastreError } from '@cadastre/core';
import type { Transport, Wire } from '@cadastre/contracts';
import { fromServiceError, KNOWN_FORMS, SnapshotAssembler } from '@cadastre/contracts';
import type { Clock } from '@cadastre/runtime';

/** A map of a million partitions has some ten megabytes. */
const DEADLINE_MS = 15_000;

/** The map that an agent acts on; undefined when it has none of that keyspace any more. @throws CadastreError when it does not answer */
export type FetchMap = (address: string, keyspace: string) => Promise<KeyspaceMap | undefined>;

export const fetchMapBy =
  (transport: Transport, clock: Clock): FetchMap =>
  async (address, keyspace) => {
    const peer = transport.peer(address);
    const call = peer.map.getMap({ known: [], keyspaces: [keyspace], forms: [...KNOWN_FORMS] });
    const late = clock.after(DEADLINE_MS, () => call.cancel(), { background: true });
    try {
      return await read(call);
    } catch (error) {
      throw error instanceof CadastreError ? error : fromServiceError(error as never);
    } finally {
      late.cancel();
      call.cancel();
      peer.close();
    }
  };

const read = async (call: AsyncIterable<unknown>): Promise<KeyspaceMap | undefined> => {
  const assembler = new SnapshotAssembler();
  let map: KeyspaceMap | undefined;
  for await (const event of call) {
    const { snapshot } = event as Wire.MapEvent__Output;
    if (snapshot) map = assembler.add(snapshot) ?? map;
  }
  return map;
};
