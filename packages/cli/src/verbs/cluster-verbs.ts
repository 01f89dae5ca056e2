import { infoText } from '../output/info-text.js';
import { printable } from '../output/printable.js';
import { readText } from '../stdin-text.js';
import { UsageError } from '../usage-error.js';
import { type Call, DONE, type Perform } from '../verb.js';
import { API_VERSION, VERSION, versionText } from '../version.js';

export const info: Perform = async (call) => {
  const facts = await (await call.client()).info();
  if (call.output.json) call.output.value(facts);
  else call.output.lines(infoText(facts, call.io.now()));
  return DONE;
};

export const managerActive: Perform = async (call) => {
  const ids = await (await call.client()).managersActive();
  if (call.output.json) call.output.value(ids);
  else call.output.lines(ids.map(printable));
  return DONE;
};

export const url: Perform = async (call) => {
  const client = await call.client();
  const given = call.args[0];
  if (given !== undefined) {
    await client.setUrl(given === '' ? null : given);
    return DONE;
  }
  const stored = await client.url();
  if (call.output.json) call.output.value({ url: stored });
  // The word of 2013 for "not set".
  else call.output.lines([stored === null ? 'None' : printable(stored)]);
  return DONE;
};

export const passwd: Perform = async (call) => {
  const client = await call.client();
  const { endpoint } = call.options;
  const set = (key: string | null): Promise<void> =>
    endpoint === undefined ? client.setAuthKey(key) : client.setEndpointKey(endpoint, key);
  if (call.options.clear !== true) {
    await set(await newKey(call));
    return DONE;
  }
  if (call.args.length > 0) throw new UsageError('passwd takes a key or --clear, not both');
  await set(null);
  if (endpoint === undefined) call.output.say('the auth key is removed: everyone who reaches the daemon is let in');
  return DONE;
};

/** An empty key would open the cluster, and is more often an unset variable of a script than a wish. */
async function newKey(call: Call): Promise<string> {
  const [given] = call.args;
  if (given !== undefined) {
    call.output.say('warning: other users can read a key on the command line; without an argument passwd asks for it');
  }
  const key = given ?? (call.io.stdinIsTerminal ? await askTwice(call) : firstLine(await readText(call.io, '')));
  if (key === '') throw new UsageError('the new key is empty; to remove the key: reactor passwd --clear');
  return key;
}

async function askTwice(call: Call): Promise<string> {
  const key = await call.io.askPassword('New key: ');
  const again = await call.io.askPassword('Once more: ');
  if (key === null) throw new UsageError('passwd needs a terminal or the key on standard input');
  if (key !== again) throw new UsageError('the two keys differ; nothing was changed');
  return key;
}

const firstLine = (text: string): string => text.split(/\r?\n/, 1)[0] ?? '';

export const version: Perform = async (call) => {
  const server = call.options.server === true ? await (await call.client()).version() : null;
  if (call.output.json) call.output.value({ version: VERSION, api: API_VERSION, ...(server === null ? {} : { server }) });
  else
    call.output.lines([
      versionText(),
      ...(server === null ? [] : [printable(`server ${server.reactor}, API ${server.version}`)]),
    ]);
  return DONE;
};
