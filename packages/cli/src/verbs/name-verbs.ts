import type { Json } from '@reactor/client';
import { jsonText } from '../output/json-text.js';
import { printable } from '../output/printable.js';
import { UsageError } from '../usage-error.js';
import { argument, DONE, type Perform } from '../verb.js';
import { tellWritten } from '../written.js';

/** What an endpoint is called, and what was noted about it. */

export const alias: Perform = async (call) => {
  tellWritten(call, await (await call.client()).alias(argument(call, 0), argument(call, 1)));
  return DONE;
};

export const rename: Perform = async (call) => {
  tellWritten(call, await (await call.client()).rename(argument(call, 0), argument(call, 1)));
  return DONE;
};

export const metadataList: Perform = async (call) => {
  const keys = await (await call.client()).metadataKeys(argument(call, 0));
  if (call.output.json) call.output.value(keys);
  else call.output.lines(keys.map(printable));
  return DONE;
};

/** Text as it is; anything else as JSON. `None` is the word of 2013 for what is not there. */
export const metadataGet: Perform = async (call) => {
  const value = await (await call.client()).metadata(argument(call, 0), argument(call, 1));
  if (call.output.json) call.output.value(value);
  else if (typeof value === 'string') call.output.text(value);
  else call.output.lines([value === null ? 'None' : jsonText(value)]);
  return DONE;
};

export const metadataSet: Perform = async (call) => {
  const text = argument(call, 2);
  const value = call.output.json ? parsed(text) : text;
  await (await call.client()).setMetadata(argument(call, 0), argument(call, 1), value);
  return DONE;
};

function parsed(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch {
    throw new UsageError(`with --json the value has to be JSON, not '${text}'`);
  }
}

export const metadataDelete: Perform = async (call) => {
  await (await call.client()).removeMetadata(argument(call, 0), argument(call, 1));
  return DONE;
};
