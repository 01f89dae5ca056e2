// Three hosts (or more) as one, and the death of one of them, driven and watched. The hosts are those of the tests: network
// namespaces of this machine, each with a Docker engine, a reactord and an nginx of its own, and a Redis beside them.
import { balancedMachines } from '../../packages/testkit/dist/balanced-backends.js';
import { POOLED_MS, viewOf } from '../../packages/testkit/dist/cluster-view.js';
import { openHosts } from '../../packages/testkit/dist/hosts.js';
import { startLoad } from './load.mjs';

/** Requests per second. The rule allows 4 per instance, so this asks for more than there may be, on a slow machine, too. */
const LOAD_PER_SECOND = 80;
const PER_HOST = 3;
const POLL_MS = 250;

/** The last lines but the container's make the show shorter than a day at work needs it. */
const configuration = (image, most) => `[endpoint]
url=http://
cloud=docker
loadbalancer=nginx
port=5000
decommissioned_timeout=5
unknown_timeout=5

[scaling]
min_instances=1
max_instances=${most}
rules=0 < rate < 4
window=5
scale_down_delay=6

[cloud:docker]
image=${image}
command=/usr/local/bin/runapp
`;

/** Shows it; answers the exit status, which is 0 only if all of it was seen and no request was lost but those under way to the dead host. */
export async function showCluster(count, screen) {
  const startedMs = Date.now();
  let cluster = null;
  let show = null;
  let stopped = false;
  const stop = () => {
    stopped = true;
  };
  process.once('SIGINT', stop).once('SIGTERM', stop);
  try {
    screen.title(`Setting up ${count} hosts`);
    screen.text('each a network namespace with a Docker engine, a reactord and an nginx; one Redis for all of them');
    cluster = await openHosts(count);
    show = createShow(cluster, screen, () => stopped);
    const measured = await play(show);
    summarize(show, { ...measured, seconds: Math.round((Date.now() - startedMs) / 1000) });
    return 0;
  } catch (error) {
    screen.text(`demo: ${error.message}`);
    if (cluster !== null && !stopped) for (const host of cluster.hosts) screen.text(`${host.name}: ${tailOf(host.log())}`);
    return stopped ? 130 : 1;
  } finally {
    show?.end();
    screen.title('Cleaning up');
    await cluster?.close();
  }
}

