import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { untilAnswers } from './bare-docker.mjs';

/** An nginx as somebody who knows it would write it by hand for two backends: no log, nothing that is not needed. */

const POLL_MS = 1;
const LIMIT_MS = 10_000;

const configurationOf = ({ directory, port, version, backends }) => `user nobody nogroup;
worker_processes auto;
worker_rlimit_nofile 40000;
pid ${directory}/nginx.pid;
error_log ${directory}/error.log crit;
events { worker_connections 16384; }
http {
    access_log off;
    tcp_nopush on;
    keepalive_requests 10000;
    client_body_temp_path ${directory}/body;
    proxy_temp_path ${directory}/proxy;
    fastcgi_temp_path ${directory}/fastcgi;
    uwsgi_temp_path ${directory}/uwsgi;
    scgi_temp_path ${directory}/scgi;
    upstream web {
${backends.map((address) => `        server ${address};\n`).join('')}        keepalive 32;
        keepalive_requests 10000;
    }
    server {
        listen ${port};
        add_header X-Version ${version};
        location / {
            proxy_pass http://web;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $http_host;
        }
    }
}
`;

/** Serves on `port`; `directory` is its own. */
export async function startBareNginx({ directory, port, backends }) {
  mkdirSync(directory, { recursive: true });
  const url = `http://127.0.0.1:${port}/`;
  const file = join(directory, 'nginx.conf');
  const environment = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` };
  let version = 0;
  const write = (addresses) => {
    version += 1;
    writeFileSync(file, configurationOf({ directory, port, version, backends: addresses }));
  };
  // Never waited for in place: clients of the same process would be held still, with connections open and nothing sent.
  const nginx = (...words) =>
    promisify(execFile)('nginx', ['-c', file, '-e', join(directory, 'error.log'), ...words], { env: environment });
  const answersNew = () => untilAnswers(url, (headers) => headers['x-version'] === String(version));

  write(backends);
  await nginx();
  const master = Number(readFileSync(join(directory, 'nginx.pid'), 'latin1'));
  await answersNew();
  return {
    url,
    /** Milliseconds from `nginx -s reload` to the first answer by the new configuration. */
    async reload(addresses) {
      write(addresses);
      const startedMs = performance.now();
      await nginx('-s', 'reload');
      await answersNew();
      return performance.now() - startedMs;
    },
    /** Milliseconds from SIGHUP until no worker of before takes requests. */
    async reloadAcknowledged(addresses) {
      write(addresses);
      const before = servingWorkers(master);
      const startedMs = performance.now();
      process.kill(master, 'SIGHUP');
      for (
        let workers = before;
        workers.length === 0 || workers.some((pid) => before.includes(pid));
        workers = servingWorkers(master)
      ) {
        if (performance.now() - startedMs > LIMIT_MS) throw new Error('nginx did not change its workers');
        await new Promise((resolve) => setTimeout(resolve, POLL_MS));
      }
      return performance.now() - startedMs;
    },
    stop: () => process.kill(master, 'SIGTERM'),
  };
}

function servingWorkers(master) {
  const children = readFileSync(`/proc/${master}/task/${master}/children`, 'latin1').trim();
  return children
    .split(' ')
    .filter((pid) => pid !== '')
    .map(Number)
    .filter((pid) => isServing(pid));
}

function isServing(pid) {
  try {
    const title = readFileSync(`/proc/${pid}/cmdline`, 'latin1');
    return title.startsWith('nginx: worker process') && !title.includes('shutting down');
  } catch {
    return false; // ended meanwhile
  }
}
