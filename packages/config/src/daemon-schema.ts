import { fault, type Parsed, parsed } from '@reactor/core';
import { parseHost, parseListen } from './address.js';
import { choice, cores, duration, list, milliseconds, optional, parsePort, port, size, text, whole } from './key-type.js';
import { quote } from './mistake.js';
import { type SchemaKey, sectionOf } from './schema-key.js';

/** Every key of the daemon's own document, /etc/reactor/reactor.conf. */

const HOUR_MS = 3_600_000;
/** Ten rounds a second are more than Docker and nginx can follow. */
const INTERVAL_MIN_MS = 100;

const manager = sectionOf('daemon', 'manager');
const api = sectionOf('daemon', 'api');
const history = sectionOf('daemon', 'history');
const notify = sectionOf('daemon', 'notify');
const docker = sectionOf('daemon', 'cloud:docker');
const nginx = sectionOf('daemon', 'loadbalancer:nginx');
const haproxy = sectionOf('daemon', 'loadbalancer:haproxy');
const dnsmasq = sectionOf('daemon', 'loadbalancer:dnsmasq');

export interface PortRange {
  readonly first: number;
  /** Inclusive. */
  readonly last: number;
}

export const DAEMON_KEYS = {
  name: manager('name', optional(text('name', parseManagerName)), '', 'Name of this host in the cluster; unset is its host name'),
  address: manager(
    'address',
    optional(text('host name or address', parseHost)),
    '',
    'Where other hosts reach this one; unset is found out',
  ),
  state: manager(
    'state',
    text('embedded, or redis://, rediss://, redis+cluster://, rediss+cluster://, redis+sentinel://', parseState),
    'embedded',
    'Where the cluster state is',
    {
      secret: true,
    },
  ),
  dataDir: manager('data_dir', text('directory', parseNginxPath), '/var/lib/reactor', 'What this host keeps'),
  interval: manager('interval', duration(INTERVAL_MIN_MS, HOUR_MS), '1', 'Time between rounds'),
  defaultEndpoints: manager(
    'default_endpoints',
    optional(text('directory', parsePath)),
    '',
    'Endpoints of a new cluster, a file NAME.conf each; unset creates none',
  ),
  logLevel: manager('log_level', choice('log level', ['debug', 'info', 'warn', 'error']), 'info', 'Least important lines to log'),

  listen: api('listen', text('host:port, or :port for all interfaces', parseListen), '127.0.0.1:8080', 'Where the API answers'),
  compat: api(
    'compat',
    optional(choice('version', ['2013'])),
    '',
    'Answers as of that year, and keys in URLs, where they get into the logs of proxies and the histories of browsers',
  ),

  retention: history('retention', duration(HOUR_MS), '168h', 'How long what was measured and decided is kept'),
  historyLimit: history('limit', size(2 ** 20, 'minimum'), '512MB', 'Disk it may take, of all endpoints; 0 keeps nothing'),

  notifyUrls: notify(
    'url',
    list('http:// or https:// URL', parseReceiver),
    '',
    'Who is told when an endpoint scales, an instance fails, a host is lost or back',
    { secret: true },
  ),
  notifySecret: notify('secret', optional(text('text', parseSecret)), '', 'What they are signed with (X-Reactor-Signature)', {
    secret: true,
  }),

  socket: docker('socket', text('path', parsePath), '/var/run/docker.sock', 'Socket of the Docker engine'),
  slots: docker('slots', whole(0, 1_000_000), '1000', 'What this host offers to instances; 0 takes none'),
  overcommit: docker(
    'overcommit',
    cores(0, 100),
    '0',
    'Part by which cpus and memory may be promised beyond what is there, like 0.5',
  ),
  labels: docker('labels', list('KEY=value', parseLabel), '', 'Labels for constraints'),
  portRange: docker(
    'port_range',
    text('FIRST-LAST', parsePortRange),
    '20000-29999',
    'Ports of this host that instances are published on',
  ),
  startLimit: docker('start_limit', whole(0, 1000), '0', 'Containers started at the same time; 0 is one per processor'),

  binary: nginx('binary', text('name or path', parseBinary), 'nginx', 'Program to run'),
  configPath: nginx(
    'config_path',
    optional(text('directory', parseNginxPath)),
    '',
    "Directory of the system's nginx for http settings; unset runs an own nginx",
  ),
  sitePath: nginx('site_path', optional(text('directory', parseNginxPath)), '', "Directory of the system's nginx for sites"),
  pidFile: nginx('pid_file', optional(text('path', parseNginxPath)), '', "Pid file of the system's nginx"),
  user: nginx('user', optional(text('user', parseAccount)), '', "User of the workers; unset is nginx's own choice"),
  logLimit: nginx('log_limit', size(2 ** 20, 'minimum'), '64MB', 'Size at which the access log is rotated'),
  workers: nginx('workers', whole(0, 1024), '0', 'Worker processes; 0 is one per processor'),

  haproxyBinary: haproxy('binary', text('name or path', parseBinary), 'haproxy', 'Program to run'),
  haproxyConfigFile: haproxy(
    'config_file',
    optional(text('path', parseNginxPath)),
    '',
    'Of 2013; kept, without effect: it lies below data_dir',
  ),
  haproxyPidFile: haproxy(
    'pid_file',
    optional(text('path', parseNginxPath)),
    '',
    'Of 2013; kept, without effect: it lies below data_dir',
  ),
  statsPath: haproxy(
    'stats_path',
    optional(text('path', parseNginxPath)),
    '',
    "A socket for other programs to read haproxy's figures from; unset offers none",
  ),
  statsMode: haproxy(
    'stats_mode',
    text('octal mode', parseMode),
    '0666',
    'Permissions of that socket, which cannot change anything',
  ),
  globalOptions: haproxy(
    'global_opts',
    list('user, group, nbthread or log lines', parseGlobalOption),
    '',
    "Lines for haproxy's global section",
  ),
  maxConnections: haproxy('maxconn', whole(1, 1_000_000), '5000', 'Connections of clients at the same time'),
  clientTimeout: haproxy('clitimeout', milliseconds(1, 24 * HOUR_MS), '50000', 'Time a client may be silent'),

  dnsmasqBinary: dnsmasq('binary', text('name or path', parseBinary), 'dnsmasq', 'Program to run'),
  dnsmasqPort: dnsmasq('port', port(), '53', 'Where names are asked for'),
  dnsmasqPidFile: dnsmasq(
    'pid_file',
    optional(text('path', parseNginxPath)),
    '',
    "Pid file of the system's dnsmasq; unset runs an own dnsmasq",
  ),
  dnsmasqConfigPath: dnsmasq(
    'config_path',
    optional(text('directory', parseNginxPath)),
    '',
    "Directory of which the system's dnsmasq reads every file",
  ),
  dnsmasqHostsPath: dnsmasq(
    'hosts_path',
    optional(text('path', parseNginxPath)),
    '',
    "File of names and addresses for the system's dnsmasq",
  ),
} as const satisfies Readonly<Record<string, SchemaKey>>;

