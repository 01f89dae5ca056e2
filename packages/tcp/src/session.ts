import type { Socket } from 'node:net';

/**
 * A client and a backend joined: bytes go both ways at the pace of the slower side, and when one side has said all it had
 * to say, the other is told so and may go on answering (half-close). What is cut off on one side is cut off on the other,
 * with a reset: a client must not take half an answer for a whole one.
 */
export class Session {
  readonly #client: Socket;
  readonly #backend: Socket;
  #toClientBytes: number;
  #open = 2;

  constructor(client: Socket, backend: Socket, ended: () => void) {
    this.#client = client;
    this.#backend = backend;
    this.#toClientBytes = client.bytesWritten;
    for (const [socket, other] of [
      [client, backend],
      [backend, client],
    ] as const) {
      socket.on('error', () => other.resetAndDestroy());
      socket.once('close', () => {
        if (!(socket.readableEnded && socket.writableFinished) && !other.destroyed) other.resetAndDestroy();
        this.#open -= 1;
        if (this.#open === 0) ended();
      });
      socket.pipe(other);
    }
  }

  /** Bytes sent to the client since last asked. */
  takeBytes(): number {
    const total = this.#client.bytesWritten;
    const fresh = total - this.#toClientBytes;
    this.#toClientBytes = total;
    return fresh;
  }

  cut(): void {
    this.#client.resetAndDestroy();
    this.#backend.resetAndDestroy();
  }
}
