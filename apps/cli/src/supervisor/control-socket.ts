import { rmSync } from 'node:fs';
import type { Server, Socket } from 'node:net';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { CadastreError, type ErrorCode } from '@cadastre/core';
import type { Clock } from '@cadastre/runtime';
import { sha256Hex } from '@cadastre/runtime';

/** How `cadastre agent ...` asks the running `cadastre up`: one line of JSON, one line back, over a unix domain socket. */
export interface AgentRequest {
  readonly verb: 'agent-add' | 'agent-stop' | 'agent-kill' | 'agent-start';
  readonly id?: string;
  readonly zone?: string;
  readonly rack?: string;
}

/** Longer paths are cut by the system in silence. */
const PATH_MAX_BYTES = 100;

export const socketPath = (folder: string): string => {
  const path = join(folder, 'up.sock');
  return Buffer.byteLength(path) <= PATH_MAX_BYTES
    ? path
    : join(tmpdir(), `cadastre-${sha256Hex(folder).slice(0, 16)}.sock`);
};

export const serveControl = (path: string, handle: (request: AgentRequest) => Promise<unknown>): Promise<Server> => {
  rmSync(path, { force: true });
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    createInterface({ input: socket }).once('line', (line) => void answer(socket, line, handle));
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, () => resolve(server));
  });
};

const answer = async (
  socket: Socket,
  line: string,
  handle: (request: AgentRequest) => Promise<unknown>,
): Promise<void> => {
  try {
    socket.end(`${JSON.stringify({ ok: true, result: await handle(JSON.parse(line) as AgentRequest) })}\n`);
  } catch (error) {
    const { code, message, field, remedy } = CadastreError.from(error);
    socket.end(`${JSON.stringify({ ok: false, error: { code, message, field, remedy } })}\n`);
  }
};

/** @throws CadastreError UNAVAILABLE when no supervisor listens there; what the supervisor refused otherwise */
export const askSupervisor = (
  path: string,
  request: AgentRequest,
  clock: Clock,
  timeoutMs = 60_000,
): Promise<unknown> =>
  new Promise((resolve, reject) => {
    const socket = connect(path);
    const timer = clock.after(timeoutMs, () => socket.destroy(new Error(`no answer within ${timeoutMs} ms`)));
    const gone = (why: string) =>
      reject(
        new CadastreError('UNAVAILABLE', `no supervisor answers at ${path}: ${why}`, {
          remedy: 'start the cluster with: cadastre up',
        }),
      );
    socket.on('error', (error) => gone(error.message));
    socket.on('close', () => {
      timer.cancel();
      gone('it closed the connection');
    });
    createInterface({ input: socket })
      .on('error', () => undefined)
      .once('line', (line) => {
        const reply = JSON.parse(line) as {
          ok: boolean;
          result?: unknown;
          error?: { code: ErrorCode; message: string; field?: string; remedy?: string };
        };
        if (reply.ok) resolve(reply.result);
        else reject(new CadastreError(reply.error!.code, reply.error!.message, reply.error));
        socket.end();
      });
    socket.write(`${JSON.stringify(request)}\n`);
  });
