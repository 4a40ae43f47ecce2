import type { KvOp, Peer, Wire } from '@cadastre/contracts';
import { callUnary } from '@cadastre/contracts';
import type { SendLimits } from './node-link.js';

/** One request in a call of its own: for nodes that do not serve the stream. */
export const callKv = (peer: Peer, op: KvOp, { deadlineMs, signal, traceparent }: SendLimits): Promise<unknown> => {
  const limits = signal ? { deadlineMs, signal, traceparent } : { deadlineMs, traceparent };
  const { kv } = peer;
  switch (op.kind) {
    case 'get':
      return callUnary(kv, kv.Get, op.request as Wire.GetRequest, limits);
    case 'put':
      return callUnary(kv, kv.Put, op.request as Wire.PutRequest, limits);
    case 'delete':
      return callUnary(kv, kv.Delete, op.request as Wire.DeleteRequest, limits);
    case 'batch':
      return callUnary(kv, kv.Batch, op.request as Wire.BatchRequest, limits);
    case 'scan':
      return callUnary(kv, kv.Scan, op.request as Wire.ScanRequest, limits);
  }
};
