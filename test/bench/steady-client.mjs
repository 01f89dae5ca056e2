/**
 * Clients in a process of their own: steady-client.mjs URL PER_SECOND CONNECTIONS. With 0 connections every request has one of
 * its own, else so many are kept and reused. Prints an empty line when a second's worth is answered, sends until its standard
 * input ends, then prints one line of JSON. A process of its own, because a client that is held up sees late that a connection
 * was closed, and then loses a request by itself.
 */
import { Agent, get } from 'node:http';

const [url, perSecond, connections] = [process.argv[2], ...process.argv.slice(3).map(Number)];
const TICK_MS = 1;
const TIMEOUT_MS = 10_000;

const agent = connections === 0 ? false : new Agent({ keepAlive: true, maxSockets: connections, maxFreeSockets: connections });
const failures = {};
let sent = 0;
let ok = 0;
let open = 0;

function send() {
  sent += 1;
  open += 1;
  let outcome = 'closed without an answer';
  const asked = get(url, { agent, timeout: TIMEOUT_MS }, (response) => {
    response.resume();
    response.once('end', () => {
      outcome = response.statusCode === 200 ? '' : `status ${response.statusCode}`;
    });
  });
  asked.once('timeout', () => asked.destroy(new Error('timeout')));
  asked.once('error', (error) => {
    outcome = error.message;
  });
  asked.once('close', () => {
    open -= 1;
    if (outcome === '') ok += 1;
    else failures[outcome] = (failures[outcome] ?? 0) + 1;
    if (outcome === '' && ok === Math.ceil(perSecond)) console.log();
    if (stopping && open === 0) finish();
  });
}

let stopping = false;
const startedMs = performance.now();
const timer = setInterval(() => {
  const due = Math.floor(((performance.now() - startedMs) / 1000) * perSecond);
  while (sent < due) send();
}, TICK_MS);

function finish() {
  console.log(JSON.stringify({ sent, ok, failures }));
  process.exit();
}

process.stdin.resume().once('end', () => {
  stopping = true;
  clearInterval(timer);
  if (open === 0) finish();
});
