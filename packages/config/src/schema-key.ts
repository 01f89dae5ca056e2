import type { KeyType } from './key-type.js';

/** One row of the schema. What a key accepts, means and defaults to is said here and nowhere else. */
export interface SchemaKey<T = unknown> {
  readonly section: string;
  readonly key: string;
  readonly type: KeyType<T>;
  /** As one would write it in INI; empty is not set. */
  readonly default: string;
  /** One line. */
  readonly description: string;
  readonly scope: Scope;
  /** Its value is not for logs, nor for readers without the right to it. */
  readonly secret: boolean;
}

/** An endpoint's document, or the daemon's own. */
export type Scope = 'endpoint' | 'daemon';

/** Makes the rows of one section. */
export function sectionOf(scope: Scope, section: string) {
  return <T>(
    key: string,
    type: KeyType<T>,
    defaultText: string,
    description: string,
    rest: { readonly secret?: boolean } = {},
  ): SchemaKey<T> => ({ section, key, type, default: defaultText, description, scope, secret: rest.secret ?? false });
}
