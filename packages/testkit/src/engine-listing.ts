import { get } from 'node:http';

/** A container as its engine lists it. */
export interface ListedContainer {
  readonly id: string;
  /** `running`, `exited`, ... in the engine's words. */
  readonly state: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** A container of ours on an engine that is stopped answers later or never. */
const TIMEOUT_MS = 2_000;

/**
 * All containers of the engine at a Unix socket, ended ones too. Asks the engine itself: a `docker` process per look
 * would cost a loaded machine more than what is looked at.
 */
export function listContainers(socket: string): Promise<readonly ListedContainer[]> {
  return new Promise((resolve, reject) => {
    const request = get({ socketPath: socket, path: '/containers/json?all=1', agent: false, timeout: TIMEOUT_MS }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (part: string) => (text += part));
      response.once('error', reject);
      response.once('end', () => {
        if (response.statusCode !== 200)
          return reject(new Error(`the engine at ${socket} answered ${response.statusCode}: ${text}`));
        const rows = JSON.parse(text) as readonly { Id: string; State: string; Labels: Record<string, string> | null }[];
        resolve(rows.map(({ Id, State, Labels }) => ({ id: Id, state: State, labels: Labels ?? {} })));
      });
    });
    request.once('timeout', () => request.destroy(new Error(`the engine at ${socket} does not answer`)));
    request.once('error', reject);
  });
}
