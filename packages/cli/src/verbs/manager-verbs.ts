import type { LogRange } from '@reactor/client';
import { jsonLine } from '../output/json-text.js';
import { logLine } from '../output/log-line.js';
import { printable } from '../output/printable.js';
import { sinceTime } from '../since-time.js';
import { readText } from '../stdin-text.js';
import { UsageError } from '../usage-error.js';
import { argument, type Call, DONE, type Perform } from '../verb.js';
import { tellWritten } from '../written.js';

/** Managers: what is given to them through the cluster, what they are, what they say. */

export const managerList: Perform = async (call) => {
  const names = await (await call.client()).managerConfigs();
  if (call.output.json) call.output.value(names);
  else call.output.lines(names.map(printable));
  return DONE;
};

export const managerShow: Perform = async (call) => {
  call.output.value(await (await call.client()).managerConfig(argument(call, 0)));
  return DONE;
};

export const managerUpdate: Perform = async (call) => {
  const name = argument(call, 0);
  const hint = `${call.verb.name} reads the configuration from standard input: reactor ${call.verb.name} ${name} < manager.conf`;
  const text = await readText(call.io, hint);
  tellWritten(call, await (await call.client()).setManagerConfig(name, text));
  return DONE;
};

export const managerRemove: Perform = async (call) => {
  await (await call.client()).removeManagerConfig(argument(call, 0));
  return DONE;
};

export const managerInfo: Perform = async (call) => {
  call.output.value(await (await call.client()).manager(argument(call, 0)));
  return DONE;
};

export const managerLog: Perform = async (call) => {
  const rows = await (await call.client()).managerLog(argument(call, 0), range(call));
  if (call.output.json) call.output.value(rows);
  else call.output.lines(rows.map((row) => logLine(row, styleOf(call))));
  return DONE;
};

export const managerWatch: Perform = async (call) => {
  const client = await call.client();
  for await (const row of client.followManager(argument(call, 0), { ...range(call), signal: call.output.closed })) {
    call.output.lines([call.output.json ? jsonLine(row) : logLine(row, styleOf(call))]);
    await call.output.drained();
  }
  return DONE;
};

const styleOf = (call: Call) => ({ color: call.output.color, clock: call.options.clock === true });

function range(call: Call): LogRange {
  const { limit, since } = call.options;
  if (limit !== undefined && !Number.isInteger(limit)) throw new UsageError(`--limit: expected a whole number, not ${limit}`);
  return {
    ...(since === undefined ? {} : { since: sinceTime(since, call.io.now()) }),
    ...(limit === undefined ? {} : { limit }),
  };
}
