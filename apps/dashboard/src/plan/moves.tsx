import { useMemo, useState } from 'preact/hooks';
import type { Move, Plan } from '../model/api.types.js';
import { formatBytes, formatCount, formatDuration, plural } from '../model/format.js';
import { byUrgency, hasStarted, isInFlight, moveText, phaseOf } from '../model/plan-figures.js';
import { stalledMs } from '../model/rates.js';
import { link } from '../model/route.js';
import { now } from '../model/store.js';
import { isNarrow } from '../ui/narrow.js';
import { Bar, Chip } from '../ui/parts.js';
import { VirtualList } from '../ui/virtual-list.js';

const ROW = 40;
const ROW_NARROW = 96;

const WORTH_SAYING = new Set(['throttled', 'waiting', 'stalled']);

const PhaseCell = ({ plan, move }: { readonly plan: Plan; readonly move: Move }) => {
  const phase = phaseOf(move);
  const stalled = stalledMs(plan.id, move, now.value);
  const cause = [move.because, move.note].find((text) => text !== undefined && text !== '');
  const age = move.phaseSinceMs > 0 && isInFlight(move) ? ` ${formatDuration(now.value - move.phaseSinceMs)}` : '';
  return (
    <span class="phase" role="cell">
      <Chip word={phase} />
      {age !== '' && <span class="quiet">{age}</span>}
      {move.bytes > 0 && phase === 'transferring' && <Bar share={move.bytesDone / move.bytes} tone="run" />}
      {stalled !== undefined && move.condition === undefined && (
        <span class="flag" data-tone="warn">
          no byte for {formatDuration(stalled)}
        </span>
      )}
      {WORTH_SAYING.has(move.condition ?? '') && (
        <span class="flag" data-tone={move.condition === 'stalled' ? 'warn' : 'run'}>
          {move.condition}
        </span>
      )}
      {cause && (
        <span class="quiet note-text" title={cause}>
          {cause}
        </span>
      )}
    </span>
  );
};

const Row = ({ plan, move }: { readonly plan: Plan; readonly move: Move }) => (
  <>
    <span class="num" role="cell" data-label="step">
      {move.step}
    </span>
    <span role="rowheader" data-label="partition">
      <a href={`${link('keyspaces', move.keyspace)}?partition=${move.partition}`}>
        {move.keyspace}/{move.partition}
      </a>
    </span>
    <span role="cell" data-label="change">
      {moveText(move)}
    </span>
    <span class="num" role="cell" data-label="bytes">
      {move.bytes > 0 ? formatBytes(move.bytes) : ''}
    </span>
    <span class="because" role="cell" title={move.reason} data-label="reason">
      {move.reason}
    </span>
    <PhaseCell plan={plan} move={move} />
  </>
);

const HEADS = ['step', 'partition', 'change', 'bytes', 'reason', 'phase'];

const matches = (move: Move, words: readonly string[]): boolean => {
  const text = `${move.keyspace}/${move.partition} ${moveText(move)} ${phaseOf(move)} ${move.reason}`.toLowerCase();
  return words.every((word) => text.includes(word));
};

/** Every move with its reason; of a run, those under way first. */
export const Moves = ({ plan }: { readonly plan: Plan }) => {
  const [search, setSearch] = useState('');
  const started = hasStarted(plan);
  const items = useMemo(() => {
    const words = search.toLowerCase().split(/\s+/).filter(Boolean);
    const found = plan.moves.filter((move) => matches(move, words));
    return started ? found.sort(byUrgency) : found;
  }, [plan.moves, search, started]);
  return (
    <div id="plan-moves">
      <div class="panel-head">
        <h3 class="sub">Moves</h3>
        <span class="quiet" id="moves-count">
          {search === ''
            ? plural(plan.movesTotal, 'move')
            : `${formatCount(items.length)} of ${plural(plan.movesTotal, 'move')}`}
        </span>
        <label class="quiet">
          find{' '}
          <input
            id="moves-find"
            value={search}
            placeholder="n7, orders/12, transferring"
            onInput={(e) => setSearch(e.currentTarget.value)}
          />
        </label>
      </div>
      <VirtualList
        id="moves"
        label="Moves"
        items={items}
        rowHeight={isNarrow.value ? ROW_NARROW : ROW}
        keyOf={(move) => move.index}
        head={HEADS.map((text) => (
          <span key={text} role="columnheader">
            {text}
          </span>
        ))}
        row={(move) => <Row plan={plan} move={move} />}
      />
    </div>
  );
};
