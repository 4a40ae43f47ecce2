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
import { startAgent } from './agent.js';
import { AGENT_METRICS } from './metrics/agent-metrics.js';
import { agentConfig, type ProcessConfig, SETTINGS } from './config.js';

const STOP_MS = 3000;

/** One line for people; the code is 1 for whatever a start cannot get over. */
const giveUp = (error: unknown): never => {
  const { message, remedy } = CadastreError.from(error);
  process.stderr.write(`cadastre-agent: ${message}${remedy === undefined ? '' : ` (${remedy})`}\n`);
  process.exit(1);
};

const readConfig = (): ProcessConfig => {
  try {
    return agentConfig(process.argv.slice(2), process.env);
  } catch (error) {
    return giveUp(error);
  }
};

if (printHelp(SETTINGS, process.argv.slice(2), process.stdout)) process.exit(0);
const config = readConfig();
const logger = createLogger({ service: 'storage-agent', level: config.logLevel, fields: { node: config.id } });
try {
  const me = { role: 'agent', name: config.id } as const;
  const { transport, credentials } = openTransport(config.tls, me, { clock: systemClock, logger });
  const { traceOtlp: url, id } = config;
  const tracing = url === undefined ? undefined : await openTracing({ url, component: 'storage-agent', id, logger });
  const traced = tracing && { tracer: tracing.tracer };
  const agent = await startAgent({ ...config, ...traced, transport, logger, onFatal: giveUp });
  const metrics = await openMetrics({
    listen: config.metricsListen,
    facts: {
      component: 'storage-agent',
      dataDir: config.dataDir,
      certificates: { own: credentials },
      droppedLogLines: () => logger.dropped,
    },
    table: AGENT_METRICS,
    readings: agent.readings,
    logger,
  });
  logger.info('listening', {
    event: 'listening',
    address: agent.address,
    advertise: config.advertise ?? agent.address,
    ...(metrics && { metrics: metrics.address }),
  });
  const stop = async () => {
    await agent.stop();
    await Promise.all([metrics?.stop(), tracing?.stop()]);
  };
  shutdownOnSignals(stop, { timeoutMs: STOP_MS, logger });
} catch (error) {
  giveUp(error);
}
