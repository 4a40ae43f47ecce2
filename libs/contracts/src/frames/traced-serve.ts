import type { Tracer } from '@cadastre/runtime';
import { parseTraceparent } from '@cadastre/runtime';
import type { KvServe } from './kv-handlers.js';
import { asPromise } from './pending-reply.js';

/**
 * The same, with a span for each request whose caller records one, or for each that `roots` says. `caller.span` is it for whoever
 * answers.
 */
export const tracedServe = (
  serve: KvServe,
  tracer: Tracer,
  { name, roots }: { name: string; roots: boolean },
): KvServe => {
  const answer: KvServe = async (op, caller) => {
    const { span } = caller;
    try {
      const reply = await asPromise(serve(op, caller), caller);
      span?.end();
      return reply;
    } catch (error) {
      span?.end(error);
      throw error;
    }
  };
  return (op, caller) => {
    const parent = parseTraceparent(caller.traceparent);
    if (!parent && !roots) return serve(op, caller);
    const { keyspace = '', partition = 0 } = op.request.target ?? {};
    caller.span = tracer.start(`${name} ${op.kind}`, 'server', parent, {
      'cadastre.keyspace': keyspace,
      'cadastre.partition': partition,
    });
    return caller.span ? answer(op, caller) : serve(op, caller);
  };
};
