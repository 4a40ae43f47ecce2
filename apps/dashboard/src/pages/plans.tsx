import { get, path } from '../model/api.js';
import type { Plan } from '../model/api.types.js';
import { formatBytes, formatCount } from '../model/format.js';
import { hasStarted, isOpen } from '../model/plan-figures.js';
import { link, route } from '../model/route.js';
import { may, now, session, world } from '../model/store.js';
import { ActPanel } from '../plan/act-panel.js';
import { Changes } from '../plan/changes.js';
import { LatencyChart } from '../plan/latency-chart.js';
import { Moves } from '../plan/moves.js';
import { RateChart } from '../plan/rate-chart.js';
import { ReportView } from '../plan/report.js';
import { RiskChart } from '../plan/risk-chart.js';
import { Run } from '../plan/run.js';
import { Standing } from '../plan/standing.js';
import { Checks, Summary } from '../plan/summary.js';
import { Throttle } from '../plan/throttle.js';
import { Banner, Chip, Cli, Loading, Panel, Time } from '../ui/parts.js';
import { useData } from '../ui/use-data.js';
import { ProposeForm } from './overview.js';

export const Plans = () => {
  const [id] = route.value.rest;
  return id ? <PlanPage key={id} id={id} /> : <PlanList />;
};

const REREAD_MS = 5_000;

/**
 * The stream carries the newest plan with at most some of its moves, and the same for everybody. Read once in each state it says
 * what this person may do; read again and again where moves are missing.
 */
const usePlan = (id: string): { readonly plan: Plan | undefined; readonly error: string | undefined } => {
  const live = world.value?.plan?.id === id ? world.value.plan : undefined;
  const isWhole = live !== undefined && live.moves.length === live.movesTotal;
  const isMoving = live !== undefined && isOpen(live) && live.state !== 'proposed';
  const tick = isMoving && !isWhole ? Math.floor(now.value / REREAD_MS) : 0;
  const standing = [live?.digest, live?.state, live?.approvals?.length, live?.base.length, tick];
  const { data: read, error } = useData(`${id} ${standing.join()} ${session.value?.user?.subject}`, () =>
    get<Plan>(path`/api/v1/plans/${id}`),
  );
  if (!live || read?.digest !== live.digest) return { plan: isWhole ? live : read, error };
  const mine = read.state === live.state ? { allowedActions: read.allowedActions, ...own(read) } : {};
  return { plan: { ...live, ...mine, moves: isWhole ? live.moves : overlaid(read, live) }, error };
};

const own = ({ refusedActions, staleBecause }: Plan) => ({
  ...(refusedActions && { refusedActions }),
  ...(staleBecause && { staleBecause }),
});

const overlaid = (read: Plan, live: Plan) => {
  const fresh = new Map(live.moves.map((m) => [m.index, m]));
  return read.moves.map((m) => fresh.get(m.index) ?? m);
};

const PlanPage = ({ id }: { readonly id: string }) => {
  const { plan, error } = usePlan(id);
  if (!plan) return error ? <Banner tone="bad">{error}</Banner> : <Loading />;
  return <PlanView plan={plan} />;
};

const PlanView = ({ plan }: { readonly plan: Plan }) => {
  const { status, nodes } = world.value ?? { status: undefined, nodes: [] };
  const open = isOpen(plan);
  const started = hasStarted(plan);
  return (
    <Panel
      id="plan"
      title={`${open ? 'Plan' : 'Ended plan'} ${plan.id}`}
      aside={
        <>
          <span id="plan-state">
            <Chip word={plan.state} />
          </span>
          <span class="spacer" />
          <span class="quiet" id="plan-when">
            proposed <Time ms={plan.createdMs} />
            {plan.state === 'proposed' && (
              <>
                , may wait until <Time ms={plan.expiresMs} />
              </>
            )}
          </span>
        </>
      }
    >
      <Standing plan={plan} />
      {started && <Run plan={plan} />}
      {started && <ActPanel plan={plan} />}
      {started && open && <Throttle />}
      {started && <RateChart plan={plan.id} />}
      {started && <LatencyChart latency={plan.latency} />}
      {started && open && <Moves plan={plan} />}
      {started && !open && <ReportView plan={plan} />}
      <Summary plan={plan} nodes={nodes} />
      {!started && <ActPanel plan={plan} />}
      {!open && may('propose') && <ProposeForm />}
      <div class="two">
        <Checks plan={plan} keyspaces={status?.keyspaces ?? []} nowMs={now.value} />
        {plan.rehearsal && plan.rehearsal.steps > 0 && <RiskChart rehearsal={plan.rehearsal} />}
      </div>
      <Changes plan={plan} nodes={nodes} />
      {!(started && open) && <Moves plan={plan} />}
      <PlanEvents plan={plan} />
      <Cli commands={[`cadastre plan show ${plan.id}`, `cadastre plan watch ${plan.id}`]} />
    </Panel>
  );
};

const PlanEvents = ({ plan }: { readonly plan: Plan }) => (
  <div id="plan-events">
    <h3 class="sub">What happened</h3>
    <ul class="events">
      {[...plan.events].reverse().map((event, i) => (
        <li key={plan.events.length - i}>
          <Time ms={event.atMs} /> <strong>{event.actor}</strong> {event.what}
        </li>
      ))}
    </ul>
  </div>
);

const PlanList = () => {
  const live = world.value?.plan;
  const { data, error } = useData(`plans ${live?.id} ${live?.state}`, () =>
    get<{ plans: readonly Plan[] }>('/api/v1/plans'),
  );
  return (
    <Panel id="plans" title="Plans">
      {error && <Banner tone="bad">{error}</Banner>}
      {!data && !error && <Loading />}
      {data?.plans.length === 0 && (
        <p class="empty">
          No plan has been proposed yet. Proposing moves nothing: a person approves the very list of moves first.
        </p>
      )}
      {data && data.plans.length > 0 && <PlanTable plans={data.plans} />}
      {!isOpen(live) && may('propose') && <ProposeForm />}
      <Cli commands={['cadastre plan list']} />
    </Panel>
  );
};

const PlanTable = ({ plans }: { readonly plans: readonly Plan[] }) => (
  <div class="scroll" tabIndex={0} role="region" aria-label="Plans">
    <table>
      <thead>
        <tr>
          {['plan', 'state', 'moves', 'to copy', 'proposed by', 'reason', 'when'].map((head) => (
            <th key={head} scope="col">
              {head}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {plans.map((plan) => (
          <tr key={plan.id}>
            <th scope="row">
              <a href={link('plans', plan.id)}>{plan.id}</a>
            </th>
            <td data-label="state">
              <Chip word={plan.state} />
            </td>
            <td data-label="moves">
              {formatCount(plan.movesDone)} of {formatCount(plan.movesTotal)}
            </td>
            <td data-label="to copy">{formatBytes(plan.cost.bytes)}</td>
            <td data-label="proposed by">{plan.proposer}</td>
            <td data-label="reason">{plan.reason}</td>
            <td data-label="when">
              <Time ms={plan.createdMs} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  </div>
);
