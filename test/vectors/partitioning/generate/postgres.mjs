// Both ends of postgres.sh: `keys` prints them for COPY, `write` reads PostgreSQL's answers.
import { readFileSync } from 'node:fs';
import { byteKeys, empty, int4s, int8s, uuids, write } from './keys.mjs';

// PostgreSQL's text holds no NUL byte.
const texts = [empty, ...byteKeys.filter((key) => !key.includes(0))].map((key) => key.toString('hex'));

if (process.argv[2] === 'keys') {
  const line = (preset) => (value) => `${preset}\t${value}\n`;
  const lines = [
    ...texts.map(line('citus-text')),
    ...int4s.map(line('citus-int4')),
    ...int8s.map(line('citus-int8')),
    ...uuids.map(line('citus-uuid')),
  ];
  process.stdout.write(`${lines.join('')}\\.\n`);
} else {
  const rows = readFileSync(0, 'utf8').trim().split('\n').map((line) => line.split('|'));
  const version = rows[0][2];
  const typed = { 'citus-int4': 'int4', 'citus-int8': 'int8', 'citus-uuid': 'uuid' };
  const functions = { 'citus-text': 'hashtext', 'citus-int4': 'hashint4', 'citus-int8': 'hashint8', 'citus-uuid': 'uuid_hash' };
  for (const [preset, name] of Object.entries(functions)) {
    const cases = rows
      .filter((row) => row[0] === preset)
      .map(([, value, token]) => ({ key: typed[preset] ? { [typed[preset]]: value } : value, token }));
    write(preset, { name: `PostgreSQL, ${name}`, version }, {}, cases);
  }
}
