import { duration } from '../output/age.js';
import { printable } from '../output/printable.js';
import { table } from '../output/table.js';
import { argument, DONE, type Perform } from '../verb.js';

/** `<client> <backend>` per line as in 2013, more columns after them, and on a terminal a header. */
export const sessions: Perform = async (call) => {
  const rows = await (await call.client()).sessions(argument(call, 0));
  if (call.output.json) {
    call.output.value(rows);
    return DONE;
  }
  const ageOf = (sinceMs: number): string => duration(call.io.now() - sinceMs).replaceAll(' ', '');
  const lines = rows.map((row) => [row.client, row.backend, row.instance, row.host, ageOf(row.sinceMs)]);
  call.output.lines(table(call.output.terminal ? ['CLIENT', 'BACKEND', 'INSTANCE', 'HOST', 'AGE'] : null, lines).map(printable));
  return DONE;
};

export const kill: Perform = async (call) => {
  await (await call.client()).killSession(argument(call, 0), argument(call, 1));
  return DONE;
};
