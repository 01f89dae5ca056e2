import type { Verdicts } from '@reactor/core';
import { table } from './table.js';

/** What each host answered; of more hosts than are told one by one, how many answered what. */
export function verdictTable({ hosts, more = {} }: Pick<Verdicts, 'hosts'> & Partial<Verdicts>): readonly string[] {
  const rows = hosts.map((each) => [each.host, each.verdict, each.filter ?? '', each.reason]);
  const others = Object.entries(more).sort(([a, many], [b, few]) => few - many || (a < b ? -1 : 1));
  const count = others.reduce((sum, [, hostCount]) => sum + hostCount, 0);
  const words = others.map(([filter, hostCount]) => `${hostCount} ${filter === 'fits' ? 'fit' : `refused by ${filter}`}`);
  return [
    ...(rows.length === 0 ? [] : table(['HOST', 'VERDICT', 'FILTER', 'WHY'], rows)),
    ...(count === 0 ? [] : [`and ${count} more hosts: ${words.join(', ')}`]),
  ];
}
