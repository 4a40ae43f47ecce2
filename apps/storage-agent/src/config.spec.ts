import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { agentConfig } from './config.js';

// Plan: a full command line compiles; the environment fills in what flags leave out; each wrong one is refused in one line naming the flag.
const good = [
  '--id',
  'n1',
  '--data',
  '/d',
  '--control-plane',
  'a:1,b:2',
  '--label',
  'zone=a',
  '--label',
  'rack=r1',
  '--weight',
  '2',
  '--insecure',
];

describe('agentConfig', () => {
  // Plan: a file of labels stands behind the flags; each wrong line, and a file that is not there, is refused by name.
  it('takes labels from a file for what no flag says', () => {
    const folder = mkdtempSync(join(tmpdir(), 'cadastre-labels-'));
    const file = join(folder, 'labels');
    const read = (text: string) => {
      writeFileSync(file, text);
      return agentConfig([...good, '--label-file', file], {}).labels;
    };
    expect(read('zone=b\nregion=eu\n')).toEqual({ zone: 'a', rack: 'r1', region: 'eu' });
    expect(read('')).toEqual({ zone: 'a', rack: 'r1' });
    expect(() => read('zone\n')).toThrow(/--label-file: .*"zone" is not name=value/);
    rmSync(folder, { recursive: true });
    expect(() => agentConfig([...good, '--label-file', file], {})).toThrow(/--label-file: .*ENOENT/);
  });

  it('compiles flags, lists and defaults', () => {
    expect(agentConfig(good, {})).toMatchObject({
      id: 'n1',
      dataDir: '/d',
      host: '127.0.0.1',
      port: 0,
      controlPlane: ['a:1', 'b:2'],
      labels: { zone: 'a', rack: 'r1' },
      weight: 2,
    });
  });

  it('reads the environment, and a flag wins over it', () => {
    const env = {
      CADASTRE_AGENT_ID: 'n9',
      CADASTRE_AGENT_DATA: '/e',
      CADASTRE_AGENT_CONTROL_PLANE: 'c:3',
      CADASTRE_AGENT_LABEL: 'zone=b,rack=r2',
      CADASTRE_AGENT_INSECURE: 'true',
    };
    expect(agentConfig(['--id', 'n1'], env)).toMatchObject({
      id: 'n1',
      dataDir: '/e',
      controlPlane: ['c:3'],
      labels: { zone: 'b', rack: 'r2' },
    });
  });

  it.each([
    ['an unknown flag', [...good, '--wat'], '--wat'],
    ['a missing id', good.slice(2), '--id'],
    ['a weight of zero', [...good, '--weight', '0'], '--weight'],
    ['a weight that is no number', [...good, '--weight', 'much'], '--weight'],
    ['a label without value', [...good, '--label', 'zone'], '--label'],
    ['two values of one label', [...good, '--label', 'zone=b'], '--label'],
    ['an address without port', [...good, '--listen', 'localhost'], '--listen'],
    ['a port above 65535', [...good, '--listen', 'localhost:70000'], '--listen'],
    ['listening everywhere without an address for others', [...good, '--listen', '0.0.0.0:1'], '--advertise'],
    ['a stray word', [...good, 'word'], 'word'],
    ['plaintext without being told to', good.filter((flag) => flag !== '--insecure'), '--tls-cert: is missing'],
    ['a certificate without its key', [...good.slice(0, -1), '--tls-cert', 'c', '--tls-ca', 'a'], '--tls-key'],
    ['plaintext and a certificate', [...good, '--tls-ca', 'a'], '--tls-ca: contradicts --insecure'],
  ])('refuses %s', (_what, argv, named) => {
    expect(() => agentConfig(argv, {})).toThrow(named);
    expect(() => agentConfig(argv, {})).not.toThrow('\n');
  });
});
