// The walk-through of the README, driven and watched. One thing: the script of the show; the stage is scripts/show/.
import { parseArgs } from 'node:util';
import { showCluster } from './show/cluster-show.mjs';
import { startLoad } from './show/load.mjs';
import { createScreen } from './show/screen.mjs';
import { buildStage } from './show/stage.mjs';

const USAGE = `scripts/demo [--keep] [--url URL | --port PORT] [--state redis://HOST:PORT]
scripts/demo --hosts N

  --keep         leave everything running and say what to type next
  --url URL      where the service answers (default http://, that is port 80)
  --port PORT    the same as --url http://:PORT
  --state URL    keep the cluster state in that Redis, which must be empty, instead of embedded
  --hosts N      show N hosts (3 to 9) as one, each in a network namespace of this machine with an engine, a reactord and
                 an nginx of its own; one of them loses its power under load
`;

/** Losing one of fewer is losing half; more is only more of the same, and 60 MB each. */
const HOSTS = { least: 3, most: 9 };

/** Requests per second. The rule allows 1 per instance, so anything well above 5 asks for all five. */
const LOAD_PER_SECOND = 25;

/** The walk-through's configuration; the last lines make the show shorter than a day at work needs it. */
const configuration = (url, imageId) => `[endpoint]
url=${url}
cloud=docker
loadbalancer=nginx
port=5000
decommissioned_timeout=15

[scaling]
min_instances=1
max_instances=5
window=5
scale_down_delay=6

[cloud:docker]
image=${imageId}
command=/usr/local/bin/runapp
`;

function readOptions() {
  try {
    const { values } = parseArgs({
      options: {
        keep: { type: 'boolean', default: false },
        url: { type: 'string' },
        port: { type: 'string' },
        state: { type: 'string', default: 'embedded' },
        hosts: { type: 'string' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
    if (values.port !== undefined && values.url !== undefined) throw new Error('--url and --port say the same thing; give one');
    if (values.port !== undefined && !/^[1-9][0-9]{0,4}$/.test(values.port))
      throw new Error(`--port: '${values.port}' is not a port`);
    if (values.hosts !== undefined) checkHosts(values);
    return { ...values, url: values.url ?? (values.port === undefined ? 'http://' : `http://:${values.port}`) };
  } catch (error) {
    process.stderr.write(`demo: ${error.message}\n\n${USAGE}`);
    process.exit(2);
  }
}

function checkHosts({ hosts, keep, url, port, state }) {
  if (!/^[1-9]$/.test(hosts) || Number(hosts) < HOSTS.least || Number(hosts) > HOSTS.most)
    throw new Error(`--hosts: '${hosts}' is not a number from ${HOSTS.least} to ${HOSTS.most}`);
  if (keep || url !== undefined || port !== undefined || state !== 'embedded')
    throw new Error('--hosts goes with none of --keep, --url, --port and --state: those hosts are made for the show');
}

const serves = (address) =>
  fetch(address).then(
    (response) => response.ok,
    () => false,
  );

async function main() {
  const options = readOptions();
  if (options.help) return void process.stdout.write(USAGE);
  const screen = createScreen(process.stdout);
  if (options.hosts !== undefined) process.exit(await showCluster(Number(options.hosts), screen));
  const startedMs = Date.now();
  let stage = null;
  let load = null;
  let leaving = false;
  const leave = async (status) => {
    if (leaving) return;
    leaving = true;
    load?.stop();
    if (stage && (status !== 0 || !options.keep)) await stage.strike(screen, status !== 0);
    process.exit(status);
  };
  process.once('SIGINT', () => leave(130));
  process.once('SIGTERM', () => leave(143));

  try {
    stage = await buildStage({ ...options, screen });
    const { reactor, watchUntil, address } = stage;

    screen.title('Deploy: ten lines of INI and two commands');
    await reactor(['unmanage', 'apihttp']);
    await reactor(['unmanage', 'apihttps']);
    const text = configuration(options.url, stage.imageId);
    screen.text(text);
    await reactor(['manage', 'pyex'], text);
    await reactor(['start', 'pyex']);
    await watchUntil('the first instance serves', () => serves(address), 60);
    screen.command(`curl ${address}`);
    screen.text(await (await fetch(address)).text());

    screen.title('A rule: each instance should see more than 0 and less than 1 request per second');
    await reactor(['set', 'pyex', 'scaling', 'rules', '0 < rate < 1']);
    await reactor(['get-metrics', 'pyex']);

    screen.title(`Load: ${LOAD_PER_SECOND} requests per second`);
    load = startLoad(address, LOAD_PER_SECOND);
    const loadedMs = Date.now();
    await watchUntil('a second instance answers', () => load.answered() >= 2, 60);
    const firstMs = load.newcomerMs() - loadedMs;
    await watchUntil('five instances answer', () => load.answered() >= 5, 60);
    await reactor(['get-metrics', 'pyex']);
    await reactor(['explain', 'pyex']);

    screen.title('Silence: the window and the delay pass, then four instances drain');
    load.pause();
    await watchUntil('instances drain', ({ counts }) => (counts.draining ?? 0) >= 1, 60);

    screen.title('Load returns: draining instances are taken back, none is started');
    load.resume();
    await watchUntil(
      'five instances serve again',
      ({ ready, counts }) => ready === 5 && !counts.draining && !counts.starting,
      60,
    );
    const recommissioned = (await stage.events('pyex')).filter((event) => event === 'RECOMMISSION_INSTANCE').length;
    if (recommissioned === 0) throw new Error('no draining instance was taken back');

    screen.title('Silence again: back to one, and the containers are gone');
    load.stop();
    await watchUntil(
      'one instance is left',
      ({ counts }) => Object.entries(counts).every(([word, n]) => n === (word === 'ready' ? 1 : 0)),
      90,
    );
    await reactor(['instances', 'pyex']);

    const { sent, failed, failures } = load.totals();
    screen.title('Summary');
    screen.text(
      [
        `load to first answer of a new instance   ${(firstMs / 1000).toFixed(2)} s`,
        `instances                                1 -> 5 -> 1, ${recommissioned} taken back while draining`,
        `requests                                 ${sent} sent, ${failed} failed`,
        `the whole show                           ${Math.round((Date.now() - startedMs) / 1000)} s`,
      ].join('\n'),
    );
    if (failed > 0) throw new Error(`${failed} requests failed, the first: ${failures[0]}`);
    if (options.keep) screen.text(stage.whatNext());
    await leave(0);
  } catch (error) {
    screen.text(`demo: ${error.message}`);
    await leave(1);
  }
}

await main();
