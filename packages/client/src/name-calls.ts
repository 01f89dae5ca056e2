import type { Json } from '@reactor/core';
import { answerOf, type Guard, get, pathOf, send } from './call.js';
import type { Target } from './exchange.js';
import type { NamesWritten } from './wire.js';

/** What an endpoint is called, and what the operator noted about it. */
export interface NameCalls {
  /** One more name; fails with `exists` when somebody has it. */
  alias(name: string, other: string, guard?: Guard): Promise<NamesWritten>;
  /** Another name instead of `name`, at once; fails with `exists`, and then changes nothing. */
  rename(name: string, other: string, guard?: Guard): Promise<NamesWritten>;
  metadataKeys(name: string): Promise<readonly string[]>;
  /** Null when there is none. */
  metadata(name: string, key: string): Promise<Json>;
  setMetadata(name: string, key: string, value: Json): Promise<void>;
  removeMetadata(name: string, key: string): Promise<void>;
}

export function nameCalls(target: Target): NameCalls {
  const noteOf = (name: string, key: string): string => pathOf(name, `metadata/${encodeURIComponent(key)}`);
  return {
    alias: (name, other, guard) => send(target, 'POST', pathOf(name, 'alias'), other, guard),
    rename: (name, other, guard) => send(target, 'POST', pathOf(name, 'rename'), other, guard),
    metadataKeys: (name) => get(target, pathOf(name, 'metadata')),
    metadata: (name, key) => get(target, noteOf(name, key)),
    setMetadata: (name, key, value) => send(target, 'POST', noteOf(name, key), value),
    removeMetadata: (name, key) => answerOf(target, { method: 'DELETE', path: noteOf(name, key) }),
  };
}
