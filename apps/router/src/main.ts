import { CadastreError } from '@cadastre/core';
import { systemClock } from '@cadastre/runtime';
import {
  createLogger,
  openMetrics,
  openTracing,
  openTransport,
  printHelp,
  shutdownOnSignals,
} from '@cadastre/service-kit';
import { routerConfig, SETTINGS } from './config.js';
import { ROUTER_METRICS } from './router-metrics.js';
import { startRouter } from './router.js';

const STOP_MS = 3000;

/** One line for people; the code is 1 for whatever a start cannot get over. */
const giveUp = (error: unknown): never => {
  const { message, remedy } = CadastreError.from(error);
  process.stderr.write(`cadastre-router: ${message}${remedy === undefined ? '' : ` (${remedy})`}\n`);
  process.exit(1);
};

if (printHelp(SETTINGS, process.argv.slice(2), process.stdout)) process.exit(0);
try {
  const config = routerConfig(process.argv.slice(2), process.env);
  const logger = createLogger({ service: 'router', level: config.logLevel, fields: { router: config.id } });
  const { transport, credentials } = openTransport(config.tls, { role: 'router' }, { clock: systemClock, logger });
  const { traceOtlp: url, id } = config;
  const tracing = url === undefined ? undefined : await openTracing({ url, component: 'router', id, logger });
  const router = await startRouter({ ...config, ...(tracing && { tracer: tracing.tracer }), transport, logger });
  const metrics = await openMetrics({
    listen: config.metricsListen,
    facts: { component: 'router', certificates: { own: credentials }, droppedLogLines: () => logger.dropped },
    table: ROUTER_METRICS,
    readings: router.readings,
    logger,
  });
  logger.info('listening', {
    event: 'listening',
    address: router.address,
    ...(metrics && { metrics: metrics.address }),
  });
  const stop = async () => {
    await router.stop();
    await Promise.all([metrics?.stop(), tracing?.stop()]);
  };
  shutdownOnSignals(stop, { timeoutMs: STOP_MS, logger });
} catch (error) {
  giveUp(error);
}
