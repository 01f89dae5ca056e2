import type { ConfigDocument } from '@reactor/core';
import { asJson, ask, Refusal } from './exchange.js';

/** What the server says of a configuration that is still being typed. */
export interface Finding {
  readonly severity: 'error' | 'warning' | 'advice';
  readonly section: string | null;
  readonly key: string | null;
  readonly text: string;
  readonly suggestion?: string | null;
}

/** Of what would be the configuration of `endpoint`. Nothing when the daemon cannot be asked: saving says it, too. */
export async function findingsOf(endpoint: string, document: ConfigDocument): Promise<readonly Finding[]> {
  try {
    return (
      await ask<{ readonly findings: readonly Finding[] }>(
        'POST',
        `/lint?endpoint=${encodeURIComponent(endpoint)}`,
        asJson(document),
      )
    ).value.findings;
  } catch (error) {
    return error instanceof Refusal && error.code.startsWith('config_') ? [findingOf(error)] : [];
  }
}

/** A refusal names the key it is about. */
export function findingOf({ message, details }: Refusal): Finding {
  const { section, key } = details;
  return {
    severity: 'error',
    section: typeof section === 'string' ? section : null,
    key: typeof key === 'string' ? key : null,
    text: message,
  };
}
