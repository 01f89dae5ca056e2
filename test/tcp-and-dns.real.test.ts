import { Resolver } from 'node:dns/promises';
import { connect, type Socket } from 'node:net';
import { exampleEndpoint, type RunningReactor, sandbox, startReactor, until } from '@reactor/testkit';

/** tcp:// and dns:// end to end, through the real daemon and commands, to real containers. */

const DESK_PORT = 7000;
const SEAT_PORT = 7001;
const DNS_PORT = 5353;
const SOON_MS = 30_000;

let reactor: RunningReactor;
const sessions: Session[] = [];

beforeAll(async () => {
  reactor = await startReactor({ configuration: `[loadbalancer:dnsmasq]\nport=${DNS_PORT}\n` });
}, 40_000);
afterAll(async () => {
  for (const session of sessions) session.socket.destroy();
  await reactor.stop();
}, 60_000);

interface Session {
  readonly socket: Socket;
  readonly heard: { readonly text: string; readonly closed: boolean };
  served(): boolean;
  echoes(text: string): Promise<void>;
}

/** A client that stays: the example service echoes what follows an upgrade. */
function openSession(port: number): Session {
  const socket = connect(port, '127.0.0.1').setEncoding('latin1');
  const heard = { text: '', closed: false };
  socket.on('data', (part: string) => {
    heard.text += part;
  });
  socket
    .on('error', () => undefined)
    .on('close', () => {
      heard.closed = true;
    });
  socket.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
  const served = (): boolean => heard.text.startsWith('HTTP/1.1 101');
  const echoes = async (text: string): Promise<void> => {
    socket.write(text);
    await until(`'${text}' comes back`, SOON_MS, () => heard.text.endsWith(text));
  };
  const session: Session = { socket, heard, served, echoes };
  sessions.push(session);
  return session;
}

async function open(port: number): Promise<Session> {
  const session = openSession(port);
  await until('a session is served', SOON_MS, session.served);
  return session;
}

const rows = (endpoint: string) => reactor.get<{ id: string; state: string }[]>(`/v1.1/endpoints/${endpoint}/instances?detail=1`);
const ready = async (endpoint: string) => (await rows(endpoint)).filter(({ state }) => state === 'ready').length;
const metrics = (endpoint: string) => reactor.get<Record<string, number>>(`/v1.1/endpoints/${endpoint}/metrics`);

async function manage(name: string, changes: Parameters<typeof exampleEndpoint>[0]): Promise<void> {
  await reactor.reactor(['manage', name], exampleEndpoint(changes));
  await reactor.reactor(['start', name]);
  await until(`${name} has an instance`, SOON_MS, async () => (await ready(name)) === 1);
}

test('a tcp endpoint scales on its connections, which outlive the daemon and are listed and cut off', async () => {
  await manage('desk', {
    endpoint: { url: `tcp://${DESK_PORT}`, loadbalancer: 'tcp' },
    scaling: { rules: '0 < active < 2' },
    'loadbalancer:tcp': { exclusive: 'false' },
  });
  const clients = await Promise.all(Array.from({ length: 5 }, () => open(DESK_PORT)));
  await until('three instances carry five connections', SOON_MS, async () => (await ready('desk')) === 3);

  await reactor.kill('SIGKILL');
  for (const client of clients) await client.echoes('without the daemon');
  const late = await open(DESK_PORT);
  await reactor.start();
  for (const client of clients) await client.echoes('with the next one');
  late.socket.destroy();
  await until('all five are listed', SOON_MS, async () => (await listed()).length === 5);
  const names = clients.map(({ socket }) => `127.0.0.1:${socket.localPort}`);
  expect([...(await listed())].sort()).toEqual([...names].sort());

  await reactor.reactor(['kill', 'desk', names[0]!]);
  await until('that one is cut off', SOON_MS, () => clients[0]!.heard.closed);
  await Promise.all(clients.slice(1).map((client) => client.echoes('still here')));
  expect(await reactor.reactor(['log', 'desk'])).toContain(`session of ${names[0]} on vm1 was ended by the operator`);
  await until('it is listed no more', SOON_MS, async () => !(await listed()).includes(names[0]!));
  expect(await reactor.tryReactor(['kill', 'desk', names[0]!])).toMatchObject({
    status: 1,
    stderr: expect.stringContaining('no session'),
  });

  for (const client of clients) client.socket.destroy();
  await until('one instance is left', SOON_MS, async () => (await rows('desk')).length === 1);
  await reactor.reactor(['unmanage', 'desk']);
}, 180_000);

const listed = async (): Promise<readonly string[]> =>
  (await reactor.reactor(['sessions', 'desk'])).split('\n').flatMap((line) => line.split(' ')[0] || []);

test('an exclusive endpoint has a queue that scales it, and a used instance is replaced', async () => {
  await manage('seat', {
    endpoint: { url: `tcp://:${SEAT_PORT}`, loadbalancer: 'tcp' },
    scaling: { rules: 'pending < 1', max_instances: 2 },
    'loadbalancer:tcp': { disposable: 'true', dispose_min: 0, reconnect: 0 },
  });
  const [used] = await rows('seat');
  const first = await open(SEAT_PORT);
  await open(SEAT_PORT);
  expect(await ready('seat')).toBe(2);

  const third = openSession(SEAT_PORT);
  await until('it waits', SOON_MS, async () => (await metrics('seat'))['pending'] === 0.5);
  expect(third.heard.text).toBe('');
  first.socket.destroy();
  await until('it is served', SOON_MS, third.served);
  expect((await rows('seat')).filter(({ state }) => state === 'ready').map(({ id }) => id)).not.toContain(used!.id);
  expect(await reactor.reactor(['log', 'seat'])).toContain('used up by a session');

  await reactor.reactor(['set', 'seat', 'loadbalancer:tcp', 'client_subnets', '10.99.0.0/16']);
  await until('strangers are dropped', SOON_MS, async () => {
    const stranger = openSession(SEAT_PORT);
    await until('it is dropped', 2_000, () => stranger.heard.closed);
    return stranger.heard.text === '';
  });
  await third.echoes('who was there stays');
  await reactor.reactor(['unmanage', 'seat']);
}, 180_000);

test('a name is answered with where its instances are, as long as there are any', async () => {
  await manage('named', { endpoint: { url: 'dns://named.example', loadbalancer: 'dnsmasq' }, scaling: { max_instances: 1 } });
  const resolver = new Resolver({ timeout: 1_000, tries: 1 });
  resolver.setServers([`127.0.0.1:${DNS_PORT}`]);
  const answer = () => resolver.resolve4('named.example', { ttl: true }).catch(() => []);
  await until('the name is answered', SOON_MS, async () => (await answer()).length > 0);
  expect(await answer()).toEqual([{ address: sandbox().address, ttl: 0 }]);
  expect(await metrics('named')).toEqual({});
  await reactor.reactor(['stop', 'named']);
  await until('nobody is there any more', SOON_MS, async () => (await answer()).length === 0);
  expect(await reactor.tryReactor(['sessions', 'named'])).toMatchObject({
    status: 1,
    stderr: expect.stringContaining('dnsmasq does not'),
  });
  await reactor.reactor(['unmanage', 'named']);
}, 120_000);
