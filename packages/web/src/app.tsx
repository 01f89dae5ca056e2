import { useEffect, useRef, useState } from 'preact/hooks';
import { clusterOf, hostsOf } from './board.js';
import { EndpointPage } from './endpoint-page.js';
import { asJson, ask, whenLocked } from './exchange.js';
import { HostPage } from './host-page.js';
import { LoginPage } from './login-page.js';
import { NewEndpointPage } from './new-endpoint-page.js';
import { Overview } from './overview.js';
import { hashOf, type PageRoute } from './page-route.js';
import { useLive, useRoute } from './page-state.js';
import { SettingsPage } from './settings-page.js';
import { StateBanner } from './state-banner.js';
import { type LiveState, openStream, type Stream } from './stream.js';

/** The frame of every page: who may see it, where one is, whether what is shown is new. */

export interface Standing {
  readonly keyNeeded: boolean;
  readonly loggedIn: boolean;
}

export function App() {
  const [standing, setStanding] = useState<Standing | null>(null);
  const look = (): void =>
    void ask<Standing>('GET', '/login').then(
      ({ value }) => setStanding(value),
      () => {},
    );
  useEffect(() => {
    whenLocked(look);
    look();
  }, []);
  if (standing === null) return null;
  if (standing.keyNeeded && !standing.loggedIn) return <LoginPage onDone={look} />;
  return <Pages standing={standing} onStanding={look} />;
}

function Pages({ standing, onStanding }: { standing: Standing; onStanding: () => void }) {
  const [stream, setStream] = useState<Stream | null>(null);
  useEffect(() => {
    const opened = openStream(onStanding);
    setStream(opened);
    return () => opened.close();
  }, []);
  return stream === null ? null : <Frame stream={stream} standing={standing} onStanding={onStanding} />;
}

function Frame({ stream, standing, onStanding }: { stream: Stream; standing: Standing; onStanding: () => void }) {
  const live = useLive(stream);
  const route = useRoute();
  const main = useRef<HTMLElement>(null);
  const place = hashOf(route);
  const first = useRef(true);
  const watched = route.page === 'endpoint' ? route.name : null;
  useEffect(() => stream.watch(watched), [stream, watched]);
  useEffect(() => {
    if (!first.current) main.current?.focus();
    first.current = false;
  }, [place]);
  const logOut = async (): Promise<void> => {
    await ask('POST', '/logout', asJson({})).catch(() => {});
    onStanding();
  };
  const cluster = clusterOf(live.overview);
  const isOld = live.connection !== 'live' || (cluster?.staleSinceMs ?? null) !== null || (cluster?.problem ?? null) !== null;
  return (
    <>
      {/* No link: the address says which page is shown. */}
      <button type="button" class="skip" onClick={() => main.current?.focus()}>
        To the content
      </button>
      <header class="bar">
        <a class="wordmark" href="#/">
          Reactor
        </a>
        <nav aria-label="Pages">
          <PlaceLink to={{ page: 'overview' }} now={route} text="Overview" />
          <PlaceLink to={{ page: 'settings' }} now={route} text="Settings" />
        </nav>
        <p class="leader">
          <span class="wide-only">{cluster?.leader ? `${cluster.leader} leads` : 'nobody leads'}</span>
          <span class={`pulse ${isOld ? 'is-old' : ''}`}>{isOld ? 'old' : 'live'}</span>
        </p>
        {standing.keyNeeded && (
          <button type="button" class="plain" onClick={logOut}>
            Log out
          </button>
        )}
      </header>
      <StateBanner connection={live.connection} heardMs={live.heardMs} cluster={cluster} hosts={hostsOf(live.overview)} />
      <main id="main" ref={main} tabIndex={-1} class={isOld ? 'is-old' : ''}>
        <Page route={route} live={live} stream={stream} onStanding={onStanding} keyNeeded={standing.keyNeeded} />
      </main>
    </>
  );
}

function Page(props: { route: PageRoute; live: LiveState; stream: Stream; onStanding: () => void; keyNeeded: boolean }) {
  const { route, live } = props;
  switch (route.page) {
    case 'overview':
      return <Overview live={live} stream={props.stream} />;
    case 'endpoint':
      return <EndpointPage key={route.name} name={route.name} tab={route.tab} live={live} />;
    case 'host':
      return <HostPage key={route.id} id={route.id} live={live} />;
    case 'settings':
      return <SettingsPage keyNeeded={props.keyNeeded} onStanding={props.onStanding} />;
    case 'new':
      return <NewEndpointPage />;
  }
}

function PlaceLink({ to, now, text }: { to: PageRoute; now: PageRoute; text: string }) {
  return (
    <a href={hashOf(to)} aria-current={to.page === now.page ? 'page' : undefined}>
      {text}
    </a>
  );
}
