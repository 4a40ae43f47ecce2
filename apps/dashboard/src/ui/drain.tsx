import { useState } from 'preact/hooks';
import { mutate, signed } from '../model/acts.js';
import { get, path } from '../model/api.js';
import type { Drain, Node } from '../model/api.types.js';
import { command } from '../model/cli.js';
import { formatBytes, formatCount, formatDuration } from '../model/format.js';
import { link } from '../model/route.js';
import { world } from '../model/store.js';
import { Banner, Chip, Cli, Flag, Message, Panel } from './parts.js';
import { useAct } from './use-act.js';
import { useData } from './use-data.js';
import { ReasonField } from './reason-field.js';

const undone = (action: string): boolean => action === 'undrain';

interface Props {
  readonly node: Node;
  readonly onClose: () => void;
}

/** Before a node is emptied: can it be, and what would be in the way. While it is: how far. */
export const DrainPanel = ({ node, onClose }: Props) => {
  const [reason, setReason] = useState('');
  const { note, busy, run } = useAct();
  const at = world.value?.plan;
  const key = `drain ${node.id} ${node.state} ${node.replicas} ${at?.id} ${at?.state}`;
  const { data } = useData(key, () => get<Drain>(path`/api/v1/nodes/${node.id}/drain`));
  const act = (action: string) =>
    void run(async () => {
      await mutate(path`/api/v1/nodes/${node.id}/drain`, { ...signed(reason), undo: undone(action) });
      return undone(action)
        ? `${node.id} keeps what it has.`
        : `${node.id} is to be emptied. Propose a plan to move what it holds.`;
    });
  return (
    <Panel
      id="drain"
      title={`Empty ${node.id}`}
      aside={
        <>
          <Chip word={node.state} />
          <span class="spacer" />
          <button type="button" class="small" onClick={onClose}>
            Close
          </button>
        </>
      }
    >
      {data ? (
        <Preflight drain={data} />
      ) : (
        <p>
          It holds {formatCount(node.replicas)} copies, {formatCount(node.leaders)} of them lead.
        </p>
      )}
      <form class="act" onSubmit={(e) => e.preventDefault()}>
        <ReasonField id="drain-reason" value={reason} onChange={setReason} />
        <div class="buttons">
          {node.allowedActions.map((action) => (
            <button
              key={action}
              type="button"
              class={undone(action) ? '' : 'primary'}
              data-verb={action}
              disabled={busy}
              onClick={() => act(action)}
            >
              {undone(action) ? `Keep ${node.id}` : `Drain ${node.id}`}
            </button>
          ))}
        </div>
        <Message id="drain-message" note={note} />
        <Cli commands={[command('node', 'drain', node.id, '--wait'), command('node', 'drain', node.id, '--undo')]} />
      </form>
    </Panel>
  );
};

const Preflight = ({ drain }: { readonly drain: Drain }) => (
  <div id="preflight">
    <p>
      <Flag tone={drain.safeToDelete ? 'good' : drain.blockers.length > 0 ? 'bad' : 'run'}>
        {drain.safeToDelete ? 'safe to delete' : drain.state}
      </Flag>{' '}
      {drain.because}
    </p>
    <p class="quiet">
      {formatCount(drain.replicasLeft)} of {formatCount(drain.replicasTotal)} copies left,{' '}
      {formatCount(drain.leadersLeft)} of them lead, {formatBytes(drain.bytesLeft)}
      {drain.etaHighMs > 0 && `; ${formatDuration(drain.etaLowMs)} to ${formatDuration(drain.etaHighMs)}`}
      {drain.plan && (
        <>
          ; <a href={link('plans', drain.plan)}>plan {drain.plan}</a>
        </>
      )}
    </p>
    {drain.blockers.map((text) => (
      <Banner key={text} tone="bad">
        {text}
      </Banner>
    ))}
    {drain.warnings.map((text) => (
      <Banner key={text} tone="warn">
        {text}
      </Banner>
    ))}
  </div>
);
