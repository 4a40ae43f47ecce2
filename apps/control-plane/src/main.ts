import { CadastreError } from '@cadastre/core';
import { systemClock } from '@cadastre/runtime';
import { createLogger, openMetrics, openTransport, printHelp, shutdownOnSignals } from '@cadastre/service-kit';
import type { ControlPlaneConfig } from './config.js';
import { parseConfig, SETTINGS } from './config.js';
import { openEtcdCredentials } from './etcd-tls.js';
import { startControlPlane } from './host/control-plane.js';
import { CONTROL_PLANE_METRICS } from './metrics/control-plane-metrics.js';

const STOP_TIMEOUT_MS = 10_000;

const say = (thrown: unknown): never => {
  const { message, remedy } = CadastreError.from(thrown);
  process.stderr.write(`cadastre control plane: ${message}${remedy ? ` -- ${remedy}` : ''}\n`);
  process.exit(1);
};

const readConfigOrEnd = (): ControlPlaneConfig => {
  try {
    return parseConfig(process.argv.slice(2), process.env);
  } catch (error) {
    return say(error);
  }
};

/** A supervisor that is gone cannot stop us any more: its end of stdin or IPC closes with it. */
const onParentGone = (end: () => void): void => {
  let gone = false;
  const once = (): void => {
    if (!gone) end();
    gone = true;
  };
  process.stdin.on('end', once).on('close', once).on('error', once).resume();
  process.on('disconnect', once);
  process.stdout.on('error', once);
  process.stderr.on('error', once);
};

const main = async (): Promise<void> => {
  if (printHelp(SETTINGS, process.argv.slice(2), process.stdout)) process.exit(0);
  const config = readConfigOrEnd();
  const logger = createLogger({ service: 'control-plane', level: config.logLevel, fields: { replica: config.id } });
  if (config.exitWithParent) onParentGone(() => process.kill(process.pid, 'SIGTERM'));
  const starting = new AbortController();
  const endStart = (): void => starting.abort();
  process.once('SIGTERM', endStart).once('SIGINT', endStart);
  const around = { clock: systemClock, logger };
  const { transport, credentials } = openTransport(config, { role: 'control-plane' }, around);
  const etcdCredentials = openEtcdCredentials(config, around);
  const plane = await startControlPlane(config, {
    transport,
    ...(credentials && { credentials }),
    ...(etcdCredentials && { etcdCredentials }),
    logger,
    signal: starting.signal,
    onFatal: (error) => {
      logger.error('the register cannot be followed any more; this process ends', { error });
      say(error);
    },
  });
  process.off('SIGTERM', endStart).off('SIGINT', endStart);
  if (starting.signal.aborted) {
    await plane.stop();
    process.exit(0);
  }
  const metrics = await openMetrics({
    listen: config.metricsListen,
    facts: {
      component: 'control-plane',
      droppedLogLines: () => logger.dropped,
      certificates: { own: credentials, etcd: etcdCredentials },
    },
    table: CONTROL_PLANE_METRICS,
    readings: plane.readings,
    logger,
  });
  const stop = async (): Promise<void> => {
    await plane.stop();
    await metrics?.stop();
  };
  shutdownOnSignals(stop, { timeoutMs: STOP_TIMEOUT_MS, logger });
  const at = { grpc: plane.grpcAddress, http: plane.httpAddress, ...(metrics && { metrics: metrics.address }) };
  process.stdout.write(`${JSON.stringify({ event: 'listening', id: config.id, ...at })}\n`);
};

main().catch(say);
