import { createHash, randomBytes } from 'node:crypto';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose';

type PrivateKey = Awaited<ReturnType<typeof generateKeyPair>>['privateKey'];

interface Grant {
  readonly challenge: string;
  readonly nonce: string;
  readonly redirectUri: string;
  readonly authTime: number | undefined;
}

/**
 * An identity provider that speaks OpenID Connect over HTTP: discovery, authorization with PKCE, one use of each code, signed tokens.
 * Whoever comes is `user`; what a test wants to break is a field.
 */
export class IdentityProvider {
  user: Readonly<Record<string, unknown>> = { sub: 'u1', preferred_username: 'olga', roles: ['dba'] };
  /** Since when the user has a session here, seconds since 1970; it proves itself anew only where it is asked to. */
  signedInAt = now();
  /** What the last browser was sent here with. */
  asked = new URLSearchParams();
  /** Laid over the claims of the id token. */
  claims: Readonly<Record<string, unknown>> = {};
  issuer = '';
  private readonly codes = new Map<string, Grant>();
  private server: Server | undefined;
  private key: PrivateKey | undefined;
  private jwk: JWK = { kty: 'OKP' };

  constructor(readonly clientId: string) {}

  async start(): Promise<this> {
    const { privateKey, publicKey } = await keyPair();
    this.key = privateKey;
    this.jwk = { ...(await exportJWK(publicKey)), kid: 'k1', alg: 'RS256', use: 'sig' };
    this.server = createServer((request, response) => {
      this.answer(request, response).catch((error: unknown) => response.writeHead(500).end(String(error)));
    });
    await new Promise<void>((resolve) => this.server!.listen(0, '127.0.0.1', resolve));
    this.issuer = `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
    return this;
  }

  get keys(): { keys: JWK[] } {
    return { keys: [this.jwk] };
  }

  token(claims: Readonly<Record<string, unknown>>, seconds = 300): Promise<string> {
    return new SignJWT({ iat: now(), exp: now() + seconds, ...claims })
      .setProtectedHeader({ alg: 'RS256', kid: 'k1' })
      .sign(this.key!);
  }

  async stop(): Promise<void> {
    this.server?.closeAllConnections();
    await new Promise((resolve) => this.server?.close(resolve));
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', this.issuer);
    const json = (body: unknown, status = 200) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    if (url.pathname === '/.well-known/openid-configuration') json(this.metadata());
    else if (url.pathname === '/jwks') json(this.keys);
    else if (url.pathname === '/authorize') this.authorize(url.searchParams, response);
    else if (url.pathname === '/token') await this.exchange(new URLSearchParams(await textOf(request)), json);
    else json({}, 404);
  }

  private metadata() {
    const { issuer } = this;
    return {
      issuer,
      authorization_endpoint: `${issuer}/authorize`,
      token_endpoint: `${issuer}/token`,
      jwks_uri: `${issuer}/jwks`,
      response_types_supported: ['code'],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: ['RS256'],
      code_challenge_methods_supported: ['S256'],
      token_endpoint_auth_methods_supported: ['none'],
    };
  }

  private authorize(query: URLSearchParams, response: ServerResponse): void {
    this.asked = query;
    const maxAge = query.get('max_age');
    if (query.get('prompt') === 'login' || (maxAge !== null && now() - this.signedInAt > Number(maxAge)))
      this.signedInAt = now();
    const code = randomBytes(16).toString('hex');
    const redirectUri = query.get('redirect_uri')!;
    this.codes.set(code, {
      challenge: query.get('code_challenge')!,
      nonce: query.get('nonce')!,
      redirectUri,
      authTime: maxAge === null ? undefined : this.signedInAt,
    });
    const back = new URL(redirectUri);
    back.searchParams.set('code', code);
    back.searchParams.set('state', query.get('state')!);
    response.writeHead(303, { location: back.href }).end();
  }

  private async exchange(form: URLSearchParams, json: (body: unknown, status?: number) => unknown): Promise<void> {
    const code = form.get('code') ?? '';
    const grant = this.codes.get(code);
    this.codes.delete(code);
    const challenge = createHash('sha256')
      .update(form.get('code_verifier') ?? '')
      .digest('base64url');
    if (!grant || challenge !== grant.challenge || form.get('redirect_uri') !== grant.redirectUri) {
      json({ error: 'invalid_grant' }, 400);
      return;
    }
    const { nonce, authTime: auth_time } = grant;
    const id = { iss: this.issuer, aud: this.clientId, nonce, auth_time, ...this.user, ...this.claims };
    json({ access_token: 'unused', token_type: 'Bearer', id_token: await this.token(id) });
  }
}

/** One for all providers of a run: making one takes longer than most tests. */
let made: ReturnType<typeof generateKeyPair> | undefined;
const keyPair = () => (made ??= generateKeyPair('RS256'));

const now = (): number => Math.floor(Date.now() / 1000);

const textOf = async (request: IncomingMessage): Promise<string> => {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
};
