import { Peer } from './channels.js';
import type { RpcServer } from './server.js';
import { GrpcServer } from './server.js';

/** The one door of a process to other processes. The simulated world brings its own. */
export interface Transport {
  server(): RpcServer;
  /** A connection of its own, made when it is first used. */
  peer(address: string): Peer;
}

export const grpcTransport: Transport = {
  server: () => new GrpcServer(),
  peer: (address) => new Peer(address),
};
