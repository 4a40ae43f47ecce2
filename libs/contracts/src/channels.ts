import type { CallOptions, ClientUnaryCall, requestCallback, ServiceError } from '@grpc/grpc-js';
import type { ChannelCredentials, Client } from '@grpc/grpc-js';
import { credentials, makeGenericClientConstructor, Metadata, type ServiceDefinition } from '@grpc/grpc-js';
import { CadastreError } from '@cadastre/core';
import { systemClock } from '@cadastre/runtime';
import type * as Wire from './generated/index.js';
import { agentService, kvService, livenessService, mapService, operatorService, transferService } from './proto.js';
import { fromServiceError } from './status.js';

export interface CallLimits {
  /** Milliseconds from now after which the call is given up; its outcome is then unknown. */
  readonly deadlineMs: number;
  readonly signal?: AbortSignal;
  /** Who calls, where that is asked for. */
  readonly bearer?: string;
  /** W3C Trace Context of the span that it belongs to. */
  readonly traceparent?: string | undefined;
}

type UnaryMethod<Request, Reply> = (
  request: Request,
  options: CallOptions,
  callback: requestCallback<Reply>,
) => ClientUnaryCall;

type NamedMethod<Request, Reply> = (
  this: Client,
  request: Request,
  metadata: Metadata,
  options: CallOptions,
  callback: (error: ServiceError | null, reply?: Reply) => void,
) => ClientUnaryCall;

/** Says who calls, with each call. */
export const bearerMetadata = (token: string): Metadata => {
  const metadata = new Metadata();
  metadata.set('authorization', `Bearer ${token}`);
  return metadata;
};

const metadataOf = ({ bearer, traceparent }: CallLimits): Metadata => {
  const metadata = bearer === undefined ? new Metadata() : bearerMetadata(bearer);
  if (traceparent !== undefined) metadata.set('traceparent', traceparent);
  return metadata;
};

/** Every unary call has a deadline: there is no way to make one here without. */
export const callUnary = <Request, Reply>(
  client: Client,
  method: UnaryMethod<Request, Reply>,
  request: Request,
  limits: CallLimits,
): Promise<Reply> =>
  new Promise((resolve, reject) => {
    if (limits.signal?.aborted)
      return reject(
        new CadastreError('CANCELLED', 'cancelled before it was sent', { remedy: 'call again if it is still wanted' }),
      );
    const onReply = (error: ServiceError | null, reply?: Reply): void => {
      limits.signal?.removeEventListener('abort', cancel);
      if (error) reject(fromServiceError(error));
      else resolve(reply as Reply);
    };
    const call =
      limits.bearer === undefined && limits.traceparent === undefined
        ? method.call(client, request, callOptions(limits), onReply)
        : (method as unknown as NamedMethod<Request, Reply>).call(
            client,
            request,
            metadataOf(limits),
            callOptions(limits),
            onReply,
          );
    const cancel = () => call.cancel();
    limits.signal?.addEventListener('abort', cancel, { once: true });
    return undefined;
  });

/** grpc-js counts on the system's calendar; a transport with a clock of its own goes by `deadlineMs`. */
export interface TimedCallOptions extends CallOptions {
  readonly deadlineMs?: number;
}

const callOptions = ({ deadlineMs }: CallLimits): TimedCallOptions => ({
  deadline: systemClock.wallMs() + deadlineMs,
  deadlineMs,
});

const CHANNEL_OPTIONS = {
  'grpc.keepalive_time_ms': 10_000,
  'grpc.keepalive_timeout_ms': 5_000,
  'grpc.keepalive_permit_without_calls': 1,
  'grpc.max_receive_message_length': 8 * 1024 * 1024,
  'grpc.max_send_message_length': 8 * 1024 * 1024,
  'grpc.enable_retries': 0, // a retry is decided by who knows what is safe, never by the transport
  'grpc.enable_channelz': 0,
  'grpc.initial_reconnect_backoff_ms': 50,
  'grpc.min_reconnect_backoff_ms': 50,
  'grpc.max_reconnect_backoff_ms': 1_000,
  'grpc.use_local_subchannel_pool': 1,
} as const;

export interface PeerOptions {
  /** Bytes that may be on their way to here at once; the default of HTTP/2 is 64 KiB. More is for bulk, on a connection of its own. */
  readonly windowBytes?: number;
}

const channelOptions = ({ windowBytes }: PeerOptions) =>
  windowBytes === undefined ? CHANNEL_OPTIONS : { ...CHANNEL_OPTIONS, 'grpc-node.flow_control_window': windowBytes };

const stub = <C>(definition: ServiceDefinition, name: string, address: string, over: Client): C => {
  const Constructor = makeGenericClientConstructor(definition, name);
  const options = { channelOverride: over.getChannel() };
  return new Constructor(address, credentials.createInsecure(), options) as unknown as C; // the channel has its own
};

const KvStub = makeGenericClientConstructor(kvService, 'Kv');

/** All services over one connection to one address. Any object of this shape will do: see `Transport`. */
export class Peer {
  readonly map: Wire.MapClient;
  readonly agent: Wire.AgentClient;
  readonly operator: Wire.OperatorClient;
  readonly kv: Wire.KvClient;
  readonly transfer: Wire.TransferClient;
  readonly liveness: Wire.LivenessClient;
  readonly close: () => void;

  constructor(
    readonly address: string,
    options: PeerOptions = {},
    security: ChannelCredentials = credentials.createInsecure(),
  ) {
    const base: Client = new KvStub(address, security, channelOptions(options));
    this.map = stub(stockMapClient, 'Map', address, base);
    this.agent = stub(agentService, 'Agent', address, base);
    this.operator = stub(operatorService, 'Operator', address, base);
    this.kv = base as unknown as Wire.KvClient;
    this.transfer = stub(transferService, 'Transfer', address, base);
    this.liveness = stub(livenessService, 'Liveness', address, base);
    this.close = () => base.close();
  }
}

/** The client side decodes WatchMap as usual; only the server writes ready-made bytes. */
const stockMapClient = mapService as unknown as ServiceDefinition;
