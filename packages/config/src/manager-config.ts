import { type ConfigDocument, ReactorError } from '@reactor/core';
import { DAEMON_KEYS as KEY } from './daemon-schema.js';
import { getValue, NO_PLACES, type Places, type Warning } from './document.js';
import type { SchemaKey } from './schema-key.js';
import { openValues } from './values.js';

/**
 * What may be given to a daemon through the cluster, over what its own file says. How it reaches its state, its Docker and
 * its programs, and whom it lets in, stays in that file: nobody should be able to cut a host off, or to have it run another
 * program, from elsewhere.
 */

/** In force within a round. */
const AT_ONCE: readonly SchemaKey[] = [KEY.interval, KEY.slots, KEY.overcommit, KEY.labels];
/** In force when the daemon starts. */
const AT_START: readonly SchemaKey[] = [
  KEY.address,
  KEY.portRange,
  KEY.startLimit,
  KEY.logLimit,
  KEY.workers,
  KEY.maxConnections,
  KEY.clientTimeout,
];

export interface CheckedManager {
  readonly warnings: readonly Warning[];
}

/** Fails with `config_invalid`, naming the first mistake. The warnings also say which keys wait for a restart. */
export function checkManager(document: ConfigDocument, places: Places = NO_PLACES): CheckedManager {
  const values = openValues('daemon', document, places);
  for (const key of Object.values(KEY) as readonly SchemaKey[]) {
    if (getValue(document, key.section, key.key) === null) continue;
    values.read(key);
    if (AT_START.includes(key)) values.warn(key, 'in force when the reactord of this manager is started again');
    else if (!AT_ONCE.includes(key)) values.mistake(key, "is read from the host's own reactor.conf only");
  }
  values.check();
  return { warnings: values.warnings };
}

/** The file of a daemon with what was given to it through the cluster over it. */
export function withPushed(file: ConfigDocument, pushed: ConfigDocument): ConfigDocument {
  try {
    checkManager(pushed);
  } catch (error) {
    // Stored by a version with other rules: the file alone is what the host was known to work with.
    if (error instanceof ReactorError) return file;
    throw error;
  }
  const sections = [...new Set([...Object.keys(file), ...Object.keys(pushed)])];
  return Object.fromEntries(sections.map((section) => [section, { ...file[section], ...pushed[section] }]));
}

/** The keys in which two documents differ, and which of them wait for a restart, as `section.key`. */
export function changedManagerKeys(
  before: ConfigDocument,
  after: ConfigDocument,
): { readonly atOnce: readonly string[]; readonly atStart: readonly string[] } {
  const changed = (keys: readonly SchemaKey[]): readonly string[] =>
    keys
      .filter(({ section, key }) => getValue(before, section, key) !== getValue(after, section, key))
      .map(({ section, key }) => `${section}.${key}`);
  return { atOnce: changed(AT_ONCE), atStart: changed(AT_START) };
}