function parseManagerName(value: string): Parsed<string> {
  const fits = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(value);
  return fits ? parsed(value) : fault(1, `${quote(value)}: 1–64 of a–z A–Z 0–9 . _ -, starting with a letter or digit`);
}

const AUTHORITY = '(?:[^@/\\s]*@)?';
const SERVER = '(?:\\[[0-9a-fA-F:.]+\\]|[A-Za-z0-9._-]+)(?::([0-9]{1,5}))?';
const DATABASE = '(?:/(?:0|[1-9][0-9]{0,3}))?';
const QUERY = '(?:\\?\\S*)?';
const REDIS = new RegExp(`^rediss?://${AUTHORITY}${SERVER}${DATABASE}/?${QUERY}$`);
const REDIS_CLUSTER = new RegExp(`^rediss?\\+cluster://${AUTHORITY}${SERVER}(?:,${SERVER})*(?:/0?)?${QUERY}$`);
const SENTINEL = new RegExp(`^redis\\+sentinel://${AUTHORITY}${SERVER}(?:,${SERVER})*/[A-Za-z0-9._-]+${DATABASE}${QUERY}$`);

/** The URL may hold a password, so it is never repeated in a message. */
function parseState(value: string): Parsed<string> {
  if (value === 'embedded') return parsed(value);
  const shape =
    'expected embedded, redis://[user:password@]host[:port][/db], rediss://…, redis+cluster://host[:port],host[:port], rediss+cluster://…, or redis+sentinel://host[:port],host[:port]/name[/db]';
  if (![REDIS, REDIS_CLUSTER, SENTINEL].some((form) => form.test(value))) return fault(1, shape);
  const servers = value
    .slice(value.lastIndexOf('@') + 1)
    .replace(/^[a-z+]+:\/\//, '')
    .split(/[/?]/)[0]!;
  const ports = servers.split(',').flatMap((server) => /:([0-9]+)$/.exec(server)?.[1] ?? []);
  const bad = ports.map(parsePort).find((each) => !each.ok);
  return bad === undefined || bad.ok ? parsed(value) : bad;
}

/** A link-local address is the metadata service of a cloud's machine, or a neighbour that nobody chose. */
const LINK_LOCAL = /^(169\.254\.|\[fe[89ab]|\[::ffff:a9fe:)/i;

/** It may hold a key, so it is never repeated. */
function parseReceiver(value: string): Parsed<string> {
  const fits = /^https?:\/\/[^\s\p{Cc}#]+$/iu.test(value) && URL.canParse(value);
  if (!fits) return fault(1, 'expected http(s)://host[:port][/path]');
  const { hostname, username, password } = new URL(value);
  if (username !== '' || password !== '') return fault(1, 'a user or a password in it is not sent; deliveries are signed');
  return LINK_LOCAL.test(hostname) ? fault(1, 'link-local addresses are never asked') : parsed(value);
}

function parseSecret(value: string): Parsed<string> {
  return value.length >= 16 ? parsed(value) : fault(1, 'expected at least 16 characters');
}

function parsePath(value: string): Parsed<string> {
  const fits = /^\/[^\s'"{};$#\\]*$/.test(value);
  return fits ? parsed(value) : fault(1, `${quote(value)} is not an absolute path without blanks, quotes and {};$#\\`);
}

/** These end up in nginx configurations, where they are not quoted. */
function parseNginxPath(value: string): Parsed<string> {
  const fits = /^(\/[A-Za-z0-9_][A-Za-z0-9._-]*)+$/.test(value);
  return fits ? parsed(value) : fault(1, `${quote(value)} is not an absolute path of letters, digits, . _ and -`);
}

function parseBinary(value: string): Parsed<string> {
  return /^[A-Za-z0-9._/][A-Za-z0-9._+/-]*$/.test(value)
    ? parsed(value)
    : fault(1, `${quote(value)} is not a program's name or path`);
}

function parseMode(value: string): Parsed<string> {
  return /^0?[0-7]{3}$/.test(value) ? parsed(value.slice(-3)) : fault(1, `${quote(value)} is not a mode; expected one like 0660`);
}

/** An allow-list, for what stands in haproxy's global section can name programs to run and files to load. */
const GLOBAL_OPTION =
  /^(?:(?:user|group) [A-Za-z_][A-Za-z0-9_.-]{0,31}|nbthread [1-9][0-9]?|log (?:\/dev\/log |[0-9.]+(?::[0-9]{1,5})? )?(?:local[0-7]|daemon|user)(?: [a-z]{4,7}){0,2})$/;

function parseGlobalOption(value: string): Parsed<string> {
  return GLOBAL_OPTION.test(value)
    ? parsed(value)
    : fault(
        1,
        `${quote(value)}: expected 'user NAME', 'group NAME', 'nbthread N' or 'log local0 [level]'; nothing else is passed on`,
      );
}

function parseAccount(value: string): Parsed<string> {
  return /^[A-Za-z_][A-Za-z0-9_.-]{0,31}$/.test(value) ? parsed(value) : fault(1, `${quote(value)} is not a user's name`);
}

function parseLabel(value: string): Parsed<readonly [key: string, value: string]> {
  const match = /^([A-Za-z_][A-Za-z0-9_.-]*)\s*=\s*([^#;]+)$/.exec(value);
  if (match === null) return fault(1, `${quote(value)}: expected KEY=value`);
  // In constraints `node` is the host itself.
  return match[1] === 'node' ? fault(1, "'node' is reserved") : parsed([match[1]!, match[2]!]);
}

function parsePortRange(value: string): Parsed<PortRange> {
  const match = /^([0-9]+) ?- ?([0-9]+)$/.exec(value);
  if (match === null) return fault(1, `${quote(value)}: expected FIRST-LAST, like 20000-29999`);
  const first = parsePort(match[1]!);
  const last = parsePort(match[2]!);
  if (!first.ok) return first;
  if (!last.ok) return last;
  return first.value <= last.value
    ? parsed({ first: first.value, last: last.value })
    : fault(1, `first port ${first.value} is above last port ${last.value}`);
}
