import { computed, signal } from '@preact/signals';
import type { Session, World } from './api.types.js';

export type Link = 'connecting' | 'live' | 'reconnecting';

/** All that the page knows, in one place; pages read, the stream and the acts write. */
export const session = signal<Session | undefined>(undefined);
export const world = signal<World | undefined>(undefined);
export const link = signal<Link>('connecting');
export const now = signal(Date.now());
export const actor = signal(localStorage.getItem('cadastre.actor') ?? '');

/** While a person is asked for the password again; both end it. */
export interface ProofAsked {
  /** Of the act that waits for it. */
  readonly reason: string;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}
export const proofAsked = signal<ProofAsked | undefined>(undefined);

export const isOpenAccess = computed(() => session.value?.access === 'open');
export const mustSignIn = computed(() => session.value?.access === 'required' && session.value.user === null);

export const may = (permission: string): boolean => {
  const { value } = session;
  return value === undefined || value.access === 'open' || (value.user?.permissions ?? []).includes(permission);
};

export const setActor = (name: string): void => {
  actor.value = name;
  localStorage.setItem('cadastre.actor', name.trim());
};

setInterval(() => (now.value = Date.now()), 1_000);
