export { createDnsmasq, type DnsmasqOptions } from './dnsmasq.js';
