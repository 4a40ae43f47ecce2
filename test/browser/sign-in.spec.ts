import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { Browser, Page } from 'playwright-core';
import { parseGrant } from '@cadastre/core';
import { type Clock, systemClock } from '@cadastre/runtime';
import { freePorts } from '@cadastre/testkit';
import { type GuardedServer, startGuardedServer } from '../access/guarded-server.js';
import { IdentityProvider } from '../access/identity-provider.js';
import { FakeOperations } from './fake-operations.js';
import { launch, overflow, seriousViolations, shoot } from './page-kit.js';

const PASSWORD = 'correct horse battery';
const USERS = { lin: ['approver', 'operator'], anna: ['approver'], vera: ['viewer'] };
const LONG_MS = 3_600_000;

let browser: Browser;
let server: GuardedServer;
let operations: FakeOperations;
let page: Page;
let lateMs: number;

/** The system's, ahead by as much as the test says. */
const clock: Clock = Object.create(systemClock, { wallMs: { value: () => systemClock.wallMs() + lateMs } }) as Clock;

beforeAll(async () => {
  browser = await launch();
}, 120_000);
afterAll(() => browser?.close());
beforeEach(async () => {
  lateMs = 0;
  operations = new FakeOperations().fill();
  operations.propose();
  server = await startGuardedServer({ operations, clock });
  for (const [name, roles] of Object.entries(USERS))
    await server.access.putUser({ name, grants: roles.map(parseGrant), password: PASSWORD }, 'test', '');
  page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
});
afterEach(async () => {
  await page.close();
  await server.stop();
});

const signIn = async (name: string, password = PASSWORD, hash = ''): Promise<void> => {
  await page.goto(server.url.replace('127.0.0.1', 'localhost') + hash);
  await page.fill('#login-name', name);
  await page.fill('#login-password', password);
  await page.keyboard.press('Enter');
};

describe('the page where access is required', () => {
  it('asks who one is before it shows anything, and forgets it on signing out', async () => {
    // Plan: nothing of the cluster before signing in; a wrong password is told; the right one shows the page that was asked for; then out.
    await signIn('lin', 'wrong', '/#/topology');
    await page.locator('#login-message:not([hidden])').waitFor();
    expect(await page.locator('nav').count()).toBe(0);
    expect(await page.textContent('body')).not.toContain('zone-a');
    expect(await seriousViolations(page)).toEqual([]);
    expect(await overflow(page)).toBe(0);
    await shoot(page, 'sign-in');
    await page.fill('#login-password', PASSWORD);
    await page.keyboard.press('Enter');
    await page.locator('#zones', { hasText: 'zone-a' }).waitFor();
    expect(await page.textContent('#who')).toBe('lin');
    expect(await page.locator('#actor').count()).toBe(0);
    await page.reload();
    await page.locator('#zones', { hasText: 'zone-a' }).waitFor();
    await page.click('#sign-out');
    await page.waitForSelector('#login-name');
    expect(await page.textContent('body')).not.toContain('zone-a');
  });

  it('asks for the password again where an approval needs it, and then goes on', async () => {
    // Plan: an hour passes; approving asks in place, refuses a wrong password, goes on with the right one, with the digest that was shown.
    await signIn('lin', PASSWORD, '/#/plans/7c1e44d0');
    await page.waitForSelector('button[data-verb=approve]');
    lateMs = LONG_MS;
    await page.fill('#reason', 'read it twice');
    await page.click('button[data-verb=approve]');
    await page.waitForSelector('dialog.proof[open]');
    expect(operations.acts).toEqual([]);
    expect(await seriousViolations(page)).toEqual([]);
    await shoot(page, 'sign-in-proof');
    await page.fill('#proof-password', 'wrong');
    await page.keyboard.press('Enter');
    await page.locator('#proof-message:not([hidden])').waitFor();
    await page.fill('#proof-password', PASSWORD);
    const sent = page.waitForRequest((request) => request.url().endsWith('/approve'));
    await page.keyboard.press('Enter');
    expect((await sent).headers()['idempotency-key']).toMatch(/^[0-9a-f]{32}$/);
    await page.waitForSelector('button[data-verb=pause]');
    expect(operations.acts).toMatchObject([
      { action: 'approve', actor: 'local:lin', reason: 'read it twice', digest: operations.plan!.digest },
    ]);
    expect(await page.locator('dialog.proof[open]').count()).toBe(0);
  });

  it('leaves the plan as it is when the proof is not given', async () => {
    // Plan: the same, but the dialog is closed with Escape; nothing was sent, the page says so, and the button works again.
    await signIn('lin', PASSWORD, '/#/plans/7c1e44d0');
    await page.waitForSelector('button[data-verb=approve]');
    lateMs = LONG_MS;
    await page.click('button[data-verb=approve]');
    await page.waitForSelector('dialog.proof[open]');
    await page.keyboard.press('Escape');
    await page.locator('#act-message', { hasText: 'not done' }).waitFor();
    expect(operations.acts).toEqual([]);
    expect(await page.locator('button[data-verb=approve]').isEnabled()).toBe(true);
  });

  it('offers nobody what is not theirs', async () => {
    // Plan: a viewer reads the plan and why it cannot approve; nothing to press, no drain, no proposal; nothing reaches the server.
    await signIn('vera', PASSWORD, '/#/plans/7c1e44d0');
    await page.waitForSelector('#refused');
    expect(await page.locator('#plan button[data-verb]').count()).toBe(0);
    expect(await page.textContent('#refused')).toContain('your roles do not let you approve');
    await page.click('nav a[data-page=topology]');
    await page.locator('#zones', { hasText: 'zone-a' }).waitFor();
    expect(await page.locator('#zones button').count()).toBe(0);
    await page.click('nav a[data-page=overview]');
    await page.waitForSelector('#decisions');
    expect(await page.locator('button[data-verb=propose]').count()).toBe(0);
    expect(operations.acts).toEqual([]);
  });

  it('lets an approver stop, not go on', async () => {
    // Plan: anna approves, may pause and freeze; once paused and frozen, resuming, unfreezing and draining are not hers.
    await signIn('anna', PASSWORD, '/#/plans/7c1e44d0');
    await page.click('button[data-verb=approve]');
    await page.click('button[data-verb=pause]');
    await page.waitForSelector('button[data-verb=resume]');
    expect(await page.locator('button[data-verb=resume]').isDisabled()).toBe(true);
    expect(await page.textContent('#refused')).toContain('your roles do not let you control');
    await page.click('nav a[data-page=overview]');
    await page.fill('#freeze-reason', 'wait for otto');
    await page.click('button[data-verb=freeze]');
    await page.locator('#freeze', { hasText: 'wait for otto' }).waitFor();
    expect(await page.locator('[data-verb^=unfreeze]').count()).toBe(0);
    await page.click('nav a[data-page=topology]');
    await page.locator('#zones', { hasText: 'zone-a' }).waitFor();
    expect(await page.locator('#zones button').count()).toBe(0);
    expect(operations.acts.map(({ action }) => action)).toEqual(['approve', 'pause']);
  });
});

