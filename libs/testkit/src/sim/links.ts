import type { Random } from '@cadastre/runtime';
import type { Scheduler } from './scheduler.js';

/** One direction between two machines. */
interface Link {
  cut: boolean;
  /** Added to each message. */
  slowMs: number;
  readonly waiting: Set<Pipe>;
}

export interface LinkTraits {
  readonly minMs: number;
  readonly maxMs: number;
  /** Share of messages that take up to `lateMs`, as lost packets that TCP sends again. */
  readonly lateShare: number;
  readonly lateMs: number;
}

/** What lies between the machines: time, cuts in one direction or both, slowness. Bytes are never changed or doubled: TCP sees to that. */
export class Links {
  private readonly byRoute = new Map<string, Link>();

  constructor(
    readonly scheduler: Scheduler,
    private readonly random: Random,
    public traits: LinkTraits,
  ) {}

  isCut(from: string, to: string): boolean {
    return this.byRoute.get(`${from}>${to}`)?.cut ?? false;
  }

  cut(from: string, to: string): void {
    this.link(from, to).cut = true;
  }

  slow(from: string, to: string, slowMs: number): void {
    this.link(from, to).slowMs = slowMs;
  }

  heal(from: string, to: string): void {
    const link = this.byRoute.get(`${from}>${to}`);
    if (!link) return;
    link.cut = false;
    link.slowMs = 0;
    const waiting = [...link.waiting];
    link.waiting.clear();
    for (const pipe of waiting) pipe.flush();
  }

  healAll(): void {
    for (const route of this.byRoute.keys()) this.heal(...(route.split('>') as [string, string]));
  }

  /** What a machine had sent into cuts is lost with the machine. */
  discardFrom(host: string): void {
    for (const [route, link] of this.byRoute)
      if (route.startsWith(`${host}>`)) for (const pipe of [...link.waiting]) pipe.break();
  }

  link(from: string, to: string): Link {
    const route = `${from}>${to}`;
    let link = this.byRoute.get(route);
    if (!link) this.byRoute.set(route, (link = { cut: false, slowMs: 0, waiting: new Set() }));
    return link;
  }

  delayMs(link: Link): number {
    const { minMs, maxMs, lateShare, lateMs } = this.traits;
    const late = this.random() < lateShare ? this.random() * lateMs : 0;
    return minMs + this.random() * (maxMs - minMs) + late + link.slowMs;
  }
}

/** An ordered way for messages in one direction. What is sent into a cut waits for its end, as TCP's retransmission does. */
export class Pipe {
  private readonly queue: { readonly label: string; readonly task: () => void }[] = [];
  private readonly link: Link;
  private lastAt = 0;
  private broken = false;

  constructor(
    private readonly links: Links,
    readonly from: string,
    readonly to: string,
  ) {
    this.link = links.link(from, to);
  }

  send(label: string, task: () => void): void {
    if (this.broken) return;
    if (this.link.cut || this.queue.length > 0) {
      this.queue.push({ label, task });
      this.link.waiting.add(this);
    } else this.carry(label, task);
  }

  /** Nothing that is under way arrives any more. */
  break(): void {
    this.broken = true;
    this.queue.length = 0;
    this.link.waiting.delete(this);
  }

  flush(): void {
    for (const { label, task } of this.queue.splice(0)) this.carry(label, task);
  }

  private carry(label: string, task: () => void): void {
    const { scheduler } = this.links;
    // In order: what is sent later never arrives earlier.
    this.lastAt = Math.max(this.lastAt, scheduler.now + this.links.delayMs(this.link));
    scheduler.after(this.lastAt - scheduler.now, label, () => {
      if (!this.broken) task();
    });
  }
}
