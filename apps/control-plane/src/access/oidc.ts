import { CadastreError } from '@cadastre/core';
import type { Clock, Logger } from '@cadastre/runtime';
import * as client from 'openid-client';
import type { Access, SignedIn } from './access.js';
import type { OidcConfig } from './access-config.js';
import { readSecretFile } from './access-config.js';
import { authenticatedMsOf, grantsOf, subjectOf } from './claims.js';

/** What the browser brings back from the provider's page, in a cookie of its own. */
export interface Journey {
  readonly verifier: string;
  readonly state: string;
  readonly nonce: string;
}

export interface OidcSurroundings {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Who proved itself to the provider longer ago than a session lasts has to do it again. */
  readonly sessionMs: number;
}

const TIMEOUT_S = 10;
const NO_AUTH_TIME = 'the identity provider does not say when people signed in (auth_time): they cannot approve';

/** Authorization code flow with PKCE, state and nonce; the provider's tokens are used once and kept nowhere. */
export class Oidc {
  private found: Promise<client.Configuration> | undefined;

  constructor(
    private readonly config: OidcConfig,
    private readonly access: Access,
    private readonly around: OidcSurroundings,
  ) {}

  /** @param again the provider shall ask for the password even of those who are signed in there */
  async begin(again: boolean): Promise<{ readonly url: string; readonly journey: Journey }> {
    const provider = await this.provider();
    const journey = {
      verifier: client.randomPKCECodeVerifier(),
      state: client.randomState(),
      nonce: client.randomNonce(),
    };
    const url = client.buildAuthorizationUrl(provider, {
      redirect_uri: this.config.redirectUri,
      scope: this.config.scope,
      code_challenge: await client.calculatePKCECodeChallenge(journey.verifier),
      code_challenge_method: 'S256',
      state: journey.state,
      nonce: journey.nonce,
      // Asked for in any case: with it the provider has to say when the person proved itself (OpenID Connect Core, 3.1.2.1).
      max_age: again ? '0' : String(Math.round(this.around.sessionMs / 1_000)),
      ...(again && { prompt: 'login' }),
    });
    return { url: url.href, journey };
  }

  /** @param query of the request that the provider sent the browser back with. @throws CadastreError UNAUTHENTICATED */
  async finish(query: string, { verifier, state, nonce }: Journey): Promise<SignedIn> {
    const back = new URL(this.config.redirectUri);
    back.search = query;
    const claims = await this.claims(back, { pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce });
    const subject = subjectOf('oidc', this.config.issuer, claims.sub);
    if (subject === undefined) throw notVouched();
    const authenticatedMs = authenticatedMsOf(claims.auth_time, this.around.clock.wallMs());
    if (authenticatedMs === 0) this.around.logger.warn(NO_AUTH_TIME, { event: 'no-auth-time' });
    const name = ['preferred_username', 'name', 'email'].map((key) => claims[key]).find((v) => typeof v === 'string');
    return this.access.signInExternal({
      subject,
      authenticatedMs,
      name: typeof name === 'string' && name !== '' ? name.slice(0, 128) : claims.sub,
      grants: grantsOf(claims, this.config),
    });
  }

  private async claims(back: URL, checks: client.AuthorizationCodeGrantChecks): Promise<client.IDToken> {
    try {
      const tokens = await client.authorizationCodeGrant(await this.provider(), back, {
        ...checks,
        idTokenExpected: true,
      });
      return tokens.claims()!;
    } catch (error) {
      if (error instanceof CadastreError) throw error;
      this.around.logger.warn('a sign-in through the identity provider failed', {
        event: 'sign-in-failed',
        reason: (error as { code?: string }).code ?? 'unknown',
      });
      throw notVouched(error);
    }
  }

  /** Asked for when first needed, and again after a failure: a provider that is down must not keep the control plane from starting. */
  private provider(): Promise<client.Configuration> {
    this.found ??= this.discover().catch((error: unknown) => {
      this.found = undefined;
      throw new CadastreError('UNAVAILABLE', 'the identity provider does not answer', {
        remedy: 'try again, or sign in with a local user',
        cause: error,
      });
    });
    return this.found;
  }

  private async discover(): Promise<client.Configuration> {
    const { issuer, clientId, clientSecretFile } = this.config;
    const secret = clientSecretFile && (await readSecretFile(clientSecretFile, 'oidc.clientSecretFile')).trim();
    return client.discovery(
      new URL(issuer),
      clientId,
      undefined,
      secret ? client.ClientSecretBasic(secret) : client.None(),
      // Only an issuer on this machine can be plain: the configuration refuses every other one.
      { timeout: TIMEOUT_S, ...(issuer.startsWith('http:') && { execute: [client.allowInsecureRequests] }) },
    );
  }
}

const notVouched = (cause?: unknown): CadastreError =>
  new CadastreError('UNAUTHENTICATED', 'the identity provider did not vouch for you', {
    remedy: 'sign in again',
    cause,
  });
