import type { Clock, Logger, NewId } from '@cadastre/runtime';
import type { Register, Store } from '@cadastre/store';
import { Access } from './access.js';
import { readAccessConfig } from './access-config.js';
import { openBearers } from './bearer.js';
import { ClientAddresses } from './client-address.js';
import { AccessDirectory } from './directory.js';
import type { Guarded } from './identify.js';
import { Oidc } from './oidc.js';

export interface AccessSurroundings {
  readonly store: Store;
  readonly register: Register;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly newId: NewId;
  readonly onFatal: (error: Error) => void;
  readonly trustedProxies: readonly string[];
}

export interface OpenedAccess {
  readonly guarded: Guarded;
  close(): void;
}

const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;

/** Reads the file and the register's users. @throws CadastreError INVALID_ARGUMENT naming the field of the file */
export const openAccess = async (file: string, around: AccessSurroundings): Promise<OpenedAccess> => {
  const config = await readAccessConfig(file);
  const { store, register, clock, logger, newId, onFatal, trustedProxies } = around;
  const directory = new AccessDirectory(store, logger, onFatal);
  const sessionMs = config.sessionHours * HOUR_MS;
  const access = new Access({ store, register, directory, clock, logger, newId, sessionMs });
  const bearers = await openBearers(config, { access, clock, logger });
  await directory.start();
  return {
    guarded: {
      access,
      bearers,
      certificates: config.certificates,
      addresses: new ClientAddresses(trustedProxies),
      proveAgainMs: config.proveAgainMinutes * MINUTE_MS,
      ...(config.oidc && { oidc: new Oidc(config.oidc, access, { clock, logger, sessionMs }) }),
    },
    close: () => directory.stop(),
  };
};
