import { KvMeter } from '@cadastre/contracts';
import { Histogram } from '@cadastre/runtime';

/** What is counted as it happens, in plain numbers. Everything else is looked up when somebody asks. */
export class AgentMeters {
  readonly kv = new KvMeter();
  readonly commitSeconds = new Histogram();
  readonly leadPauseSeconds = new Histogram();
  inSyncGrown = 0;
  inSyncShrunk = 0;
  writePauses = 0;
}
