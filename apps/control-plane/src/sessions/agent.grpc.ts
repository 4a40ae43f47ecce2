import { CadastreError } from '@cadastre/core';
import type { OwnerInfo, Wire } from '@cadastre/contracts';
import { encodeRecord, streaming, unary } from '@cadastre/contracts';
import type { ControllerPort } from '../controller/ports.js';
import { decodeChangeInSync, decodeChanges, decodeReport, decodeSuspect } from './report.codec.js';
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

  /** Agents whose session is kept here. */
  get count(): number {
    return this.open.size;
  }

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

/** Each change has its own outcome; what concerns them all (no mandate) is the call's. */
const answerOf = async (
  controller: ControllerPort,
  command: Parameters<ControllerPort['changeInSync']>[0],
): Promise<Wire.ChangeInSyncAnswer> => {
  try {
    return { record: encodeRecord((await controller.changeInSync(command)).record), errorCode: '', errorMessage: '' };
  } catch (error) {
    const { code, message, info } = CadastreError.from(error);
    const newer = (info as OwnerInfo | undefined)?.record;
    return { errorCode: code, errorMessage: message, ...(newer && { record: encodeRecord(newer) }) };
  }
};

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
  ChangeInSyncMany: unary<Wire.ChangeInSyncManyRequest__Output, Wire.ChangeInSyncManyReply>(async ({ changes }) => {
    const commands = decodeChanges(changes);
    if (!options.controller.active && commands[0]) await options.controller.changeInSync(commands[0]);
    return { answers: await Promise.all(commands.map((command) => answerOf(options.controller, command))) };
  }),
  Suspect: unary<Wire.SuspectRequest__Output, Wire.SuspectReply>((request) => {
    const { node, suspicions } = decodeSuspect(request);
    options.controller.suspect(node, suspicions);
    return {};
  }),
});
