/** Older servers have known faults that cost data or leases; see docs/operations.md. */
const OLDEST_GOOD = [3, 5] as const;

const isOld = (version: string): boolean => {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major < OLDEST_GOOD[0] || (major === OLDEST_GOOD[0] && minor < OLDEST_GOOD[1]);
};

/** Version of the first endpoint that says one. A server that wants certificates does not: the control planes will find out. */
export const askEtcdVersion = async (endpoints: readonly string[], timeoutMs = 2_000): Promise<string | undefined> => {
  for (const endpoint of endpoints) {
    try {
      const reply = await fetch(new URL('/version', endpoint), { signal: AbortSignal.timeout(timeoutMs) });
      const { etcdserver } = (await reply.json()) as { etcdserver?: string };
      if (etcdserver) return etcdserver;
    } catch {
      continue;
    }
  }
  return undefined;
};

/** One clear line on which etcd runs. */
export const describeEtcd = (endpoints: readonly string[], version: string | undefined): string => {
  const where = endpoints.join(', ');
  if (version === undefined) return `etcd of unknown version (yours): ${where}`;
  const warning = isOld(version) ? '; WARNING: older than 3.5, which is out of support and has known faults' : '';
  return `etcd ${version} (yours): ${where}${warning}`;
};
