import { useState } from 'preact/hooks';
import { actOnPlan } from '../model/acts.js';
import type { Plan } from '../model/api.types.js';
import { planCommand } from '../model/cli.js';
import { isOpen } from '../model/plan-figures.js';
import { actor, isOpenAccess, may } from '../model/store.js';
import { Cli, Message } from '../ui/parts.js';
import { useAct } from '../ui/use-act.js';

const TEXT: Readonly<Record<string, string>> = {
  approve: 'Approve',
  reject: 'Reject',
  pause: 'Pause',
  resume: 'Resume',
  cancel: 'Cancel the run',
};
const KIND: Readonly<Record<string, string>> = {
  approve: 'primary',
  resume: 'primary',
  cancel: 'danger',
  reject: 'danger',
};
const NEEDS_REASON = new Set(['reject', 'cancel']);
const permissionOf = (verb: string): string => (verb === 'approve' || verb === 'reject' ? 'approve' : 'control');

/** The decision, where the plan is read. Approval carries the digest that stands on this screen. */
export const ActPanel = ({ plan }: { readonly plan: Plan }) => {
  const [reason, setReason] = useState('');
  const { note, setNote, busy, run } = useAct();
  if (!isOpen(plan)) return null;
  const verbs = plan.allowedActions.filter((verb) => TEXT[verb]);
  const act = (verb: string) => {
    if (NEEDS_REASON.has(verb) && reason.trim() === '') {
      setNote({ text: `Give a reason to ${verb}: whoever proposed it will ask.`, tone: 'warn' });
      document.getElementById('reason')?.focus();
      return;
    }
    void run(async () => {
      await actOnPlan(verb, plan.id, plan.digest, reason);
      setReason('');
      return '';
    });
  };
  const by = { actor: isOpenAccess.value ? actor.value.trim() : '', reason: reason.trim() };
  const refused = verbs.filter((verb) => !may(permissionOf(verb)));
  return (
    <form class="act" id="act" onSubmit={(e) => e.preventDefault()}>
      <label class="reason">
        Reason{' '}
        <input
          id="reason"
          name="reason"
          maxLength={1000}
          autocomplete="off"
          placeholder="kept in the audit log"
          value={reason}
          onInput={(e) => setReason(e.currentTarget.value)}
        />
      </label>
      <div class="buttons" id="buttons">
        {verbs.map((verb) => (
          <button
            key={verb}
            type="button"
            data-verb={verb}
            class={KIND[verb]}
            disabled={busy || refused.includes(verb)}
            onClick={() => act(verb)}
          >
            {TEXT[verb]}
          </button>
        ))}
      </div>
      {refused.length > 0 && (
        <p class="quiet" id="refused">
          Your roles do not let you {refused.join(' or ')}: ask somebody who may.
        </p>
      )}
      <Message id="act-message" note={note} />
      <Cli id="cli" commands={verbs.map((verb) => planCommand(verb, plan, by))} />
    </form>
  );
};
