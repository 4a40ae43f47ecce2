import type { StoreStatus } from './store.js';

export const CONCERN_LEVELS = ['critical', 'warning'] as const;
export type ConcernLevel = (typeof CONCERN_LEVELS)[number];

/** What an operator should do something about, in words that say why. */
export interface StoreConcern {
  /** Stays the same while the concern lasts: `alarm-NOSPACE`, `size`, `version`. */
  readonly id: string;
  readonly level: ConcernLevel;
  readonly what: string;
  readonly remedy: string;
}

/** etcd's own default of `--quota-backend-bytes`: 2 GiB. */
export const ETCD_DEFAULT_QUOTA_BYTES = 2 * 1024 ** 3;
/** Above this share of its quota there is time left to act, but not much. */
const QUOTA_SHARE = 0.8;

/** The worst first. `quotaBytes` is what the members were started with: etcd before 3.6 does not tell it. */
export const concernsOf = (status: StoreStatus, quotaBytes: number): StoreConcern[] =>
  [...alarmConcerns(status.alarms), ...sizeConcern(status, quotaBytes), ...versionConcern(status.version)].sort(
    (a, b) => CONCERN_LEVELS.indexOf(a.level) - CONCERN_LEVELS.indexOf(b.level),
  );

const ALARMS: Readonly<Record<string, { readonly what: string; readonly remedy: string }>> = {
  NOSPACE: {
    what: 'etcd has used up its quota and takes no more writes: data is served, but no map, plan or session changes',
    remedy:
      'etcdctl compact REVISION, etcdctl defrag for each member, then etcdctl alarm disarm; start members with a larger --quota-backend-bytes',
  },
  CORRUPT: {
    what: 'members of etcd hold different data: what one of them answers cannot be trusted',
    remedy:
      'stop the member that is named, remove it and add it anew with an empty disk; if most are damaged: cadastre restore',
  },
};

/** `KIND@member` */
const alarmConcerns = (alarms: readonly string[]): StoreConcern[] => {
  const members = new Map<string, string[]>();
  for (const alarm of alarms) {
    const [kind = '', member = '?'] = alarm.split('@');
    members.set(kind, [...(members.get(kind) ?? []), member]);
  }
  return [...members].map(([kind, at]) => {
    const known = ALARMS[kind] ?? { what: `etcd has raised the alarm ${kind}`, remedy: 'see etcdctl alarm list' };
    return {
      id: `alarm-${kind}`,
      level: 'critical',
      what: `${known.what} (alarm ${kind} of member ${at.join(', ')})`,
      remedy: known.remedy,
    };
  });
};

const sizeConcern = ({ dbSizeBytes, dbSizeInUseBytes }: StoreStatus, quotaBytes: number): StoreConcern[] => {
  if (dbSizeBytes < quotaBytes * QUOTA_SHARE) return [];
  const free = dbSizeInUseBytes < dbSizeBytes / 2;
  return [
    {
      id: 'size',
      level: 'warning',
      what: `etcd's database has ${mib(dbSizeBytes)} of ${mib(quotaBytes)}, of which ${mib(dbSizeInUseBytes)} are in use`,
      remedy: free
        ? 'etcdctl defrag, one member after the other, gives the rest back'
        : 'start members with a larger --quota-backend-bytes and say so with --etcd-quota-bytes; drop keyspaces that nobody needs',
    },
  ];
};

const mib = (bytes: number): string => `${Math.round(bytes / 1024 ** 2)} MiB`;

/** Faults that can cost data or leases, by the first patch of a line that is free of them (etcd's changelogs). */
const FAULTS: readonly {
  readonly line: string;
  readonly from: number;
  readonly fixedIn: number;
  readonly what: string;
}[] = [
  {
    line: '3.5',
    from: 0,
    fixedIn: 3,
    what: 'a member that crashes under load may come back with other data than the rest',
  },
  {
    line: '3.4',
    from: 0,
    fixedIn: 31,
    what: 'a leader that was paused revokes leases that are alive, and watches lose events after a compaction',
  },
  { line: '3.4', from: 0, fixedIn: 32, what: 'revisions go back after a crash in a compaction' },
  { line: '3.4', from: 20, fixedIn: 42, what: 'a read after a pause may be stale' },
];

const versionConcern = (version: string): StoreConcern[] => {
  const [, major, minor, patch] = /^(\d+)\.(\d+)\.(\d+)/.exec(version)?.map(Number) ?? [];
  if (major === undefined || minor === undefined || patch === undefined) return [];
  const line = `${major}.${minor}`;
  const faults = FAULTS.filter((f) => f.line === line && patch >= f.from && patch < f.fixedIn).map((f) => f.what);
  const unsupported = major < 3 || (major === 3 && minor < 5);
  if (!unsupported && faults.length === 0) return [];
  const reasons = [...(unsupported ? [`${line} is out of support`] : []), ...faults];
  return [
    {
      id: 'version',
      level: 'warning',
      what: `etcd ${version} should not carry a register: ${reasons.join('; ')}`,
      remedy: 'upgrade its members one at a time to the latest 3.5 or 3.6',
    },
  ];
};
