import { describe, expect, it } from '@jest/globals';
import { silentLogger, systemClock } from '@cadastre/runtime';
import type { Store, StoreStatus } from '@cadastre/store';
import { StoreCare } from './store-care.driver.js';

const MIB = 1024 ** 2;
const fine: StoreStatus = {
  version: '3.5.16',
  clusterId: 'c',
  memberId: 'm',
  leader: 'm',
  dbSizeBytes: MIB,
  dbSizeInUseBytes: MIB,
  alarms: [],
  endpoint: 'e',
};

describe('StoreCare', () => {
  it('tells once of what begins and of what is over, and keeps the last picture while etcd is away', async () => {
    // Plan: fine, an alarm twice, out of reach, fine again; look by hand, read log and concerns after each.
    const said: string[] = [];
    const say = (level: string) => (_: string, fields?: Record<string, unknown>) =>
      said.push(`${level} ${String(fields?.['event'])} ${String(fields?.['concern'])}`);
    const alarmed = { ...fine, alarms: ['NOSPACE@m'] };
    const answers: (StoreStatus | undefined)[] = [fine, alarmed, alarmed, undefined, fine];
    const store = {
      status: () => {
        const next = answers.shift();
        return next ? Promise.resolve(next) : Promise.reject(new Error('away'));
      },
    };
    const care = new StoreCare({
      store: store as unknown as Store,
      clock: systemClock,
      logger: { ...silentLogger, info: say('info'), warn: say('warn'), error: say('error') },
      quotaBytes: 100 * MIB,
    });
    expect(care.status).toBeUndefined();
    await care.look();
    expect(care.concerns).toEqual([]);
    await care.look();
    await care.look();
    await care.look();
    expect(care.concerns.map((c) => c.id)).toEqual(['alarm-NOSPACE']);
    expect(care.status).toEqual(alarmed);
    await care.look();
    expect(care.concerns).toEqual([]);
    expect(said).toEqual(['error etcd-concern alarm-NOSPACE', 'info etcd-concern-over alarm-NOSPACE']);
  });
});
