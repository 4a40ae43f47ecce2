import type { ReadableSpan, SpanExporter } from '@opentelemetry/sdk-trace-base';
import type { Logger } from '@cadastre/runtime';

type Time = ReadableSpan['startTime'];
type Value = string | number | boolean;

const nanos = ([seconds, rest]: Time): string => `${seconds}${String(rest).padStart(9, '0')}`;

const valueOf = (value: Value): object =>
  typeof value === 'string'
    ? { stringValue: value }
    : typeof value === 'boolean'
      ? { boolValue: value }
      : Number.isInteger(value)
        ? { intValue: String(value) }
        : { doubleValue: value };

const attributesOf = (attributes: Readonly<Record<string, unknown>>): object[] =>
  Object.entries(attributes).flatMap(([key, value]) =>
    ['string', 'number', 'boolean'].includes(typeof value) ? [{ key, value: valueOf(value as Value) }] : [],
  );

/** The API counts kinds from 0, OTLP from 1. */
const spanOf = (span: ReadableSpan): object => {
  const { traceId, spanId, traceFlags } = span.spanContext();
  return {
    traceId,
    spanId,
    ...(span.parentSpanContext && { parentSpanId: span.parentSpanContext.spanId }),
    flags: traceFlags,
    name: span.name,
    kind: span.kind + 1,
    startTimeUnixNano: nanos(span.startTime),
    endTimeUnixNano: nanos(span.endTime),
    attributes: attributesOf(span.attributes),
    status: { code: span.status.code, ...(span.status.message && { message: span.status.message }) },
  };
};

/** Spans of one process as an ExportTraceServiceRequest. Source: opentelemetry-proto, OTLP/HTTP with JSON. */
export const otlpJson = (spans: readonly ReadableSpan[]): object => ({
  resourceSpans: [
    {
      resource: { attributes: attributesOf(spans[0]?.resource.attributes ?? {}) },
      scopeSpans: [{ scope: { name: 'cadastre' }, spans: spans.map(spanOf) }],
    },
  ],
});

const TIMEOUT_MS = 5_000;

type ExportResult = Parameters<Parameters<SpanExporter['export']>[1]>[0];
/** ExportResultCode of the SDK. */
const [TAKEN, LOST] = [0, 1];

/**
 * To a collector, as OTLP/HTTP with JSON. By hand, because the exporter of OpenTelemetry brings a dozen packages for what is one POST.
 * What a collector does not take is lost: spans are no audit.
 */
export class OtlpJsonExporter implements SpanExporter {
  private failing = false;

  /** @param url of the collector's traces, `http://127.0.0.1:4318/v1/traces` */
  constructor(
    private readonly url: string,
    private readonly logger: Logger,
  ) {}

  export(spans: ReadableSpan[], done: Parameters<SpanExporter['export']>[1]): void {
    void this.tell(spans, done);
  }

  private async tell(spans: ReadableSpan[], done: (result: ExportResult) => void): Promise<void> {
    done(await this.post(spans));
  }

  shutdown(): Promise<void> {
    return Promise.resolve();
  }

  private async post(spans: ReadableSpan[]): Promise<ExportResult> {
    try {
      const response = await fetch(this.url, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(otlpJson(spans)),
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
      await response.arrayBuffer();
      if (!response.ok) throw new Error(`${this.url} answered ${response.status}`);
      this.failing = false;
      return { code: TAKEN };
    } catch (error) {
      // The first failure is news, its repetition is not.
      if (!this.failing)
        this.logger.warn('spans cannot be sent', { event: 'trace-export-failed', url: this.url, error });
      this.failing = true;
      return { code: LOST, error: error as Error };
    }
  }
}
