/**
 * Every operational error Reactor can meet, in one table. An outcome is a value and a bug is a thrown `AssertionError`;
 * what is left (the outside world said no) is a `ReactorError` with a stable code from this table.
 * `status` is the HTTP status the API answers with; `retryable` says whether the same call can succeed later unchanged.
 */
export const ERRORS = {
  config_syntax: { status: 400, retryable: false, meaning: 'the text is not INI or JSON that Reactor can read' },
  config_too_large: { status: 413, retryable: false, meaning: 'the configuration exceeds the size limit' },
  config_invalid: { status: 422, retryable: false, meaning: 'a value is outside what its key accepts' },
  request_invalid: { status: 400, retryable: false, meaning: 'the request is not what the route expects' },
  media_type: { status: 415, retryable: false, meaning: 'the body has another content type than the route accepts' },
  too_large: { status: 413, retryable: false, meaning: 'the body exceeds the size limit' },
  unauthorized: { status: 401, retryable: false, meaning: 'the key is missing or wrong' },
  too_many_attempts: { status: 429, retryable: true, meaning: 'too many wrong keys from this address' },
  foreign_origin: { status: 403, retryable: false, meaning: 'the request comes from another web site' },
  misdirected: { status: 421, retryable: false, meaning: 'the Host header names another machine' },
  not_found: { status: 404, retryable: false, meaning: 'there is no such thing' },
  method_not_allowed: { status: 405, retryable: false, meaning: 'the route has no such method' },
  exists: { status: 409, retryable: false, meaning: 'the name or the URL is already taken' },
  conflict: { status: 409, retryable: true, meaning: 'somebody else changed it meanwhile' },
  host_alive: { status: 409, retryable: false, meaning: 'the host is alive, so it cannot be removed' },
  revision_mismatch: { status: 412, retryable: false, meaning: 'the revision named by If-Match is not the current one' },
  state_unavailable: { status: 503, retryable: true, meaning: 'the cluster state cannot be reached; traffic is unaffected' },
  state_foreign: { status: 503, retryable: false, meaning: 'the cluster state is not the one this daemon knew' },
  record_unreadable: { status: 503, retryable: false, meaning: 'a record of the cluster state cannot be read' },
  mark_unreadable: {
    status: 503,
    retryable: false,
    meaning: 'a file that remembers the epoch or the ports cannot be read or written',
  },
  state_limit: { status: 413, retryable: false, meaning: 'a value exceeds what the cluster state accepts' },
  docker_unavailable: { status: 503, retryable: true, meaning: 'the Docker engine does not answer' },
  docker_refused: { status: 502, retryable: false, meaning: 'the Docker engine refused the request' },
  docker_too_old: { status: 502, retryable: false, meaning: 'the Docker engine offers an API older than 1.41' },
  image_unavailable: { status: 502, retryable: true, meaning: 'the image is not here and could not be pulled' },
  port_taken: { status: 409, retryable: true, meaning: 'another program listens on the port' },
  balancer_refused: { status: 502, retryable: false, meaning: 'the load balancer refused its configuration' },
  balancer_unacknowledged: {
    status: 502,
    retryable: true,
    meaning: 'the load balancer did not take its configuration up in time',
  },
  balancer_unavailable: { status: 503, retryable: true, meaning: 'the load balancer does not run and could not be started' },
  unsupported: { status: 501, retryable: false, meaning: 'the load balancer of the endpoint cannot do this' },
  unreachable: { status: 503, retryable: true, meaning: 'the daemon cannot be reached' },
  timeout: { status: 504, retryable: true, meaning: 'no answer before the deadline' },
} as const;

export type ErrorCode = keyof typeof ERRORS;

/** Details a machine can use: the place in a document, the offending value, the limit. */
export type ErrorDetails = Readonly<Record<string, string | number | null>>;

export class ReactorError extends Error {
  override readonly name = 'ReactorError';

  constructor(
    readonly code: ErrorCode,
    message: string,
    options: { readonly cause?: unknown; readonly details?: ErrorDetails } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.details = options.details ?? {};
  }

  readonly details: ErrorDetails;

  get retryable(): boolean {
    return ERRORS[this.code].retryable;
  }
}

/** The text of any thrown thing, on one line. */
export function describeError(error: unknown): string {
  const text = error instanceof Error ? error.message || error.name : String(error);
  return text.replace(/\s*[\r\n]+\s*/g, ' ');
}
