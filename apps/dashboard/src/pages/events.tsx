import { get } from '../model/api.js';
import type { Plan, PlanEvent } from '../model/api.types.js';
import { link } from '../model/route.js';
import { world } from '../model/store.js';
import { Banner, Cli, Loading, Panel, Time } from '../ui/parts.js';
import { useData } from '../ui/use-data.js';

const SHOWN = 500;

interface Entry extends PlanEvent {
  readonly plan: string;
}

const entriesOf = (plans: readonly Plan[]): Entry[] =>
  plans
    .flatMap(({ id, events }) => events.map((event) => ({ ...event, plan: id })))
    .sort((a, b) => b.atMs - a.atMs)
    .slice(0, SHOWN);

/** Who did what to which plan, newest first. */
export const Events = () => {
  const plan = world.value?.plan;
  const key = `events ${plan?.id} ${plan?.events.length}`;
  const { data, error } = useData(key, () => get<{ plans: readonly Plan[] }>('/api/v1/plans'));
  const entries = entriesOf(data?.plans ?? []);
  return (
    <Panel id="events" title="Events">
      {error && <Banner tone="bad">{error}</Banner>}
      {!data && !error && <Loading />}
      {data && entries.length === 0 && <p class="empty">Nothing has happened yet: no plan was ever proposed.</p>}
      <ul class="events">
        {entries.map((entry, i) => (
          <li key={`${entry.plan} ${entry.atMs} ${i}`}>
            <Time ms={entry.atMs} /> <a href={link('plans', entry.plan)}>{entry.plan}</a> <strong>{entry.actor}</strong>{' '}
            {entry.what}
          </li>
        ))}
      </ul>
      <Cli commands={['cadastre plan list', 'cadastre plan show latest']} />
    </Panel>
  );
};
