import type { HostChange, HostRow } from '@reactor/client';
import { duration } from '../output/age.js';
import { labelsText } from '../output/info-text.js';
import { printable } from '../output/printable.js';
import { table } from '../output/table.js';
import { UsageError } from '../usage-error.js';
import { argument, type Call, DONE, type Perform } from '../verb.js';

export const hosts: Perform = async (call) => {
  const rows = await (await call.client()).hosts();
  if (call.output.json) call.output.value(rows);
  else
    call.output.lines(
      table(
        COLUMNS,
        rows.map((row) => cells(row, call.io.now())),
      ),
    );
  return DONE;
};

const COLUMNS = ['NAME', 'STATE', 'ADDRESS', 'SLOTS', 'USED', 'INSTANCES', 'DOCKER', 'HEARD', 'ROLE', 'ID', 'LABELS'];

function cells(row: HostRow, nowMs: number): readonly string[] {
  return [
    row.name,
    row.state,
    row.address,
    String(row.slots),
    String(row.usedSlots),
    String(row.instances),
    row.dockerError ?? row.dockerVersion ?? '',
    row.heartbeatMs === null ? '' : `${duration(nowMs - row.heartbeatMs).replaceAll(' ', '')} ago`,
    row.leader ? 'leader' : '',
    row.id,
    labelsText(row.labels),
  ];
}

const ACTIONS = ['drain', 'activate', 'remove'];

export const host: Perform = async (call) => {
  const action = argument(call, 0);
  const id = argument(call, 1);
  if (action !== 'drain' && action !== 'activate' && action !== 'remove') {
    throw new UsageError(`no action '${action}' on a host`, {
      word: action,
      known: ACTIONS,
      otherwise: `: expected ${ACTIONS.join(', ')}`,
    });
  }
  const client = await call.client();
  tell(call, await (action === 'remove' ? client.removeHost(id) : client.changeHost(id, action)));
  return DONE;
};

function tell(call: Call, change: HostChange): void {
  for (const warning of change.warnings) call.output.say(`warning: ${warning}`);
  if (call.output.json) call.output.value(change);
  else call.output.lines([printable(`${change.host} is ${change.state ?? 'forgotten'}${left(change)}`)]);
}

/** Moving takes a while; whoever asked wants to know how to see the end of it. */
function left({ state, instances }: HostChange): string {
  if (state === 'ready' || state === 'lost' || instances === 0) return '';
  const many = instances === 1 ? '1 instance is' : `${instances} instances are`;
  return `; ${many} to be replaced elsewhere first, see reactor hosts`;
}
