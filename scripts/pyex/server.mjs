// The example service: a web server whose work per request can be set.
//   PORT      where it listens (5000)
//   WORK_MS   how long one request keeps it busy (0); ?work=N in the request overrides it
//   BOOT_MS   how long it takes until it listens (0)
// Every answer names the container (X-Instance), so that a test can see who answered.
import { createServer } from 'node:http';
import { hostname } from 'node:os';

const port = Number(process.env.PORT ?? 5000);
const workMs = Number(process.env.WORK_MS ?? 0);
const bootMs = Number(process.env.BOOT_MS ?? 0);
let served = 0;

/** Busy, not idle: an autoscaler's example should load the machine as a real service would. */
function work(ms) {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

const server = createServer((request, response) => {
  const url = new URL(request.url, 'http://pyex');
  served += 1;
  const reply = () => {
    const status = Number(url.searchParams.get('status') ?? 200);
    response.writeHead(status, { 'content-type': 'text/plain', 'x-instance': hostname() });
    response.end(url.pathname === '/env' ? JSON.stringify(process.env) : `Hello from ${hostname()}, request ${served}\n`);
  };
  work(Number(url.searchParams.get('work') ?? workMs));
  request.resume();
  request.on('end', () => setTimeout(reply, Number(url.searchParams.get('wait') ?? 0)));
});

// An upgraded connection echoes, so that websockets through the load balancer can be tried.
server.on('upgrade', (_request, socket) => {
  socket.on('error', () => socket.destroy());
  socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n');
  socket.pipe(socket);
});

setTimeout(() => server.listen(port, () => console.log(`listening on ${port}`)), bootMs);

// Finish what was accepted, then leave: what a well-behaved service does on SIGTERM.
process.on('SIGTERM', () => {
  server.close(() => process.exit(0));
  server.closeIdleConnections();
});
