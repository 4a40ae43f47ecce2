import { describe, expect, it } from '@jest/globals';
import type { DetectorAction } from './detector.machine.js';
import { Detector, DETECTOR_DEFAULTS } from './detector.machine.js';
import type { ProbeOutcome } from './probe-outcome.js';
import type { NodeSight } from './probers.js';
import { chooseProbers } from './probers.js';

const ZONES = ['a', 'b', 'c'];
const sight = (i: number, over: Partial<NodeSight> = {}): NodeSight => ({
  id: `n${i}`,
  zone: ZONES[(i - 1) % 3]!,
  session: `s${i}`,
  departed: false,
  ...over,
});

/** A detector over six nodes whose probes are answered by `find`. */
class Scene {
  now = 1_000_000;
  readonly detector = new Detector(DETECTOR_DEFAULTS, this.now - 60_000);
  readonly log: DetectorAction[] = [];
  find: (node: string, by: string) => ProbeOutcome = () => 'answered';
  nodes = [1, 2, 3, 4, 5, 6].map((i) => sight(i));

  constructor() {
    this.look();
  }

  look(): void {
    this.perform(this.detector.onEvent({ type: 'world', nodes: this.nodes }, this.now));
    this.perform(this.detector.onAdvance(this.now));
  }

  set(i: number, over: Partial<NodeSight>): void {
    this.nodes = this.nodes.map((n) => (n.id === `n${i}` ? { ...n, ...over } : n));
    this.look();
  }

  suspect(node: string, by = 'n2'): void {
    this.perform(this.detector.onEvent({ type: 'suspected', node, by, why: 'stream broke' }, this.now));
    this.perform(this.detector.onAdvance(this.now));
  }

  /** Lets time pass, as far as the detector asks to be woken. */
  run(ms: number): void {
    const end = this.now + ms;
    for (let at = this.detector.wakeAt(); at !== undefined && at <= end; at = this.detector.wakeAt()) {
      this.now = Math.max(this.now + 1, at);
      this.perform(this.detector.onAdvance(this.now));
    }
    this.now = end;
    this.look();
  }

  private perform(actions: readonly DetectorAction[]): void {
    for (const action of actions) {
      this.log.push(action);
      if (action.type !== 'probe') continue;
      const { node, round } = action;
      for (const by of action.by)
        this.perform(
          this.detector.onEvent({ type: 'probed', node, round, by, outcome: this.find(node, by) }, this.now),
        );
    }
  }

  get dead(): string[] {
    return [...this.detector.dead().keys()];
  }
}

