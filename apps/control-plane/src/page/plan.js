import {
  bar,
  byId,
  chip,
  formatBytes,
  formatCount,
  formatDuration,
  formatTime,
  h,
  plural,
  renderWhenChanged,
  setText,
} from './dom.js';

const ENDED = new Set(['completed', 'cancelled', 'failed', 'rejected', 'superseded', 'expired']);
const STARTED = new Set(['approved', 'executing', 'paused', 'completed', 'cancelled', 'failed']);
export const isOpen = (plan) => plan !== null && !ENDED.has(plan.state);

const VERB_TEXT = {
  approve: 'Approve',
  reject: 'Reject',
  pause: 'Pause',
  resume: 'Resume',
  cancel: 'Cancel the run',
  propose: 'Propose a plan',
};
const VERB_KIND = { approve: 'primary', resume: 'primary', propose: 'primary', cancel: 'danger', reject: 'danger' };

const quote = (text) => (/^[\w.:@/-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

/** The same act on the command line, with what has been typed so far. */
export const cliOf = (verb, plan, actor, reason) => {
  const parts = ['cadastre', 'plan', verb];
  if (verb !== 'propose') parts.push(plan.id);
  if (verb === 'approve') parts.push('--digest', plan.digest);
  if (actor) parts.push('--actor', quote(actor));
  if (reason) parts.push('--reason', quote(reason));
  return parts.join(' ');
};

export const verbsOf = (plan) => (isOpen(plan) ? plan.allowedActions : ['propose']);

const stat = (value, name, extra) =>
  h(
    'div',
    { class: 'stat' },
    h('span', { class: 'stat-value' }, value),
    h('span', { class: 'stat-name' }, name),
    extra,
  );

const boundText = ({ replicaMoves, lowerBoundMoves }) => {
  if (replicaMoves === lowerBoundMoves) return h('span', { class: 'flag', 'data-tone': 'good' }, 'minimal');
  return h(
    'span',
    { class: 'flag', 'data-tone': 'idle' },
    `${formatCount(replicaMoves - lowerBoundMoves)} above the bound`,
  );
};

const renderSummary = (plan) => {
  renderWhenChanged(
    byId('plan-summary'),
    [plan?.id, plan?.cost, plan?.digest, plan?.reason, plan?.proposer, plan?.base, plan?.rehearsal?.summary],
    () => {
      if (!plan)
        return h(
          'p',
          { class: 'empty' },
          'No plan has been proposed yet. Proposing moves nothing: a person approves the very list of moves first.',
        );
      const { cost } = plan;
      return [
        h(
          'div',
          { class: 'stats' },
          stat(formatCount(cost.replicaMoves), 'replica moves', boundText(cost)),
          stat(formatCount(cost.lowerBoundMoves), 'lower bound', h('span', { class: 'stat-note' }, cost.boundBecause)),
          stat(formatCount(cost.leaderTransfers), 'leader hand-overs'),
          stat(formatBytes(cost.bytes), 'to copy'),
        ),
        h(
          'dl',
          { class: 'meta' },
          h(
            'div',
            {},
            h('dt', {}, 'proposed by'),
            h('dd', {}, plan.proposer || 'unknown', plan.reason && h('span', { class: 'quiet' }, ` — ${plan.reason}`)),
          ),
          h(
            'div',
            {},
            h('dt', {}, 'based on'),
            h(
              'dd',
              {},
              plan.base.map((b) => `${b.keyspace} at ${b.generation.incarnation}.${b.generation.number}`).join(', ') ||
                'nothing',
            ),
          ),
          cost.because.length > 0 &&
            h('div', {}, h('dt', {}, 'because'), h('dd', {}, cost.because.slice(0, 5).join('; '))),
          cost.estimateMs > 0 &&
            h(
              'div',
              {},
              h('dt', {}, 'estimate'),
              h(
                'dd',
                {},
                `${formatDuration(cost.estimateMs)}, between ${formatDuration(cost.estimateLowMs)} and ${formatDuration(cost.estimateHighMs)}`,
              ),
            ),
          plan.rehearsal && h('div', {}, h('dt', {}, 'rehearsal'), h('dd', {}, plan.rehearsal.summary)),
          h('div', {}, h('dt', {}, 'digest'), h('dd', { class: 'mono digest' }, plan.digest)),
        ),
      ];
    },
  );
};

/** Bytes a second over the last half minute; undefined while nothing flows. */
class Rate {
  constructor() {
    this.samples = [];
    this.plan = '';
  }

  take(plan, bytes, now) {
    if (this.plan !== plan) this.samples = [];
    this.plan = plan;
    this.samples.push({ bytes, now });
    while (this.samples.length > 2 && now - this.samples[0].now > 30_000) this.samples.shift();
    const first = this.samples[0];
    return now - first.now < 1_500 || bytes <= first.bytes
      ? undefined
      : ((bytes - first.bytes) * 1000) / (now - first.now);
  }
}
const rate = new Rate();

const phaseCounts = (moves) => {
  const counts = new Map();
  for (const move of moves) counts.set(move.phase || 'pending', (counts.get(move.phase || 'pending') ?? 0) + 1);
  return [...counts];
};

const progressText = (plan, bytesDone, bytesPerSecond) => {
  const parts = [`${formatCount(plan.movesDone)} of ${plural(plan.movesTotal, 'move')}`];
  if (plan.movesFailed > 0) parts.push(`${formatCount(plan.movesFailed)} failed`);
  if (plan.cost.bytes > 0) parts.push(`${formatBytes(bytesDone)} of ${formatBytes(plan.cost.bytes)}`);
  if (bytesPerSecond !== undefined && plan.state === 'executing') {
    parts.push(
      `${formatBytes(bytesPerSecond)}/s`,
      `about ${formatDuration(((plan.cost.bytes - bytesDone) / bytesPerSecond) * 1000)} left`,
    );
  }
  return parts.join(' · ');
};

const renderRun = (plan) => {
  const target = byId('plan-run');
  if (!plan || !STARTED.has(plan.state)) return target.replaceChildren();
  const bytesDone = Math.min(
    plan.cost.bytes,
    plan.moves.reduce((sum, m) => sum + Math.min(m.bytesDone, m.bytes), 0),
  );
  const share = plan.movesTotal === 0 ? 1 : plan.movesDone / plan.movesTotal;
  const byBytes = plan.cost.bytes > 0 ? bytesDone / plan.cost.bytes : share;
  const shown = plan.state === 'completed' ? 1 : (share + byBytes) / 2;
  const text = progressText(plan, bytesDone, rate.take(plan.id, bytesDone, Date.now()));
  const tone =
    plan.state === 'failed' ? 'bad' : plan.state === 'completed' ? 'good' : plan.state === 'executing' ? 'run' : 'warn';
  target.replaceChildren(
    h(
      'div',
      {
        class: 'run',
        role: 'progressbar',
        'aria-valuemin': '0',
        'aria-valuemax': '100',
        'aria-valuenow': Math.round(shown * 100),
        'aria-label': 'Progress of the run',
        'aria-valuetext': text,
      },
      h('div', { class: 'run-head' }, h('strong', {}, `${Math.floor(shown * 100)} %`), h('span', {}, text)),
      bar(shown, tone),
      h(
        'div',
        { class: 'phases' },
        phaseCounts(plan.moves).map(([phase, count]) => h('span', {}, chip(phase), ` ${formatCount(count)}`)),
      ),
    ),
  );
  return undefined;
};

const signed = (n) => (n === 0 ? '±0' : n > 0 ? `+${n}` : `−${-n}`);

const changeCells = (label, before, after, most, tone) => [
  h(
    'td',
    { 'data-label': label, class: 'change' },
    h('span', { class: 'change-bars' }, bar(before / most, 'before'), bar(after / most, tone)),
  ),
  h(
    'td',
    { class: 'num', 'data-label': '' },
    `${before} → ${after}`,
    h('span', { class: before === after ? 'delta quiet' : 'delta' }, signed(after - before)),
  ),
];

const renderNodeChanges = (plan) => {
  renderWhenChanged(byId('plan-nodes'), [plan?.id, plan?.nodes, plan && STARTED.has(plan.state)], () => {
    if (!plan || plan.nodes.length === 0) return [];
    const most = (keys) => Math.max(1, ...plan.nodes.flatMap((n) => keys.map((key) => n[key])));
    const replicas = most(['replicasBefore', 'replicasAfter']);
    const leaders = most(['leadersBefore', 'leadersAfter']);
    const table = h(
      'table',
      { class: 'changes' },
      h(
        'thead',
        {},
        h(
          'tr',
          {},
          h('th', { scope: 'col' }, 'node'),
          h('th', { scope: 'col', colspan: '2' }, 'replicas'),
          h('th', { scope: 'col', colspan: '2' }, 'leaders'),
        ),
      ),
      h(
        'tbody',
        {},
        plan.nodes.map((n) =>
          h(
            'tr',
            {},
            h('th', { scope: 'row' }, n.node),
            changeCells('replicas', n.replicasBefore, n.replicasAfter, replicas, 'a'),
            changeCells('leaders', n.leadersBefore, n.leadersAfter, leaders, 'b'),
          ),
        ),
      ),
    );
    const legend = h(
      'p',
      { class: 'legend' },
      h('span', { class: 'key', 'data-tone': 'before' }),
      ' before ',
      h('span', { class: 'key', 'data-tone': 'a' }),
      ' replicas after ',
      h('span', { class: 'key', 'data-tone': 'b' }),
      ' leaders after',
    );
    return h(
      'details',
      { class: 'fold', open: !STARTED.has(plan.state) },
      h('summary', {}, 'Before and after, per node'),
      legend,
      h('div', { class: 'scroll' }, table),
    );
  });
};

const changeOf = (move) => {
  if (move.kind === 'leader') return ['leader ', h('b', {}, move.from || '—'), ' → ', h('b', {}, move.to)];
  if (move.kind === 'add') return ['add ', h('b', {}, move.to)];
  return ['copy ', h('b', {}, move.from), ' → ', h('b', {}, move.to)];
};

const phaseCell = (move, now) => {
  const phase = move.phase || 'pending';
  const runs = phase !== 'pending' && phase !== 'done' && phase !== 'failed';
  return [
    phase === 'pending' ? h('span', { class: 'quiet' }, phase) : chip(phase),
    phase === 'transferring' && move.bytes > 0 && bar(move.bytesDone / move.bytes, 'run'),
    runs && move.phaseSinceMs > 0 && h('span', { class: 'quiet' }, formatDuration(now - move.phaseSinceMs)),
    move.note && h('span', { class: 'note' }, move.note),
  ];
};

const SHOWN_AT_FIRST = 100;
let showAll = '';

const moveRow = (move) => {
  const phase = h('td', { 'data-label': 'progress', class: 'phase' });
  const row = h(
    'tr',
    {},
    h('td', { 'data-label': 'step', class: 'num quiet' }, formatCount(move.step)),
    h('th', { scope: 'row', class: 'mono' }, `${move.keyspace}/${move.partition}`),
    h('td', { 'data-label': 'change' }, changeOf(move)),
    h('td', { 'data-label': 'data', class: 'num' }, move.kind === 'leader' ? '—' : formatBytes(move.bytes)),
    phase,
    h('td', { 'data-label': 'because', class: 'because' }, move.reason),
  );
  return { row, phase };
};

const rows = new Map();
let tableOf = '';

const buildMoves = (plan, visible, rerender) => {
  rows.clear();
  for (const move of visible) rows.set(move.index, moveRow(move));
  const heads = ['step', 'partition', 'change', 'data', 'progress', 'because'];
  const hidden = plan.movesTotal - visible.length;
  return [
    h(
      'h3',
      { class: 'sub' },
      'Moves',
      h(
        'span',
        { class: 'quiet' },
        ` ${formatCount(visible.length)} of ${formatCount(Math.max(plan.movesTotal, visible.length))}`,
      ),
    ),
    h(
      'div',
      { class: 'scroll moves-box', tabindex: '0', role: 'region', 'aria-label': 'Moves of this plan' },
      h(
        'table',
        { class: 'moves' },
        h(
          'thead',
          {},
          h(
            'tr',
            {},
            heads.map((text) =>
              h('th', { scope: 'col', class: text === 'step' || text === 'data' ? 'num' : undefined }, text),
            ),
          ),
        ),
        h(
          'tbody',
          {},
          [...rows.values()].map((r) => r.row),
        ),
      ),
    ),
    visible.length < plan.moves.length &&
      h(
        'button',
        { class: 'small', type: 'button', on: { click: () => ((showAll = plan.id), rerender()) } },
        `Show ${plural(plan.moves.length - visible.length, 'more move')}`,
      ),
    visible.length === plan.moves.length &&
      hidden > 0 &&
      h('p', { class: 'quiet' }, `${plural(hidden, 'more move')}: cadastre plan show ${plan.id} --moves`),
  ];
};

/** Rows stay and only their progress changes, so that hundreds of moves cost little and keep a selection. */
const renderMoves = (plan, rerender) => {
  const target = byId('plan-moves');
  if (!plan || plan.moves.length === 0) {
    tableOf = '';
    return target.replaceChildren();
  }
  const visible = showAll === plan.id ? plan.moves : plan.moves.slice(0, SHOWN_AT_FIRST);
  const wanted = `${plan.id} ${visible.map((m) => m.index).join(' ')}`;
  if (wanted !== tableOf) target.replaceChildren(...buildMoves(plan, visible, rerender).filter(Boolean));
  tableOf = wanted;
  const now = Date.now();
  for (const move of visible) {
    const seconds = move.phaseSinceMs > 0 && move.phase !== 'done' ? Math.floor((now - move.phaseSinceMs) / 1000) : 0;
    renderWhenChanged(rows.get(move.index).phase, [move.phase, move.note, move.bytesDone, seconds], () =>
      phaseCell(move, now).filter(Boolean),
    );
  }
  return undefined;
};

const renderEvents = (plan) => {
  renderWhenChanged(byId('plan-events'), [plan?.id, plan?.events], () => {
    if (!plan || plan.events.length === 0) return [];
    const items = plan.events.map((e) =>
      h('li', {}, h('time', { class: 'quiet' }, formatTime(e.atMs)), h('b', {}, e.actor), ` ${e.what}`),
    );
    return h(
      'details',
      { class: 'fold' },
      h('summary', {}, `History of this plan`, h('span', { class: 'quiet' }, ` ${formatCount(plan.events.length)}`)),
      h('ol', { class: 'events' }, items),
    );
  });
};

const whenText = (plan) => {
  if (plan.state === 'proposed') return `waits for a decision until ${formatTime(plan.expiresMs)}`;
  const last = plan.events.at(-1);
  return last
    ? `${last.actor} ${last.what.split(':')[0]}, ${formatTime(last.atMs)}`
    : `proposed ${formatTime(plan.createdMs)}`;
};

export const renderPlan = (plan, rerender) => {
  setText(byId('plan-title'), plan ? (isOpen(plan) ? `Plan ${plan.id}` : `Last plan ${plan.id}`) : 'Plan');
  renderWhenChanged(byId('plan-state'), plan?.state, () => (plan ? chip(plan.state) : []));
  setText(byId('plan-when'), plan ? whenText(plan) : '');
  renderWhenChanged(byId('plan-note'), plan?.note, () =>
    plan?.note ? h('p', { class: 'banner', 'data-tone': isOpen(plan) ? 'warn' : 'idle' }, plan.note) : [],
  );
  byId('plan').dataset.open = String(isOpen(plan));
  renderSummary(plan);
  renderRun(plan);
  renderNodeChanges(plan);
  renderMoves(plan, rerender);
  renderEvents(plan);
};

/** Buttons are rebuilt only when the verbs change: focus and a half-pressed button stay. */
export const renderActions = (plan, { actor, reason, busy, onAct }) => {
  const verbs = verbsOf(plan);
  byId('act').hidden = verbs.length === 0;
  renderWhenChanged(byId('buttons'), [verbs, plan?.id, busy], () =>
    verbs.map((verb) =>
      h(
        'button',
        { type: 'button', class: VERB_KIND[verb], disabled: busy, 'data-verb': verb, on: { click: () => onAct(verb) } },
        VERB_TEXT[verb] ?? verb,
      ),
    ),
  );
  renderWhenChanged(
    byId('cli'),
    verbs.map((verb) => cliOf(verb, plan, actor, reason)),
    () => [
      h('span', { class: 'quiet' }, verbs.length > 1 ? 'The same on the command line' : 'On the command line'),
      ...verbs.map((verb) => h('code', {}, cliOf(verb, plan, actor, reason))),
    ],
  );
};
