import type { LogRange, LogRow } from '@reactor/client';
import { jsonLine } from '../output/json-text.js';
import { logLine, outputLine } from '../output/log-line.js';
import { sinceTime } from '../since-time.js';
import { readText } from '../stdin-text.js';
import { UsageError } from '../usage-error.js';
import { argument, type Call, DONE, type Perform } from '../verb.js';

export const log: Perform = async (call) => {
  const rows = await (await call.client()).log(argument(call, 0), range(call));
  if (call.output.json) call.output.value(rows);
  else call.output.lines(rows.map((row) => lineOf(call, row)));
  return DONE;
};

/** Follows the log until it is interrupted or its reader leaves. The client reconnects by itself, so nothing is missed or printed twice. */
export const watch: Perform = async (call) => {
  const client = await call.client();
  for await (const row of client.follow(argument(call, 0), { ...range(call), signal: call.output.closed })) {
    call.output.lines([call.output.json ? jsonLine(row) : lineOf(call, row)]);
    await call.output.drained();
  }
  return DONE;
};

/** What the containers wrote on every host, each line after its instance. */
export const logs: Perform = async (call) => {
  const { tail, follow } = call.options;
  if (tail !== undefined && !Number.isInteger(tail)) throw new UsageError(`--tail: expected a whole number, not ${tail}`);
  const range = { ...(tail === undefined ? {} : { tail }), ...since(call) };
  const client = await call.client();
  const rows = client.output(argument(call, 0), { ...range, follow: follow === true, signal: call.output.closed });
  for await (const row of rows) {
    if (call.output.json) call.output.lines([jsonLine(row)]);
    else if (row[2] === 'note') call.output.say(row[3]);
    else call.output.lines([outputLine(row, { color: call.output.color, clock: call.options.clock === true })]);
    await call.output.drained();
  }
  return DONE;
};

export const post: Perform = async (call) => {
  const text = (
    await readText(call.io, `post reads its text from standard input: echo TEXT | reactor post ${argument(call, 0)}`)
  ).trim();
  if (text === '') throw new UsageError('nothing to post: standard input is empty');
  await (await call.client()).post(argument(call, 0), text);
  return DONE;
};

function range(call: Call): LogRange {
  const { limit } = call.options;
  if (limit !== undefined && !Number.isInteger(limit)) throw new UsageError(`--limit: expected a whole number, not ${limit}`);
  return { ...since(call), ...(limit === undefined ? {} : { limit }) };
}

function since(call: Call): { readonly since?: number } {
  const { since: text } = call.options;
  return text === undefined ? {} : { since: sinceTime(text, call.io.now()) };
}

const lineOf = (call: Call, row: LogRow): string =>
  logLine(row, { color: call.output.color, clock: call.options.clock === true });
