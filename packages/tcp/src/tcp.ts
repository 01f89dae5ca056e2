import {
  type ApplyReport,
  describeError,
  type LoadBalancer,
  type LogLevel,
  ReactorError,
  type Session,
  type TcpService,
  type TrafficReport,
} from '@reactor/core';
import { ControlClient } from './control-client.js';
import { PROTOCOL } from './document.js';
import { placesIn } from './home.js';
import { ownAddresses, renderDocument } from './proxy-document.js';
import { findProxy, proxyProgram, startProxy } from './proxy-process.js';

/**
 * The load balancer port for `tcp://`. Nothing here is needed for bytes to flow: it starts the proxy when there is
 * something to serve, tells it what, and asks what it saw. A proxy that a former daemon started is taken over as it is.
 */
export interface TcpOptions {
  /** Absolute; the proxy's own. */
  readonly directory: string;
  /** What is started; the proxy of this very version unless told. */
  readonly program?: string;
  readonly log: (level: LogLevel, message: string) => void;
}

/** Starting it is tried again this much later. */
const RESTART_DELAY_MS = 5_000;

export function createTcp(options: TcpOptions): LoadBalancer<TcpService> {
  return new Tcp(options);
}

class Tcp implements LoadBalancer<TcpService> {
  readonly #options: TcpOptions;
  readonly #client: ControlClient;
  /** What the proxy has taken up; null while that is not known. */
  #acknowledged: { readonly text: string; readonly report: ApplyReport } | null = null;
  #wanted = false;
  #closed = false;
  #restart: NodeJS.Timeout | null = null;
  /** Ends when the application or restart in flight has. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: TcpOptions) {
    this.#options = options;
    this.#client = new ControlClient(placesIn(options.directory).socket, () => this.#lost());
  }

  async open(): Promise<void> {
    if (findProxy(this.#options.directory) === null) return;
    try {
      const { protocol } = await this.#client.ask({ do: 'greet' });
      this.#wanted = true;
      if (protocol === PROTOCOL) return;
      this.#wanted = false;
      this.#options.log(
        'warning',
        'the tcp proxy is of another version: it ends with its last connection, and another one takes over',
      );
      await this.#client.ask({ do: 'retire' });
    } catch (error) {
      // One that cannot be talked to is replaced when there is something to serve.
      this.#options.log('warning', `the tcp proxy found running does not answer: ${describeError(error)}`);
    }
    this.#client.close();
  }

  apply(services: readonly TcpService[]): Promise<ApplyReport> {
    return this.#inTurn(() => this.#apply(services));
  }

  async traffic(nowMs: number): Promise<TrafficReport> {
    const nothing = { atMs: nowMs, completeSinceMs: 0, endpoints: {}, badLines: 0, lagBytes: 0 };
    if (!this.#wanted) return nothing;
    return { ...nothing, endpoints: await this.#client.ask({ do: 'sight' }) };
  }

  readonly sessions = {
    list: async (): Promise<readonly Session[]> => (this.#wanted ? this.#client.ask({ do: 'sessions' }) : []),
    kill: async (endpoint: string, client: string): Promise<boolean> =>
      this.#wanted && this.#client.ask({ do: 'kill', endpoint, client }),
  };

  async close(): Promise<void> {
    this.#closed = true;
    if (this.#restart !== null) clearTimeout(this.#restart);
    await this.#turn;
    this.#client.close();
  }

  async #apply(services: readonly TcpService[]): Promise<ApplyReport> {
    const { document, aside } = renderDocument(services, ownAddresses());
    if (document.listeners.length === 0 && !this.#wanted) return { changed: false, setAside: aside };
    await this.#ensure();
    const text = JSON.stringify({ document, aside });
    const known = this.#acknowledged;
    // What could not be served is tried again: its port may have become free.
    if (known?.text === text && Object.keys(known.report.setAside).length === 0) return { ...known.report, changed: false };
    const applied = await this.#client.ask({ do: 'apply', document });
    const report = { changed: known?.text !== text, setAside: { ...aside, ...applied.aside } };
    this.#acknowledged = { text, report };
    // With nothing to serve it ends by itself, after its last connection; that is then no loss.
    this.#wanted = document.listeners.length > 0;
    return report;
  }

  async #ensure(): Promise<void> {
    const { directory, log } = this.#options;
    if (this.#wanted && findProxy(directory) !== null) return;
    this.#acknowledged = null;
    const known = findProxy(directory) !== null && (await this.#answers());
    if (!known) log('info', `tcp proxy started, process ${await startProxy(this.#options.program ?? proxyProgram(), directory)}`);
    this.#wanted = true;
  }

  async #answers(): Promise<boolean> {
    try {
      return (await this.#client.ask({ do: 'greet' })).protocol === PROTOCOL;
    } catch {
      return false;
    }
  }

  /** Its last document is in its directory, so a new one serves it at once. */
  #lost(): void {
    this.#acknowledged = null;
    if (!this.#wanted || this.#closed) return;
    this.#options.log('error', 'the tcp proxy is gone; starting it again');
    void this.#inTurn(() => this.#ensure()).catch((error: unknown) => {
      this.#options.log('error', describeError(error));
      if (!(error instanceof ReactorError) || this.#closed) return;
      this.#restart = setTimeout(() => this.#lost(), RESTART_DELAY_MS);
      this.#restart.unref();
    });
  }

  /** Runs alone, after whatever runs now; a failure is its caller's, not its successor's. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work);
    this.#turn = result.catch(() => {});
    return result;
  }
}
