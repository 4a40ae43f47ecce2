import type { EventEmitter } from 'node:events';
import type {
  sendUnaryData,
  ServerUnaryCall,
  ServerWritableStream,
  ServerDuplexStream,
  UntypedServiceImplementation,
  ServiceDefinition,
  ServerInterceptor,
} from '@grpc/grpc-js';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { CadastreError } from '@cadastre/core';
import { systemClock } from '@cadastre/runtime';
import { toStatus } from './status.js';

export type UnaryHandler<Request, Reply> = (
  request: Request,
  call: ServerUnaryCall<Request, Reply>,
) => Promise<Reply> | Reply;
export type WritableCall<Request, Message> = ServerWritableStream<Request, Message>;
export type DuplexCall<Request, Message> = ServerDuplexStream<Request, Message>;

/** Turns a function into a gRPC handler: what it throws becomes a typed status, never a crash. */
export const unary =
  <Request, Reply>(handler: UnaryHandler<Request, Reply>) =>
  (call: ServerUnaryCall<Request, Reply>, callback: sendUnaryData<Reply>): void => {
    void (async () => {
      try {
        callback(null, await handler(call.request, call));
      } catch (error) {
        callback(toStatus(error));
      }
    })();
  };

/** The same for a handler of a stream: an error ends the stream with a typed status. */
export const streaming =
  <Call extends EventEmitter>(handler: (call: Call) => Promise<void> | void) =>
  (call: Call): void => {
    call.on('error', () => undefined); // a reader that went away; `cancelled` and `close` tell the handler
    void (async () => {
      try {
        await handler(call);
      } catch (error) {
        endWithError(call, error);
      }
    })();
  };

export const endWithError = (call: { emit(event: string, ...args: unknown[]): boolean }, error: unknown): void => {
  call.emit('error', toStatus(error));
};

export interface GrpcServerOptions {
  readonly host: string;
  /** 0 for any free port. */
  readonly port: number;
}

/** What a process offers to others. */
export interface RpcServer {
  add(definition: ServiceDefinition, handlers: UntypedServiceImplementation): this;
  /** @returns the bound port. @throws CadastreError UNAVAILABLE when the port is taken */
  listen(options: GrpcServerOptions): Promise<number>;
  /** Lets calls in flight end for `graceMs`, then cuts. */
  stop(graceMs: number): Promise<void>;
  cut(): void;
}

export interface ServerLimits {
  /**
   * A connection is asked to go after so long (and a tenth more or less), and cut after the grace, a minute by default: those who hold streams for ever
   * spread over the replicas again, also after one of them was away. Default: never.
   */
  readonly maxConnectionAgeMs?: number;
  readonly maxConnectionAgeGraceMs?: number;
  /** Persons without a certificate may call what `ALLOW_LIST` has for people: whoever serves it asks for their token. Default: nobody may. */
  readonly people?: boolean;
  /** Without TLS whatever the transport: for health checks alone. */
  readonly plaintext?: boolean;
}

/** What a server with TLS has more. */
export interface ServerSecurity {
  readonly credentials: ServerCredentials;
  readonly guard: ServerInterceptor;
}

const AGE_GRACE_MS = 60_000;

/** A gRPC server with limits set, where grpc-js has none by default. Without `security` it speaks plaintext and lets everybody in. */
export class GrpcServer implements RpcServer {
  private readonly server: Server;

  constructor(
    { maxConnectionAgeMs, maxConnectionAgeGraceMs = AGE_GRACE_MS }: ServerLimits = {},
    private readonly security?: ServerSecurity,
  ) {
    this.server = new Server({
      ...(security && { interceptors: [security.guard] }),
      'grpc.max_receive_message_length': 8 * 1024 * 1024,
      'grpc.max_send_message_length': 8 * 1024 * 1024,
      'grpc.max_concurrent_streams': 20_000,
      'grpc.keepalive_time_ms': 10_000,
      'grpc.keepalive_timeout_ms': 5_000,
      'grpc-node.max_session_memory': 256,
      // channelz stays on: without it grpc-js 1.14 keeps no list of sessions, and forceShutdown cuts nobody
      ...(maxConnectionAgeMs !== undefined && {
        'grpc.max_connection_age_ms': maxConnectionAgeMs,
        'grpc.max_connection_age_grace_ms': maxConnectionAgeGraceMs,
      }),
    });
  }

  add(definition: ServiceDefinition, handlers: UntypedServiceImplementation): this {
    this.server.addService(definition, handlers);
    return this;
  }

  listen({ host, port }: GrpcServerOptions): Promise<number> {
    const credentials = this.security?.credentials ?? ServerCredentials.createInsecure();
    return new Promise((resolve, reject) => {
      this.server.bindAsync(`${host}:${port}`, credentials, (error, bound) => {
        if (error)
          reject(
            new CadastreError('UNAVAILABLE', `cannot listen on ${host}:${port}: ${error.message}`, {
              field: 'port',
              remedy: 'free the port or choose another',
              cause: error,
            }),
          );
        else resolve(bound);
      });
    });
  }

  stop(graceMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = systemClock.after(graceMs, () => this.server.forceShutdown());
      this.server.tryShutdown(() => {
        timer.cancel();
        resolve();
      });
    });
  }

  cut(): void {
    this.server.forceShutdown();
  }
}
