import type { Finding } from '@reactor/core';
import { ask, Refusal, type Sent } from './exchange.js';

/** What the server says of a configuration that is still being typed. */

/** Of what would be the configuration of `endpoint`; null is a new one. Nothing when the daemon cannot be asked: saving says it. */
export async function findingsOf(endpoint: string | null, configuration: Sent): Promise<readonly Finding[]> {
  const query = endpoint === null ? '' : `?endpoint=${encodeURIComponent(endpoint)}`;
  try {
    return (await ask<{ readonly findings: readonly Finding[] }>('POST', `/lint${query}`, configuration)).value.findings;
  } catch (error) {
    return error instanceof Refusal && error.code.startsWith('config_') ? [findingOf(error)] : [];
  }
}

/** A refusal names the key it is about. */
export function findingOf({ code, message, details }: Refusal): Finding {
  const { section, key } = details;
  return {
    ...{ code, severity: 'error', text: message, line: null, suggestion: null },
    section: typeof section === 'string' ? section : null,
    key: typeof key === 'string' ? key : null,
  };
}

/** In one line, for where no key stands beside it. */
export function findingWords({ section, key, line, text, suggestion }: Finding): string {
  const named = section !== null && !text.includes(`${section}.`) ? `[${section}] ${key ?? ''}: ` : '';
  const place = line === null || /\bline \d/.test(text) ? named : `line ${line}: ${named}`;
  return `${place}${text}${suggestion === null ? '' : ` (${suggestion})`}`;
}
