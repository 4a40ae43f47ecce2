import { afterEach, describe, expect, it } from '@jest/globals';
import { counter, gauge, Histogram, histogram, silentLogger } from '@cadastre/runtime';
import type { MetricsEndpoint } from './endpoint.js';
import { serveMetrics } from './endpoint.js';
import { Metrics } from './registry.js';

const TABLE = {
  asked: counter('x_asked_total', 'times', 'kind'),
  size: gauge('x_size_bytes', 'how big'),
  took: histogram('x_took_seconds', 'how long', 'kind'),
};

describe('what a process exposes', () => {
  let endpoint: MetricsEndpoint | undefined;
  afterEach(() => endpoint?.stop());

  // Plan: a counter, a gauge without a value, a histogram with a value on a bound, between bounds and above all; the text is the format's.
  it('is read anew at each scrape, in the text format', async () => {
    const took = new Histogram([0.1, 1]);
    for (const seconds of [0.1, 0.5, 7]) took.observe(seconds);
    let asked = 1;
    const metrics = new Metrics().expose(TABLE, {
      asked: (emit) => emit(asked, 'a "quoted" one'),
      size: (emit) => emit(Number.NaN),
      took: (emit) => emit(took, 'get'),
    });
    expect(await metrics.text()).toBe(
      [
        '# HELP x_asked_total times',
        '# TYPE x_asked_total counter',
        'x_asked_total{kind="a \\"quoted\\" one"} 1',
        '',
        '# HELP x_size_bytes how big',
        '# TYPE x_size_bytes gauge',
        '',
        '# HELP x_took_seconds how long',
        '# TYPE x_took_seconds histogram',
        'x_took_seconds_bucket{le="0.1",kind="get"} 1',
        'x_took_seconds_bucket{le="1",kind="get"} 2',
        'x_took_seconds_bucket{le="+Inf",kind="get"} 3',
        'x_took_seconds_sum{kind="get"} 7.6',
        'x_took_seconds_count{kind="get"} 3',
        '',
      ].join('\n'),
    );
    asked = 2;
    expect(await metrics.text()).toContain('x_asked_total{kind="a \\"quoted\\" one"} 2');
  });

  // Plan: a reading with too few labels is a bug of ours: the scrape fails with its name, and the endpoint says 500 and goes on.
  it('fails aloud where labels are forgotten', async () => {
    const nothing = () => undefined;
    const metrics = new Metrics().expose(TABLE, { asked: (emit) => emit(1), size: nothing, took: nothing });
    await expect(metrics.text()).rejects.toThrow('x_asked_total');
    endpoint = await serveMetrics('127.0.0.1:0', metrics, silentLogger);
    expect((await fetch(`http://${endpoint.address}/metrics`)).status).toBe(500);
  });

  // Plan: GET and HEAD of /metrics answer, everything else is refused; a second endpoint on the port is a typed error that names the flag.
  it('answers GET /metrics and nothing else', async () => {
    const metrics = new Metrics().expose({ size: TABLE.size }, { size: (emit) => emit(3) });
    endpoint = await serveMetrics('127.0.0.1:0', metrics, silentLogger);
    const at = (path: string, method = 'GET') => fetch(`http://${endpoint!.address}${path}`, { method });
    const good = await at('/metrics?x=1');
    expect(good.headers.get('content-type')).toMatch(/^text\/plain; version=0.0.4/);
    expect(await good.text()).toContain('x_size_bytes 3');
    expect((await at('/metrics', 'POST')).status).toBe(405);
    expect((await at('/')).status).toBe(404);
    await expect(serveMetrics(endpoint.address, metrics, silentLogger)).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      field: '--metrics-listen',
    });
  });
});
