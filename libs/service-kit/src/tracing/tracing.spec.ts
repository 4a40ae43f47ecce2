import { afterEach, describe, expect, it } from '@jest/globals';
import type { Server } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { silentLogger } from '@cadastre/runtime';
import { openTracing } from './open-tracing.js';

describe('spans', () => {
  let server: Server | undefined;
  afterEach(() => new Promise<void>((done) => (server ? server.close(() => done()) : done())));

  // Plan: a request with a part that fails goes to a collector of ours when the process ends; the JSON is that of OTLP.
  it('go to a collector as OTLP', async () => {
    const bodies: { resourceSpans: { resource: object; scopeSpans: { spans: object[] }[] }[] }[] = [];
    server = createServer((request, response) => {
      let text = '';
      request
        .on('data', (chunk) => (text += chunk))
        .on('end', () => {
          bodies.push(JSON.parse(text) as (typeof bodies)[number]);
          response.end('{}');
        });
    });
    await new Promise<void>((done) => server!.listen(0, '127.0.0.1', done));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/traces`;
    const { tracer, stop } = await openTracing({ url, component: 'router', id: 'r1', logger: silentLogger });
    const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
    const parent = { traceId, spanId: '00f067aa0ba902b7', traceFlags: 1 };
    const span = tracer.start('router put', 'server', parent, { 'cadastre.partition': 7 })!;
    const part = span.child('replication wait')!;
    part.end({ code: 'UNAVAILABLE', message: 'too few' });
    span.end();
    await stop();
    const [{ resource, scopeSpans }] = bodies[0]!.resourceSpans as [(typeof bodies)[0]['resourceSpans'][0]];
    expect(resource).toMatchObject({
      attributes: expect.arrayContaining([{ key: 'service.name', value: { stringValue: 'cadastre-router' } }]),
    });
    expect(scopeSpans[0]!.spans).toEqual([
      expect.objectContaining({
        traceId,
        parentSpanId: span.context.spanId,
        name: 'replication wait',
        kind: 1,
        status: { code: 2, message: 'UNAVAILABLE: too few' },
      }),
      expect.objectContaining({
        traceId,
        spanId: span.context.spanId,
        parentSpanId: parent.spanId,
        kind: 2,
        startTimeUnixNano: expect.stringMatching(/^\d{19}$/),
        attributes: [{ key: 'cadastre.partition', value: { intValue: '7' } }],
        status: { code: 0 },
      }),
    ]);
  });

  // Plan: nobody listens at the collector's port; ending the process still ends.
  it('are lost, and nothing else, where no collector is', async () => {
    const said: string[] = [];
    const logger = { ...silentLogger, warn: (message: string) => void said.push(message) };
    const { tracer, stop } = await openTracing({
      url: 'http://127.0.0.1:1/v1/traces',
      component: 'x',
      id: 'y',
      logger,
    });
    tracer.start('a', 'internal', undefined)?.end();
    await stop();
    expect(said).toEqual(['spans cannot be sent']);
  });
});
