import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const CLIENT = fileURLToPath(new URL('steady-client.mjs', import.meta.url));

/** Starts clients as steady-client.mjs describes them; `end` stops them, `result` then tells `{ sent, ok, failures }`. */
export function startClients(url, perSecond, connections) {
  const child = spawn(process.execPath, [CLIENT, url, perSecond, connections].map(String), {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let text = '';
  child.stdout.on('data', (part) => {
    text += part;
  });
  const result = new Promise((resolve, reject) => {
    child.once('close', () =>
      text === '' ? reject(new Error('the clients ended without a result')) : resolve(JSON.parse(text)),
    );
  });
  return { result, end: () => child.stdin.end() };
}
