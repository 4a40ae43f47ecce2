import { timingSafeEqual } from 'node:crypto';
import { BOOTSTRAP_SUBJECT, CadastreError, invalid } from '@cadastre/core';
import { type Clock, type Logger, sha256Hex } from '@cadastre/runtime';
import type { JWTVerifyGetKey } from 'jose';
import { createLocalJWKSet, createRemoteJWKSet, errors, jwtVerify } from 'jose';
import type { Access } from './access.js';
import type { AccessConfig, JwtConfig } from './access-config.js';
import { readSecretFile } from './access-config.js';
import { authenticatedMsOf, grantsOf, subjectOf } from './claims.js';
import type { Principal } from './principal.js';

/** A header longer than that is no token of anybody. */
const TOKEN_CHARS_MAX = 8_192;
const BOOTSTRAP_CHARS_MIN = 32;
const CLOCK_TOLERANCE_S = 30;

export interface BearerOptions {
  readonly access: Access;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly bootstrapToken?: string;
  readonly jwt?: { readonly config: JwtConfig; readonly keys: JWTVerifyGetKey };
}

/** Who stands behind `Authorization: Bearer TOKEN`: the bootstrap token, a session of a command line, or a program with a JWT. */
export class Bearers {
  constructor(private readonly options: BearerOptions) {}

  /** @throws CadastreError UNAUTHENTICATED */
  async principalOf(token: string): Promise<Principal> {
    if (token.length > TOKEN_CHARS_MAX) throw unknownToken();
    const { bootstrapToken, access, jwt } = this.options;
    if (bootstrapToken !== undefined && isSame(token, bootstrapToken)) return this.bootstrap();
    const signedIn = access.principalOf(token);
    if (signedIn) return signedIn;
    if (jwt && token.split('.').length === 3) return this.ofJwt(token, jwt);
    throw unknownToken();
  }

  private bootstrap(): Principal {
    return {
      subject: BOOTSTRAP_SUBJECT,
      name: 'bootstrap token',
      source: 'local',
      grants: [{ role: 'admin' }],
      authenticatedMs: this.options.clock.wallMs(),
    };
  }

  /** As RFC 8725 asks: issuer, audience and algorithms are fixed here, and nothing in the token can choose the key's place. */
  private async ofJwt(
    token: string,
    { config, keys }: { config: JwtConfig; keys: JWTVerifyGetKey },
  ): Promise<Principal> {
    try {
      const { payload } = await jwtVerify(token, keys, {
        issuer: config.issuer,
        audience: config.audience,
        algorithms: [...config.algorithms],
        requiredClaims: ['sub', 'exp', 'iat'],
        clockTolerance: CLOCK_TOLERANCE_S,
        currentDate: new Date(this.options.clock.wallMs()),
      });
      const { sub = '', name, iat, exp = 0, auth_time } = payload;
      const subject = subjectOf('jwt', config.issuer, sub);
      if (subject === undefined) throw unknownToken();
      return {
        subject,
        name: typeof name === 'string' && name !== '' ? name : sub,
        source: 'jwt',
        grants: grantsOf(payload, config),
        authenticatedMs: authenticatedMsOf(auth_time ?? iat, this.options.clock.wallMs()),
        expiresMs: (exp + CLOCK_TOLERANCE_S) * 1_000,
      };
    } catch (error) {
      if (error instanceof errors.JWKSTimeout)
        throw new CadastreError('UNAVAILABLE', 'the issuer of the token does not answer', {
          remedy: 'try again',
          cause: error,
        });
      this.options.logger.warn('a token was refused', {
        event: 'token-refused',
        reason: error instanceof errors.JOSEError ? error.code : 'unknown',
      });
      throw unknownToken();
    }
  }
}

const unknownToken = (): CadastreError =>
  new CadastreError('UNAUTHENTICATED', 'the token is not valid here, or not any more', {
    field: 'authorization',
    remedy: 'sign in again: cadastre login',
  });

/** In a time that does not tell how much of them is equal. */
const isSame = (a: string, b: string): boolean => timingSafeEqual(Buffer.from(sha256Hex(a)), Buffer.from(sha256Hex(b)));

/** @throws CadastreError INVALID_ARGUMENT */
export const readBootstrapToken = async (file: string): Promise<string> => {
  const token = (await readSecretFile(file, 'bootstrapTokenFile')).trim();
  if (token.length < BOOTSTRAP_CHARS_MIN || /\s/.test(token))
    throw invalid(
      'bootstrapTokenFile',
      `${file} holds no token`,
      'put one into it: openssl rand -hex 32',
      `at least ${BOOTSTRAP_CHARS_MIN} characters without spaces`,
    );
  return token;
};

/** @throws CadastreError INVALID_ARGUMENT */
export const openKeys = async ({ jwks }: JwtConfig): Promise<JWTVerifyGetKey> => {
  if (URL.canParse(jwks) && /^https?:$/.test(new URL(jwks).protocol)) return createRemoteJWKSet(new URL(jwks));
  try {
    return createLocalJWKSet(JSON.parse(await readSecretFile(jwks, 'jwt.jwks')));
  } catch (error) {
    if (error instanceof CadastreError) throw error;
    throw invalid('jwt.jwks', `${jwks} holds no set of keys`, 'give a JSON Web Key Set (RFC 7517)');
  }
};

export const openBearers = async (
  config: AccessConfig,
  parts: Pick<BearerOptions, 'access' | 'clock' | 'logger'>,
): Promise<Bearers> => {
  const { bootstrapTokenFile, jwt } = config;
  return new Bearers({
    ...parts,
    ...(bootstrapTokenFile && { bootstrapToken: await readBootstrapToken(bootstrapTokenFile) }),
    ...(jwt && { jwt: { config: jwt, keys: await openKeys(jwt) } }),
  });
};
