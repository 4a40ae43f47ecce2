import { byId, setText } from './dom.js';
import { isOpen, renderActions, renderPlan } from './plan.js';
import { renderHealth, renderKeyspaces, renderNodes } from './render.js';

const SILENCE_MS = 25_000;
const RETRY_MS = 2_000;

const page = { state: undefined, busy: false, lastWordAt: Date.now(), source: undefined };

const actorField = byId('actor');
const reasonField = byId('reason');
actorField.value = localStorage.getItem('cadastre.actor') ?? '';

const LINK_TEXT = { connecting: 'Connecting', live: 'Live', reconnecting: 'Reconnecting' };
const setLink = (link) => {
  document.body.dataset.link = link;
  setText(byId('link'), LINK_TEXT[link]);
};

const showMessage = (id, text, tone) => {
  const element = byId(id);
  element.hidden = text === '';
  element.dataset.tone = tone;
  setText(element, text);
};

const render = () => {
  const { state } = page;
  if (!state) return;
  renderHealth(state.status);
  renderPlan(state.plan, render);
  renderActions(state.plan, {
    actor: actorField.value.trim(),
    reason: reasonField.value.trim(),
    busy: page.busy,
    onAct: act,
  });
  renderNodes(state.nodes, drain);
  renderKeyspaces(state.status.keyspaces);
  document.title = isOpen(state.plan) ? `${state.plan.state} · Cadastre` : 'Cadastre';
};

/** One request that changes something. Resolves to the reply, or throws what the server says is wrong and what to do. */
const send = async (path, body) => {
  const response = await fetch(path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  const reply = await response.json();
  if (!response.ok) throw new Error([reply.detail, reply.remedy].filter(Boolean).join(' — '));
  return reply;
};

const withActor = (extra = {}) => {
  const reason = reasonField.value.trim();
  return { actor: actorField.value.trim(), ...(reason && { reason }), ...extra };
};

const requireActor = (messageId) => {
  if (actorField.value.trim() !== '') return true;
  showMessage(messageId, 'Say who you are first: the field at the top right. It is kept in the audit log.', 'warn');
  actorField.focus();
  return false;
};

const NEEDS_REASON = new Set(['reject', 'cancel']);

async function act(verb) {
  if (page.busy || !requireActor('act-message')) return;
  if (NEEDS_REASON.has(verb) && reasonField.value.trim() === '') {
    showMessage('act-message', `Give a reason to ${verb}: whoever proposed it will ask.`, 'warn');
    reasonField.focus();
    return;
  }
  await busyWith('act-message', () => (verb === 'propose' ? propose() : actOn(verb)));
}

const actOn = async (verb) => {
  const { id, digest } = page.state.plan;
  const plan = await send(
    `/api/v1/plans/${encodeURIComponent(id)}/${verb}`,
    withActor(verb === 'approve' ? { digest } : {}),
  );
  page.state = { ...page.state, plan };
  reasonField.value = '';
  return '';
};

const propose = async () => {
  const { plan, nothingBecause } = await send('/api/v1/plans', withActor());
  if (!plan) return `There is nothing to do: ${nothingBecause}`;
  page.state = { ...page.state, plan };
  reasonField.value = '';
  return '';
};

async function drain(node, action) {
  if (page.busy || !requireActor('node-message')) return;
  await busyWith('node-message', async () => {
    await send(`/api/v1/nodes/${encodeURIComponent(node.id)}/drain`, withActor({ undo: action === 'undrain' }));
    return action === 'undrain'
      ? `${node.id} keeps what it has.`
      : `${node.id} is to be emptied. Propose a plan to move what it holds.`;
  });
}

const busyWith = async (messageId, task) => {
  page.busy = true;
  showMessage(messageId, '', 'idle');
  render();
  try {
    showMessage(messageId, await task(), 'idle');
  } catch (error) {
    showMessage(messageId, error.message, 'bad');
  } finally {
    page.busy = false;
    render();
  }
};

const onState = (event) => {
  page.lastWordAt = Date.now();
  page.state = JSON.parse(event.data);
  setLink('live');
  render();
};

const connect = () => {
  page.source?.close();
  const source = new EventSource('/api/v1/events');
  page.source = source;
  page.lastWordAt = Date.now();
  source.addEventListener('state', onState);
  source.addEventListener('open', () => (page.lastWordAt = Date.now()));
  source.addEventListener('error', () => {
    setLink(page.state ? 'reconnecting' : 'connecting');
    if (!page.state) setText(byId('health-text'), 'The control plane does not answer. Trying again…');
    // A browser gives up for good when the answer is an error; it retries by itself when the connection breaks.
    if (source.readyState === EventSource.CLOSED) setTimeout(connect, RETRY_MS);
  });
};

/** Heartbeats are comments, which a page does not see: after a long silence ask, rather than show an old world as live. */
const checkSilence = async () => {
  if (Date.now() - page.lastWordAt < SILENCE_MS) return;
  try {
    await fetch('/healthz', { signal: AbortSignal.timeout(5_000) });
    page.lastWordAt = Date.now();
  } catch {
    setLink('reconnecting');
    connect();
  }
};

actorField.addEventListener('input', () => {
  localStorage.setItem('cadastre.actor', actorField.value.trim());
  render();
});
reasonField.addEventListener('input', render);
byId('act').addEventListener('submit', (event) => event.preventDefault());
setInterval(checkSilence, 5_000);
setInterval(() => isOpen(page.state?.plan ?? null) && render(), 1_000);
connect();
