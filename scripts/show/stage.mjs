// What the show needs to run: a Docker engine (the machine's own, or one started here), the example image, a reactord
// with directories of its own. `strike` takes all of it away again.
import { execFile, spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../..', import.meta.url));
const CLI = join(root, 'packages/cli/dist/reactor.mjs');
const DAEMON = join(root, 'packages/daemon/dist/reactord.mjs');
const SYSTEM_SOCKET = '/var/run/docker.sock';
const POLL_MS = 250;
const sleep = promisify(setTimeout);

export async function buildStage({ url, state, screen }) {
  const directory = mkdtempSync(join(tmpdir(), 'reactor-demo.'));
  chmodSync(directory, 0o755); // the workers of nginx run as another account
  const started = [];
  const strike = async (shown, failed) => {
    shown.title('Cleaning up');
    if (failed) shown.text(tailOf(join(directory, 'reactord.log')));
    for (const undo of started.reverse()) await undo().catch((error) => shown.text(`cleaning up: ${error.message}`));
    rmSync(directory, { recursive: true, force: true });
  };
  try {
    return await build();
  } catch (error) {
    await strike(screen, true);
    throw error;
  }

  async function build() {
    screen.title('Setting up');
    const port = portOf(url);
    if (!(await isFree(port))) throw new Error(`port ${port} is taken; choose another with --port`);
    const socket = await engine(directory, started, screen);
    const { stdout } = await run(join(root, 'scripts/pyex/make-image'), [socket]);
    const imageId = stdout.trim().replace('sha256:', '').slice(0, 12);
    screen.text(`example image pyex: ${imageId}`);

    const apiPort = (await isFree(8080)) ? 8080 : await freePort();
    const api = `http://127.0.0.1:${apiPort}`;
    writeFileSync(join(directory, 'reactor.conf'), daemonConfiguration({ directory, state, apiPort, socket }));
    const daemon = await startDaemon(directory, api);
    started.push(() => stopDaemon(daemon, directory, socket));
    screen.text(`reactord runs as process ${daemon.pid}, API at ${api}, log ${join(directory, 'reactord.log')}`);
    const used = await (await fetch(`${api}/v1.1/endpoints`)).json();
    if (used.length > 0)
      throw new Error(`the state at ${state} is in use (it has ${used.join(', ')}); the show needs one of its own`);
    return stageFor({
      api,
      apiPort,
      imageId,
      directory,
      daemon,
      screen,
      strike,
      address: `http://127.0.0.1${port === 80 ? '' : `:${port}`}${pathOf(url)}`,
    });
  }
}

function stageFor({ api, apiPort, imageId, directory, daemon, screen, strike, address }) {
  const environment = { ...process.env, REACTOR_API: api };
  const reactor = async (words, input) => {
    screen.command(
      `reactor ${words.map((word) => (/[ <>]/.test(word) ? `'${word}'` : word)).join(' ')}${input === undefined ? '' : ' < docker.conf'}`,
    );
    const child = execFile(process.execPath, [CLI, ...words], { env: environment });
    child.stdin.end(input ?? '');
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (output += data));
    const status = await new Promise((resolve) => child.on('close', resolve));
    if (output.trim() !== '') screen.text(output);
    if (status !== 0) throw new Error(`reactor ${words[0]} ended with status ${status}`);
  };
  const ask = async (path) => (await fetch(`${api}/v1.1/endpoints/pyex/${path}`)).json();

  /** Shows what is going on until the condition holds; throws after `seconds`. */
  const watchUntil = async (what, holds, seconds) => {
    const sinceMs = Date.now();
    for (;;) {
      const [state, decision] = await Promise.all([ask('state'), ask('decision').catch(() => null)]);
      const counts = Object.fromEntries(Object.entries(state.instances).filter(([, count]) => count > 0));
      const seen = { counts, ready: counts.ready ?? 0 };
      const words = Object.entries(counts).map(([word, count]) => `${count} ${word}`);
      screen.status(`${words.join(', ') || 'nothing runs yet'} | ${decision?.record?.sentence ?? 'no decision yet'}`, sinceMs);
      if (await holds(seen)) return screen.close();
      if (daemon.exitCode !== null) throw new Error(`reactord ended with status ${daemon.exitCode}`);
      if (Date.now() - sinceMs > seconds * 1000) throw new Error(`waited ${seconds} s in vain until ${what}`);
      await sleep(POLL_MS);
    }
  };
  const events = async () => (await ask('log?limit=1000')).map((row) => row[4]);
  const pidFiles = [join(directory, 'data/nginx/nginx.pid'), join(directory, 'docker.pid')].filter(existsSync);
  const whatNext = () =>
    [
      'It goes on running. Try:',
      ...(apiPort === 8080 ? [] : [`  export REACTOR_API=${api}`]),
      `  alias reactor=${CLI}`,
      '  reactor list; reactor state pyex; reactor instances pyex; reactor get-metrics pyex',
      '  reactor explain pyex; reactor watch pyex',
      `  while true; do curl ${address}; done`,
      `  ${api}/ui/ in a browser shows the same`,
      `End it with: reactor unmanage pyex; sleep 5; kill ${daemon.pid} $(cat ${pidFiles.join(' ')}); sleep 15; rm -r ${directory}`,
    ].join('\n');
  return { reactor, watchUntil, address, imageId, events, whatNext, strike };
}

