import { Peer, type PeerOptions } from './channels.js';
import type { RpcServer, ServerLimits } from './server.js';
import { GrpcServer } from './server.js';

/** The one door of a process to other processes. The simulated world brings its own. */
export interface Transport {
  server(limits?: ServerLimits): RpcServer;
  /** A connection of its own, made when it is first used. */
  peer(address: string, options?: PeerOptions): Peer;
}

export const grpcTransport: Transport = {
  server: (limits) => new GrpcServer(limits),
  peer: (address, options) => new Peer(address, options),
};
