import type { KvCaller, KvReply } from './frame-server.js';

/** Who waits for a reply. One of the two is called, once. */
export interface ReplyReceiver {
  /** @param at when, on the monotonic clock */
  answered(reply: KvReply, at: number): void;
  refused(error: unknown, at: number): void;
}

/**
 * A reply that comes later. A promise would do, but on the path of every write its reactions and their turns in the microtask queue cost more
 * than the write's own bookkeeping.
 */
export abstract class PendingReply {
  private receiver: ReplyReceiver | undefined;
  private early: ((receiver: ReplyReceiver) => void) | undefined;
  private over = false;

  /** The caller has gone: whoever answers is told, and says so by refusing. */
  abstract abandon(): void;

  /** At most one receiver; it is told at once when all is known. */
  receive(receiver: ReplyReceiver): void {
    this.receiver = receiver;
    this.early?.(receiver);
  }

  /** The first word counts. */
  protected answer(reply: KvReply, at: number): void {
    if (this.over) return;
    this.over = true;
    if (this.receiver) this.receiver.answered(reply, at);
    else this.early = (receiver) => receiver.answered(reply, at);
  }

  protected refuse(error: unknown, at: number): void {
    if (this.over) return;
    this.over = true;
    if (this.receiver) this.receiver.refused(error, at);
    else this.early = (receiver) => receiver.refused(error, at);
  }
}

/** For callers that are few or have to wait for something else as well. */
export const asPromise = (
  reply: KvReply | Promise<KvReply> | PendingReply,
  caller: KvCaller,
): KvReply | Promise<KvReply> => {
  if (!(reply instanceof PendingReply)) return reply;
  caller.once('cancelled', () => reply.abandon());
  return new Promise((resolve, reject) => reply.receive({ answered: resolve, refused: reject }));
};
