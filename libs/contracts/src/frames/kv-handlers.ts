import type { ServerUnaryCall, UntypedServiceImplementation } from '@grpc/grpc-js';
import type { Clock } from '@cadastre/runtime';
import { streaming, unary } from '../server.js';
import type { KvCaller, KvReply, KvWitness } from './frame-server.js';
import { asPromise, type PendingReply } from './pending-reply.js';
import { FrameServer } from './frame-server.js';
import type { KvKind, ReceivedOp } from './frames.codec.js';

/** Answers at once where it can. @throws CadastreError */
export type KvServe = (op: ReceivedOp, caller: KvCaller) => KvReply | Promise<KvReply> | PendingReply;

type AwaitedServe = (op: ReceivedOp, caller: KvCaller) => KvReply | Promise<KvReply>;

export interface KvSurface {
  readonly handlers: UntypedServiceImplementation;
  readonly frames: FrameServer;
}

/**
 * Kv as unary calls and as a stream of frames, answered by one function.
 * @param witness is told of each request once it is answered
 */
export const kvSurface = (clock: Clock, serve: KvServe, witness?: KvWitness): KvSurface => {
  const frames = new FrameServer({ clock, serve, ...(witness && { witness }) });
  const serveAlone = witness ? witnessed(clock, serve, witness) : serve;
  const answerTo: AwaitedServe = (op, caller) => asPromise(serveAlone(op, caller), caller);
  const alone = (kind: KvKind) =>
    unary((request: ReceivedOp['request'], call) => answerTo({ kind, request } as ReceivedOp, aloneCaller(call)));
  const handlers = {
    get: alone('get'),
    put: alone('put'),
    delete: alone('delete'),
    batch: alone('batch'),
    scan: alone('scan'),
    pipeline: streaming((call) => frames.handle(call as never)),
  };
  return { handlers: handlers as unknown as UntypedServiceImplementation, frames };
};

/** Of a call of its own: its context comes as metadata, as that of any gRPC client. */
const aloneCaller = (call: ServerUnaryCall<unknown, unknown>): KvCaller => {
  const caller = call as unknown as { -readonly [K in keyof KvCaller]: KvCaller[K] };
  const [traceparent] = call.metadata?.get('traceparent') ?? [];
  if (traceparent !== undefined) caller.traceparent = traceparent.toString();
  return caller;
};

const witnessed =
  (clock: Clock, serve: KvServe, witness: KvWitness): KvServe =>
  async (op, caller) => {
    const beganAt = clock.monotonicMs();
    try {
      const reply = await asPromise(serve(op, caller), caller);
      witness(op, clock.monotonicMs() - beganAt, undefined, caller.span?.context.traceId);
      return reply;
    } catch (error) {
      witness(op, clock.monotonicMs() - beganAt, error, caller.span?.context.traceId);
      throw error;
    }
  };
