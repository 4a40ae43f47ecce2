import { useState } from 'preact/hooks';
import { actOnPlan, propose, undo } from '../model/acts.js';
import type { Refusal } from '../model/api.js';
import type { Plan } from '../model/api.types.js';
import { planCommand } from '../model/cli.js';
import { reasonBack } from '../model/journey.js';
import { link } from '../model/route.js';
import { actor, isOpenAccess, may } from '../model/store.js';
import { Cli, Message, type Note } from '../ui/parts.js';
import { useAct } from '../ui/use-act.js';
import { ReasonField } from '../ui/reason-field.js';

interface Verb {
  readonly text: string;
  readonly kind?: string;
  readonly permission: string;
  readonly needsReason?: boolean;
}

const VERBS: Readonly<Record<string, Verb>> = {
  approve: { text: 'Approve', kind: 'primary', permission: 'approve' },
  reject: { text: 'Reject', kind: 'danger', permission: 'approve', needsReason: true },
  pause: { text: 'Pause', permission: 'halt' },
  resume: { text: 'Resume', kind: 'primary', permission: 'control' },
  cancel: { text: 'Cancel the run', kind: 'danger', permission: 'halt', needsReason: true },
  'break-glass': { text: 'Break glass', kind: 'danger', permission: 'administer', needsReason: true },
  undo: { text: 'Propose the way back', permission: 'propose' },
};
const STALE = new Set(['PLAN_STALE', 'PLAN_CHANGED']);
const NOT_DONE: Note = { text: 'Nothing was approved: the cluster has changed since this plan was made.', tone: 'bad' };
const CHANGES_SHOWN = 8;

/** Breaking glass is offered only where the rules keep a plan from its run: nobody should meet it by the way. */
const isHeldByRules = (plan: Plan, refused: ReadonlyMap<string, string>): boolean =>
  may('administer') &&
  !refused.has('break-glass') &&
  ((plan.approvalsNeeded ?? 1) > 1 || refused.has('approve') || plan.window?.open === false);

/** Those that are this person's; the others with why not. */
const verbsOf = (plan: Plan): { readonly mine: readonly string[]; readonly refused: ReadonlyMap<string, string> } => {
  const refused = new Map((plan.refusedActions ?? []).map(({ action, because }) => [action, because]));
  const named = new Set([...plan.allowedActions, ...refused.keys()]);
  // Each always in the same place, whoever looks: a hand that knows where Approve is must not find Reject there.
  const known = Object.keys(VERBS).filter(
    (verb) => named.has(verb) && (verb !== 'break-glass' || isHeldByRules(plan, refused)),
  );
  for (const verb of known)
    if (!refused.has(verb) && !may(VERBS[verb]!.permission))
      refused.set(verb, `your roles do not let you ${VERBS[verb]!.permission} here`);
  return { mine: known, refused };
};

const cliOf = (verb: string, plan: Plan, reason: string): string => {
  const by = { actor: isOpenAccess.value ? actor.value.trim() : '', reason: reason.trim() };
  if (verb === 'break-glass') return `${planCommand('approve', plan, by)} --break-glass`;
  return planCommand(verb, plan, by);
};

const perform = async (verb: string, plan: Plan, reason: string): Promise<string> => {
  if (verb !== 'undo') {
    await actOnPlan(verb, plan.id, plan.digest, reason);
    return '';
  }
  const back = await undo(plan.id, reason);
  if (!back.plan) return `There is nothing to undo: ${back.nothingBecause}`;
  location.hash = link('plans', back.plan.id);
  return '';
};

const useVerbs = (plan: Plan) => {
  const [reason, setReason] = useState(reasonBack);
  const { note, setNote, refusal, busy, run } = useAct();
  const act = (verb: string) => {
    if (VERBS[verb]!.needsReason && reason.trim() === '') {
      setNote({ text: `Give a reason to ${verb}: whoever proposed it will ask.`, tone: 'warn' });
      document.getElementById('reason')?.focus();
      return;
    }
    void run(async () => {
      const said = await perform(verb, plan, reason);
      setReason('');
      return said;
    });
  };
  const again = () =>
    void run(async () => {
      const next = await propose('', refusal?.again ?? { reason: plan.reason });
      if (!next.plan) return `There is nothing to do any more: ${next.nothingBecause}`;
      location.hash = link('plans', next.plan.id);
      return '';
    });
  return { reason, setReason, note, refusal, busy, act, again };
};

/** The decision, where the plan is read. Approval carries the digest that stands on this screen. */
export const ActPanel = ({ plan }: { readonly plan: Plan }) => {
  const { reason, setReason, note, refusal, busy, act, again } = useVerbs(plan);
  const { mine, refused } = verbsOf(plan);
  const isStale = refusal !== undefined && STALE.has(refusal.code);
  if (mine.length === 0 && !isStale && note.text === '') return null;
  const shut = [...refused].filter(([verb]) => mine.includes(verb));
  // Of who may do nothing at all here there is nothing to press; who may do some of it sees what is shut beside it.
  const shown = shut.length === mine.length ? [] : mine;
  if (shown.length === 0 && !isStale && note.text === '') return <Shut shut={shut} />;
  return (
    <form class="act" id="act" onSubmit={(e) => e.preventDefault()}>
      {shown.length > 0 && <ReasonField id="reason" value={reason} onChange={setReason} />}
      <div class="buttons" id="buttons">
        {shown.map((verb) => (
          <button
            key={verb}
            type="button"
            data-verb={verb}
            class={VERBS[verb]!.kind}
            disabled={busy || refused.has(verb)}
            title={refused.get(verb)}
            onClick={() => act(verb)}
          >
            {VERBS[verb]!.text}
          </button>
        ))}
      </div>
      <Shut shut={shut} />
      <Message id="act-message" note={isStale && refusal.changes.length > 0 ? NOT_DONE : note} />
      {isStale && <Stale refusal={refusal} busy={busy} onAgain={again} />}
      <Cli id="cli" commands={mine.filter((verb) => !refused.has(verb)).map((verb) => cliOf(verb, plan, reason))} />
    </form>
  );
};

/** One sentence for each reason, with all that it keeps from this person. */
const Shut = ({ shut }: { readonly shut: readonly (readonly [string, string])[] }) => {
  const byReason = new Map<string, string[]>();
  for (const [verb, because] of shut)
    byReason.set(because, [...(byReason.get(because) ?? []), VERBS[verb]?.text ?? verb]);
  if (shut.length === 0) return null;
  return (
    <p class="quiet" id="refused">
      {[...byReason].map(([because, verbs]) => `${verbs.join(', ')}: ${because}.`).join(' ')}
    </p>
  );
};

const Stale = ({ refusal, busy, onAgain }: { refusal: Refusal; busy: boolean; onAgain: () => void }) => (
  <div id="stale" class="banner" data-tone="warn">
    {refusal.changes.length > 0 && (
      <ul>
        {refusal.changes.slice(0, CHANGES_SHOWN).map((change) => (
          <li key={change}>{change}</li>
        ))}
        {refusal.changes.length > CHANGES_SHOWN && <li>and {refusal.changes.length - CHANGES_SHOWN} more</li>}
      </ul>
    )}
    <p>This plan stays readable, but it does not fit the cluster any more.</p>
    {may('propose') && (
      <button type="button" data-verb="propose-again" class="primary" disabled={busy} onClick={onAgain}>
        Propose a new one
      </button>
    )}
  </div>
);