function daemonConfiguration({ directory, state, apiPort, socket }) {
  return [
    '[manager]',
    'name=demo',
    `data_dir=${join(directory, 'data')}`,
    `state=${state}`,
    '[api]',
    `listen=127.0.0.1:${apiPort}`,
    '[cloud:docker]',
    `socket=${socket}`,
    '',
  ].join('\n');
}

// ---------------------------------------------------------------------------------------------------------- the engine

async function engine(directory, started, screen) {
  const named = process.env.DOCKER_HOST?.replace(/^unix:\/\//, '') ?? SYSTEM_SOCKET;
  if (existsSync(named) && (await answers(named))) {
    screen.text(`Docker: the engine of this machine (${named})`);
    return named;
  }
  const socket = join(directory, 'docker.sock');
  // The engine sets the machine's forwarding policy and adds a bridge; both are put back at the end.
  const { stdout: firewall } = await run('iptables-save');
  const forwarding = readFileSync('/proc/sys/net/ipv4/ip_forward', 'utf8');
  const log = openSync(join(directory, 'dockerd.log'), 'a');
  const options = [
    '-H',
    `unix://${socket}`,
    '--data-root',
    join(directory, 'docker'),
    '--exec-root',
    join(directory, 'exec'),
    '-p',
    join(directory, 'docker.pid'),
  ];
  const dockerd = spawn('dockerd', options, { stdio: ['ignore', log, log], detached: true });
  started.push(async () => {
    await end(dockerd, 20_000);
    await run('ip', ['link', 'del', 'docker0']).catch(() => undefined);
    const restore = execFile('iptables-restore', []);
    restore.stdin.end(wholeFirewall(firewall));
    await new Promise((resolve) => restore.on('close', resolve));
    writeFileSync('/proc/sys/net/ipv4/ip_forward', forwarding);
  });
  for (let waitedMs = 0; !(await answers(socket)); waitedMs += 200) {
    if (dockerd.exitCode !== null || waitedMs > 60_000)
      throw new Error(`dockerd did not start:\n${tailOf(join(directory, 'dockerd.log'))}`);
    await sleep(200);
  }
  screen.text(`Docker: an engine of the demo's own (${socket})`);
  return socket;
}

/** iptables-save leaves out tables that nobody has used yet, and iptables-restore leaves alone what it is not told of. */
function wholeFirewall(saved) {
  const chains = { filter: ['INPUT', 'FORWARD', 'OUTPUT'], nat: ['PREROUTING', 'INPUT', 'OUTPUT', 'POSTROUTING'] };
  const unused = Object.entries(chains).filter(([table]) => !saved.includes(`*${table}\n`));
  const empty = unused.map(([table, names]) => `*${table}\n${names.map((name) => `:${name} ACCEPT [0:0]\n`).join('')}COMMIT\n`);
  return `${saved}${empty.join('')}`;
}

async function answers(socket) {
  return run('docker', ['-H', `unix://${socket}`, 'version']).then(
    () => true,
    () => false,
  );
}

// ---------------------------------------------------------------------------------------------------------- the daemon

async function startDaemon(directory, api) {
  const log = openSync(join(directory, 'reactord.log'), 'a');
  const daemon = spawn(DAEMON, ['--config', join(directory, 'reactor.conf')], { stdio: ['ignore', log, log], detached: true });
  for (let waitedMs = 0; ; waitedMs += 100) {
    const ready = await fetch(`${api}/readyz`).then(
      (response) => response.ok,
      () => false,
    );
    if (ready) return daemon;
    if (daemon.exitCode !== null || waitedMs > 30_000) throw new Error('reactord did not become ready');
    await sleep(100);
  }
}

/** reactord leaves containers and nginx running on purpose; here they are part of what was started. */
async function stopDaemon(daemon, directory, socket) {
  const cluster = /cluster ([0-9a-zA-Z-]+)/.exec(tailOf(join(directory, 'reactord.log'), 1_000))?.[1];
  await end(daemon, 10_000);
  const pidFile = join(directory, 'data/nginx/nginx.pid');
  if (existsSync(pidFile)) process.kill(Number(readFileSync(pidFile, 'utf8')), 'SIGTERM');
  if (cluster === undefined) return;
  const { stdout } = await run('docker', ['-H', `unix://${socket}`, 'ps', '-aq', '--filter', `label=reactor.cluster=${cluster}`]);
  const ids = stdout.split('\n').filter(Boolean);
  if (ids.length > 0) await run('docker', ['-H', `unix://${socket}`, 'rm', '-f', ...ids]);
}

async function end(child, deadlineMs) {
  if (child.exitCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), deadlineMs);
  await ended;
  clearTimeout(timer);
}

// ------------------------------------------------------------------------------------------------------- small matters

function tailOf(file, lines = 20) {
  return existsSync(file) ? readFileSync(file, 'utf8').trimEnd().split('\n').slice(-lines).join('\n') : '';
}

/** The last part of `http://[host][:port][/path]`. */
function portOf(url) {
  return Number(/^http:\/\/[^/:]*:?([0-9]*)/.exec(url)?.[1] || 80);
}

function pathOf(url) {
  return /^http:\/\/[^/]*(\/.*)?$/.exec(url)?.[1] ?? '/';
}

function isFree(port) {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, () => server.close(() => resolve(true)));
  });
}

function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}
