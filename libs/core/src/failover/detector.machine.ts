import type { NodeDoubt, NodeSight, ProberSight } from './probers.js';
import { chooseProbers, SELF } from './probers.js';
import type { ProbeOutcome } from './probe-outcome.js';

export interface DetectorOptions {
  /** Between the first doubt and a verdict, so that losses with one cause are seen together (see `brake`). */
  readonly gatherMs: number;
  /** From one round of probes of a node to the next. */
  readonly probeEveryMs: number;
  /** For so long all that can be asked must have found a node silent before it counts as dead: slow is not dead. */
  readonly silenceMs: number;
  readonly silentRounds: number;
  /** Other nodes asked in a round, of different zones; the controller itself looks too. */
  readonly probers: number;
  /** A node that has never been seen under this controller has this long to come. */
  readonly settleMs: number;
}

export const DETECTOR_DEFAULTS: DetectorOptions = {
  gatherMs: 150,
  probeEveryMs: 500,
  silenceMs: 5_000,
  silentRounds: 3,
  probers: 3,
  settleMs: 10_000,
};

export type DetectorEvent =
  /** The register as it is now: all nodes. */
  | { readonly type: 'world'; readonly nodes: readonly NodeSight[] }
  | { readonly type: 'suspected'; readonly node: string; readonly by: string; readonly why: string }
  | {
      readonly type: 'probed';
      readonly node: string;
      readonly round: number;
      readonly by: string;
      readonly outcome: ProbeOutcome;
    };

export type DetectorAction =
  /** Ask each of `by` ('' is this process itself) and answer each with `probed`. */
  | { readonly type: 'probe'; readonly node: string; readonly round: number; readonly by: readonly string[] }
  | { readonly type: 'doubt'; readonly node: string; readonly by: string; readonly why: string }
  | { readonly type: 'alive'; readonly node: string; readonly by: readonly string[] }
  | { readonly type: 'dead'; readonly node: string; readonly because: string };

interface Doubt {
  readonly since: number;
  readonly by: Map<string, string>;
  round: number;
  roundAt: number;
  asked: Map<string, ProbeOutcome | undefined>;
  nextRoundAt: number;
  silentSince: number | undefined;
  silentRounds: number;
  /** When somebody last had an answer of it. */
  answeredAt: number | undefined;
}

interface Watched {
  sight: NodeSight;
  /** Connected at some time under this controller. */
  seen: boolean;
  doubt: Doubt | undefined;
  dead: string | undefined;
  calmUntil: number;
}

/** So long after an answer a new doubt waits, and so long an answer makes a node without a session fit to be asked itself. */
const CALM_MS = 500;
const TRUST_ANSWER_MS = 2_000;
/** A node that answers and has no session is looked at again after this. */
const UNREGISTERED_MS = 1_000;

/**
 * Who is dead, from hints of several sources and from probes through several nodes. A hint, and the end of a session too, only raises a
 * doubt. A doubt becomes certainty by: a refused connection on a host that answers, seen from two places; silence towards everyone who
 * can be asked, for `silenceMs`; or the node's own goodbye. One answer to anyone ends it. Mistakes are safe, since a wrongly dead
 * leader is fenced by its epoch, but they cost a change of leader.
 */
export class Detector {
  private readonly nodes = new Map<string, Watched>();
  private rounds = 0;

  constructor(
    private readonly options: DetectorOptions,
    private readonly begunAt: number,
  ) {}

  /** Nodes held for dead, each with the reason. */
  dead(): Map<string, string> {
    const dead = new Map<string, string>();
    for (const [id, { dead: because }] of this.nodes) if (because !== undefined) dead.set(id, because);
    return dead;
  }

  /** Nodes in doubt of which nobody has had an answer since. */
  doubted(): string[] {
    return [...this.nodes].filter(([, w]) => w.doubt && w.doubt.answeredAt === undefined).map(([id]) => id);
  }

  onEvent(event: DetectorEvent, now: number): DetectorAction[] {
    const actions: DetectorAction[] = [];
    if (event.type === 'world') this.look(event.nodes, now, actions);
    else if (event.type === 'suspected') this.suspect(event.node, event.by, event.why, now, actions);
    else this.probed(event, now, actions);
    return actions;
  }

