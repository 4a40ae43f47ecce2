import { CadastreError } from '@cadastre/core';
import type { Wire } from '@cadastre/contracts';
import { callUnary, encodeSpec } from '@cadastre/contracts';
import type { KeyspaceSpec } from '@cadastre/core';
import type { Random } from '@cadastre/runtime';
import { seededRandom } from '@cadastre/runtime';
import type { World } from './world.js';

type Verb = 'approve' | 'reject' | 'pause' | 'resume' | 'cancel';

/** People at work: they propose, approve what they have read, drain nodes, change their minds. One act at a time. */
export class Operators {
  running = true;
  readonly counts = { proposed: 0, approved: 0 };
  private readonly random: Random;

  constructor(
    private readonly world: World,
    private readonly maxDrained: number,
  ) {
    this.random = seededRandom(world.options.seed ^ 0x55555555);
  }

  async createKeyspace(spec: KeyspaceSpec): Promise<void> {
    await this.call('CreateKeyspace', { spec: encodeSpec(spec), actor: 'ann' });
  }

  start(): void {
    const step = (): void => {
      if (!this.running) return;
      void this.act().then(() => this.later(500 + this.random() * 4000, step));
    };
    this.later(this.random() * 3000, step);
  }

  /** Leaves nothing half done: what is paused goes on, what is drained comes back. */
  async tidyUp(): Promise<void> {
    this.running = false;
    const { state } = this.world.recorder;
    for (const { value } of state.nodes.values())
      if (value.adminState === 'draining')
        await this.quietly('DrainNode', { id: value.entry.id, undo: true, actor: 'ann' });
    for (const { head } of state.plans.values()) if (head.state === 'paused') await this.onPlan(head.id, 'resume');
  }

  drain(id: string): Promise<unknown> {
    return this.quietly('DrainNode', { id, actor: 'ben', reason: 'simulated' });
  }

  propose(): Promise<unknown> {
    return this.quietly('ProposePlan', { keyspaces: [], actor: 'ann', reason: 'simulated' });
  }

  approve(id: string): Promise<unknown> {
    return this.onPlan(id, 'approve');
  }

  pause(id: string): Promise<unknown> {
    return this.onPlan(id, 'pause');
  }

  cancel(id: string): Promise<unknown> {
    return this.onPlan(id, 'cancel');
  }

  quarantine(quarantineMs: number): Promise<unknown> {
    return this.quietly('ChangeSettings', { quarantineMs, actor: 'ann', reason: 'simulated' });
  }

  private act(): Promise<unknown> {
    const { state } = this.world.recorder;
    const open = [...state.plans.values()].filter(
      (p) => !['completed', 'cancelled', 'failed', 'rejected', 'superseded', 'expired'].includes(p.head.state),
    );
    const plan = open.at(-1);
    const dice = this.random();
    // Somebody with an old page open.
    const ended = [...state.plans.keys()].find((id) => !open.some((p) => p.head.id === id));
    if (ended && dice > 0.93) return this.onPlan(ended, 'approve');
    if (plan?.head.state === 'proposed') return this.onPlan(plan.head.id, dice < 0.85 ? 'approve' : 'reject');
    if (plan?.head.state === 'paused') return this.onPlan(plan.head.id, dice < 0.8 ? 'resume' : 'cancel');
    if (plan && dice < 0.15) return this.onPlan(plan.head.id, 'cancel');
    if (plan && dice < 0.3) return this.onPlan(plan.head.id, 'pause');
    if (plan) return Promise.resolve();
    if (dice < 0.5) return this.drainOrNot();
    this.counts.proposed += 1;
    return this.quietly('ProposePlan', { keyspaces: [], actor: 'ann', reason: 'simulated' });
  }

  private drainOrNot(): Promise<unknown> {
    const nodes = [...this.world.recorder.state.nodes.values()];
    const drained = nodes.filter((n) => n.value.adminState === 'draining');
    const undo = drained.length > 0 && (drained.length >= this.maxDrained || this.random() < 0.5);
    const from = undo ? drained : nodes.filter((n) => n.value.adminState !== 'draining');
    const node = from[Math.floor(this.random() * from.length)];
    if (!node || (!undo && this.maxDrained === 0)) return Promise.resolve();
    return this.quietly('DrainNode', { id: node.value.entry.id, undo, actor: 'ben', reason: 'simulated' });
  }

  private onPlan(id: string, action: Verb): Promise<unknown> {
    const digest = this.world.recorder.state.plans.get(id)?.head.digest ?? '';
    if (action === 'approve') this.counts.approved += 1;
    return this.quietly('ActOnPlan', { id, action, actor: 'carla', reason: 'simulated', digest });
  }

  private quietly(method: string, request: object): Promise<unknown> {
    this.world.trace.note(`operator ${method} ${JSON.stringify(request).slice(0, 120)}`);
    return this.call(method, request).catch((error: unknown) => {
      const { code, message } = CadastreError.from(error);
      this.world.trace.note(`operator refused ${code}: ${message.slice(0, 160)}`);
      if (code === 'INTERNAL') this.world.violation(`an operator was told INTERNAL: ${message}`);
    });
  }

  /** At any replica, as the dashboard does. */
  private call(method: string, request: object): Promise<unknown> {
    const planes = [...this.world.planes.keys()];
    const { operator } = this.world.operatorPeer(planes[Math.floor(this.random() * planes.length)]!);
    const send = (operator as unknown as Record<string, never>)[method]!;
    return callUnary<object, Wire.StatusReply__Output>(operator, send, request, { deadlineMs: 5_000 });
  }

  private later(ms: number, task: () => void): void {
    this.world.operator.later(ms, 'operator', task);
  }
}