describe('the page behind an identity provider', () => {
  const SIGNED_IN_LONG_AGO_S = 600;
  let provider: IdentityProvider;
  let behind: GuardedServer;

  beforeEach(async () => {
    provider = await new IdentityProvider('cadastre-page').start();
    const [port] = await freePorts(1);
    const { issuer, clientId } = provider;
    const redirectUri = `http://localhost:${port}/auth/oidc/callback`;
    const oidc = { issuer, clientId, redirectUri, roles: { dba: ['approver'] } };
    behind = await startGuardedServer({ operations, clock, config: { oidc }, port: port! });
  });
  afterEach(async () => {
    await page.goto('about:blank');
    await behind.stop();
    await provider.stop();
  });

  it('sends people there to sign in and to prove it again, and has them back where they stood', async () => {
    // Plan: there and back to the plan that was asked for; that sign-in is too old to approve with: there again, which asks anew, back with
    // the reason that was typed and nothing approved; now Approve goes through, in the name that the provider vouched for.
    provider.signedInAt -= SIGNED_IN_LONG_AGO_S;
    await page.goto(`${behind.url.replace('127.0.0.1', 'localhost')}/#/plans/7c1e44d0`);
    await page.click('#login-oidc');
    await page.waitForSelector('button[data-verb=approve]');
    expect(await page.textContent('#who')).toBe('olga');
    expect(provider.asked.get('prompt')).toBeNull();
    await page.fill('#reason', 'read it twice');
    await page.click('button[data-verb=approve]');
    await page.waitForSelector('dialog.proof[open]');
    expect(await page.locator('#proof-password').count()).toBe(0);
    expect(await seriousViolations(page)).toEqual([]);
    await shoot(page, 'sign-in-step-up');
    await page.click('#proof-oidc');
    await page.locator('#plan-title', { hasText: '7c1e44d0' }).waitFor();
    await page.waitForSelector('dialog.proof:not([open])', { state: 'attached' });
    expect(provider.asked.get('prompt')).toBe('login');
    expect(operations.acts).toEqual([]);
    await page.waitForSelector('button[data-verb=approve]');
    expect(await page.inputValue('#reason')).toBe('read it twice');
    await page.click('button[data-verb=approve]');
    await page.waitForSelector('button[data-verb=pause]');
    expect(operations.acts).toMatchObject([
      { action: 'approve', actor: `oidc:${provider.issuer}#u1`, reason: 'read it twice' },
    ]);
  });
});
