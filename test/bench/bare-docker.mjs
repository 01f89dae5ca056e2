import { get, request } from 'node:http';
import { WEB_IMAGE, WEB_PORT } from './web-image.mjs';

/** Containers by nothing but the engine's API: what the same starts cost without us. */

const FIRST_PORT = 18_000;
const POLL_MS = 1;
const ANSWER_LIMIT_MS = 10_000;

let nextPort = FIRST_PORT;

/**
 * Creates and starts a container on the default bridge with its port published on `address`, and waits until it answers. Asked
 * only after `start` has returned: an earlier connection would cost a second of waiting for the neighbour's address.
 */
export async function startBare(socket, address) {
  const hostPort = nextPort++;
  const { Id: id } = await call(socket, 'POST', '/containers/create', {
    Image: WEB_IMAGE,
    ExposedPorts: { [`${WEB_PORT}/tcp`]: {} },
    HostConfig: { PortBindings: { [`${WEB_PORT}/tcp`]: [{ HostIp: address, HostPort: String(hostPort) }] } },
  });
  await call(socket, 'POST', `/containers/${id}/start`);
  await untilAnswers(`http://${address}:${hostPort}/`, () => true);
  return { id, address: `${address}:${hostPort}` };
}

export async function removeBare(socket, { id }) {
  await call(socket, 'DELETE', `/containers/${id}?force=1`);
}

/** Asks again and again until an answer is 200 and `isWanted(headers)`. */
export async function untilAnswers(url, isWanted) {
  const endMs = performance.now() + ANSWER_LIMIT_MS;
  for (;;) {
    const headers = await answerOf(url);
    if (headers !== null && isWanted(headers)) return;
    if (performance.now() > endMs) throw new Error(`${url} did not answer within ${ANSWER_LIMIT_MS / 1000} s`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

function answerOf(url) {
  return new Promise((resolve) => {
    const asked = get(url, { agent: false, timeout: 1_000 }, (response) => {
      response.resume();
      resolve(response.statusCode === 200 ? response.headers : null);
    });
    asked.once('timeout', () => asked.destroy());
    asked.once('error', () => resolve(null));
  });
}

function call(socketPath, method, path, body) {
  return new Promise((resolve, reject) => {
    const text = body === undefined ? '' : JSON.stringify(body);
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) };
    const asked = request({ socketPath, method, path, headers }, (response) => {
      const parts = [];
      response.on('data', (part) => parts.push(part));
      response.once('error', reject);
      response.once('end', () => {
        const answer = Buffer.concat(parts).toString();
        if (response.statusCode >= 300) reject(new Error(`Docker: ${method} ${path}: ${response.statusCode} ${answer}`));
        else resolve(answer === '' ? null : JSON.parse(answer));
      });
    });
    asked.once('error', reject);
    asked.end(text);
  });
}
