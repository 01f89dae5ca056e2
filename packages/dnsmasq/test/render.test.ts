import type { DnsmasqService } from '@reactor/core';
import { renderHosts, renderOwn } from '../src/render.js';

function aService(name: string, hosts: readonly string[]): DnsmasqService {
  const backends = hosts.map((host, index) => ({ id: `i${index}`, host, port: 80, weight: 1 }));
  const url = { scheme: 'dns' as const, host: name, port: 53, path: '/' };
  return { kind: 'dnsmasq', endpoint: name, url, backends, redirect: null, windowMs: 10_000 };
}

test('a name has the address of every backend, once each, and endpoints of one name share it', () => {
  const services = [aService('db.local', ['10.0.0.2', '10.0.0.1', '10.0.0.2']), aService('db.local', ['10.0.0.3', '::1'])];
  const lines = renderHosts(services)
    .text.split('\n')
    .filter((line) => line.endsWith(' db.local'));
  expect(lines).toEqual(['10.0.0.1 db.local', '10.0.0.2 db.local', '10.0.0.3 db.local', '::1 db.local']);
});

test('the order of services changes nothing, any change of addresses changes the mark', () => {
  const [a, b] = [aService('a', ['10.0.0.1']), aService('b', ['10.0.0.2'])];
  expect(renderHosts([a, b])).toEqual(renderHosts([b, a]));
  expect(renderHosts([a]).mark).not.toBe(renderHosts([aService('a', ['10.0.0.9'])]).mark);
  expect(renderHosts([a]).text).toContain(`192.0.2.1 ${renderHosts([a]).mark}\n`);
});

test('our own dnsmasq knows its file alone and answers for no time', () => {
  const text = renderOwn({
    hosts: '/var/lib/reactor/dnsmasq/hosts',
    pidFile: '/var/lib/reactor/dnsmasq/dnsmasq.pid',
    port: 5353,
  });
  expect(text.split('\n')).toEqual(
    expect.arrayContaining(['port=5353', 'no-resolv', 'no-hosts', 'local-ttl=0', 'addn-hosts=/var/lib/reactor/dnsmasq/hosts']),
  );
});
