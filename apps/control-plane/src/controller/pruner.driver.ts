import { isFinal } from '@cadastre/core';
import type { Clock, Logger, MonotonicMs } from '@cadastre/runtime';
import type { Compare, Draft, PlanView, Register, RegisterState, Store } from '@cadastre/store';
import { auditCodec, compare, keys, op } from '@cadastre/store';

export interface PrunerOptions {
  readonly store: Store;
  readonly register: Register;
  readonly clock: Clock;
  /** What is pruned is written here first, whole: the log is the archive. */
  readonly logger: Logger;
  readonly auditKeep?: number;
  readonly plansKeep?: number;
}

const EVERY_MS = 60_000;
/** Of etcd's 128 operations a transaction. */
const ENTRIES_A_TXN = 100;
const AUDIT_KEEP = 50_000;
const PLANS_KEEP = 200;

/** Bounds what would grow for ever: the newest audit entries and ended plans stay, older ones go to the log and then leave the register. */
export class Pruner {
  private lookedAt: MonotonicMs = Number.NEGATIVE_INFINITY;

  constructor(private readonly options: PrunerOptions) {}

  async round(fence: Compare): Promise<void> {
    const now = this.options.clock.monotonicMs();
    if (now - this.lookedAt < EVERY_MS) return;
    const more = await this.pruneAudit(fence);
    await this.prunePlans(fence);
    // A batch was full: the next round goes on.
    if (!more) this.lookedAt = now;
  }

  private async pruneAudit(fence: Compare): Promise<boolean> {
    const { store, register, logger, auditKeep = AUDIT_KEEP } = this.options;
    const last = register.state.auditHead?.value.number ?? 0;
    if (last <= auditKeep) return false;
    const { kvs } = await store.range(keys.auditEntries, { limit: ENTRIES_A_TXN });
    const old = kvs.map((kv) => ({ key: kv.key, entry: auditCodec.decode(kv.value) }));
    const due = old.filter(({ entry }) => entry.number <= last - auditKeep);
    if (due.length === 0) return false;
    for (const { entry } of due) logger.info('audit entry leaves the register', { event: 'audit-export', entry });
    const [first, end] = [due[0]!.entry.number, due.at(-1)!.entry.number];
    await register.commit(
      (): Draft<void> => ({
        compare: due.map(({ key }) => compare.exists(key)),
        ops: due.map(({ key }) => op.delete(key)),
        result: undefined,
        audit: {
          actor: 'cadastre',
          verb: 'prune',
          subject: 'audit',
          reason: `the newest ${auditKeep} stay; the others stand in the log of this process`,
          before: `${first} to ${end}`,
        },
      }),
      fence,
    );
    return due.length === ENTRIES_A_TXN;
  }

  private async prunePlans(fence: Compare): Promise<void> {
    const { register, logger, plansKeep = PLANS_KEEP } = this.options;
    const old = endedPlans(register.state).slice(plansKeep, plansKeep + ENTRIES_A_TXN / 4);
    if (old.length === 0) return;
    for (const { head, body } of old) logger.info('plan leaves the register', { event: 'plan-export', head, body });
    await register.commit((state): Draft<void> => {
      const still = old.filter(({ head }) => state.plans.has(head.id));
      return {
        compare: still.map((p) =>
          compare.modRevision(keys.planHead(p.head.id), state.plans.get(p.head.id)!.headRevision),
        ),
        ops: still.flatMap(({ head }) => [op.deletePrefix(keys.plan(head.id)), op.deletePrefix(keys.movesOf(head.id))]),
        result: undefined,
        audit: {
          actor: 'cadastre',
          verb: 'prune',
          subject: 'plans',
          reason: `the newest ${plansKeep} that have ended stay; the others stand in the log of this process`,
          before: still.map((p) => `${p.head.id} ${p.head.state}`).join(', '),
        },
      };
    }, fence);
  }
}

const endedPlans = (state: RegisterState): PlanView[] =>
  [...state.plans.values()].filter((p) => isFinal(p.head.state)).sort((a, b) => b.head.createdMs - a.head.createdMs);
