import { CadastreError } from '@cadastre/core';
import { systemClock } from '@cadastre/runtime';
import { printHelp } from '@cadastre/service-kit';
import { nodeLabelsConfig, SETTINGS } from './config.js';
import { writeNodeLabels } from './node-labels.js';

if (printHelp(SETTINGS, process.argv.slice(2), process.stdout)) process.exit(0);
try {
  const config = nodeLabelsConfig(process.argv.slice(2), process.env);
  const { labels, unknown } = await writeNodeLabels(config, systemClock);
  process.stdout.write(`${JSON.stringify({ event: 'node-labels', node: config.node, labels, unknown })}\n`);
  if (unknown.length > 0)
    process.stderr.write(
      `node-labels: node ${config.node} does not say its ${unknown.join(', ')}: copies cannot be kept apart by that\n`,
    );
} catch (error) {
  const { message, remedy } = CadastreError.from(error);
  process.stderr.write(`node-labels: ${message}${remedy === undefined ? '' : ` (${remedy})`}\n`);
  process.exit(1);
}
