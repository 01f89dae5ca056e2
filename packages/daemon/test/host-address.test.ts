import type { NetworkInterfaceInfo } from 'node:os';
import { advertisedUrl, discoverAddress } from '../src/host-address.js';

const address = (text: string, change: Partial<NetworkInterfaceInfo> = {}): NetworkInterfaceInfo =>
  ({ address: text, family: 'IPv4', internal: false, netmask: '', mac: '', cidr: null, ...change }) as NetworkInterfaceInfo;

test('a real interface is chosen before the bridges of containers', () => {
  expect(
    discoverAddress({ docker0: [address('172.17.0.1')], eth0: [address('10.0.0.5')], 'br-1': [address('172.18.0.1')] }),
  ).toBe('10.0.0.5');
});

test('of several the first by name is chosen, whatever their order', () => {
  expect(discoverAddress({ eth1: [address('10.0.1.5')], eth0: [address('10.0.0.5')] })).toBe('10.0.0.5');
});

test('a host without a network uses its Docker bridge, never loopback', () => {
  expect(discoverAddress({ lo: [address('127.0.0.1', { internal: true })], docker0: [address('172.17.0.1')] })).toBe(
    '172.17.0.1',
  );
});

test('link-local and IPv6 addresses do not serve', () => {
  const interfaces = {
    eth0: [address('169.254.3.4'), address('fe80::1', { family: 'IPv6', scopeid: 1 } as never)],
    eth1: [address('10.0.0.6')],
  };
  expect(discoverAddress(interfaces)).toBe('10.0.0.6');
});

test('without any address the key to set is named', () => {
  expect(() => discoverAddress({ lo: [address('127.0.0.1', { internal: true })] })).toThrow(/manager\.address/);
});

test.each([
  ['127.0.0.1', null],
  ['localhost', null],
  ['::1', null],
  ['', 'http://10.0.0.5:8080'],
  ['0.0.0.0', 'http://10.0.0.5:8080'],
  ['::', 'http://10.0.0.5:8080'],
  ['10.1.0.5', 'http://10.1.0.5:8080'],
  ['fd00::5', 'http://[fd00::5]:8080'],
])('an API that listens on %j is told to other hosts as %j', (listens, url) => {
  expect(advertisedUrl(listens, 8080, '10.0.0.5')).toBe(url);
});
