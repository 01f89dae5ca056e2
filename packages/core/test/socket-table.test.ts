import { establishedSockets } from '../src/socket-table.js';

const V4 = '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode';
const V6 = '  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when';
const line = (number: number, local: string, remote: string, state: string): string =>
  `${String(number).padStart(4)}: ${local} ${remote} ${state} 00000000:00000000 00:00000000 00000000     0        0 12345 1`;
const long = (text: string): string => `${text.padStart(32, '0')}:1F90`;

test.each([
  ['an empty table', '', []],
  ['a header alone', `${V4}\n`, []],
  [
    'IPv4, also beyond ten thousand sockets',
    [
      V4,
      line(0, '0100007F:1F90', '0100007F:A396', '01'),
      line(1, '0100007F:1F90', '0100007F:A397', '06'),
      line(12_345, '0100007F:0101', '0100007F:A398', '01'),
      line(12_346, '0101007F:0101', '0101007F:0101', '0A'),
    ].join('\n'),
    ['0100007F:A396', '0100007F:A398'],
  ],
  ['IPv6', `${[V6, line(0, long('1'), long('2'), '01'), line(1, long('1'), long('3'), '06')].join('\n')}\n`, [long('2')]],
])('%s', (_what, table, remotes) => {
  expect(establishedSockets(table).map((found) => found.split(' ')[2])).toEqual(remotes);
});