describe('Detector', () => {
  // Plan: a hint on a node that answers; it is looked at once and nothing follows.
  it('takes no hint for a fact', () => {
    const scene = new Scene();
    scene.suspect('n1');
    scene.run(60_000);
    expect(scene.dead).toEqual([]);
    expect(scene.log.map((a) => a.type)).toEqual(['doubt', 'probe', 'alive']);
  });

  // Plan: the process is gone and its host refuses; it is dead after the time in which losses are gathered, and long before a lease ends.
  it('finds a refused node dead at once', () => {
    const scene = new Scene();
    scene.find = (node) => (node === 'n1' ? 'refused' : 'answered');
    scene.suspect('n1');
    scene.run(DETECTOR_DEFAULTS.gatherMs - 1);
    expect(scene.dead).toEqual([]);
    scene.run(2);
    expect(scene.dead).toEqual(['n1']);
    expect(scene.detector.dead().get('n1')).toContain('connection refused');
  });

  // Plan: all but one place find it refused, that one has an answer: it lives.
  it('lets one answer outweigh every refusal', () => {
    const scene = new Scene();
    scene.find = (_node, by) => (by === '' ? 'answered' : 'refused');
    scene.suspect('n1');
    scene.run(60_000);
    expect(scene.dead).toEqual([]);
  });

  // Plan: a silent node (stopped, or cut off) is dead only after the whole time of silence, and a single answer begins it anew.
  it('needs silence towards all for the whole time', () => {
    const scene = new Scene();
    scene.find = (node) => (node === 'n1' ? 'silent' : 'answered');
    scene.suspect('n1');
    scene.run(DETECTOR_DEFAULTS.silenceMs - 200);
    expect(scene.dead).toEqual([]);
    scene.find = () => 'answered';
    scene.run(600);
    expect(scene.dead).toEqual([]);
    scene.find = (node) => (node === 'n1' ? 'silent' : 'answered');
    scene.suspect('n1');
    scene.run(DETECTOR_DEFAULTS.silenceMs - 600);
    expect(scene.dead).toEqual([]);
    scene.run(2_000);
    expect(scene.dead).toEqual(['n1']);
  });

  // Plan: the controller cannot reach anyone; nobody is dead on its word alone.
  it('does not trust itself when it may be the one that is cut off', () => {
    const scene = new Scene();
    scene.find = (_node, by) => (by === '' ? 'silent' : 'unsure');
    for (const { id } of scene.nodes) scene.suspect(id, 'controller');
    scene.run(60_000);
    expect(scene.dead).toEqual([]);
  });

  // Plan: every session ends at once (a mass loss of leases) while all processes live: nobody dies; then one really does and is found.
  it('gets over a mass loss of leases', () => {
    const scene = new Scene();
    scene.nodes = scene.nodes.map((n) => ({ ...n, session: undefined }));
    scene.look();
    scene.run(20_000);
    expect(scene.dead).toEqual([]);
    scene.find = (node, by) => (node === 'n1' ? 'refused' : by === 'n1' ? 'unsure' : 'answered');
    scene.run(2_000);
    expect(scene.dead).toEqual(['n1']);
  });

  // Plan: a node says goodbye; it is dead at once. With a new session it is there again.
  it('believes a goodbye, and a return', () => {
    const scene = new Scene();
    scene.set(1, { session: undefined, departed: true });
    expect(scene.dead).toEqual(['n1']);
    scene.set(1, { session: 's1b', departed: false });
    expect(scene.dead).toEqual([]);
  });

  // Plan: a new controller has never seen a node; its absence means nothing for a while, then it does.
  it('gives a node that was never seen time to come', () => {
    const now = 5_000;
    const detector = new Detector(DETECTOR_DEFAULTS, now);
    const nodes = [sight(1, { session: undefined }), sight(2), sight(3)];
    detector.onEvent({ type: 'world', nodes }, now);
    detector.onEvent({ type: 'suspected', node: 'n1', by: 'n2', why: 'stream broke' }, now + 10);
    expect(detector.doubted()).toEqual([]);
    detector.onEvent({ type: 'world', nodes }, now + DETECTOR_DEFAULTS.settleMs);
    expect(detector.doubted()).toEqual(['n1']);
  });

  // Plan: three nodes break within the time of gathering; all are in doubt before the first is dead, so that the brake sees them together.
  it('shows losses with one cause together', () => {
    const scene = new Scene();
    scene.find = (node, by) =>
      ['n1', 'n2', 'n3'].includes(node) ? 'refused' : ['n1', 'n2', 'n3'].includes(by) ? 'unsure' : 'answered';
    scene.suspect('n1', 'n4');
    scene.run(50);
    scene.suspect('n2', 'n4');
    scene.suspect('n3', 'n4');
    scene.run(DETECTOR_DEFAULTS.gatherMs - 50 - 1);
    expect(scene.dead).toEqual([]);
    expect(scene.detector.doubted()).toEqual(['n1', 'n2', 'n3']);
    scene.run(DETECTOR_DEFAULTS.gatherMs);
    expect(scene.dead).toEqual(['n1', 'n2', 'n3']);
  });
});

describe('chooseProbers', () => {
  // Plan: six nodes in three zones, three places asked: three zones, the target's own last, others in the next round.
  it('asks in as many zones as there are', () => {
    const fit = [2, 3, 4, 5, 6].map((i) => ({ id: `n${i}`, zone: ZONES[(i - 1) % 3]! }));
    const first = chooseProbers({ id: 'n1', zone: 'a' }, fit, 3, 0);
    expect(first).toEqual(['n2', 'n3', 'n4']);
    expect(chooseProbers({ id: 'n1', zone: 'a' }, fit, 3, 1)).toEqual(['n5', 'n6', 'n4']);
    expect(chooseProbers({ id: 'n1', zone: 'a' }, [], 3, 0)).toEqual([]);
  });
});
