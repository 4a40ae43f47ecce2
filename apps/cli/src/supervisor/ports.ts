import { createServer } from 'node:net';

/** True when nobody listens there now. */
export const isFree = (port: number, host = '127.0.0.1'): Promise<boolean> =>
  new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(true)));
  });

const anyFree = (host: string): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen({ port: 0, host, exclusive: true }, () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });

/** Gives each asker a port of its own: the wanted one where it is free, otherwise any. */
export class PortChooser {
  private readonly given = new Set<number>();

  constructor(private readonly host = '127.0.0.1') {}

  /** @param wanted 0 or undefined for any */
  async choose(wanted: number | undefined): Promise<number> {
    if (wanted && !this.given.has(wanted) && (await isFree(wanted, this.host))) return this.keep(wanted);
    for (;;) {
      const port = await anyFree(this.host);
      if (!this.given.has(port)) return this.keep(port);
    }
  }

  private keep(port: number): number {
    this.given.add(port);
    return port;
  }
}