  onAdvance(now: number): DetectorAction[] {
    const actions: DetectorAction[] = [];
    for (const [id, watched] of this.nodes) {
      const { doubt } = watched;
      if (!doubt) continue;
      this.judge(id, watched, doubt, now, actions);
      if (watched.doubt && isIdle(doubt) && now >= doubt.nextRoundAt) this.beginRound(id, watched, doubt, now, actions);
    }
    return actions;
  }

  /** When `onAdvance` has something to do at the latest; undefined when only an event can change anything. */
  wakeAt(): number | undefined {
    let at: number | undefined;
    for (const { doubt, dead } of this.nodes.values()) {
      if (!doubt || dead !== undefined) continue;
      const next = isIdle(doubt)
        ? doubt.nextRoundAt
        : isComplete(doubt)
          ? doubt.since + this.options.gatherMs
          : undefined;
      if (next !== undefined) at = Math.min(at ?? next, next);
    }
    return at;
  }

  private look(nodes: readonly NodeSight[], now: number, actions: DetectorAction[]): void {
    const known = new Set(nodes.map((n) => n.id));
    for (const id of this.nodes.keys()) if (!known.has(id)) this.nodes.delete(id);
    for (const sight of nodes) this.lookAt(sight, now, actions);
  }

  private lookAt(sight: NodeSight, now: number, actions: DetectorAction[]): void {
    let watched = this.nodes.get(sight.id);
    if (!watched)
      this.nodes.set(sight.id, (watched = { sight, seen: false, doubt: undefined, dead: undefined, calmUntil: 0 }));
    const before = watched.sight.session;
    watched.sight = sight;
    if (sight.session !== undefined) {
      watched.seen = true;
      if (before === sight.session) return;
      watched.dead = undefined;
      watched.doubt = undefined;
    } else if (watched.dead === undefined && (watched.seen || now - this.begunAt >= this.options.settleMs)) {
      if (sight.departed) this.declare(sight.id, watched, 'it said goodbye', actions);
      else if (!watched.doubt) this.suspect(sight.id, 'register', 'its session is over', now, actions);
    }
  }

  private suspect(node: string, by: string, why: string, now: number, actions: DetectorAction[]): void {
    const watched = this.nodes.get(node);
    if (!watched || watched.dead !== undefined) return;
    // Without a session it is nobody's business before it has had time to come.
    if (watched.sight.session === undefined && !watched.seen && now - this.begunAt < this.options.settleMs) return;
    if (watched.doubt) return void watched.doubt.by.set(by, why);
    watched.doubt = newDoubt(by, why, now, watched.calmUntil);
    actions.push({ type: 'doubt', node, by, why });
  }

  private beginRound(node: string, watched: Watched, doubt: Doubt, now: number, actions: DetectorAction[]): void {
    this.rounds += 1;
    doubt.round = this.rounds;
    doubt.roundAt = now;
    const by = [SELF, ...chooseProbers(watched.sight, this.fitProbers(node, now), this.options.probers, this.rounds)];
    doubt.asked = new Map(by.map((id) => [id, undefined]));
    actions.push({ type: 'probe', node, round: doubt.round, by });
  }

  private fitProbers(target: string, now: number): ProberSight[] {
    return [...this.nodes.values()]
      .filter(({ sight, doubt, dead }) => {
        if (sight.id === target || dead !== undefined) return false;
        return doubt
          ? now - (doubt.answeredAt ?? Number.NEGATIVE_INFINITY) < TRUST_ANSWER_MS
          : sight.session !== undefined;
      })
      .map(({ sight }) => sight);
  }

  private probed(event: Extract<DetectorEvent, { type: 'probed' }>, now: number, actions: DetectorAction[]): void {
    const watched = this.nodes.get(event.node);
    const doubt = watched?.doubt;
    if (!watched || !doubt || doubt.round !== event.round || !doubt.asked.has(event.by)) return;
    doubt.asked.set(event.by, event.outcome);
    this.judge(event.node, watched, doubt, now, actions);
  }

