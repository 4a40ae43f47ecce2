import { CadastreError } from '@cadastre/core';
import type { Clock } from '@cadastre/runtime';
import { Peer } from '../channels.js';
import { peerGuard } from '../peers/peer-guard.js';
import { GrpcServer } from '../server.js';
import type { Transport } from '../transport.js';
import { ReadAnewChannelCredentials } from './channel-credentials.js';
import type { CredentialSource } from './credential-source.driver.js';
import { serverCredentials } from './server-credentials.js';

/** gRPC with mutual TLS: servers let in whom the table of `ALLOW_LIST` names, clients believe servers of their own cluster. */
export const tlsTransport = (source: CredentialSource, clock: Clock): Transport => {
  const channel = new ReadAnewChannelCredentials(source, clock);
  return {
    server: ({ plaintext, ...limits } = {}) => {
      if (plaintext) return new GrpcServer(limits);
      const cluster = () => clusterOf(source);
      cluster();
      const guard = peerGuard({ cluster, people: limits.people ?? false });
      return new GrpcServer(limits, { credentials: serverCredentials(source), guard });
    },
    peer: (address, options) => new Peer(address, options, channel),
  };
};

const clusterOf = ({ current, files }: CredentialSource): string => {
  const cluster = current.own?.identity?.cluster;
  if (cluster !== undefined) return cluster;
  throw new CadastreError('FAILED_PRECONDITION', `--tls-cert: ${files.cert ?? 'none'} does not say who this is`, {
    field: '--tls-cert',
    remedy: 'give one whose SAN has a URI spiffe://CLUSTER/ROLE/NAME, as cadastre cert issue makes it',
  });
};
