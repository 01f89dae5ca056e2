import { DAEMON_KEYS } from './daemon-schema.js';
import { ENDPOINT_KEYS } from './endpoint-schema.js';
import type { SchemaKey, Scope } from './schema-key.js';

/** Every key of both documents, in the order in which documents are written and shown. */
export const SCHEMA: readonly SchemaKey[] = [...Object.values(ENDPOINT_KEYS), ...Object.values(DAEMON_KEYS)];

/** The keys of one document by section. */
export function keysBySection(scope: Scope): ReadonlyMap<string, readonly SchemaKey[]> {
  const sections = new Map<string, SchemaKey[]>();
  for (const key of SCHEMA.filter((each) => each.scope === scope)) {
    const keys = sections.get(key.section);
    if (keys === undefined) sections.set(key.section, [key]);
    else keys.push(key);
  }
  return sections;
}

/** Every section of both documents, each once. */
export const SECTIONS: readonly string[] = [...new Set(SCHEMA.map(({ section }) => section))];

const HEADERS: Readonly<Record<Scope, string>> = {
  endpoint: `# An endpoint: every key with its default. An endpoint needs only the keys that differ from here, and
# \`reactor manage NAME < FILE\` takes them. Times are seconds, or have a unit: 300ms, 30s, 2m, 1h. Lists are separated
# by commas. A key without a value is not set. A percent sign is written %%.
`,
  daemon: `# reactord: every key with its default. REACTOR_STATE, REACTOR_LISTEN, REACTOR_NAME, REACTOR_DATA_DIR and
# REACTOR_DOCKER_SOCKET in the environment win over this file. Times are seconds, or have a unit: 300ms, 30s, 2m, 1h.
# Lists are separated by commas. A key without a value is not set. A percent sign is written %%.
`,
};

/**
 * A document with every key of the scope at its default, each with its description: the text of the shipped
 * configuration files.
 */
export function defaultIni(scope: Scope): string {
  const sections = [...keysBySection(scope)].map(([section, keys]) => {
    const items = keys.map((key) => `# ${key.description} (${key.type.name}).\n${`${key.key} = ${key.default}`.trimEnd()}\n`);
    return `[${section}]\n${items.join('\n')}`;
  });
  return [HEADERS[scope], ...sections].join('\n');
}
