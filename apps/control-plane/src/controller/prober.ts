import type { NodeEntry, ProbeOutcome } from '@cadastre/core';
import { PROBE_OUTCOMES } from '@cadastre/core';
import type { PingTarget, Transport, Wire } from '@cadastre/contracts';
import { callUnary, ping } from '@cadastre/contracts';
import type { Clock } from '@cadastre/runtime';

/** Looks at a node from here or through another node. */
export interface Prober {
  /** @param through the node that is to look; undefined for this process. Never throws. */
  probe(through: NodeEntry | undefined, target: PingTarget): Promise<ProbeOutcome>;
}

const PING_TIMEOUT_MS = 1_000;
const PROBE_TIMEOUT_MS = 1_500;

/** Each question on a connection of its own: questions are rare, and an old connection tells of the past. */
export class GrpcProber implements Prober {
  constructor(
    private readonly transport: Transport,
    private readonly clock: Clock,
  ) {}

  async probe(through: NodeEntry | undefined, target: PingTarget): Promise<ProbeOutcome> {
    const { clock, transport } = this;
    if (!through) return ping(target, { timeoutMs: PING_TIMEOUT_MS, clock, transport });
    const peer = transport.peer(through.address);
    try {
      const { outcome } = await callUnary<Wire.ProbeRequest, Wire.ProbeReply__Output>(
        peer.liveness,
        peer.liveness.probe,
        { ...target, timeoutMs: PING_TIMEOUT_MS },
        { deadlineMs: PROBE_TIMEOUT_MS },
      );
      return PROBE_OUTCOMES.find((o) => o === outcome) ?? 'unsure';
    } catch {
      return 'unsure';
    } finally {
      peer.close();
    }
  }
}