function createShow(cluster, screen, isStopped) {
  const { hosts } = cluster;
  const view = viewOf(cluster);
  const most = PER_HOST * hosts.length;
  let load = null;

  const reactor = async (host, words, input) => {
    const typed = words.map((word) => (/[ <>]/.test(word) ? `'${word}'` : word)).join(' ');
    screen.command(`reactor ${typed}${input === undefined ? '' : ' < docker.conf'}    # on ${host.name}`);
    const output = await host.reactor(words, input);
    if (output.trim() !== '') screen.text(output);
  };
  /** What the hosts run and why, as the given one tells; `dead` cannot be asked, and what it ran is not known. */
  const look = async (asked) => {
    const [rows, table, decision] = await Promise.all([
      view.rows('pyex', asked),
      asked.get('/v1.1/hosts'),
      asked.get('/v1.1/endpoints/pyex/decision').catch(() => null),
    ]);
    const each = hosts.map(({ name }) => {
      const state = table.find((host) => host.name === name)?.state ?? 'lost';
      const own = rows.filter(({ host }) => host === name);
      const words = [...new Set(own.map((row) => row.state))].sort();
      const counts = words.map((word) => `${own.filter((row) => row.state === word).length} ${word}`);
      return `${name}${state === 'ready' ? '' : ` (${state})`}: ${counts.join(' + ') || '-'}`;
    });
    const rate = (load?.perSecondNow() ?? 0).toFixed(0);
    const target = decision?.record?.target ?? '-';
    return {
      rows,
      table,
      text: `${each.join(', ')} | ${rate} requests/s, target ${target} | ${decision?.record?.sentence ?? ''}`,
    };
  };
  /** Shows what is going on until the condition holds; throws after `seconds`. */
  const watchUntil = async (what, asked, holds, seconds, sinceMs = Date.now()) => {
    const beganMs = Date.now();
    for (;;) {
      if (isStopped()) throw new Error('stopped');
      const seen = await look(asked);
      screen.status(seen.text, sinceMs, seen.gist);
      if (await holds(seen)) return screen.close();
      if (Date.now() - beganMs > seconds * 1000) throw new Error(`waited ${seconds} s in vain until ${what}`);
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  };
  const begin = (host) => {
    load = startLoad(host.url, LOAD_PER_SECOND, POOLED_MS);
    return load;
  };
  return { cluster, hosts, view, most, screen, reactor, watchUntil, begin, load: () => load, end: () => load?.stop() };
}

async function play(show) {
  const { hosts, view, most, screen, reactor, watchUntil } = show;
  const [first, second] = hosts;
  await reactor(first, ['hosts']);

  screen.title('Deploy: on any host, for all of them');
  const text = configuration(show.cluster.image, most);
  screen.text(text);
  await reactor(first, ['unmanage', 'apihttp']);
  await reactor(first, ['manage', 'pyex'], text);
  await reactor(second, ['start', 'pyex']);
  await watchUntil('every host serves it', second, async () => (await Promise.all(hosts.map(answers))).every(Boolean), 60);
  for (const host of hosts) {
    screen.command(`curl ${host.url}    # ${host.name}`);
    screen.text(await (await fetch(host.url)).text());
  }

  // Whoever leads is to die, which is the hardest death; the load goes to another host's nginx.
  const dead = await view.leader(second);
  const [front] = view.others(dead);
  screen.title(`Load: ${LOAD_PER_SECOND} requests per second, all through the nginx of ${front.name}`);
  const load = show.begin(front);
  const loadedMs = Date.now();
  const spread = ({ rows }) =>
    hosts.every(({ name }) => rows.filter((row) => row.host === name && row.state === 'ready').length === PER_HOST);
  await watchUntil(`${PER_HOST} instances serve on every host`, front, spread, 60);
  const spreadMs = Date.now() - loadedMs;
  await watchUntil('all of them have answered', front, () => load.answered() >= most, 60);
  await reactor(front, ['explain', 'pyex']);
  await reactor(front, ['ps', 'pyex']);

  const times = await killOne(show, dead, front);
  await revive(show, dead, front);

  screen.title('Silence: back to one instance');
  load.stop();
  const one = ({ rows }) => rows.length === 1 && rows[0].state === 'ready';
  await watchUntil('one instance is left', front, one, 90);
  const left = await view.containers('pyex');
  if (left.length !== 1) throw new Error(`${left.length} containers are left`);
  return { dead, front, spreadMs, ...times };
}

/** A host loses its power: everything on it is gone at once, its cable is dead, and nobody is told. */
async function killOne({ hosts, view, most, screen, reactor, watchUntil, load }, dead, front) {
  screen.title(`Power-off of ${dead.name}, which leads and runs ${PER_HOST} instances; the load goes on`);
  load().chapter('host dead');
  const killedMs = Date.now();
  await dead.cut();
  load().death();
  await dead.powerOff();
  const rest = view.others(dead);
  const since = () => Date.now() - killedMs;
  const lost = ({ table }) => table.some(({ name, state }) => name === dead.name && state === 'lost');
  await watchUntil(`${dead.name} is known to be lost`, front, lost, 60, killedMs);
  const lostMs = since();
  const out = () => rest.every(({ data }) => !balancedMachines(data).includes(dead.address));
  await watchUntil('no nginx sends anything there', front, out, 60, killedMs);
  const outMs = since();
  const replaced = async ({ rows }) =>
    rows.filter((row) => row.host !== dead.name && row.state === 'ready').length === most &&
    (await view.containers('pyex', rest)).length === most;
  await watchUntil('what it ran is replaced on the others', front, replaced, 60, killedMs);
  const replacedMs = since();
  await reactor(front, ['hosts']);
  if (hosts.length - rest.length !== 1) throw new Error('more than one host is missing');
  return { lostMs, outMs, replacedMs };
}

async function revive({ hosts, screen, reactor, watchUntil, load }, dead, front) {
  screen.title(`${dead.name} gets its power back; the load goes on`);
  load().chapter('host back');
  await dead.powerOn();
  const back = async ({ table }) =>
    table.filter(({ state }) => state === 'ready').length === hosts.length &&
    (await answers(dead)) &&
    (await dead.containers('pyex')).length === 0 &&
    (await dead.listing()).length === 0;
  await watchUntil(`${dead.name} serves again, and what it ran before its death is cleared away`, front, back, 60);
  await reactor(front, ['hosts']);
}

function summarize({ screen, load, most }, { dead, front, spreadMs, lostMs, outMs, replacedMs, seconds }) {
  const inSeconds = (ms) => `${(ms / 1000).toFixed(1)} s`;
  const chapters = load().chapters();
  screen.title('Summary');
  screen.text(
    [
      ['load to instances on every host', `${inSeconds(spreadMs)}, ${most} of them`],
      [`${dead.name} dead: known after`, inSeconds(lostMs)],
      ['out of every load balancer after', inSeconds(outMs)],
      ['its instances replaced after', inSeconds(replacedMs)],
      ...chapters.map(({ name, sent, failed, lost }) => [
        `requests through ${front.name}, ${name}`,
        `${sent} sent, ${failed} failed${failed === 0 ? '' : `, ${lost} of them over connections open to ${dead.name} when it died`}`,
      ]),
      ['the whole show', `${seconds} s`],
    ]
      .map(([what, value]) => `${what.padEnd(40)} ${value}`)
      .join('\n'),
  );
  const failed = chapters.reduce((sum, chapter) => sum + chapter.failed - chapter.lost, 0);
  if (failed > 0) throw new Error(`${failed} requests failed, the first: ${load().totals().failures[0]}`);
}

const answers = (host) =>
  fetch(host.url, { signal: AbortSignal.timeout(3_000) }).then(
    (response) => response.ok,
    () => false,
  );

const tailOf = (log) => log.trimEnd().split('\n').slice(-5).join('\n');
