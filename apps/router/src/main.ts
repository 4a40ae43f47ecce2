import { CadastreError } from '@cadastre/core';
import { createLogger, printHelp, shutdownOnSignals } from '@cadastre/service-kit';
import { routerConfig, SETTINGS } from './config.js';
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
  const router = await startRouter({ ...config, logger });
  logger.info('listening', { event: 'listening', address: router.address });
  shutdownOnSignals(() => router.stop(), { timeoutMs: STOP_MS, logger });
} catch (error) {
  giveUp(error);
}
