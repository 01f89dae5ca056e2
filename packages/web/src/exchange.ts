/** One request to the API that these pages came from, as our own page: see browser.ts of the API for the header. */

export class Refusal extends Error {
  override readonly name = 'Refusal';
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly details: Readonly<Record<string, unknown>>,
  ) {
    super(message);
  }
}

export interface Sent {
  readonly type: 'application/json' | 'text/plain';
  readonly text: string;
}

export interface Answer<T> {
  readonly value: T;
  /** Of what was read or written; null where it has none. */
  readonly revision: number | null;
}

type Method = 'GET' | 'PUT' | 'POST' | 'PATCH' | 'DELETE';

export const asJson = (value: unknown): Sent => ({ type: 'application/json', text: JSON.stringify(value) });
export const asText = (text: string): Sent => ({ type: 'text/plain', text });

/** Called when a login has ended, whoever asked. */
let onLocked: () => void = () => {};
export function whenLocked(tell: () => void): void {
  onLocked = tell;
}

/** Longer than any answer takes while its cluster state is away. */
const PATIENCE_MS = 15_000;

/** `path` is below /v1.1. Throws Refusal with the server's words, or with why there were none. */
export async function ask<T>(method: Method, path: string, body?: Sent, ifRevision?: number): Promise<Answer<T>> {
  const headers: Record<string, string> = { accept: 'application/json', 'x-reactor-page': '1', 'x-reactor-compat': 'off' };
  if (body !== undefined) headers['content-type'] = body.type;
  if (ifRevision !== undefined) headers['if-match'] = `"${ifRevision}"`;
  const response = await fetch(`/v1.1${path}`, {
    method,
    headers,
    body: body?.text ?? null,
    signal: AbortSignal.timeout(PATIENCE_MS),
  }).catch((cause: unknown) => {
    throw new Refusal(0, 'unreachable', 'the daemon does not answer; try again', { cause: String(cause) });
  });
  const text = await response.text();
  if (!response.ok) throw refusalOf(response, text);
  const isJson = response.headers.get('content-type')?.startsWith('application/json') === true;
  const revision = Number(/^"(\d+)"$/.exec(response.headers.get('etag') ?? '')?.[1] ?? Number.NaN);
  return { value: (isJson ? JSON.parse(text) : text) as T, revision: Number.isNaN(revision) ? null : revision };
}

function refusalOf(response: Response, text: string): Refusal {
  const told = toldIn(text);
  if (response.status === 401 && told?.code === 'unauthorized') onLocked();
  const words = told?.message ?? `the daemon answered ${response.status}`;
  return new Refusal(response.status, told?.code ?? 'unreachable', words, told?.details ?? {});
}

interface Told {
  readonly code: string;
  readonly message: string;
  readonly details: Readonly<Record<string, unknown>>;
}

function toldIn(text: string): Told | null {
  try {
    return (JSON.parse(text) as { readonly error?: Told }).error ?? null;
  } catch {
    return null;
  }
}

export const wordsOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** The path of an endpoint, and of something of it. */
export const endpointPath = (name: string, below = ''): string => `/endpoints/${encodeURIComponent(name)}${below}`;
