import type { InstanceRow } from '@reactor/client';
import { duration } from '../output/age.js';
import { jsonObjectLine } from '../output/json-text.js';
import { printable } from '../output/printable.js';
import { pythonRepr } from '../output/python-repr.js';
import { table } from '../output/table.js';
import { readText } from '../stdin-text.js';
import { argument, type Call, DONE, type Perform } from '../verb.js';

const act =
  (action: 'start' | 'stop' | 'pause'): Perform =>
  async (call) => {
    await (await call.client()).act(argument(call, 0), action);
    return DONE;
  };

export const start = act('start');
export const stop = act('stop');
export const pause = act('pause');

export const state: Perform = async (call) => {
  call.output.value(await (await call.client()).state(argument(call, 0)));
  return DONE;
};

export const ips: Perform = async (call) => {
  const addresses = await (await call.client()).ips(argument(call, 0));
  if (call.output.json) call.output.value(addresses);
  else call.output.lines(addresses.map(printable));
  return DONE;
};

/** `<id> <state>` per line as in 2013, more columns after them, and on a terminal a header. */
export const instances: Perform = async (call) => {
  const client = await call.client();
  const rows = await client.instancesDetail(argument(call, 0));
  if (call.output.json) {
    call.output.value(rows);
    return DONE;
  }
  call.output.lines(
    table(
      call.output.terminal ? ['ID', 'STATE', 'HOST', 'ADDRESS', 'AGE', 'ERROR'] : null,
      rows.map((row) => [row.id, row.state, row.host, row.address ?? '', ageOf(call, row), row.error ?? '']),
    ),
  );
  return DONE;
};

export const ps: Perform = async (call) => {
  const client = await call.client();
  const [endpoint] = call.args;
  const rows = await (endpoint === undefined ? client.allInstances() : client.instancesDetail(endpoint));
  if (call.output.json) call.output.value(rows);
  else {
    const lines = rows.map((row) => [
      row.endpoint,
      row.id,
      row.host,
      row.state,
      row.address ?? '',
      ageOf(call, row),
      String(row.active ?? ''),
      row.error ?? '',
    ]);
    call.output.lines(table(['ENDPOINT', 'ID', 'HOST', 'STATE', 'ADDRESS', 'AGE', 'OPEN', 'ERROR'], lines));
  }
  return DONE;
};

/** In one piece, as columns are split at white space. */
const ageOf = (call: Call, row: InstanceRow): string => duration(call.io.now() - row.createdAtMs).replaceAll(' ', '');

export const getMetrics: Perform = async (call) => {
  const metrics = await (await call.client()).metrics(argument(call, 0));
  if (call.options.python === true) call.output.lines([pythonRepr(metrics)]);
  else if (call.output.json) call.output.value(metrics);
  else call.output.lines([jsonObjectLine(metrics)]);
  return DONE;
};

/** Passed on as it is: a number that JSON cannot hold would come out of our own parser as another one. */
export const setMetrics: Perform = async (call) => {
  const client = await call.client();
  const text = await readText(
    call.io,
    'set-metrics reads JSON from standard input: echo \'{"queue": 12}\' | reactor set-metrics ENDPOINT',
  );
  await client.setMetrics(argument(call, 0), text, call.args[1]);
  return DONE;
};
