import type { ServerInterceptor } from '@grpc/grpc-js';
import { ResponderBuilder, ServerInterceptingCall, ServerListenerBuilder } from '@grpc/grpc-js';
import type { PeerIdentity } from '@cadastre/core';
import { CadastreError, identityOfSan, identityUri, printable } from '@cadastre/core';
import { toStatus } from '../status.js';
import { decisionOf } from './allow-list.js';
import type { Claim } from './own-name.js';
import { claimsOf } from './own-name.js';

export interface PeerGuardOptions {
  /** Of this process: only peers of the same cluster are let in. */
  cluster(): string;
  /** Whether persons without a certificate may call what is for them: only where they are asked for a token. */
  readonly people: boolean;
}

/** What is known of a connection's other side; the simulated world has nothing to say of it. */
interface Connection {
  getAuthContext?(): { transportSecurityType?: string; sslPeerCertificate?: { subjectaltname?: string } };
}

/** Who calls, by a certificate that was verified; undefined without one, or with one that names nobody of ours. */
export const peerOf = (call: Connection): PeerIdentity | undefined =>
  identityOfSan(call.getAuthContext?.().sslPeerCertificate?.subjectaltname);

/** Whether this peer may call; the reason when not. Pure. */
export const refusalOf = (
  path: string,
  peer: PeerIdentity | undefined,
  { cluster, people }: { readonly cluster: string; readonly people: boolean },
): CadastreError | undefined => {
  const rpc = printable(path.slice(1));
  const decision = decisionOf(path);
  if (!decision) return denied('rpc', `${rpc} may be called by nobody`, 'check that both sides have the same version');
  if (!peer) return people && decision.people ? undefined : nobody(rpc);
  const who = identityUri(peer);
  if (peer.cluster !== cluster)
    return denied('certificate', `${who} is of another cluster than ${cluster}`, 'use a certificate of this cluster');
  if (decision.roles.includes(peer.role)) return undefined;
  const remedy = `use a certificate with role ${decision.roles.join(' or ')}`;
  return denied('role', `${who} may not call ${rpc}`, remedy);
};

/** The reason to refuse a message in which an agent speaks for another node. Pure. */
export const falseClaim = (claims: readonly Claim[], peer: PeerIdentity): CadastreError | undefined => {
  const other = claims.find(({ node }) => peer.role !== 'agent' || node !== peer.name);
  return (
    other &&
    denied(
      other.field,
      `is ${printable(other.node)}, and ${identityUri(peer)} speaks only for itself`,
      `send ${peer.name} there, or use the certificate of ${printable(other.node)}`,
    )
  );
};

const denied = (field: string, message: string, remedy: string): CadastreError =>
  new CadastreError('PERMISSION_DENIED', `${field}: ${message}`, { field, remedy });

const nobody = (rpc: string): CadastreError =>
  new CadastreError(
    'UNAUTHENTICATED',
    `certificate: ${rpc} was called without one that this cluster's authority vouches for`,
    {
      field: 'certificate',
      remedy:
        'give --tls-cert and --tls-key of this cluster, not expired; see what one says with: cadastre cert show FILE',
    },
  );

/**
 * The one place where a server decides who may call. Refused before a message is read; with it handlers see only callers that the table
 * allows, and messages in which agents speak for themselves.
 */
export const peerGuard =
  ({ cluster, people }: PeerGuardOptions): ServerInterceptor =>
  ({ path }, call) => {
    const peer = peerOf(call);
    const refusal = refusalOf(path, peer, { cluster: cluster(), people });
    const claims = claimsOf(path);
    if (!refusal && !(claims && peer)) return new ServerInterceptingCall(call);
    const listener = new ServerListenerBuilder();
    if (refusal) listener.withOnReceiveMetadata(() => call.sendStatus(toStatus(refusal)));
    else if (claims && peer)
      listener.withOnReceiveMessage((message, next) => {
        const lie = falseClaim(claims(message), peer);
        if (lie) call.sendStatus(toStatus(lie));
        else next(message);
      });
    return new ServerInterceptingCall(call, new ResponderBuilder().withStart((next) => next(listener.build())).build());
  };
