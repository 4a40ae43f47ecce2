/** Where a piece of work belongs in a trace, as W3C Trace Context has it. */
export interface TraceContext {
  /** 32 hex digits. */
  readonly traceId: string;
  /** 16 hex digits. */
  readonly spanId: string;
  /** Bit 0: it is recorded. */
  readonly traceFlags: number;
}

export type SpanKind = 'client' | 'server' | 'internal';
export type SpanAttributes = Readonly<Record<string, string | number | boolean>>;

/** One piece of work that is being recorded. */
export interface Span {
  readonly context: TraceContext;
  set(attributes: SpanAttributes): void;
  /** A part of it. */
  child(name: string, kind?: SpanKind): Span | undefined;
  /** Once. @param error what it failed with */
  end(error?: unknown): void;
}

/** What libraries record through; without one nothing is made. */
export interface Tracer {
  /**
   * @param parent undefined: of whatever the program is doing at present, or of nothing
   * @returns undefined when it is not recorded
   */
  start(name: string, kind: SpanKind, parent: TraceContext | undefined, attributes?: SpanAttributes): Span | undefined;
}

const RECORDED = 1;

/** The value of the header `traceparent`. */
export const traceparentOf = ({ traceId, spanId, traceFlags }: TraceContext): string =>
  `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`;

/** Undefined where there is none, where it is malformed, and where it says that nothing is recorded. */
export const parseTraceparent = (text: string | undefined): TraceContext | undefined => {
  const match = text && /^(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-|$)/.exec(text);
  if (!match || /^0+$/.test(match[1]!) || /^0+$/.test(match[2]!)) return undefined;
  const traceFlags = Number.parseInt(match[3]!, 16);
  return traceFlags & RECORDED ? { traceId: match[1]!, spanId: match[2]!, traceFlags } : undefined;
};

interface ApiSpan {
  spanContext(): TraceContext;
  isRecording(): boolean;
  setAttributes(attributes: SpanAttributes): unknown;
  setStatus(status: { code: number; message?: string }): unknown;
  end(): void;
}
type ApiContext = object;

/**
 * The part of @opentelemetry/api (1.x) that is used: give the module itself. By shape and not by import, so that a program without
 * OpenTelemetry does not install it.
 */
export interface OpenTelemetryApi {
  readonly ROOT_CONTEXT: ApiContext;
  readonly context: { active(): ApiContext };
  readonly trace: {
    getTracer(name: string): {
      startSpan(name: string, options: { kind: number; attributes: SpanAttributes }, context: never): ApiSpan;
    };
    setSpanContext(context: never, span: TraceContext & { isRemote?: boolean }): ApiContext;
  };
}

/** SpanKind and SpanStatusCode of the API, which are part of its contract. */
const KINDS: Readonly<Record<SpanKind, number>> = { internal: 0, server: 1, client: 2 };
const ERROR = 2;

/** @param name of the instrumented library */
export const openTelemetryTracer = (api: OpenTelemetryApi, name: string): Tracer => {
  const tracer = api.trace.getTracer(name);
  const start: Tracer['start'] = (what, kind, parent, attributes = {}) => {
    const around = parent
      ? api.trace.setSpanContext(api.ROOT_CONTEXT as never, { ...parent, isRemote: true })
      : api.context.active();
    const span = tracer.startSpan(what, { kind: KINDS[kind], attributes }, around as never);
    return span.isRecording() ? recorded(span, start) : undefined;
  };
  return { start };
};

const recorded = (span: ApiSpan, start: Tracer['start']): Span => {
  const context = span.spanContext();
  return {
    context,
    set: (attributes) => void span.setAttributes(attributes),
    child: (name, kind = 'internal') => start(name, kind, context),
    end: (error) => {
      if (error !== undefined) span.setStatus({ code: ERROR, message: messageOf(error) });
      span.end();
    },
  };
};

const messageOf = (error: unknown): string => {
  const { code, message } = error as { code?: unknown; message?: unknown };
  return `${typeof code === 'string' ? `${code}: ` : ''}${typeof message === 'string' ? message : String(error)}`;
};
