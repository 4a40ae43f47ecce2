import { propose } from '../model/acts.js';
import type { Convergence, Status, World } from '../model/api.types.js';
import { formatCount, formatDuration, plural, toneOfHealth } from '../model/format.js';
import { isOpen } from '../model/plan-figures.js';
import { link as linkTo } from '../model/route.js';
import { actor, isOpenAccess, may, world } from '../model/store.js';
import { planCommand } from '../model/cli.js';
import { KeyspaceTable } from '../ui/keyspace-table.js';
import { Chip, Cli, Fact, Loading, Message, Panel } from '../ui/parts.js';
import { Emergency } from '../ui/freeze.js';
import { useAct } from '../ui/use-act.js';
import { useState } from 'preact/hooks';
import { ReasonField } from '../ui/reason-field.js';

export const Health = ({ status }: { readonly status: Status | undefined }) => (
  <section class="health" id="health" aria-live="polite" data-tone={status ? toneOfHealth(status.health) : 'idle'}>
    <h1 id="health-text">{status?.health ?? 'The control plane does not answer yet. Trying again…'}</h1>
    {status && (
      <dl class="facts" id="facts">
        <Fact name="nodes up">
          {status.nodesUp} of {status.nodesTotal}
        </Fact>
        <Fact name="keyspaces">{formatCount(status.keyspaces.length)}</Fact>
        <Fact name="partitions">{formatCount(status.keyspaces.reduce((sum, k) => sum + k.partitions, 0))}</Fact>
        <Fact name="watchers" title="clients and agents that watch the map at this replica">
          {formatCount(status.watchers)}
        </Fact>
        <Fact
          name="watcher lag, p99"
          title="from a change of the map at this replica to a watcher's having applied it, of the last reports; then how many have the newest generation"
        >
          <span id="lag">{lagText(status.convergence ?? [])}</span>
        </Fact>
        <Fact name="active controller" title={status.activeAddress}>
          {status.active ? `${status.active}, term ${status.term}` : 'none'}
        </Fact>
        <Fact name="this replica">{status.replica}</Fact>
        <Fact name="etcd">{status.etcdVersion || 'unknown'}</Fact>
      </dl>
    )}
  </section>
);

/** Of the keyspace that lags most, and of the one that most are behind in: a watcher may watch them all. */
const lagText = (convergence: readonly Convergence[]): string => {
  const watched = convergence.filter((c) => c.watchers > 0);
  if (watched.length === 0) return 'nobody watches';
  const told = watched.filter((c) => c.lagReports > 0);
  const lag = Math.max(...told.map((c) => c.lagP99Ms));
  const text = told.length === 0 ? 'not told yet' : lag < 1_000 ? `${lag} ms` : formatDuration(lag);
  const [most] = watched.toSorted((a, b) => b.watchers - b.converged - (a.watchers - a.converged));
  const behind = most!.watchers - most!.converged;
  return behind === 0
    ? `${text}, all have the newest map`
    : `${text}, ${formatCount(behind)} of ${formatCount(most!.watchers)} behind`;
};

interface Decision {
  readonly key: string;
  readonly word: string;
  readonly text: string;
  readonly href?: string;
  readonly go?: string;
}

const decisionsOf = ({ status, nodes, plan }: World): Decision[] => {
  const found: Decision[] = (status.warnings ?? []).map(({ id, level, what, remedy }) => ({
    key: `warning-${id}`,
    word: level,
    text: `${what}. What to do: ${remedy}.`,
  }));
  if (isOpen(plan)) {
    const text =
      plan.state === 'proposed'
        ? 'waits for somebody who approves or rejects it'
        : `runs: ${plan.movesDone} of ${plan.movesTotal} moves are done`;
    const go = plan.state === 'proposed' ? 'Review it' : 'Watch it';
    found.push({ key: 'plan', word: plan.state, text: `Plan ${plan.id} ${text}.`, href: linkTo('plans', plan.id), go });
  }
  const down = nodes.filter((n) => n.state === 'down');
  if (down.length > 0)
    found.push({
      key: 'down',
      word: 'down',
      text: `${down.map((n) => n.id).join(', ')}: repair it, or let a plan replace its copies.`,
      href: linkTo('topology'),
      go: 'See the nodes',
    });
  const draining = nodes.filter((n) => n.state === 'draining');
  if (draining.length > 0 && !isOpen(plan))
    found.push({
      key: 'draining',
      word: 'draining',
      text: `${draining.map((n) => n.id).join(', ')}: a plan must move what it holds.`,
      href: linkTo('topology'),
      go: 'See the nodes',
    });
  for (const k of status.keyspaces.filter((each) => each.withoutLeader > 0))
    found.push({
      key: k.spec.name,
      word: 'down',
      text: `${plural(k.withoutLeader, 'partition')} of ${k.spec.name} without a leader.`,
      href: linkTo('keyspaces', k.spec.name),
      go: 'Find them',
    });
  return found;
};

const Decisions = ({ state }: { readonly state: World }) => {
  const decisions = decisionsOf(state);
  return (
    <Panel id="decisions" title="Needs a decision">
      {decisions.length === 0 && <p class="empty">Nothing waits for a person.</p>}
      <ul class="decisions">
        {decisions.map(({ key, word, text, href, go }) => (
          <li key={key}>
            <Chip word={word} /> <span>{text}</span> {href && <a href={href}>{go}</a>}
          </li>
        ))}
      </ul>
      {!isOpen(state.plan) && may('propose') && <ProposeForm />}
    </Panel>
  );
};

export const ProposeForm = () => {
  const [reason, setReason] = useState('');
  const { note, busy, run } = useAct();
  const submit = (event: Event) => {
    event.preventDefault();
    run(async () => {
      const { plan, nothingBecause } = await propose(reason);
      if (!plan) return `There is nothing to do: ${nothingBecause}`;
      location.hash = linkTo('plans', plan.id);
      return '';
    });
  };
  return (
    <form class="act" onSubmit={submit}>
      <ReasonField id="propose-reason" value={reason} onChange={setReason} />
      <div class="buttons">
        <button class="primary" type="submit" data-verb="propose" disabled={busy}>
          Propose a plan
        </button>
        <span class="quiet">Proposing moves nothing.</span>
      </div>
      <Message id="propose-message" note={note} />
      <Cli commands={[planCommand('propose', null, { actor: isOpenAccess.value ? actor.value : '', reason })]} />
    </form>
  );
};

export const Overview = () => {
  const state = world.value;
  return (
    <>
      <Health status={state?.status} />
      {state ? <Decisions state={state} /> : <Loading />}
      {state && (
        <Panel
          id="keyspaces"
          title="Keyspaces"
          aside={<span class="quiet">{plural(state.status.keyspaces.length, 'keyspace')}</span>}
        >
          <KeyspaceTable keyspaces={state.status.keyspaces} />
          <Cli commands={['cadastre status', 'cadastre keyspace list']} />
        </Panel>
      )}
      {state && <Emergency />}
    </>
  );
};
