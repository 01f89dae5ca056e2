import { readText } from '../stdin-text.js';
import { argument, type Call, DONE, type Perform } from '../verb.js';
import { tellWritten } from '../written.js';

/*
 * The text goes to the daemon as it was read: it knows the keys of its own version, and its message names line and
 * column. Only merging and `validate` read it here.
 */

export const manage: Perform = async (call) => {
  const text = await configuration(call);
  const client = await call.client();
  if (call.options.update === true) {
    const { mergeInto } = await import('./document-verbs.js');
    tellWritten(call, await mergeInto(client, argument(call, 0), text));
  } else tellWritten(call, await client.manageEndpoint(argument(call, 0), text));
  return DONE;
};

export const create: Perform = async (call) => {
  const text = await configuration(call);
  tellWritten(call, await (await call.client()).createEndpoint(argument(call, 0), text));
  return DONE;
};

export const update: Perform = async (call) => {
  const text = await configuration(call);
  tellWritten(call, await (await call.client()).replaceEndpoint(argument(call, 0), text));
  return DONE;
};

function configuration(call: Call): Promise<string> {
  const name = call.verb.name;
  const hint = `${name} reads the configuration from standard input: reactor ${name} ${argument(call, 0)} < docker.conf`;
  return readText(call.io, hint);
}
