import { useState } from 'preact/hooks';
import { mutate } from '../model/acts.js';
import { get } from '../model/api.js';
import type { AuditEntry, AuditPage, AuditVerdict, Plan, PlanEvent } from '../model/api.types.js';
import { plural } from '../model/format.js';
import { link } from '../model/route.js';
import { may, world } from '../model/store.js';
import { Banner, Cli, Loading, Message, type Note, Panel, quiet, Time } from '../ui/parts.js';
import { useData } from '../ui/use-data.js';

const SHOWN = 500;
const AUDIT_PAGE = 100;

interface Entry extends PlanEvent {
  readonly plan: string;
}

const entriesOf = (plans: readonly Plan[]): Entry[] =>
  plans
    .flatMap(({ id, events }) => events.map((event) => ({ ...event, plan: id })))
    .sort((a, b) => b.atMs - a.atMs)
    .slice(0, SHOWN);

export const Events = () => (
  <>
    <PlanEvents />
    <Audit />
  </>
);

/** What happened to which plan, newest first. */
const PlanEvents = () => {
  const plan = world.value?.plan;
  const key = `events ${plan?.id} ${plan?.events.length}`;
  const { data, error } = useData(key, () => get<{ plans: readonly Plan[] }>('/api/v1/plans'));
  const entries = entriesOf(data?.plans ?? []);
  return (
    <Panel id="events" title="Events of plans">
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

const auditPath = (before: number, subject: string): string =>
  `/api/v1/audit?before=${before}&limit=${AUDIT_PAGE}&subject=${encodeURIComponent(subject)}`;

/** Who did what and why. */
const Audit = () => {
  const [before, setBefore] = useState(0);
  const [subject, setSubject] = useState('');
  const at = world.value?.plan;
  const key = `audit ${before} ${subject} ${at?.id} ${at?.events.length}`;
  const { data } = useData(key, () => get<AuditPage>(auditPath(before, subject)));
  if (!data) return null;
  const look = (from: number, of: string) => {
    setBefore(from);
    setSubject(of);
  };
  return (
    <Panel
      id="audit"
      title="Audit log"
      aside={
        <label class="quiet">
          of{' '}
          <input
            id="audit-subject"
            placeholder="plan/p1234, node/n7"
            value={subject}
            onInput={(e) => look(0, e.currentTarget.value)}
          />
        </label>
      }
    >
      <Verify />
      {data.entries.length === 0 ? (
        <p class="empty">Nothing is noted of that.</p>
      ) : (
        <AuditTable entries={data.entries} />
      )}
      <div class="buttons">
        {before > 0 && (
          <button type="button" onClick={() => look(0, subject)}>
            Newest
          </button>
        )}
        {data.next !== undefined && (
          <button type="button" onClick={() => look(data.next!, subject)}>
            Older
          </button>
        )}
      </div>
      <Cli commands={['cadastre audit list', 'cadastre audit verify']} />
    </Panel>
  );
};

const verdictText = ({ intact, entries, faults }: AuditVerdict): Note =>
  intact
    ? { text: `The chain of ${plural(entries, 'entry', 'entries')} is whole.`, tone: 'good' }
    : { text: `Not intact: ${faults.map((f) => `${f.kind} at ${f.number}: ${f.detail}`).join('; ')}`, tone: 'bad' };

const Verify = () => {
  const [note, setNote] = useState<Note>(quiet);
  const verify = async () => {
    try {
      setNote(verdictText(await mutate<AuditVerdict>('/api/v1/audit/verify', {})));
    } catch (error) {
      setNote({ text: (error as Error).message, tone: 'bad' });
    }
  };
  if (!may('view')) return null;
  return (
    <div class="buttons">
      <button type="button" id="audit-verify" onClick={() => void verify()}>
        Recompute the chain
      </button>
      <Message id="audit-message" note={note} />
    </div>
  );
};

/** Past the rules, or what cannot be taken back: nobody may overlook these. */
const LOUD = new Set(['break-glass', 'drop']);

const AuditTable = ({ entries }: { readonly entries: readonly AuditEntry[] }) => (
  <div class="scroll" tabIndex={0} role="region" aria-label="Audit log">
    <table>
      <thead>
        <tr>
          {['number', 'when', 'who', 'did', 'to', 'why', 'before', 'after'].map((head) => (
            <th key={head} scope="col">
              {head}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {entries.map((entry) => (
          <tr key={entry.number} title={entry.hash} data-tone={LOUD.has(entry.verb) ? 'bad' : undefined}>
            <td data-label="number" class="num">
              {entry.number}
            </td>
            <td data-label="when">
              <Time ms={entry.atMs} />
            </td>
            <th scope="row">{entry.actor}</th>
            <td data-label="did">{entry.verb}</td>
            <td data-label="to">{entry.subject}</td>
            <td data-label="why">{entry.reason}</td>
            <td data-label="before">{entry.before}</td>
            <td data-label="after">{entry.after}</td>
          </tr>
        ))}
      </tbody>
    </table>
  </div>
);
