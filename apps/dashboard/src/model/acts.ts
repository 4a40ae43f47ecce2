import { getSession, path, Refusal, send } from './api.js';
import type { Plan, Session } from './api.types.js';
import { OnceKeys } from './once.js';
import { actor, isOpenAccess, proofAsked, session, world } from './store.js';
import { connect, disconnect } from './stream.js';

/** Reads who is signed in; the stream runs while somebody is. */
export const refreshSession = async (): Promise<void> => {
  keepSession(await getSession());
};

const csrf = (): string => session.value?.csrf ?? '';

const keepSession = (next: Session): void => {
  session.value = next;
  if (next.access === 'open' || next.user) connect(onStreamRefused);
  else disconnect();
};

const onStreamRefused = (): void => {
  refreshSession().catch(() => undefined);
};

export const signIn = async (name: string, password: string): Promise<void> => {
  keepSession(await send<Session>('POST', '/api/v1/session', { name, password }, { csrf: '' }));
};

export const signOut = async (): Promise<void> => {
  const next = await send<Session>('DELETE', '/api/v1/session', {}, { csrf: csrf() });
  world.value = undefined;
  keepSession(next);
};

export const prove = async (password: string): Promise<void> => {
  session.value = await send<Session>('POST', '/api/v1/session/proof', { password }, { csrf: csrf() });
};

const askProof = (reason: string): Promise<void> =>
  new Promise((resolve, reject) => {
    const end = (): void => {
      proofAsked.value = undefined;
    };
    proofAsked.value = {
      reason,
      resolve: () => (end(), resolve()),
      reject: (error) => (end(), reject(error)),
    };
  });

/** Who acts, where the server cannot know. */
export const signed = (reason: string): object => ({
  ...(isOpenAccess.value && { actor: actor.value.trim() }),
  ...(reason.trim() !== '' && { reason: reason.trim() }),
});

/** Changes something. Where the proof of who acts is too old, it is asked for here, and the same body is sent again. @throws Refusal */
export const mutate = async <T>(where: string, body: object): Promise<T> => {
  try {
    return await once<T>(where, body);
  } catch (error) {
    if (!(error instanceof Refusal) || error.status !== 401) throw error;
    if (error.field !== 'proof') {
      await refreshSession();
      throw error;
    }
    await askProof((body as { reason?: string }).reason ?? '');
    return once<T>(where, body);
  }
};

const keys = new OnceKeys();
const UNDECIDED = new Set(['UNAVAILABLE', 'UNKNOWN_OUTCOME']);

const once = async <T>(where: string, body: object): Promise<T> => {
  try {
    const answer = await send<T>('POST', where, body, { csrf: csrf(), key: keys.of(where, body) });
    keys.answered(where, body);
    return answer;
  } catch (error) {
    if (!(error instanceof Refusal && UNDECIDED.has(error.code))) keys.answered(where, body);
    throw error;
  }
};

export const keepPlan = (plan: Plan): void => {
  const { value } = world;
  if (value && (value.plan === null || value.plan.id === plan.id || value.plan.createdMs <= plan.createdMs))
    world.value = { ...value, plan };
};

/** @param digest of the plan that the person has on the screen: only that may run. */
export const actOnPlan = async (verb: string, id: string, digest: string, reason: string): Promise<void> => {
  const breakGlass = verb === 'break-glass';
  const approves = verb === 'approve' || breakGlass;
  const body = { ...signed(reason), ...(approves && { digest }), ...(breakGlass && { breakGlass }) };
  keepPlan(await mutate<Plan>(path`/api/v1/plans/${id}/${approves ? 'approve' : verb}`, body));
};

/** The way back of a run that has ended, as a plan that waits for approval like any other. */
export const undo = async (id: string, reason: string): Promise<{ plan: Plan | null; nothingBecause: string }> => {
  const reply = await mutate<{ plan: Plan | null; nothingBecause: string }>(
    path`/api/v1/plans/${id}/undo`,
    signed(reason),
  );
  if (reply.plan) keepPlan(reply.plan);
  return reply;
};

/** @param about which keyspaces; all unless given */
export const propose = async (
  reason: string,
  about: object = {},
): Promise<{ plan: Plan | null; nothingBecause: string }> => {
  const body = { ...about, ...signed(reason) };
  const reply = await mutate<{ plan: Plan | null; nothingBecause: string }>('/api/v1/plans', body);
  if (reply.plan) keepPlan(reply.plan);
  return reply;
};