  private judge(node: string, watched: Watched, doubt: Doubt, now: number, actions: DetectorAction[]): void {
    if (!isComplete(doubt)) return;
    const answered = askersWith(doubt, 'answered');
    if (answered.length > 0) return this.acquit(node, watched, doubt, answered, now, actions);
    const refused = askersWith(doubt, 'refused');
    const needed = Math.min(2, doubt.asked.size);
    if (refused.length >= needed) {
      if (now - doubt.since < this.options.gatherMs) return undefined;
      return this.declare(node, watched, `connection refused to ${names(refused)} (${words(doubt)})`, actions);
    }
    return this.onSilence(node, watched, doubt, now, actions);
  }

  private onSilence(node: string, watched: Watched, doubt: Doubt, now: number, actions: DetectorAction[]): void {
    const mute = [...askersWith(doubt, 'silent'), ...askersWith(doubt, 'refused')];
    const others = [...doubt.asked.keys()].filter((id) => id !== SELF).length;
    // Where no other could be asked, or could not say, it may be this process that is cut off.
    const agree = others > 0 && mute.filter((id) => id !== SELF).length >= Math.min(2, others);
    if (agree) {
      doubt.silentSince ??= doubt.roundAt;
      doubt.silentRounds += 1;
    } else {
      doubt.silentSince = undefined;
      doubt.silentRounds = 0;
    }
    const { silenceMs, silentRounds, probeEveryMs } = this.options;
    if (doubt.silentSince !== undefined && now - doubt.silentSince >= silenceMs && doubt.silentRounds >= silentRounds)
      return this.declare(
        node,
        watched,
        `silent towards ${names(mute)} for ${silenceMs} ms (${words(doubt)})`,
        actions,
      );
    doubt.asked = new Map();
    doubt.nextRoundAt = Math.max(now, doubt.roundAt + probeEveryMs);
    return undefined;
  }

  private acquit(
    node: string,
    watched: Watched,
    doubt: Doubt,
    by: readonly string[],
    now: number,
    actions: DetectorAction[],
  ): void {
    watched.calmUntil = now + CALM_MS;
    if (watched.sight.session !== undefined) {
      watched.doubt = undefined;
      actions.push({ type: 'alive', node, by });
      return;
    }
    if (doubt.answeredAt === undefined) actions.push({ type: 'alive', node, by });
    doubt.answeredAt = now;
    doubt.silentSince = undefined;
    doubt.silentRounds = 0;
    doubt.asked = new Map();
    doubt.nextRoundAt = now + UNREGISTERED_MS;
  }

  private declare(node: string, watched: Watched, because: string, actions: DetectorAction[]): void {
    watched.dead = because;
    watched.doubt = undefined;
    actions.push({ type: 'dead', node, because });
  }

  /** For status: nodes in doubt, with what is said of them. */
  doubts(): NodeDoubt[] {
    return [...this.nodes].flatMap(([node, { doubt }]) => (doubt ? [{ node, why: words(doubt) }] : []));
  }
}

const newDoubt = (by: string, why: string, now: number, calmUntil: number): Doubt => ({
  since: now,
  by: new Map([[by, why]]),
  round: 0,
  roundAt: now,
  asked: new Map(),
  nextRoundAt: Math.max(now, calmUntil),
  silentSince: undefined,
  silentRounds: 0,
  answeredAt: undefined,
});

const isIdle = (doubt: Doubt): boolean => doubt.asked.size === 0;
const isComplete = (doubt: Doubt): boolean =>
  doubt.asked.size > 0 && [...doubt.asked.values()].every((outcome) => outcome !== undefined);
const askersWith = (doubt: Doubt, outcome: ProbeOutcome): string[] =>
  [...doubt.asked].filter(([, o]) => o === outcome).map(([id]) => id);
const names = (ids: readonly string[]): string => ids.map((id) => (id === SELF ? 'the controller' : id)).join(', ');
const WORDS_MAX = 3;
const words = (doubt: Doubt): string =>
  [...doubt.by]
    .slice(0, WORDS_MAX)
    .map(([by, why]) => `${by}: ${why}`)
    .join('; ');
