import { useState } from 'preact/hooks';
import { mutate, signed } from '../model/acts.js';
import { command } from '../model/cli.js';
import type { Freeze } from '../model/api.types.js';
import { may, world } from '../model/store.js';
import { Cli, Message, Panel, Time } from './parts.js';
import { useAct } from './use-act.js';
import { ReasonField } from './reason-field.js';

const Banner = ({ freeze }: { readonly freeze: Freeze }) => (
  <p>
    <strong>Frozen{freeze.by === 'automation' ? ' by automation' : ''}</strong> since <Time ms={freeze.sinceMs} />
    {freeze.actor && ` by ${freeze.actor}`}: {freeze.because.replace(/\.$/, '')}. No move begins and nothing is
    repaired.
  </p>
);

/** On every page: while it stands, nothing moves. */
export const FreezeBanner = () => {
  const freezes = world.value?.status.freezes ?? [];
  if (freezes.length === 0) return null;
  return (
    <section class="banner freeze" data-tone="bad" id="freeze" role="status" aria-label="Frozen">
      {freezes.map((freeze) => (
        <Banner key={freeze.by} freeze={freeze} />
      ))}
      <a href="#/overview">Decide on the overview</a>
    </section>
  );
};

/** What helps when something goes wrong: stop all that moves, and let it go on. */
export const Emergency = () => {
  const [reason, setReason] = useState('');
  const { note, setNote, busy, run } = useAct();
  const freezes = world.value?.status.freezes;
  if (freezes === undefined || !may('halt')) return null;
  const act = (where: string, body: object, said: string) => {
    if (reason.trim() === '') return setNote({ text: 'Give a reason: it is kept in the audit log.', tone: 'warn' });
    void run(async () => {
      await mutate(where, { ...signed(reason), ...body });
      setReason('');
      return said;
    });
  };
  return (
    <Panel id="emergency" title="Stop and go">
      <form class="act" onSubmit={(e) => e.preventDefault()}>
        <ReasonField id="freeze-reason" value={reason} onChange={setReason} />
        <div class="buttons">
          {!freezes.some((f) => f.by === 'person') && (
            <button
              type="button"
              class="danger"
              data-verb="freeze"
              disabled={busy}
              onClick={() => act('/api/v1/freeze', {}, 'Frozen: no move begins.')}
            >
              Freeze
            </button>
          )}
          {freezes
            .filter(({ by }) => may(by === 'person' ? 'control' : 'administer'))
            .map(({ by }) => (
              <button
                key={by}
                type="button"
                class="primary"
                data-verb={`unfreeze-${by}`}
                disabled={busy}
                onClick={() => act('/api/v1/unfreeze', { by }, 'Moves go on.')}
              >
                {by === 'person' ? 'Unfreeze' : 'Accept the loss and unfreeze'}
              </button>
            ))}
          <button
            type="button"
            class="danger"
            data-verb="cancel-all"
            disabled={busy}
            onClick={() => act('/api/v1/plans/cancel-all', {}, 'Every plan ends at its next safe point.')}
          >
            Cancel all plans
          </button>
        </div>
        <Message id="freeze-message" note={note} />
        <Cli
          commands={[
            freezes.length > 0
              ? command('unfreeze', '--by', freezes[0]!.by, '--reason', reason || 'REASON')
              : command('freeze', '--reason', reason || 'REASON'),
            command('plan', 'cancel-all', '--reason', reason || 'REASON'),
          ]}
        />
      </form>
    </Panel>
  );
};
