import { CadastreError, invalid } from '@cadastre/core';
import type { DuplexCall, Wire } from '@cadastre/contracts';
import { endWithError } from '@cadastre/contracts';
import type { Clock, Logger, MonotonicMs } from '@cadastre/runtime';
import { decodeHello, encodeLease } from './hello.codec.js';
import type { Session, SessionService } from './session.service.js';
import { sessionOver } from './session.service.js';

export type SessionCall = DuplexCall<Wire.SessionRequest__Output, Wire.SessionReply>;

export interface SessionStreamOptions {
  readonly sessions: SessionService;
  readonly clock: Clock;
  readonly logger: Logger;
  /** A stream ended without a goodbye. */
  readonly onBroken?: (node: string, why: string) => void;
}

const FIRST_WORD_MS = 10_000;

/** One stream of an agent: Hello, then a Kept for each KeepAlive that the register has acknowledged. Its end leaves the lease alone. */
export class SessionStream {
  private session: Session | undefined;
  private opening = false;
  private keeping = false;
  private ended = false;
  private keptAt: MonotonicMs = 0;

  constructor(
    private readonly call: SessionCall,
    private readonly options: SessionStreamOptions,
  ) {
    const silence = options.clock.after(
      FIRST_WORD_MS,
      () => this.fail(invalid('kind', 'no Hello came', 'send Hello first', `${FIRST_WORD_MS} ms`)),
      { background: true },
    );
    call.on('data', (request: Wire.SessionRequest__Output) => {
      silence.cancel();
      this.take(request).catch((error: unknown) => this.fail(error));
    });
    call.on('end', () => this.finish());
    for (const event of ['cancelled', 'close', 'error'] as const) {
      call.on(event, () => {
        silence.cancel();
        this.broke();
      });
    }
  }

  private broke(): void {
    const { session, ended } = this;
    this.ended = true;
    if (session && !ended) this.options.onBroken?.(session.node, 'its session stream broke');
  }

  private async take(request: Wire.SessionRequest__Output): Promise<void> {
    if (this.ended) return;
    if (request.hello) await this.open(request.hello);
    else if (!this.session) throw invalid('kind', 'before Hello was answered', 'send Hello and wait for Welcome');
    else if (request.goodbye) await this.leave(this.session);
    else await this.keep(this.session);
  }

  private async open(wire: Wire.Hello__Output): Promise<void> {
    if (this.session || this.opening) throw invalid('kind', 'a second Hello', 'send it once a stream');
    this.opening = true;
    const { sessions, clock } = this.options;
    this.session = await sessions.open(decodeHello(wire));
    this.keptAt = clock.monotonicMs();
    const { leaseId, ttlMs } = this.session;
    this.send({
      welcome: {
        clusterId: sessions.clusterId,
        leaseId: encodeLease(leaseId),
        ttlMs,
        activeAddress: sessions.activeAddress,
      },
    });
  }

  /** Messages that come while the register is asked are answered by the same answer. */
  private async keep(session: Session): Promise<void> {
    if (this.keeping) return;
    this.keeping = true;
    const { sessions, clock } = this.options;
    const askedAt = clock.monotonicMs();
    try {
      if ((await sessions.keepAlive(session)) === 'gone') throw sessionOver(session.node);
      this.keptAt = askedAt;
      this.send({ kept: { activeAddress: sessions.activeAddress } });
    } catch (error) {
      this.onKeepFailed(session, CadastreError.from(error));
    } finally {
      this.keeping = false;
    }
  }

  /** One failed question is bridged by the next; after half a term the agent had better ask another replica. */
  private onKeepFailed(session: Session, error: CadastreError): void {
    const { clock, logger } = this.options;
    const silentMs = clock.monotonicMs() - this.keptAt;
    logger.warn('a session was not kept', {
      node: session.node,
      session: encodeLease(session.leaseId),
      code: error.code,
      reason: error.message,
    });
    if (error.code !== 'UNAVAILABLE' && error.code !== 'UNKNOWN_OUTCOME') throw error;
    if (error.message === sessionOver(session.node).message) throw error;
    if (silentMs > session.ttlMs / 2) {
      throw new CadastreError(
        'UNAVAILABLE',
        `this replica has not reached the register for ${Math.round(silentMs)} ms`,
        { remedy: 'connect to another replica', cause: error },
      );
    }
  }

  private async leave(session: Session): Promise<void> {
    await this.options.sessions.end(session);
    this.finish();
  }

  private send(reply: Wire.SessionReply): void {
    if (!this.ended) this.call.write(reply);
  }

  fail(error: unknown): void {
    if (this.ended) return;
    this.ended = true;
    endWithError(this.call, error);
  }

  private finish(): void {
    if (this.ended) return;
    this.ended = true;
    this.call.end();
  }
}
