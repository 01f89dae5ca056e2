import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

/** Stands between a store and its Redis and loses what a network can lose, without ever closing a connection. */
export class SilentProxy {
  readonly #pairs: { readonly near: Socket; readonly far: Socket }[] = [];
  #dropAnswer = false;

  private constructor(
    private readonly server: Server,
    private readonly port: number,
  ) {}

  static async start(port: number): Promise<SilentProxy> {
    // Half-open, so that a frozen connection does not even answer the end of the other side.
    const server = createServer({ allowHalfOpen: true });
    const address = await once(server.listen(0, '127.0.0.1'), 'listening').then(() => server.address());
    if (address === null || typeof address === 'string') throw new Error('the proxy has no port');
    const proxy = new SilentProxy(server, address.port);
    server.on('connection', (near: Socket) => proxy.#join(near, connect({ port, host: '127.0.0.1', allowHalfOpen: true })));
    return proxy;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  /** Nothing passes on the connections of now any more; new ones are served. */
  freeze(): void {
    for (const { near, far } of this.#pairs) {
      near.removeAllListeners('data').removeAllListeners('end').pause();
      far.removeAllListeners('data').removeAllListeners('end').pause();
    }
  }

  /** The next answer is lost and its connection breaks, after Redis did what it was asked. */
  dropNextAnswer(): void {
    this.#dropAnswer = true;
  }

  async stop(): Promise<void> {
    for (const { near, far } of this.#pairs) {
      near.destroy();
      far.destroy();
    }
    this.server.close();
    await once(this.server, 'close');
  }

  #join(near: Socket, far: Socket): void {
    this.#pairs.push({ near, far });
    for (const socket of [near, far]) socket.on('error', () => socket.destroy());
    near.on('data', (chunk) => far.write(chunk));
    near.on('end', () => far.end());
    far.on('data', (chunk) => {
      if (!this.#dropAnswer) near.write(chunk);
      else near.destroy();
      this.#dropAnswer = false;
    });
    far.on('end', () => near.end());
  }
}
