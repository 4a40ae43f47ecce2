import { checkName, invalid } from '@cadastre/core';
import type { Transport, Wire } from '@cadastre/contracts';
import { ping, unary } from '@cadastre/contracts';
import type { Clock } from '@cadastre/runtime';

const TIMEOUT_MAX_MS = 10_000;

/** Says that this node lives, and looks at others for the controller. */
export const livenessHandlers = (
  node: string,
  incarnation: string,
  clock: Clock,
  transport: Transport,
): Record<keyof Wire.LivenessHandlers & string, never> =>
  ({
    ping: unary<Wire.PingRequest__Output, Wire.PingReply>(() => ({ node, incarnation })),
    probe: unary<Wire.ProbeRequest__Output, Wire.ProbeReply>(async (request) => {
      checkName('node', request.node);
      const { timeoutMs } = request;
      if (timeoutMs < 1 || timeoutMs > TIMEOUT_MAX_MS)
        throw invalid('timeout_ms', `is ${timeoutMs}`, 'give the time to wait', `1 to ${TIMEOUT_MAX_MS} ms`);
      return { outcome: await ping(request, { timeoutMs, clock, transport }) };
    }),
  }) as unknown as Record<keyof Wire.LivenessHandlers & string, never>;
