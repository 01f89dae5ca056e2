import { dirname, join, resolve } from 'node:path';
import type { Client } from '@reactor/client';
import {
  COMPOSE_SIZE_MAX,
  type Imported,
  type ImportedEndpoint,
  importCompose,
  readVariables,
  VARIABLES_SIZE_MAX,
} from '@reactor/compose';
import { writeIni } from '@reactor/config';
import { describeError, ReactorError } from '@reactor/core';
import { readFile } from '../file-text.js';
import { readText } from '../stdin-text.js';
import { argument, type Call, DONE, type Perform, REFUSED } from '../verb.js';

/**
 * `reactor import FILE`: everything is read, translated and checked before the first endpoint is created, and when one is
 * refused those that were created just before are removed again.
 */
export const importFile: Perform = async (call) => {
  const imported = await read(call, argument(call, 0));
  if (imported.mistakes.length > 0) {
    for (const mistake of imported.mistakes) call.output.say(mistake);
    call.output.say(`nothing was imported: ${counted(imported.mistakes.length, 'mistake')}`);
    return REFUSED;
  }
  // With --json they are in the answer.
  if (!call.output.json)
    for (const { service, key, why } of imported.notes)
      call.output.say(`${service === null ? '' : `${service}: `}${key}: ${why}`);
  if (call.options['dry-run'] === true) print(call, imported);
  else await create(call, imported);
  return DONE;
};

async function read(call: Call, file: string): Promise<Imported> {
  const fromStdin = file === '-';
  const directory = fromStdin ? process.cwd() : dirname(resolve(file));
  const text = fromStdin
    ? await readText(call.io, 'import reads the Compose file from standard input: reactor import - < docker-compose.yml')
    : readFile(file, COMPOSE_SIZE_MAX);
  if (text === null) throw new ReactorError('not_found', `no file '${file}'`);
  return importCompose({
    text,
    file: fromStdin ? 'standard input' : file,
    directory,
    home: call.io.env['HOME'] ?? null,
    project: call.options.project ?? null,
    variables: variablesOf(call, join(directory, '.env')),
    readFile: (path) => readFile(path, VARIABLES_SIZE_MAX),
  });
}

/** Those of the shell go before those of `.env`. */
function variablesOf(call: Call, file: string): ReadonlyMap<string, string> {
  const shell = new Map(Object.entries(call.io.env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])));
  const found = readVariables(readFile(file, VARIABLES_SIZE_MAX) ?? '', {
    get: (name) => shell.get(name),
    missing: () => undefined,
  });
  if (!found.ok) throw new ReactorError('config_syntax', `${file}: line ${found.fault.column}: ${found.fault.message}`);
  const set = [...found.value].flatMap(([name, value]) => (value === null ? [] : [[name, value] as const]));
  return new Map([...set, ...shell]);
}

function print(call: Call, { endpoints, notes }: Imported): void {
  if (call.output.json) {
    call.output.value({ endpoints: Object.fromEntries(endpoints.map(({ name, document }) => [name, document])), notes });
    return;
  }
  call.output.text(endpoints.map(({ name, document }) => `# endpoint ${name}\n${writeIni(document)}`).join('\n'));
}

async function create(call: Call, { endpoints, notes }: Imported): Promise<void> {
  const client = await call.client();
  const there = new Set(await client.endpoints());
  const taken = endpoints.filter(({ name }) => there.has(name)).map(({ name }) => `'${name}'`);
  if (taken.length > 0) {
    throw new ReactorError('exists', `nothing was imported: ${taken.join(', ')} is already there; see --project`);
  }
  const created: ImportedEndpoint[] = [];
  for (const endpoint of endpoints) {
    try {
      await client.createEndpoint(endpoint.name, endpoint.document);
    } catch (error) {
      throw await undone(client, endpoint.name, created, error);
    }
    created.push(endpoint);
  }
  if (call.output.json) call.output.value({ created: created.map(({ name }) => name), notes });
  else call.output.lines(created.map(({ name }) => `${name} created, PAUSED; to run it: reactor start ${name}`));
}

/** What could not be taken back is named: only the operator can then. */
async function undone(client: Client, name: string, created: readonly ImportedEndpoint[], cause: unknown): Promise<ReactorError> {
  const left: string[] = [];
  for (const one of created.toReversed()) {
    try {
      await client.removeEndpoint(one.name);
    } catch {
      left.push(`'${one.name}'`);
    }
  }
  const code = cause instanceof ReactorError ? cause.code : 'unreachable';
  const rest = left.length === 0 ? 'nothing was imported' : `${left.join(', ')} was created and could not be removed again`;
  return new ReactorError(code, `'${name}' could not be created: ${describeError(cause)}; ${rest}`, { cause });
}

const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`;
