import type { DetectorAction, DetectorEvent, DetectorOptions, NodeSight } from '@cadastre/core';
import { Detector, DETECTOR_DEFAULTS, SELF } from '@cadastre/core';
import type { Cancellable, Clock, Logger, MonotonicMs } from '@cadastre/runtime';
import type { RegisterState } from '@cadastre/store';
import type { Observed } from './observed.js';
import type { Prober } from './prober.js';
import { isConnected } from './world.js';

export interface SuspicionsOptions {
  readonly prober: Prober;
  readonly observed: Observed;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly state: () => RegisterState;
  /** Somebody was found dead, or alive. */
  readonly onVerdict: () => void;
  readonly detector?: Partial<DetectorOptions>;
}

/** Reports come every second, or every few of a node with thousands of copies; a probe is cheap. */
const REPORT_SILENCE_MS = 3_000;
const LOOK_AT_REPORTS_MS = 500;

/** Performs what the detector decides; lives as long as one mandate, since what an older one saw may be long over. */
export class Suspicions {
  private readonly detector: Detector;
  private readonly startedAt: MonotonicMs;
  private timer: Cancellable | undefined;
  private readonly reportsTimer: Cancellable;
  private closed = false;

  constructor(private readonly options: SuspicionsOptions) {
    const { clock, detector } = options;
    this.startedAt = clock.monotonicMs();
    this.detector = new Detector({ ...DETECTOR_DEFAULTS, ...detector }, this.startedAt);
    this.reportsTimer = clock.every(LOOK_AT_REPORTS_MS, () => this.lookAtReports());
  }

  close(): void {
    this.closed = true;
    this.timer?.cancel();
    this.reportsTimer.cancel();
  }

  dead(): Map<string, string> {
    return this.detector.dead();
  }

  doubted(): string[] {
    return this.detector.doubted();
  }

  observe(state: RegisterState): void {
    this.tell({ type: 'world', nodes: sightsOf(state) });
  }

  suspect(node: string, by: string, why: string): void {
    this.tell({ type: 'suspected', node, by, why });
  }

  private lookAtReports(): void {
    const { observed, clock } = this.options;
    const state = this.options.state();
    const now = clock.monotonicMs();
    for (const node of state.nodes.keys()) {
      if (!isConnected(state, node)) continue;
      const silentMs = now - Math.max(observed.heardAt(node) ?? 0, this.startedAt);
      if (silentMs > REPORT_SILENCE_MS) this.suspect(node, 'controller', `no report for ${Math.round(silentMs)} ms`);
    }
    this.observe(state);
  }

  private tell(event: DetectorEvent): void {
    if (this.closed) return;
    const now = this.options.clock.monotonicMs();
    this.perform(this.detector.onEvent(event, now));
    this.perform(this.detector.onAdvance(now));
    this.rearm(now);
  }

  private rearm(now: MonotonicMs): void {
    this.timer?.cancel();
    const at = this.detector.wakeAt();
    if (at === undefined) return;
    this.timer = this.options.clock.after(
      Math.max(1, at - now),
      () => {
        const later = this.options.clock.monotonicMs();
        this.perform(this.detector.onAdvance(later));
        this.rearm(later);
      },
      { background: true },
    );
  }

  private perform(actions: readonly DetectorAction[]): void {
    const { logger, onVerdict } = this.options;
    for (const action of actions) {
      if (action.type === 'probe') this.probe(action);
      else if (action.type === 'doubt')
        logger.info('node in doubt', { node: action.node, by: action.by, why: action.why });
      else {
        if (action.type === 'dead') logger.warn('node is dead', { node: action.node, because: action.because });
        else logger.info('node answers', { node: action.node, to: action.by.map((id) => id || 'the controller') });
        onVerdict();
      }
    }
  }

  private probe({ node, round, by }: Extract<DetectorAction, { type: 'probe' }>): void {
    const { nodes } = this.options.state();
    const record = nodes.get(node)?.value;
    for (const id of by) {
      const through = id === SELF ? undefined : nodes.get(id)?.value.entry;
      const asked =
        !record || (id !== SELF && !through)
          ? Promise.resolve('unsure' as const)
          : this.options.prober.probe(through, {
              node,
              address: record.entry.address,
              incarnation: record.incarnation,
            });
      void asked.then((outcome) => this.tell({ type: 'probed', node, round, by: id, outcome }));
    }
  }
}

const sightsOf = (state: RegisterState): NodeSight[] =>
  [...state.nodes.values()].map(({ value }) => {
    const { id, labels } = value.entry;
    const session = isConnected(state, id) ? state.sessions.get(id)!.leaseId.toString(16) : undefined;
    return { id, zone: labels['zone'] ?? '', session, departed: state.departed.has(id) };
  });
