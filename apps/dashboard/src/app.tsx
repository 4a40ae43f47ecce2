import { useEffect } from 'preact/hooks';
import { signOut } from './model/acts.js';
import { isOpen } from './model/plan-figures.js';
import { link as linkTo, route } from './model/route.js';
import { actor, isOpenAccess, link, mustSignIn, session, setActor, world } from './model/store.js';
import { Events } from './pages/events.js';
import { HeatMap } from './pages/heat.js';
import { Keyspaces } from './pages/keyspaces.js';
import { Login } from './pages/login.js';
import { Lookup } from './pages/lookup.js';
import { Overview } from './pages/overview.js';
import { Plans } from './pages/plans.js';
import { Topology } from './pages/topology.js';
import { FreezeBanner } from './ui/freeze.js';
import { ProofDialog } from './ui/proof-dialog.js';

const LINK_TEXT = { connecting: 'Connecting', live: 'Live', reconnecting: 'Reconnecting' };

const PAGES = [
  { page: 'overview', text: 'Overview', show: Overview },
  { page: 'plans', text: 'Plans', show: Plans },
  { page: 'topology', text: 'Topology', show: Topology },
  { page: 'keyspaces', text: 'Keyspaces', show: Keyspaces },
  { page: 'heat', text: 'Heat map', show: HeatMap },
  { page: 'lookup', text: 'Key lookup', show: Lookup },
  { page: 'events', text: 'Events', show: Events },
];

const Who = () => {
  const user = session.value?.user;
  if (isOpenAccess.value)
    return (
      <label class="actor">
        <span title="Nobody signs in here: the control plane listens on this machine alone.">
          Access is open on this machine. Acting as
        </span>
        <input
          id="actor"
          name="actor"
          autocomplete="username"
          maxLength={128}
          placeholder="your name"
          spellcheck={false}
          value={actor.value}
          onInput={(e) => setActor(e.currentTarget.value)}
        />
      </label>
    );
  if (!user) return null;
  return (
    <span class="actor">
      <span id="who" title={user.roles.join(', ')}>
        {user.name}
      </span>
      <button type="button" class="small" id="sign-out" onClick={() => void signOut().catch(() => undefined)}>
        Sign out
      </button>
    </span>
  );
};

const Top = () => (
  <header class="top">
    <div class="top-inner">
      <a class="brand" href={linkTo('overview')}>
        <img src="/favicon.svg" alt="" width="22" height="22" />
        Cadastre
      </a>
      <span class="cluster" id="cluster">
        {world.value?.status.clusterId}
      </span>
      <span class="link" id="link" role="status">
        {LINK_TEXT[link.value]}
      </span>
      <Who />
    </div>
    {!mustSignIn.value && <Nav />}
  </header>
);

const Nav = () => {
  const waits = isOpen(world.value?.plan) && world.value?.plan?.state === 'proposed';
  return (
    <nav aria-label="Pages">
      {PAGES.map(({ page, text }) => (
        <a
          key={page}
          href={linkTo(page)}
          data-page={page}
          aria-current={route.value.page === page ? 'page' : undefined}
        >
          {text}
          {page === 'plans' && waits && (
            <span
              class="waits"
              title="a plan waits for a decision"
              role="img"
              aria-label="a plan waits for a decision"
            />
          )}
        </a>
      ))}
    </nav>
  );
};

const titleOf = (): string => {
  const plan = world.value?.plan;
  return isOpen(plan) ? `${plan.state} · Cadastre` : 'Cadastre';
};

export const App = () => {
  const Show = PAGES.find(({ page }) => page === route.value.page)?.show ?? Overview;
  const title = titleOf();
  useEffect(() => {
    document.title = title;
  }, [title]);
  useEffect(() => {
    document.body.dataset['link'] = link.value;
  }, [link.value]);
  return (
    <>
      <a class="skip" href="#main" onClick={(e) => (e.preventDefault(), document.getElementById('main')?.focus())}>
        Skip to the content
      </a>
      <Top />
      <main id="main" tabIndex={-1}>
        {!mustSignIn.value && <FreezeBanner />}
        {session.value === undefined ? (
          <p class="empty">Connecting to the control plane…</p>
        ) : mustSignIn.value ? (
          <Login />
        ) : (
          <Show />
        )}
      </main>
      <ProofDialog />
      <footer class="foot">
        <a href="/api/openapi.json">API</a>
        <span>{world.value && `served by ${world.value.status.replica}`}</span>
      </footer>
    </>
  );
};
