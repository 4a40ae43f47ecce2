import type { ServerResponse } from 'node:http';
import { Body, Controller, Delete, Get, HttpCode, Inject, Param, Post, Put, Query, Req, Res } from '@nestjs/common';
import { CadastreError, formatGrant, parseGrant, permissionsOf, permits } from '@cadastre/core';
import { z } from 'zod';
import { CheckPipe } from '../rest/check-body.js';
import type { UserView } from './access.js';
import type { Guarded, IdentifiedRequest, Identity } from './identify.js';
import { cookieOf, SESSION_COOKIE, setCookie, unauthenticated } from './identify.js';
import type { Journey } from './oidc.js';
import type { Principal } from './principal.js';
import { IDENTITY } from './tokens.js';

const JOURNEY_COOKIE = '__Host-cadastre-oidc';
const JOURNEY_S = 600;

const text = (max: number) => z.string().min(1).max(max);

export const SignInRequest = z.strictObject({ name: text(63), password: text(256) });
export const ProveRequest = z.strictObject({ password: text(256) });
const reason = z.string().max(1_000).default('');
export const PutUserRequest = z.strictObject({
  roles: z.array(text(1_000)).max(64).optional(),
  password: text(256).optional(),
  disabled: z.boolean().optional(),
  reason,
});
const BeginQuery = z.strictObject({ again: z.enum(['0', '1']).default('0') });

const sessionJson = (identity: Identity, principal: Principal | undefined) => ({
  access: identity.guarded ? ('required' as const) : ('open' as const),
  providers: [...(identity.guarded ? ['local'] : []), ...(identity.guarded?.oidc ? ['oidc'] : [])],
  user: principal
    ? {
        subject: principal.subject,
        name: principal.name,
        source: principal.source,
        roles: principal.grants.map(formatGrant),
        permissions: permissionsOf(principal.grants),
      }
    : null,
  csrf: principal?.csrf ?? '',
});

const userJson = ({ grants, ...user }: UserView) => ({ ...user, roles: grants.map(formatGrant) });

/** Who is signed in, and who may be. */
@Controller()
export class AccessController {
  constructor(@Inject(IDENTITY) private readonly identity: Identity) {}

  @Get('api/v1/session')
  session(@Req() request: IdentifiedRequest) {
    return sessionJson(this.identity, request.caller?.principal);
  }

  @Post('api/v1/session')
  @HttpCode(200)
  async signIn(
    @Body(new CheckPipe(SignInRequest)) { name, password }: z.output<typeof SignInRequest>,
    @Req() request: IdentifiedRequest,
    @Res({ passthrough: true }) response: ServerResponse,
  ) {
    const { token, principal } = await this.guarded().access.signIn(
      name,
      password,
      this.guarded().addresses.of(request),
    );
    this.keep(response, token);
    return sessionJson(this.identity, principal);
  }

  /** The same for a command line, which has no cookies: the token is in the answer. */
  @Post('api/v1/token')
  @HttpCode(200)
  async token(
    @Body(new CheckPipe(SignInRequest)) { name, password }: z.output<typeof SignInRequest>,
    @Req() request: IdentifiedRequest,
  ) {
    const { token, principal } = await this.guarded().access.signIn(
      name,
      password,
      this.guarded().addresses.of(request),
    );
    return { token, ...sessionJson(this.identity, principal), csrf: '' };
  }

  @Post('api/v1/session/proof')
  @HttpCode(200)
  async prove(
    @Body(new CheckPipe(ProveRequest)) { password }: z.output<typeof ProveRequest>,
    @Req() request: IdentifiedRequest,
  ) {
    const { caller } = request;
    if (!caller?.token) throw unauthenticated();
    return sessionJson(
      this.identity,
      await this.guarded().access.proveAgain(caller.token, password, this.guarded().addresses.of(request)),
    );
  }

  @Delete('api/v1/session')
  @HttpCode(200)
  async signOut(@Req() request: IdentifiedRequest, @Res({ passthrough: true }) response: ServerResponse) {
    if (request.caller?.token) await this.guarded().access.signOut(request.caller.token);
    setCookie(response, SESSION_COOKIE, '', { maxAgeS: 0 });
    return sessionJson(this.identity, undefined);
  }

