import type { LogRange, LogRow } from '@reactor/client';
import { jsonLine } from '../output/json-text.js';
import { logLine } from '../output/log-line.js';
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

export const post: Perform = async (call) => {
  const text = (
    await readText(call.io, `post reads its text from standard input: echo TEXT | reactor post ${argument(call, 0)}`)
  ).trim();
  if (text === '') throw new UsageError('nothing to post: standard input is empty');
  await (await call.client()).post(argument(call, 0), text);
  return DONE;
};

function range(call: Call): LogRange {
  const { since, limit } = call.options;
  if (limit !== undefined && !Number.isInteger(limit)) throw new UsageError(`--limit: expected a whole number, not ${limit}`);
  return { ...(since === undefined ? {} : { since }), ...(limit === undefined ? {} : { limit }) };
}

const lineOf = (call: Call, row: LogRow): string =>
  logLine(row, { color: call.output.color, clock: call.options.clock === true });
