import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import * as api from '@opentelemetry/api';
import type { ReadableSpan } from '@opentelemetry/sdk-trace-base';
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base';
import { CadastreClient } from '@cadastre/client';
import { newRecord } from '@cadastre/core';
import type { Wire } from '@cadastre/contracts';
import { callUnary } from '@cadastre/contracts';
import { startRouter } from '@cadastre/router';
import { ROUTER_METRICS } from '../../apps/router/src/router-metrics.js';
import { AGENT_METRICS } from '../../apps/storage-agent/src/metrics/agent-metrics.js';
import { Metrics } from '@cadastre/service-kit';
import { openTelemetryTracer } from '@cadastre/runtime';
import { FakeControlPlane } from './fake-control-plane.js';
import { specOf, Stage, waitFor } from './kit.js';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const CALLER = '00f067aa0ba902b7';
const target = { keyspace: 'ks', partition: 0, epoch: 1 };

/*
 * Plan: two agents with a copy each, a router and a client, all recording into one exporter in memory; each way to write gives one trace
 * whose spans hang together from who asked down to the wait for the copies; and without a caller that records nothing is recorded.
 */
describe('a trace', () => {
  const stage = new Stage();
  const exporter = new InMemorySpanExporter();
  const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
  const tracer = openTelemetryTracer(
    {
      ...api,
      trace: { getTracer: (name: string) => provider.getTracer(name), setSpanContext: api.trace.setSpanContext },
    } as never,
    'test',
  );
  let client: CadastreClient;
  let leader = '';
  let router = '';
  /** What each program would say at /metrics. */
  const said = new Map<string, () => Promise<string>>();

  beforeAll(async () => {
    const plane = await new FakeControlPlane().start();
    stage.onEnd(() => plane.cut());
    const agent = await stage.agent('n1', plane, { tracer });
    leader = agent.address;
    const ofAgent = new Metrics().expose(AGENT_METRICS, agent.readings);
    said.set('agent', () => ofAgent.text());
    await stage.agent('n2', plane, { tracer });
    await waitFor('sessions', () => plane.nodes.size === 2);
    plane.createKeyspace(specOf(1, 2, 1), [newRecord(0, ['n1', 'n2'])]);
    const reach = { controlPlanes: [plane.address] };
    client = await CadastreClient.connect({ ...reach, tracer });
    stage.onEnd(() => client.close());
    const front = await startRouter({ ...reach, id: 'r1', host: '127.0.0.1', port: 0, tracer });
    stage.onEnd(() => front.stop());
    router = front.address;
    const ofRouter = new Metrics().expose(ROUTER_METRICS, front.readings);
    said.set('router', () => ofRouter.text());
    await client.keyspace('ks').put('k', 'first');
    await waitFor('all spans of the first write', () => exporter.getFinishedSpans().length >= 3);
  });
  afterAll(() => stage.end());
  beforeEach(() => exporter.reset());

  /** The spans of the one trace there is, each below the one before. */
  const chain = async (length: number, first: string | undefined): Promise<string[]> => {
    await waitFor(`${length} spans`, () => exporter.getFinishedSpans().length >= length);
    const spans: readonly ReadableSpan[] = exporter.getFinishedSpans();
    expect(new Set(spans.map((s) => s.spanContext().traceId)).size).toBe(1);
    const names: string[] = [];
    for (let parent = first; ;) {
      const next = spans.find((s) => s.parentSpanContext?.spanId === parent);
      if (!next) return names;
      names.push(next.name);
      parent = next.spanContext().spanId;
    }
  };

  const write = (address: string, more: Partial<Wire.Target>, traceparent?: string) => {
    const { kv } = stage.peer(address);
    const request = { target: { ...target, ...more }, requestId: '', key: Buffer.from('k'), value: Buffer.from('v') };
    return callUnary<Wire.PutRequest, Wire.WriteReply__Output>(kv, kv.put, request, {
      deadlineMs: 10_000,
      traceparent,
    });
  };

  it('goes from the client through the agent to the wait for the copies', async () => {
    await client.keyspace('ks').put('k', 'v');
    expect(await chain(3, undefined)).toEqual(['cadastre put', 'agent put', 'replication wait']);
    const [put] = exporter.getFinishedSpans().filter((s) => s.name === 'cadastre put');
    expect(put!.attributes).toEqual({ 'cadastre.keyspace': 'ks', 'cadastre.partition': 0, 'cadastre.attempts': 1 });
  });

  it('goes on from any gRPC client that sends traceparent', async () => {
    await write(leader, {}, `00-${TRACE}-${CALLER}-01`);
    expect(await chain(2, CALLER)).toEqual(['agent put', 'replication wait']);
    expect(exporter.getFinishedSpans()[0]!.spanContext().traceId).toBe(TRACE);
  });

  it('goes through a router', async () => {
    await write(router, { byKey: true }, `00-${TRACE}-${CALLER}-01`);
    expect(await chain(4, CALLER)).toEqual(['router put', 'cadastre put', 'agent put', 'replication wait']);
  });

  const valueOf = async (program: string, series: string): Promise<number> => {
    const lines = (await said.get(program)!()).split('\n');
    return Number(
      lines
        .find((line) => line.startsWith(`cadastre_${program}_${series} `))
        ?.split(' ')
        .at(-1),
    );
  };

  it('stands beside figures: each write is counted by who answered it', async () => {
    const series = 'requests_total{kind="put",code="OK"}';
    const before = { agent: await valueOf('agent', series), router: await valueOf('router', series) };
    await write(leader, {});
    await write(router, { byKey: true });
    expect(await valueOf('agent', series)).toBeGreaterThanOrEqual(before.agent + 2);
    expect(await valueOf('router', series)).toBe(before.router + 1);
    expect(await valueOf('agent', 'commit_duration_seconds_count')).toBeGreaterThan(before.agent);
    await waitFor('it leads', async () => (await valueOf('agent', 'partitions{phase="serving"}')) === 1);
    expect(await valueOf('agent', 'stored_records{keyspace="ks"}')).toBe(1);
    await waitFor('its session', async () => (await valueOf('agent', 'session_up')) === 1);
    expect(await valueOf('router', 'operations_total{effect="write",partitions="one"}')).toBeGreaterThan(0);
    await waitFor('its map', async () => (await valueOf('router', 'map_watch_up')) === 1);
    await expect(write(leader, { keyspace: 'none' })).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(await valueOf('agent', 'requests_total{kind="put",code="NOT_FOUND"}')).toBe(1);
  });

  it('is none where the caller records nothing', async () => {
    await write(leader, {});
    await write(leader, {}, `00-${TRACE}-${CALLER}-00`);
    await client.keyspace('ks').put('k', 'after');
    await chain(3, undefined);
    expect(exporter.getFinishedSpans()).toHaveLength(3);
  });
});
