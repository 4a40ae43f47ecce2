import type { Logger, OpenTelemetryApi, Tracer } from '@cadastre/runtime';
import { openTelemetryTracer } from '@cadastre/runtime';
import { z } from 'zod';
import { version } from '../metrics/open.js';

export const TRACE_FLAG = {
  type: 'string',
  value: 'URL',
  help: 'OTLP/HTTP collector that spans go to, such as http://127.0.0.1:4318/v1/traces; OTEL_TRACES_SAMPLER says which',
} as const;

export const traceUrl = z.string().regex(/^https?:\/\/\S+$/, 'is http://host:port/v1/traces');

export interface OpenTracingOptions {
  readonly url: string;
  /** `storage-agent`, `router`. */
  readonly component: string;
  /** Of this process among those of its kind. */
  readonly id: string;
  readonly logger: Logger;
}

export interface OpenedTracing {
  readonly tracer: Tracer;
  /** Sends what is left. Within 5 s. */
  stop(): Promise<void>;
}

/** Loads the SDK of OpenTelemetry, which a process that records nothing never does. What is recorded, its own variables say. */
export const openTracing = async ({ url, component, id, logger }: OpenTracingOptions): Promise<OpenedTracing> => {
  const [api, sdk, { OtlpJsonExporter }, { resourceFromAttributes }] = await Promise.all([
    import('@opentelemetry/api'),
    import('@opentelemetry/sdk-trace-base'),
    import('./otlp-json.exporter.js'),
    import('@opentelemetry/resources'),
  ]);
  const provider = new sdk.BasicTracerProvider({
    resource: resourceFromAttributes({
      'service.name': `cadastre-${component}`,
      'service.instance.id': id,
      'service.version': version(),
    }),
    spanProcessors: [new sdk.BatchSpanProcessor(new OtlpJsonExporter(url, logger))],
  });
  const own = {
    ...api,
    trace: { getTracer: (name: string) => provider.getTracer(name), setSpanContext: api.trace.setSpanContext },
  };
  return {
    tracer: openTelemetryTracer(own as unknown as OpenTelemetryApi, 'cadastre'),
    stop: () => provider.shutdown().catch(() => undefined),
  };
};
