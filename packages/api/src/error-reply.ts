import { describeError, ERRORS, type ErrorDetails, type LogLevel, ReactorError } from '@reactor/core';

/** What a client is told when a request fails: always JSON, always one line, never a stack. */
export interface ErrorReply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: { readonly error: { readonly code: string; readonly message: string; readonly details: ErrorDetails } };
}

export interface ErrorTeller {
  reply(error: unknown): ErrorReply;
  /** The state answered: the outage, if there was one, is over. */
  reached(): void;
}

/** How soon asking again makes sense while the state is away. */
const RETRY_SECONDS = 2;

export function createErrorTeller(options: {
  readonly now: () => number;
  readonly log: (level: LogLevel, message: string) => void;
  /** When the daemon saw the state go; null while it has not. */
  readonly downSinceMs: () => number | null;
}): ErrorTeller {
  let seenDownMs: number | null = null;
  return {
    reached() {
      seenDownMs = null;
    },
    reply(error) {
      if (!(error instanceof ReactorError)) {
        options.log('error', `bug in the API: ${error instanceof Error ? (error.stack ?? error.message) : describeError(error)}`);
        return replyOf(500, 'internal', 'internal error; see the log of reactord', {});
      }
      if (error.code !== 'state_unavailable')
        return replyOf(ERRORS[error.code].status, error.code, describeError(error), error.details);
      seenDownMs ??= options.now();
      const sinceMs = Math.min(seenDownMs, options.downSinceMs() ?? seenDownMs);
      // With the reason: a full disk is the operator's to free, a server that is away only to wait for.
      const message = `state store unreachable since ${clockTime(sinceMs)}; traffic unaffected: ${describeError(error)}`;
      return replyOf(503, error.code, message, { sinceMs, retryAfterSeconds: RETRY_SECONDS });
    },
  };
}

function replyOf(status: number, code: string, message: string, details: ErrorDetails): ErrorReply {
  const headers: Record<string, string> = {};
  const { retryAfterSeconds, revision } = details;
  if (typeof retryAfterSeconds === 'number') headers['retry-after'] = String(retryAfterSeconds);
  if (code === 'revision_mismatch' && typeof revision === 'number') headers['etag'] = `"${revision}"`;
  if (status === 401) headers['www-authenticate'] = 'Bearer realm="reactor"';
  return { status, headers, body: { error: { code, message, details } } };
}

/** `12:04:11`, in the time zone of the host, like the lines of its log. */
function clockTime(ms: number): string {
  const at = new Date(ms);
  return [at.getHours(), at.getMinutes(), at.getSeconds()].map((part) => String(part).padStart(2, '0')).join(':');
}
