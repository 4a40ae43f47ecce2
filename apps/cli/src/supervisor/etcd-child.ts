import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { CadastreError } from '@cadastre/core';
import type { Clock } from '@cadastre/runtime';
import { delay } from '@cadastre/runtime';
import type { ChildHost } from './managed-child.js';
import { ManagedChild } from './managed-child.js';
import { askHttp } from '../ask-http.js';
import type { EtcdSecurity } from './local-security.js';
import type { FoundEtcd } from './programs.js';

type ChildEnv = Readonly<Record<string, string | undefined>>;

export interface EtcdPorts {
  readonly clientPort: number;
  readonly peerPort: number;
}

/** One etcd on the loopback, for one machine: a real installation brings its own three or five. */
export const etcdChild = (
  etcd: FoundEtcd,
  folder: string,
  ports: EtcdPorts,
  env: ChildEnv,
  host: ChildHost,
  security: EtcdSecurity | undefined,
): ManagedChild => {
  const dataDir = join(folder, 'etcd-data');
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const scheme = security ? 'https' : 'http';
  const client = `${scheme}://127.0.0.1:${ports.clientPort}`;
  const peer = `${scheme}://127.0.0.1:${ports.peerPort}`;
  const flags: Record<string, string> = {
    '--name': 'cadastre',
    '--data-dir': dataDir,
    '--listen-client-urls': client,
    '--advertise-client-urls': client,
    '--listen-peer-urls': peer,
    '--initial-advertise-peer-urls': peer,
    '--initial-cluster': `cadastre=${peer}`,
    '--auto-compaction-mode': 'periodic',
    '--auto-compaction-retention': '1h',
    // etcd's own default, said aloud: what control planes compare with by default.
    '--quota-backend-bytes': String(2 * 1024 ** 3),
    '--log-level': 'warn',
    ...security?.flags,
  };
  const args = Object.entries(flags).map(([flag, value]) => `${flag}=${value}`);
  // etcd refuses architectures that it does not test on, unless told that we know
  const childEnv = { ...env, ETCD_UNSUPPORTED_ARCH: process.arch };
  return new ManagedChild(
    { name: 'etcd', command: etcd.path, args, logFile: join(folder, 'logs', 'etcd.log'), env: childEnv },
    host,
  );
};

/** @throws CadastreError UNAVAILABLE when it is not healthy within `timeoutMs` */
export const untilEtcdHealthy = async (
  endpoint: string,
  clock: Clock,
  child: ManagedChild,
  security: EtcdSecurity | undefined,
  timeoutMs = 20_000,
): Promise<void> => {
  const deadline = clock.monotonicMs() + timeoutMs;
  for (;;) {
    if (await isHealthy(endpoint, security)) return;
    if (clock.monotonicMs() > deadline)
      throw new CadastreError('UNAVAILABLE', `etcd at ${endpoint} is not healthy after ${timeoutMs} ms`, {
        remedy: `see ${child.spec.logFile}`,
      });
    await delay(clock, 100);
  }
};

const isHealthy = async (endpoint: string, security: EtcdSecurity | undefined): Promise<boolean> => {
  try {
    const reply = await askHttp(`${endpoint}/health`, { timeoutMs: 1_000, tls: security?.client });
    return reply.ok && String((JSON.parse(reply.text) as { health?: unknown }).health) === 'true';
  } catch {
    return false;
  }
};
