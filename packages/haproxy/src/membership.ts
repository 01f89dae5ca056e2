import { cookieKey, isSticky, serverSettings } from './render.js';
import type { RunningServer, Runtime, Worker } from './runtime.js';
import type { Server, VirtualService } from './virtual-service.js';

/**
 * Who the servers of a running haproxy are, changed over its socket: no reload, no connection is cut. A server that goes is
 * put into maintenance, in which it is chosen no more, neither by turn nor by cookie, and finishes what it has; when it is
 * idle it is deleted. What a worker answers afterwards is the acknowledgement.
 */
export interface Change {
  readonly takeOut: readonly RunningServer[];
  readonly putIn: readonly { readonly service: VirtualService; readonly server: Server; readonly isNew: boolean }[];
  readonly weigh: readonly { readonly service: VirtualService; readonly server: Server }[];
}

/** Pure. */
export function changeFrom(running: readonly RunningServer[], virtual: readonly VirtualService[]): Change {
  const known = new Map(running.map((server) => [keyOf(server.backend, server.name), server]));
  const wanted = virtual.flatMap((service) => service.servers.map((server) => ({ service, server })));
  const names = new Set(wanted.map(({ service, server }) => keyOf(service.token, server.name)));
  const found = ({ service, server }: (typeof wanted)[number]) => known.get(keyOf(service.token, server.name));
  return {
    takeOut: running.filter((server) => !server.out && !names.has(keyOf(server.backend, server.name))),
    putIn: wanted.filter((each) => found(each)?.out !== false).map((each) => ({ ...each, isNew: found(each) === undefined })),
    weigh: wanted.filter((each) => (found(each) ?? each.server).weight !== each.server.weight),
  };
}

export const isNothing = ({ takeOut, putIn, weigh }: Change): boolean =>
  takeOut.length === 0 && putIn.length === 0 && weigh.length === 0;

/** Makes the current worker's servers the wanted ones; false when it says they are not, which takes a reload then. */
export async function changeServers(
  runtime: Runtime,
  workers: readonly Worker[],
  virtual: readonly VirtualService[],
): Promise<boolean> {
  const current = workers.find(({ old }) => !old);
  if (current === undefined) return false;
  const change = changeFrom(await runtime.serversOf(current.pid), virtual);
  // The new ones first: nobody is to meet a backend without servers in between.
  for (const { service, server, isNew } of change.putIn) await putIn(runtime, current.pid, service, server, isNew);
  for (const { service, server } of change.weigh)
    await runtime.tell(current.pid, `set server ${service.token}/${server.name} weight ${server.weight}`);
  await takeOut(runtime, workers, change.takeOut);
  return isNothing(changeFrom(await runtime.serversOf(current.pid), virtual));
}

/** From every worker: one that was replaced may still have a request to send on. */
export async function takeOut(runtime: Runtime, workers: readonly Worker[], servers: readonly RunningServer[]): Promise<void> {
  for (const { backend, name } of servers) {
    for (const { pid } of workers) await runtime.tell(pid, `set server ${backend}/${name} state maint`);
  }
}

/** Deletes servers that are out and idle; haproxy itself refuses while one is not. */
export async function sweep(runtime: Runtime, pid: number): Promise<void> {
  const idle = (await runtime.serversOf(pid)).filter((server) => server.out);
  for (const { backend, name } of idle) await runtime.tell(pid, `del server ${backend}/${name}`);
}

async function putIn(runtime: Runtime, pid: number, service: VirtualService, server: Server, isNew: boolean): Promise<void> {
  const name = `${service.token}/${server.name}`;
  if (isNew) {
    await runtime.tell(pid, `add server ${name} ${serverSettings(server)}`);
    await runtime.tell(pid, `enable health ${name}`);
    // A server that is added has no cookie; telling the key once more, the same one, gives each its own.
    if (isSticky(service)) {
      await runtime.tell(pid, `set dynamic-cookie-key backend ${service.token} ${cookieKey(service.token)}`);
    }
  }
  await runtime.tell(pid, `set server ${name} state ready`);
}

const keyOf = (backend: string, name: string): string => `${backend}/${name}`;
