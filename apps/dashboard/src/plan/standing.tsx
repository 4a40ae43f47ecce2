import type { Plan, PlanWindow } from '../model/api.types.js';
import { formatDuration, plural, type Tone } from '../model/format.js';
import { isOpen } from '../model/plan-figures.js';
import { now } from '../model/store.js';
import { Banner, Flag, Time } from '../ui/parts.js';

const TONES: Readonly<Record<string, Tone>> = { stalled: 'warn', frozen: 'warn', paused: 'warn', throttled: 'run' };

/** Who has agreed, who must still, and what keeps the plan from going on. */
export const Standing = ({ plan }: { readonly plan: Plan }) => (
  <div id="plan-standing">
    {plan.note && <Banner tone={plan.state === 'failed' ? 'bad' : 'idle'}>{plan.note}</Banner>}
    {plan.undoOf && <Banner tone="idle">The way back of plan {plan.undoOf}.</Banner>}
    {plan.breakGlass && (
      <Banner tone="bad">
        <strong>Approved past the rules</strong> by {plan.breakGlass.actor}: {plan.breakGlass.reason}
      </Banner>
    )}
    {plan.state === 'proposed' && plan.staleBecause && plan.staleBecause.length > 0 && (
      <Banner tone="warn">
        Out of date: {plan.staleBecause.join('; ')}. Approving it will be refused; propose a new one.
      </Banner>
    )}
    {isOpen(plan) && plan.progress && plan.progress.because && TONES[plan.progress.condition] && (
      <Banner tone={TONES[plan.progress.condition]!}>
        <strong>{plan.progress.condition}</strong>: {plan.progress.because}
      </Banner>
    )}
    {isOpen(plan) && plan.window && <WindowLine window={plan.window} />}
    <Approvals plan={plan} />
  </div>
);

const Approvals = ({ plan }: { readonly plan: Plan }) => {
  const { approvals = [], approvalsNeeded = 0, approvalsBecause = [], approvedByPolicy = '' } = plan;
  if (approvedByPolicy !== '')
    return (
      <p id="approvals">
        <Flag tone="ask">approved by policy</Flag> Nobody was asked: the rule {approvedByPolicy} allows it beforehand.
      </p>
    );
  if (approvalsNeeded <= 1 && approvals.length === 0) return null;
  return (
    <p id="approvals">
      <Flag tone={approvals.length >= approvalsNeeded ? 'good' : 'ask'}>
        {approvals.length} of {plural(approvalsNeeded, 'approval')}
      </Flag>{' '}
      {approvals.map((a) => (
        <span key={a.actor}>
          {a.actor} (<Time ms={a.atMs} />){a.reason && `: ${a.reason}`}{' '}
        </span>
      ))}
      {approvalsBecause.length > 0 && <span class="quiet">asked for by {approvalsBecause.join(', ')}</span>}
    </p>
  );
};

const FITS: Readonly<Record<PlanWindow['fits'], Tone>> = { yes: 'good', perhaps: 'warn', no: 'bad' };

export const WindowLine = ({ window }: { readonly window: PlanWindow }) => (
  <p id="window">
    <Flag tone={window.open ? 'good' : 'idle'}>window {window.open ? 'open' : 'shut'}</Flag> {window.name} (
    {window.zone}){' '}
    {window.open
      ? `closes in ${formatDuration(window.closesMs - now.value)}`
      : window.opensMs > 0 && `opens in ${formatDuration(window.opensMs - now.value)}`}{' '}
    <Flag tone={FITS[window.fits]}>fits: {window.fits}</Flag> <span class="quiet">{window.because}</span>
  </p>
);
