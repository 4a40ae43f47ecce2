// Writes docs/configuration.md from the settings of each program: `node tools/configuration-docs.mjs`, or prints it with --print.
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { writeIfChanged } from './support/files.mjs';
import { isMain, root } from './support/paths.mjs';

const load = (path) => import(pathToFileURL(join(root, path)).href);

const PROGRAMS = [
  ['Control plane', 'apps/control-plane/dist/config.js'],
  ['Storage agent', 'apps/storage-agent/dist/config.js'],
  ['Router', 'apps/router/dist/config.js'],
  ['Labels from Kubernetes', 'apps/storage-agent/dist/node-labels/config.js'],
];

const HEAD = `# Configuration

Written by \`node tools/configuration-docs.mjs\` from the schemas that check the settings at start; \`--help\` of each program says the same.

A flag wins over its environment variable, and that over the JSON file that \`--config\` names (\`{"log-level": "warn", "label": ["zone=a"]}\`). Lists: a
flag is given several times or with commas where it takes addresses, a variable has commas, a file has lists. What is unknown, malformed or contradictory
stops the start with one line that names the setting. The command line's own options: \`cadastre --help\`.
`;

/** The whole page. Needs a build. */
export async function configurationDocs() {
  const { settingsOf } = await load('libs/service-kit/dist/index.js');
  const chapters = [];
  for (const [title, path] of PROGRAMS) {
    const { SETTINGS } = await load(path);
    const rows = settingsOf(SETTINGS).map((s) => [
      `\`${s.flag}\``,
      `\`${s.variable}\``,
      s.required ? 'required' : code(s.byDefault),
      [s.help, s.limits && `(${s.limits})`].filter(Boolean).join(' '),
    ]);
    const table = tableOf(['flag', 'variable', 'default', 'what it says'], rows);
    chapters.push(`\n## ${title}\n\`${SETTINGS.program}\`\n\n${table}`);
  }
  return `${HEAD}${chapters.join('')}${await accessChapter()}`;
}

async function accessChapter() {
  const { accessSchema } = await load('apps/control-plane/dist/access/access-config.js');
  const { z } = await import('zod');
  const schema = z.toJSONSchema(accessSchema, { io: 'input', unrepresentable: 'any' });
  const table = tableOf(['field', 'kind', 'default'], [...fieldsOf(schema)]);
  return `
## Access file
JSON, named by \`--access-file\` of the control plane; secrets are named as files, never written here.

${table}`;
}

function* fieldsOf({ properties = {}, required = [] }, before = '') {
  for (const [name, property] of Object.entries(properties)) {
    const path = `${before}${name}`;
    const wanted = required.includes(name) && property.default === undefined;
    yield [`\`${path}\``, kindOf(property), wanted ? 'required' : code(property.default)];
    if (property.properties) yield* fieldsOf(property, `${path}.`);
  }
}

function kindOf(property) {
  if (property.enum) return property.enum.join(', ');
  if (property.type === 'array') return `list of ${kindOf(property.items ?? {})}`;
  if (property.type === 'object' && property.additionalProperties)
    return `for each name a ${kindOf(property.additionalProperties)}`;
  const range = [property.exclusiveMinimum, property.maximum];
  return range.every((end) => end !== undefined)
    ? `number above ${range[0]}, at most ${range[1]}`
    : (property.type ?? 'string');
}

const code = (value) => {
  if (value === undefined || value === '') return '';
  return `\`${Array.isArray(value) ? value.join(',') : value}\``;
};

function tableOf(head, rows) {
  const line = (cells) => `| ${cells.join(' | ')} |\n`;
  return line(head) + line(head.map(() => '---')) + rows.map(line).join('');
}

if (isMain(import.meta.url)) {
  const text = await configurationDocs();
  if (process.argv.includes('--print')) process.stdout.write(text);
  else writeIfChanged(join(root, 'docs', 'configuration.md'), text);
}
