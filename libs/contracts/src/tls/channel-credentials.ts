import type { Socket } from 'node:net';
import { isIP } from 'node:net';
import type { ConnectionOptions, PeerCertificate, TLSSocket } from 'node:tls';
import { checkServerIdentity, connect, createSecureContext } from 'node:tls';
import { CallCredentials, ChannelCredentials } from '@grpc/grpc-js';
import type { experimental } from '@grpc/grpc-js';
import type { PeerIdentity } from '@cadastre/core';
import { identityOfSan, identityUri } from '@cadastre/core';
import type { Clock } from '@cadastre/runtime';
import type { CredentialSource } from './credential-source.driver.js';
import type { Credentials } from './credentials.js';
import { iso } from './credentials.js';

type Connector = experimental.SecureConnector;
type Target = Parameters<ChannelCredentials['_createSecureConnector']>[0];

/**
 * Credentials that are looked up anew for each connection, and that say of a refused server what is wrong with it. grpc-js has its own
 * for certificates that change (`createCertificateProviderChannelCredentials`); those say "certificate has expired", not whose or when.
 */
export class ReadAnewChannelCredentials extends ChannelCredentials {
  constructor(
    private readonly source: CredentialSource,
    private readonly clock: Clock,
  ) {
    super();
  }

  override _isSecure(): boolean {
    return true;
  }

  override _equals(other: ChannelCredentials): boolean {
    return this === other;
  }

  override _createSecureConnector(target: Target, _options: object, calls?: CallCredentials): Connector {
    const address = target.path;
    return {
      connect: async (socket) => ({ socket: await this.connect(socket, address), secure: true }),
      waitForReady: () => Promise.resolve(),
      getCallCredentials: () => calls ?? CallCredentials.createEmpty(),
      destroy: () => undefined,
    };
  }

  private connect(socket: Socket, address: string): Promise<Socket> {
    const { current } = this.source;
    const expired = ownExpired(current, this.clock.wallMs());
    if (expired) return Promise.reject(new Error(expired));
    const host = hostOf(address);
    return new Promise((resolve, reject) => {
      const name = isIP(host) === 0 ? { servername: host } : {}; // RFC 6066: a name, never an address
      const secured = connect({ ...optionsOf(current), socket, host, ...name }, () => {
        secured.off('error', reject).off('close', onClose);
        const wrong = wrongWith(secured, host, current.own?.identity);
        if (wrong === undefined) return resolve(secured);
        secured.destroy();
        return reject(new Error(`${REFUSED}${wrong} (at ${address})`));
      });
      const onClose = () => reject(new Error('the connection was closed before it was secured'));
      secured.once('error', reject).once('close', onClose);
    });
  }
}

/** Marks of a connection that was not made because of a certificate; `fromServiceError` knows them. */
const REFUSED = 'server certificate: ';
const OWN_EXPIRED = 'own certificate: ';

/** Checked by `wrongWith`, so that a refusal can say what it saw. Nothing is sent before. */
const optionsOf = ({ ca, own }: Credentials): ConnectionOptions => ({
  secureContext: createSecureContext({ ca, ...(own && { cert: own.cert, key: own.key }), minVersion: 'TLSv1.2' }),
  ALPNProtocols: ['h2'],
  rejectUnauthorized: false,
  checkServerIdentity: () => undefined,
});

const ownExpired = ({ own, files }: Credentials, nowMs: number): string | undefined =>
  own && own.notAfterMs < nowMs ? `${OWN_EXPIRED}${files.cert} expired at ${iso(own.notAfterMs)}` : undefined;

const wrongWith = (socket: TLSSocket, host: string, own: PeerIdentity | undefined): string | undefined => {
  const cert = socket.getPeerCertificate();
  if (!socket.authorized) return unverified(cert, String(socket.authorizationError));
  const identity = identityOfSan(cert.subjectaltname);
  // A control plane has no name of its own on Kubernetes, and nothing is trusted more than one: wherever it is, it may be.
  const misnamed = identity?.role === 'control-plane' ? undefined : checkServerIdentity(host, cert);
  if (misnamed) return misnamed.message;
  if (own && identity?.cluster !== own.cluster)
    return `${identity ? identityUri(identity) : 'its SAN'} is not of cluster ${own.cluster}`;
  if (!identity || !SERVERS.includes(identity.role)) return 'it is not one of an agent, a control plane or a router';
  return undefined;
};

/** A client's certificate is none to answer calls with. */
const SERVERS: readonly string[] = ['agent', 'control-plane', 'router'];

const unverified = (cert: PeerCertificate, code: string): string => {
  const identity = identityOfSan(cert.subjectaltname);
  const whose = identity ? `that of ${identityUri(identity)}` : 'it';
  if (code === 'CERT_HAS_EXPIRED') return `${whose} expired at ${iso(Date.parse(cert.valid_to))}`;
  if (code === 'CERT_NOT_YET_VALID') return `${whose} is not valid before ${iso(Date.parse(cert.valid_from))}`;
  return `${whose} is not of an authority in --tls-ca: ${code}`;
};

const hostOf = (address: string): string => address.slice(0, address.lastIndexOf(':')).replace(/^\[|\]$/g, '');
