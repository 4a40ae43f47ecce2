import { registerChanged } from '../store-errors.js';
import type { Revision } from '../store.js';
import type { WireHeader } from './wire.js';

/** Remembers which register this is and how far it had come, so that no answer of another one is ever applied. */
export class RegisterGuard {
  private newest: Revision = 0n;

  constructor(private clusterId?: string) {}

  /** What a linearizable call sent now has to reach. */
  get floor(): Revision {
    return this.newest;
  }

  /** @throws the register-changed error */
  checkCluster(header: WireHeader): void {
    this.clusterId ??= header.cluster_id;
    if (header.cluster_id !== this.clusterId) throw registerChanged('cluster-id', this.clusterId, header.cluster_id);
  }

  /** For linearizable answers: `floor` as it was when the call was sent. @throws the register-changed error */
  checkLinearizable(header: WireHeader, floor: Revision): void {
    this.checkCluster(header);
    const revision = BigInt(header.revision);
    if (revision < floor) throw registerChanged('revision-regression', `>= ${floor}`, `${revision}`);
    this.raise(revision);
  }

  raise(revision: Revision): void {
    if (revision > this.newest) this.newest = revision;
  }
}
