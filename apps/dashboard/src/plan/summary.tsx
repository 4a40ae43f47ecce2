import type { Keyspace, Node, Plan } from '../model/api.types.js';
import { formatBytes, formatCount, formatDuration, formatGeneration, formatShare } from '../model/format.js';
import { checksOf, peakOf } from '../model/plan-figures.js';
import { Fact, Flag, Stat } from '../ui/parts.js';

const Bound = ({ plan: { cost } }: { readonly plan: Plan }) =>
  cost.replicaMoves <= cost.lowerBoundMoves ? (
    <Flag tone="good">minimal</Flag>
  ) : (
    <Flag tone="idle">{formatCount(cost.replicaMoves - cost.lowerBoundMoves)} above the bound</Flag>
  );

const Duration = ({ plan: { cost } }: { readonly plan: Plan }) =>
  cost.estimateMs > 0 ? (
    <Stat value={formatDuration(cost.estimateMs)} name="expected">
      <span class="stat-note">
        {formatDuration(cost.estimateLowMs)} to {formatDuration(cost.estimateHighMs)}
      </span>
    </Stat>
  ) : null;

/** What moves, what it costs, and why no less would do. */
export const Summary = ({ plan, nodes }: { readonly plan: Plan; readonly nodes: readonly Node[] }) => {
  const { cost } = plan;
  const peak = peakOf(plan, nodes);
  return (
    <div id="plan-summary">
      <div class="stats">
        <Stat value={formatCount(cost.replicaMoves)} name="replica moves">
          <Bound plan={plan} />
        </Stat>
        <Stat value={formatCount(cost.lowerBoundMoves)} name="lower bound">
          <span class="stat-note">{cost.boundBecause}</span>
        </Stat>
        <Stat value={formatCount(cost.leaderTransfers)} name="leader hand-overs" />
        <Stat value={formatBytes(cost.bytes)} name="to copy" />
        <Duration plan={plan} />
        {peak && (
          <Stat value={formatBytes(peak.bytes)} name="peak on a node">
            <span class="stat-note" title="Copies that moved away are kept for a while, so nothing is subtracted.">
              {peak.node} takes {formatBytes(peak.extra)}
            </span>
          </Stat>
        )}
        {cost.scores.length > 0 && (
          <Stat
            value={`${formatShare(cost.imbalanceBefore)} → ${formatShare(cost.imbalanceAfter)}`}
            name="furthest from its share"
          />
        )}
      </div>
      <dl class="meta">
        <Fact name="proposed by">
          {plan.proposer || 'unknown'}
          {plan.reason && <span class="quiet"> — {plan.reason}</span>}
        </Fact>
        <Fact name="based on">
          {plan.base.map((b) => `${b.keyspace} at ${formatGeneration(b.generation)}`).join(', ') || 'nothing'}
        </Fact>
        {cost.because.length > 0 && (
          <Fact name="because">
            {cost.because.slice(0, 5).join('; ')}
            {cost.because.length > 5 && ` and ${cost.because.length - 5} more`}
          </Fact>
        )}
        <Fact name="digest">
          <span class="mono digest">{plan.digest}</span>
        </Fact>
      </dl>
    </div>
  );
};

const WORD = { good: 'holds', warn: 'look', bad: 'broken' };

export const Checks = ({ plan, keyspaces, nowMs }: { plan: Plan; keyspaces: readonly Keyspace[]; nowMs: number }) => (
  <div id="plan-checks">
    <h3 class="sub">Checks</h3>
    <ul class="checks">
      {checksOf(plan, keyspaces, nowMs).map(({ verdict, text }) => (
        <li key={text}>
          <Flag tone={verdict}>{WORD[verdict]}</Flag> <span>{text}</span>
        </li>
      ))}
    </ul>
  </div>
);
