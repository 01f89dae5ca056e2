import { type Client, OWN_ENDPOINT, type Written } from '@reactor/client';
import { NOTHING_KNOWN, readDocument, vet } from '@reactor/config';
import { type ConfigDocument, describeError, ReactorError } from '@reactor/core';
import { readBytes } from '../stdin-text.js';
import { UsageError } from '../usage-error.js';
import { DONE, type Perform, REFUSED } from '../verb.js';

/**
 * `manage --update`: the given keys are laid over the stored ones. Read and written back under the revision it had, so
 * that a change by somebody else in between is not undone but refused with `revision_mismatch`.
 */
export async function mergeInto(client: Client, name: string, text: string): Promise<Written> {
  if (name === OWN_ENDPOINT) throw new UsageError('--update needs the name of the endpoint');
  const { document: given } = readDocument(text);
  // The revision comes first: a document newer than it is refused below, an older one could not be.
  const row = (await client.endpointsDetail()).find((one) => one.name === name);
  if (row === undefined) return client.createEndpoint(name, given);
  const stored = await client.endpoint(name);
  return client.replaceEndpoint(name, overlay(stored, given), { ifRevision: row.revision });
}

function overlay(stored: ConfigDocument, given: ConfigDocument): ConfigDocument {
  const sections = [...new Set([...Object.keys(stored), ...Object.keys(given)])];
  return Object.fromEntries(sections.map((section) => [section, { ...stored[section], ...given[section] }]));
}

/** Says without a daemon what one would say to this configuration. */
export const validate: Perform = async (call) => {
  const bytes = await readBytes(call.io, 'validate reads a configuration from standard input: reactor validate < docker.conf');
  const { error, warnings } = examine(bytes);
  if (call.output.json) call.output.value({ valid: error === null, error, warnings });
  else for (const warning of warnings) call.output.say(`warning: ${warning}`);
  if (error !== null) {
    call.output.say(error);
    return REFUSED;
  }
  if (!call.output.json) call.output.lines(['valid']);
  return DONE;
};

interface Findings {
  /** The first mistake; null when there is none. */
  readonly error: string | null;
  readonly warnings: readonly string[];
}

function examine(bytes: Uint8Array): Findings {
  const warnings: string[] = [];
  try {
    const read = readDocument(bytes);
    warnings.push(...read.warnings.map(({ message }) => message));
    return { error: null, warnings: vet(read, NOTHING_KNOWN).warnings };
  } catch (error) {
    if (!(error instanceof ReactorError)) throw error;
    return { error: describeError(error), warnings };
  }
}
