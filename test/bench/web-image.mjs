import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/**
 * An image without a registry: this machine's nginx and the libraries it names, answering `ok` on port 5000 and its
 * container's name in X-Instance. It starts and answers so fast that what is measured is not it.
 */
export const WEB_IMAGE = 'reactor-bench-web:latest';
export const WEB_PORT = 5000;

const CONFIGURATION = `daemon off;
worker_processes 1;
pid /tmp/nginx.pid;
error_log stderr crit;
events { worker_connections 4096; }
http {
    access_log off;
    keepalive_requests 1000000;
    client_body_temp_path /tmp/body;
    proxy_temp_path /tmp/proxy;
    fastcgi_temp_path /tmp/fastcgi;
    uwsgi_temp_path /tmp/uwsgi;
    scgi_temp_path /tmp/scgi;
    server {
        listen ${WEB_PORT};
        add_header X-Instance $hostname;
        default_type text/plain;
        return 200 "ok\\n";
    }
}
`;

export function makeWebImage(socket) {
  const root = mkdtempSync(join(tmpdir(), 'reactor-bench-image-'));
  try {
    const program = execFileSync('sh', ['-c', 'readlink -f "$(PATH=$PATH:/usr/sbin:/sbin command -v nginx)"'], {
      encoding: 'utf8',
    }).trim();
    const libraries = execFileSync('ldd', [program], { encoding: 'utf8' }).match(/\/[^ )\n]+/g) ?? [];
    const put = (from, to) => {
      mkdirSync(join(root, dirname(to)), { recursive: true });
      copyFileSync(from, join(root, to));
    };
    put(program, '/nginx');
    for (const library of libraries) put(library, library);
    mkdirSync(join(root, 'tmp'), { mode: 0o777 });
    mkdirSync(join(root, 'etc'));
    writeFileSync(join(root, 'etc/passwd'), 'nobody:x:65534:65534:nobody:/:/sbin/nologin\n');
    writeFileSync(join(root, 'nginx.conf'), CONFIGURATION);
    execFileSync('chmod', ['777', join(root, 'tmp')]);
    const archive = spawnSync('tar', ['-C', root, '-c', '.'], { maxBuffer: 256 * 1024 * 1024 });
    const changes = ['CMD ["/nginx", "-e", "stderr", "-c", "/nginx.conf"]', `EXPOSE ${WEB_PORT}`, 'USER 65534'].flatMap(
      (change) => ['--change', change],
    );
    execFileSync('docker', ['-H', `unix://${socket}`, 'import', ...changes, '-', WEB_IMAGE], {
      input: archive.stdout,
      stdio: ['pipe', 'ignore', 'inherit'],
    });
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}