  @Get('auth/oidc/login')
  async beginOidc(
    @Query(new CheckPipe(BeginQuery)) { again }: z.output<typeof BeginQuery>,
    @Res() response: ServerResponse,
  ) {
    const { url, journey } = await this.oidc().begin(again === '1');
    const value = Buffer.from(JSON.stringify(journey)).toString('base64url');
    setCookie(response, JOURNEY_COOKIE, value, { maxAgeS: JOURNEY_S, sameSite: 'Lax' });
    redirect(response, url);
  }

  @Get('auth/oidc/callback')
  async finishOidc(@Req() request: IdentifiedRequest, @Res() response: ServerResponse) {
    const query = (request.url ?? '').split('?')[1] ?? '';
    const { token } = await this.oidc().finish(query, journeyOf(request));
    setCookie(response, JOURNEY_COOKIE, '', { maxAgeS: 0, sameSite: 'Lax' });
    this.keep(response, token);
    redirect(response, '/');
  }

  @Get('api/v1/users')
  listUsers(@Req() request: IdentifiedRequest) {
    this.administrator(request);
    return { users: this.guarded().access.listUsers().map(userJson) };
  }

  @Put('api/v1/users/:name')
  async putUser(
    @Param('name') name: string,
    @Body(new CheckPipe(PutUserRequest)) { roles, reason: why, password, disabled }: z.output<typeof PutUserRequest>,
    @Req() request: IdentifiedRequest,
  ) {
    const { subject } = this.provenAdministrator(request);
    const change = {
      name,
      ...(roles && { grants: roles.map(parseGrant) }),
      ...(password !== undefined && { password }),
      ...(disabled !== undefined && { disabled }),
    };
    return userJson(await this.guarded().access.putUser(change, subject, why));
  }

  @Delete('api/v1/users/:name')
  @HttpCode(200)
  async removeUser(@Param('name') name: string, @Req() request: IdentifiedRequest) {
    const { subject } = this.provenAdministrator(request);
    await this.guarded().access.removeUser(name, subject, '');
    return {};
  }

  private keep(response: ServerResponse, token: string): void {
    setCookie(response, SESSION_COOKIE, token, { maxAgeS: 24 * 3600 });
  }

  private administrator({ caller }: IdentifiedRequest): Principal {
    this.guarded();
    if (!caller) throw unauthenticated();
    if (permits(caller.principal.grants, 'administer', 'cluster')) return caller.principal;
    throw new CadastreError('PERMISSION_DENIED', 'users are for administrators', {
      field: 'role',
      remedy: 'ask an administrator',
    });
  }

  /** Who can make users can become anybody: an old session is not enough for that. */
  private provenAdministrator(request: IdentifiedRequest): Principal {
    const principal = this.administrator(request);
    this.identity.requireFreshProof(principal);
    return principal;
  }

  private guarded(): Guarded {
    if (this.identity.guarded) return this.identity.guarded;
    throw new CadastreError('FAILED_PRECONDITION', 'access is open here: there are no users', {
      field: 'access',
      remedy: 'start the control plane with --access required',
    });
  }

  private oidc(): NonNullable<Guarded['oidc']> {
    const { oidc } = this.guarded();
    if (oidc) return oidc;
    throw new CadastreError('NOT_FOUND', 'no identity provider is configured', {
      field: 'oidc',
      remedy: 'sign in with a local user',
    });
  }
}

const redirect = (response: ServerResponse, url: string): void => {
  response.statusCode = 303;
  response.setHeader('location', url);
  response.end();
};

/** @throws CadastreError UNAUTHENTICATED */
const journeyOf = (request: IdentifiedRequest): Journey => {
  try {
    const kept: unknown = JSON.parse(Buffer.from(cookieOf(request, JOURNEY_COOKIE) ?? '', 'base64url').toString());
    return z.strictObject({ verifier: text(256), state: text(256), nonce: text(256) }).parse(kept);
  } catch {
    throw new CadastreError('UNAUTHENTICATED', 'this sign-in was not begun in this browser, or too long ago', {
      remedy: 'sign in again',
    });
  }
};
