import { execFile, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createTcp } from '../../packages/tcp/dist/index.js';
import { untilAnswers } from './bare-docker.mjs';
import { figure } from './figure.mjs';
import { median } from './sample.mjs';

/**
 * The tcp proxy against haproxy in tcp mode, in front of the same nginx, which answers from memory: requests on connections
 * that stay, a connection per request, and large answers. Both proxies get both cores of the machine, and one asks in turn.
 */

const BACKEND_PORT = 8101;
const OURS_PORT = 8102;
const PEER_PORT = 8103;
const ROUNDS = 3;
const SECONDS = 2;
const CONNECTIONS = 64;
const LARGE_BYTES = 2 ** 20;
const MEGA = 1e6;

const run = promisify(execFile);
const path = { env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` } };

export async function measure(say) {
  const directory = mkdtempSync(join(tmpdir(), 'reactor-bench-tcp-'));
  const stops = [];
  try {
    stops.push(await startBackend(join(directory, 'nginx')));
    stops.push(await startHaproxy(join(directory, 'haproxy')));
    stops.push(await startOurs(join(directory, 'tcp')));
    const kept = await sides(say, 'connections that stay', [], 'Requests/sec');
    const fresh = await sides(say, 'a connection each', ['-H', 'Connection: close'], 'Requests/sec');
    const large = await sides(say, 'large answers', [], 'Transfer/sec', '/large');
    const row = (name, unit, { ours, peer }) =>
      figure({ id: 'P12', name, unit, ours, peer: { name: 'haproxy, mode tcp', value: peer }, targets: [] });
    return [
      row('requests through the tcp proxy on 64 connections', 'requests/s', kept),
      row('connections through the tcp proxy, one request each', 'requests/s', fresh),
      row('answers of 1 MiB through the tcp proxy', 'MB/s', large),
    ];
  } finally {
    for (const stop of stops.reverse()) await stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Medians of both in turn; a first go of each is thrown away. */
async function sides(say, what, words, figureName, target = '/') {
  say(`wrk, ${what}, ${ROUNDS} x ${SECONDS} s each`);
  const ours = [];
  const peer = [];
  for (let round = 0; round <= ROUNDS; round++) {
    const pair = [await wrk(OURS_PORT, target, words, figureName, say), await wrk(PEER_PORT, target, words, figureName, say)];
    if (round === 0) continue;
    ours.push(pair[0]);
    peer.push(pair[1]);
  }
  return { ours: median(ours), peer: median(peer) };
}

const SCALES = { '': 1, K: 1024, M: 1024 ** 2, G: 1024 ** 3 };

/** Requests per second, or megabytes; failed ones are told. */
async function wrk(port, target, words, figureName, say) {
  const url = `http://127.0.0.1:${port}${target}`;
  const { stdout } = await run('wrk', ['-t1', `-c${CONNECTIONS}`, `-d${SECONDS}s`, ...words, url], path);
  const problem = /^.*(?:Non-2xx|Socket errors).*$/m.exec(stdout)?.[0];
  if (problem !== undefined) say(`wrk ${url}: ${problem.trim()}`);
  const [, number, scale = ''] = new RegExp(`^${figureName}:\\s+([\\d.]+)([KMG]?)`, 'm').exec(stdout) ?? [];
  if (number === undefined) throw new Error(`wrk ${url}: ${stdout}`);
  const value = Number(number) * SCALES[scale];
  return figureName === 'Transfer/sec' ? value / MEGA : value;
}

async function startBackend(directory) {
  mkdirSync(directory);
  writeFileSync(join(directory, 'large'), Buffer.alloc(LARGE_BYTES, 'x'));
  const file = join(directory, 'nginx.conf');
  writeFileSync(
    file,
    `user root;
worker_processes auto;
worker_rlimit_nofile 40000;
pid ${directory}/nginx.pid;
error_log ${directory}/error.log crit;
events { worker_connections 16384; }
http {
    access_log off;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 1000000;
    client_body_temp_path ${directory}/body;
    proxy_temp_path ${directory}/proxy;
    fastcgi_temp_path ${directory}/fastcgi;
    uwsgi_temp_path ${directory}/uwsgi;
    scgi_temp_path ${directory}/scgi;
    server {
        listen ${BACKEND_PORT} backlog=4096;
        root ${directory};
        location = / { return 200 "hello"; }
    }
}
`,
  );
  await run('nginx', ['-c', file, '-e', join(directory, 'error.log')], path);
  const master = Number(readFileSync(join(directory, 'nginx.pid'), 'latin1'));
  await untilAnswers(`http://127.0.0.1:${BACKEND_PORT}/`, () => true);
  return () => process.kill(master, 'SIGTERM');
}

async function startHaproxy(directory) {
  mkdirSync(directory);
  const file = join(directory, 'haproxy.cfg');
  writeFileSync(
    file,
    `global
    maxconn 5000
defaults
    mode tcp
    timeout connect 5s
    timeout client 50s
    timeout server 50s
listen web
    bind :${PEER_PORT}
    server a 127.0.0.1:${BACKEND_PORT}
    server b 127.0.0.1:${BACKEND_PORT}
`,
  );
  const child = spawn('haproxy', ['-db', '-f', file], { ...path, stdio: ['ignore', 'ignore', 'inherit'] });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  await untilAnswers(`http://127.0.0.1:${PEER_PORT}/`, () => true);
  return () => {
    child.kill('SIGTERM');
    return ended;
  };
}

async function startOurs(directory) {
  const driver = createTcp({ directory, log: () => {} });
  await driver.open();
  const backends = ['a', 'b'].map((id) => ({ id, host: '127.0.0.1', port: BACKEND_PORT, weight: 1 }));
  const tcp = { exclusive: false, disposable: false, disposeMinMs: 0, reconnectMs: 0, clientSubnets: [], balance: 'random' };
  const url = { scheme: 'tcp', host: null, port: OURS_PORT, path: '/' };
  await driver.apply([{ kind: 'tcp', endpoint: 'web', url, backends, redirect: null, windowMs: 10_000, tcp }]);
  await untilAnswers(`http://127.0.0.1:${OURS_PORT}/`, () => true);
  return async () => {
    await driver.close();
    process.kill(Number(readFileSync(join(directory, 'tcp.pid'), 'latin1')), 'SIGTERM');
  };
}
