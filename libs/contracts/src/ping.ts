import type { ErrorCode, ProbeOutcome } from '@cadastre/core';
import { CadastreError } from '@cadastre/core';
import type { Clock } from '@cadastre/runtime';
import { callUnary } from './channels.js';
import type * as Wire from './generated/index.js';
import type { Transport } from './transport.js';

export interface PingTarget {
  readonly node: string;
  /** host:port */
  readonly address: string;
  readonly incarnation: string;
}

export interface PingOptions {
  readonly timeoutMs: number;
  readonly clock: Clock;
  /** Asked for a new connection: an old one remembers for a while that the address refused. */
  readonly transport: Transport;
}

/** An answer that took so much longer than it was given: this process stood still, so its judgement means nothing. */
const STALL = 1.5;

/** Somebody lives there, and does not serve this, or not to us: that our certificate is of no use says nothing of the node. */
const ANSWERS: readonly ErrorCode[] = ['UNIMPLEMENTED', 'UNAUTHENTICATED', 'PERMISSION_DENIED'];

/** Whether that very node answers at that address, as seen from here. Never throws. */
export const ping = async (target: PingTarget, { timeoutMs, clock, transport }: PingOptions): Promise<ProbeOutcome> => {
  const began = clock.monotonicMs();
  const peer = transport.peer(target.address);
  try {
    const reply = await callUnary<Wire.PingRequest, Wire.PingReply__Output>(
      peer.liveness,
      peer.liveness.ping,
      {},
      { deadlineMs: timeoutMs },
    );
    return reply.node === target.node && reply.incarnation === target.incarnation ? 'answered' : 'refused';
  } catch (thrown) {
    const error = CadastreError.from(thrown);
    if (ANSWERS.includes(error.code)) return 'answered';
    if (error.field === 'certificate' && error.message.startsWith('own ')) return 'unsure';
    if (error.message.includes('ECONNREFUSED')) return 'refused';
    return clock.monotonicMs() - began > timeoutMs * STALL ? 'unsure' : 'silent';
  } finally {
    peer.close();
  }
};
