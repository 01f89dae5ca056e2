import { OWN_ENDPOINT } from '@reactor/client';
import { printable } from '../output/printable.js';
import { table } from '../output/table.js';
import { argument, DONE, type Perform } from '../verb.js';
import { tellWritten } from '../written.js';

export const list: Perform = async (call) => {
  const client = await call.client();
  if (call.options.long !== true) {
    const names = [...(await client.endpoints())].sort();
    if (call.output.json) call.output.value(names);
    else call.output.lines(names.map(printable));
    return DONE;
  }
  const rows = [...(await client.endpointsDetail())].sort((a, b) => (a.name < b.name ? -1 : 1));
  if (call.output.json) call.output.value(rows);
  else {
    call.output.lines(
      table(
        ['NAME', 'STATE', 'READY', 'INSTANCES', 'TARGET', 'URL'],
        rows.map((row) => [
          row.name,
          row.state,
          String(row.ready),
          String(row.instances),
          String(row.target ?? ''),
          row.url ?? '',
        ]),
      ),
    );
  }
  return DONE;
};

export const show: Perform = async (call) => {
  const client = await call.client();
  const name = argument(call, 0);
  const options = { secrets: call.options.secrets === true };
  if (call.options.ini === true) call.output.text(await client.endpointIni(name, options));
  else call.output.value(await client.endpoint(name, options));
  return DONE;
};

export const get: Perform = async (call) => {
  const document = await (await call.client()).endpoint(argument(call, 0), { secrets: call.options.secrets === true });
  const section = document[argument(call, 1)];
  // Keys are not case-sensitive in the INI text, and stored in lower case.
  const value = section?.[argument(call, 2).toLowerCase()];
  if (call.output.json) call.output.value(value ?? null);
  else if (value !== undefined) call.output.text(value);
  return DONE;
};

export const set: Perform = async (call) => {
  const client = await call.client();
  tellWritten(call, await client.setValue(argument(call, 0), argument(call, 1), argument(call, 2), argument(call, 3)));
  return DONE;
};

/** Absent is what was asked for, so it is no failure; a mistyped name is still told. */
export const remove: Perform = async (call) => {
  const client = await call.client();
  const name = argument(call, 0);
  // An instance cannot list the others, and its own endpoint is there.
  const known = name === OWN_ENDPOINT ? [name] : await client.endpoints();
  await client.removeEndpoint(name);
  if (!known.includes(name)) {
    const { didYouMean } = await import('@reactor/config');
    call.output.say(`there is no endpoint '${name}'${didYouMean(name, known)}`);
  }
  return DONE;
};
