import { CadastreError } from '@cadastre/core';
import type { Wire } from '@cadastre/contracts';
import { encodeRecord, streaming, unary } from '@cadastre/contracts';
import type { ControllerPort } from '../controller/ports.js';
import { decodeChangeInSync, decodeReport, decodeSuspect } from './report.codec.js';
import type { SessionCall, SessionStreamOptions } from './session-stream.js';
import { SessionStream } from './session-stream.js';

export interface AgentHandlerOptions {
  readonly streams: SessionStreams;
  readonly controller: ControllerPort;
}

/** The session streams of this replica. */
export class SessionStreams {
  private readonly open = new Set<SessionStream>();

  constructor(private readonly options: SessionStreamOptions) {}

  serve(call: SessionCall): void {
    const stream = new SessionStream(call, this.options);
    this.open.add(stream);
    call.on('close', () => this.open.delete(stream));
  }

  /** Leases stay: the agents go on at another replica. */
  close(): void {
    for (const stream of this.open)
      stream.fail(
        new CadastreError('UNAVAILABLE', 'this replica is stopping', { remedy: 'connect to another replica' }),
      );
    this.open.clear();
  }
}

export const agentHandlers = (options: AgentHandlerOptions) => ({
  Session: streaming((call: SessionCall) => options.streams.serve(call)),
  Report: unary<Wire.ReportRequest__Output, Wire.ReportReply>((request) => ({
    purge: options.controller.report(decodeReport(request)).map((grant) => ({ ...grant })),
    pace: options.controller.pace(request.node),
  })),
  ChangeInSync: unary<Wire.ChangeInSyncRequest__Output, Wire.ChangeInSyncReply>(async (request) => {
    const { record, generation } = await options.controller.changeInSync(decodeChangeInSync(request));
    return { record: encodeRecord(record), generation };
  }),
  Suspect: unary<Wire.SuspectRequest__Output, Wire.SuspectReply>((request) => {
    const { node, suspicions } = decodeSuspect(request);
    options.controller.suspect(node, suspicions);
    return {};
  }),
});
