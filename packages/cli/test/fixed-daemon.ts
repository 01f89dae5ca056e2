import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A daemon that answers what a test tells it to, over real HTTP, and remembers what it was asked. */
export interface FixedDaemon {
  readonly api: string;
  readonly port: number;
  readonly requests: readonly Seen[];
  close(): Promise<void>;
}

export interface Seen {
  /** `GET /v1.1/endpoints`. */
  readonly line: string;
  readonly key: string | null;
  readonly token: string | null;
  readonly type: string | null;
  readonly body: string;
}

export interface Answer {
  readonly status?: number;
  /** A string is sent as it is, anything else as JSON. */
  readonly body?: unknown;
  /** Leaves the connection open after the body. */
  readonly open?: boolean;
}

export const refused = (status: number, code: string, message: string): Answer => ({
  status,
  body: { error: { code, message } },
});

/** Answers by request line; what is not listed is answered with `not_found`. */
export async function fixedDaemon(answers: Readonly<Record<string, Answer>>): Promise<FixedDaemon> {
  const requests: Seen[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8');
    request.on('data', (chunk: string) => {
      body += chunk;
    });
    request.on('end', () => {
      const line = `${request.method} ${request.url}`;
      const { 'x-auth-key': key, 'x-reactor-token': token } = request.headers;
      requests.push({
        line,
        key: typeof key === 'string' ? key : null,
        token: typeof token === 'string' ? token : null,
        type: request.headers['content-type'] ?? null,
        body,
      });
      const answer = answers[line] ?? refused(404, 'not_found', `nothing at ${line}`);
      response.statusCode = answer.status ?? 200;
      const text = typeof answer.body === 'string' ? answer.body : JSON.stringify(answer.body ?? null);
      if (answer.open === true) response.write(text);
      else response.end(text);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    api: `http://127.0.0.1:${port}`,
    port,
    requests,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
