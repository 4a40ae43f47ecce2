import type { ServiceDefinition, StatusObject, UntypedServiceImplementation } from '@grpc/grpc-js';
import type { Clock, Emit } from '@cadastre/runtime';
import { Histogram } from '@cadastre/runtime';
import { codeOfStatus } from './status.js';

type Callback = (error: Partial<StatusObject> | null, ...rest: unknown[]) => void;
type Unary = (call: object, callback: Callback) => void;
type Stream = (call: { on(event: string, listener: () => void): unknown }) => void;

interface MethodFigures {
  readonly codes: Map<string, number>;
  readonly tookSeconds: Histogram | undefined;
}

/** Calls of gRPC services by method and code. Streams are counted as they begin, under `BEGUN`. */
export class CallMeter {
  private readonly methods = new Map<string, MethodFigures>();

  /** The same handlers, counted. */
  count(
    clock: Clock,
    definition: ServiceDefinition,
    handlers: UntypedServiceImplementation,
  ): UntypedServiceImplementation {
    const counted: Record<string, unknown> = { ...handlers };
    for (const [name, { path, responseStream }] of Object.entries(definition)) {
      const key = name in handlers ? name : name.charAt(0).toLowerCase() + name.slice(1);
      const handler = handlers[key];
      if (!handler) continue;
      const method = path.slice(path.lastIndexOf('.') + 1);
      counted[key] = responseStream
        ? this.stream(method, handler as unknown as Stream)
        : this.unary(clock, method, handler as unknown as Unary);
    }
    return counted as UntypedServiceImplementation;
  }

  readonly requests = (emit: Emit): void => {
    for (const [method, { codes }] of this.methods) for (const [code, count] of codes) emit(count, method, code);
  };

  readonly durations = (emit: Emit): void => {
    for (const [method, { tookSeconds }] of this.methods) if (tookSeconds) emit(tookSeconds, method);
  };

  private unary(clock: Clock, method: string, handler: Unary): Unary {
    const figures = this.of(method, new Histogram());
    return (call, callback) => {
      const beganAt = clock.monotonicMs();
      handler(call, (error, ...rest) => {
        figures.tookSeconds!.observe((clock.monotonicMs() - beganAt) / 1000);
        add(figures.codes, error ? codeOfStatus(error) : 'OK');
        callback(error, ...rest);
      });
    };
  }

  private stream(method: string, handler: Stream): Stream {
    const { codes } = this.of(method, undefined);
    return (call) => {
      add(codes, 'BEGUN');
      handler(call);
    };
  }

  private of(method: string, tookSeconds: Histogram | undefined): MethodFigures {
    const figures = { codes: new Map<string, number>(), tookSeconds };
    this.methods.set(method, figures);
    return figures;
  }
}

const add = (codes: Map<string, number>, code: string): void => void codes.set(code, (codes.get(code) ?? 0) + 1);
