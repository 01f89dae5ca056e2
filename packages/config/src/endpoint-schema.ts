/** Every key of an endpoint's document. Long, but one thing: a table with a row per key. */

import { type BalancerKind, fault, type Parsed, parsed, parseExpressions, parseRules, type Rule } from '@reactor/core';
import {
  parseCheckPath,
  parseCheckUrl,
  parseErrorLocation,
  parseHostname,
  parseIp,
  parseRedirect,
  parseStaticInstance,
  parseSubnet,
  parseUrl,
} from './address.js';
import {
  parseCommand,
  parseImage,
  parseLink,
  parseNetwork,
  parseUser,
  parseVariable,
  parseVolume,
  parseVolumesFrom,
} from './container-value.js';
import { headers } from './header.js';
import {
  anyText,
  boolean,
  choice,
  cores,
  duration,
  escapedList,
  lines,
  list,
  milliseconds,
  optional,
  port,
  portOrZero,
  size,
  text,
  whole,
} from './key-type.js';
import { parseEndpointName } from './name.js';
import { type SchemaKey, sectionOf } from './schema-key.js';

/** More instances of one endpoint than this is a typing error; the figure is also what one round must be able to plan. */
const INSTANCES_MAX = 10_000;
const SLOTS_MAX = 1_000_000;
/** Linux counts processes in 22 bits. */
const PIDS_MAX = 4_194_304;
const MIB = 2 ** 20;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** A check may not become load itself. */
const CHECK_INTERVAL_MIN_MS = 100;

const LATER_CLOUDS = ['osapi', 'osvms'];
const LATER_BALANCERS = ['rdp'];

const BALANCERS: readonly BalancerKind[] = ['nginx', 'haproxy', 'dnsmasq', 'tcp'];

const endpoint = sectionOf('endpoint', 'endpoint');
const scaling = sectionOf('endpoint', 'scaling');
const docker = sectionOf('endpoint', 'cloud:docker');
const nginx = sectionOf('endpoint', 'loadbalancer:nginx');
const haproxy = sectionOf('endpoint', 'loadbalancer:haproxy');
const tcp = sectionOf('endpoint', 'loadbalancer:tcp');

/** Digits each algorithm makes, the weak ones of 2013 last. */
export const HASH_DIGITS = { scrypt: 64, sha512: 128, sha384: 96, sha256: 64, sha224: 56, sha1: 40, md5: 32 } as const;
const HASH_NAMES = Object.keys(HASH_DIGITS) as readonly (keyof typeof HASH_DIGITS)[];

function parseHash(value: string): Parsed<string> {
  // Not repeated: whoever reads the message need not read it.
  return /^[0-9a-f]*$/i.test(value) ? parsed(value.toLowerCase()) : fault(1, 'not hexadecimal');
}

const rules = lines<readonly Rule[]>(
  'comma list of lower < metric < upper',
  (value): Parsed<readonly Rule[]> => parseRules(value),
);

export const ENDPOINT_KEYS = {
  url: endpoint(
    'url',
    optional(text('http(s)://[host][:port][/path], tcp://PORT or dns://name', parseUrl)),
    '',
    'Public address; http:// without a host answers for every name',
  ),
  port: endpoint('port', portOrZero(), '0', 'Port the instances listen on, in the container; 0 publishes nothing'),
  cloud: endpoint(
    'cloud',
    optional(choice('cloud', ['docker'], LATER_CLOUDS)),
    '',
    'Where instances run; unset serves static_instances only',
  ),
  loadBalancer: endpoint(
    'loadbalancer',
    optional(choice('load balancer', BALANCERS, LATER_BALANCERS)),
    '',
    'What serves the url; unset serves nothing',
  ),
  weight: endpoint('weight', whole(1, 65_535), '1', 'Share of the traffic of each instance, against endpoints with the same url'),
  staticInstances: endpoint(
    'static_instances',
    list('host or host:port', parseStaticInstance),
    '',
    'Backends that are always there',
  ),
  redirect: endpoint(
    'redirect',
    optional(text('http(s) URL', parseRedirect)),
    '',
    'Where clients are sent while there is no backend',
  ),
  errorMarks: endpoint(
    'error_marks',
    whole(1, 1000),
    '1',
    'Failed checks in a row that retire an instance; three connections refused in a row are one, too',
  ),
  unregisteredTimeout: endpoint('unregistered_timeout', duration(1), '60', 'Time a new instance has to become ready'),
  decommissionedTimeout: endpoint(
    'decommissioned_timeout',
    duration(1),
    '60',
    'Decommission period: a retired instance can be taken back in it',
  ),
  drainTimeout: endpoint('drain_timeout', duration(1), '300', 'A retired instance is stopped then, busy or not'),
  stopTimeout: endpoint('stop_timeout', duration(0, HOUR_MS), '10', 'Time between SIGTERM and SIGKILL'),
  unknownTimeout: endpoint('unknown_timeout', duration(1), '60', 'Time until instances of a lost host are replaced'),
  healthCheck: endpoint(
    'health_check',
    optional(text('path', parseCheckPath)),
    '',
    'Path that must answer 2xx or 3xx; unset checks the connection',
  ),
  healthInterval: endpoint('health_interval', duration(CHECK_INTERVAL_MIN_MS, HOUR_MS), '2', 'Time between health checks'),
  healthTimeout: endpoint('health_timeout', duration(1, HOUR_MS), '1', 'Time a health check may take'),
  instancesSource: endpoint(
    'instances_source',
    optional(text('endpoint name', parseEndpointName)),
    '',
    'Endpoint whose backends are served here; its own while there is none of that name',
  ),
  metricsSource: endpoint(
    'metrics_source',
    optional(text('endpoint name', parseEndpointName)),
    '',
    'Endpoint whose metrics decide here; without one of that name there are none',
  ),
  authHash: endpoint('auth_hash', text('hexadecimal', parseHash), '', "Hash of the endpoint's own key, see reactor help passwd", {
    secret: true,
  }),
  authSalt: endpoint('auth_salt', text('text', parsed), '', 'What the key is hashed with, before it', { secret: true }),
  authAlgo: endpoint('auth_algo', choice('algorithm', HASH_NAMES), 'sha1', 'How; scrypt is what reactor passwd makes'),
  template: endpoint('template', anyText(), '', 'Form the web interface shows; kept'),

  minInstances: scaling('min_instances', whole(0, INSTANCES_MAX), '1', 'Never fewer instances'),
  maxInstances: scaling('max_instances', whole(0, INSTANCES_MAX), '1', 'Never more instances'),
  rules: scaling('rules', rules, '', 'Bands to keep metrics in, earlier ones first, like 0 < rate < 1'),
  shadowRules: scaling('shadow_rules', rules, '', 'A candidate: decided beside the rules, shown, and never carried out'),
  rampLimit: scaling('ramp_limit', whole(1, 1000), '5', 'Most starts, and most retirements, per round'),
  window: scaling('window', duration(1000, HOUR_MS), '10', 'Time over which metrics are measured'),
  scaleDownDelay: scaling('scale_down_delay', duration(0, HOUR_MS), '30', 'The largest need within this time counts'),

  image: docker('image', optional(text('image reference or id', parseImage)), '', 'Image to run; required with cloud = docker'),
  command: docker(
    'command',
    lines('words, quoted as in a shell', parseCommand),
    '',
    "Command to run; unset runs the image's own",
  ),
  entrypoint: docker(
    'entrypoint',
    lines('words, quoted as in a shell', parseCommand),
    '',
    "Program that gets the command as arguments; unset runs the image's own",
  ),
  user: docker('user', optional(text('user or user:group', parseUser)), '', 'User in the container'),
  environment: docker('environment', escapedList('KEY=value', parseVariable), '', 'Variables in the container', { secret: true }),
  memLimit: docker('mem_limit', size(6 * MIB, 'Docker minimum'), '0', 'Memory the container may use; 0 is no limit'),
  memReservation: docker(
    'mem_reservation',
    size(6 * MIB, 'Docker minimum'),
    '0',
    'Memory promised by the host; 0 promises mem_limit',
  ),
  cpus: docker('cpus', cores(0.01, 1024), '0', 'Processors the container may use; 0 is no limit'),
  dns: docker('dns', list('IP addresses', parseIp), '', 'Name servers in the container'),
  hostname: docker('hostname', optional(text('host name', parseHostname)), '', 'Host name in the container'),
  volumes: docker('volumes', list('SOURCE:/TARGET[:ro]', parseVolume), '', 'Volumes and host directories to mount'),
  volumesFrom: docker('volumes_from', list('CONTAINER[:ro]', parseVolumesFrom), '', 'Containers whose volumes to mount'),
  network: docker(
    'network',
    optional(text('name, host, none or container:NAME', parseNetwork)),
    '',
    "Docker network; unset is the engine's bridge",
  ),
  hostPort: docker('host_port', optional(port()), '', "Fixed port on the host; unset takes one of the host's port_range"),
  pidsLimit: docker('pids_limit', whole(0, PIDS_MAX), '4096', 'Processes and threads in the container; 0 is no limit'),
  links: docker(
    'links',
    list('ENDPOINT[:NAME]', parseLink),
    '',
    'Endpoints whose addresses the containers are told, as NAME_HOST, NAME_PORT and NAME_URL',
  ),
  slots: docker('slots', whole(1, SLOTS_MAX), '10', 'Share of a host that an instance takes'),
  strategy: docker(
    'strategy',
    choice('strategy', ['spread', 'binpack', 'random']),
    'spread',
    'How to choose among the hosts that fit',
  ),
  constraints: docker(
    'constraints',
    lines('comma list of label==value', (value) => parseExpressions(value, 'constraint')),
    '',
    'Which hosts, by node and label',
  ),
  affinity: docker(
    'affinity',
    lines('comma list of container, image or endpoint==value', (value) => parseExpressions(value, 'affinity')),
    '',
    'Which hosts, by what is there already',
  ),
  rebalance: docker(
    'rebalance',
    choice('way', ['off', 'gradual']),
    'off',
    'gradual moves instances to much emptier hosts, one at a time',
  ),

  stickySessions: nginx('sticky_sessions', boolean(), 'false', 'Keep a client at one instance'),
  stickyBy: nginx(
    'sticky_by',
    choice('way', ['cookie', 'address']),
    'cookie',
    'What a client is known by; by address, new instances take some of the clients over',
  ),
  keepalive: nginx('keepalive', whole(0, 1024), '0', 'Idle connections each worker keeps open to the instances; 0 is 32'),
  ssl: nginx('ssl', boolean(), 'false', 'Terminate TLS here'),
  sslCertificate: nginx('ssl_certificate', optional(anyText()), '', 'Certificate chain, PEM; unset is made here, self-signed'),
  sslKey: nginx('ssl_key', optional(anyText()), '', 'Private key, PEM', { secret: true }),
  http2: nginx('http2', boolean(), 'true', 'With ssl, speak HTTP/2 as well; false turns it off for the whole port'),
  redirectHttp: nginx('redirect_http', boolean(), 'false', 'Send http:// of the same host, port 80, to https'),
  balancerRedirect: nginx(
    'redirect',
    optional(text('http(s) URL', parseRedirect)),
    '',
    'As redirect of [endpoint], and before it',
  ),
  maxBody: nginx('max_body', size(0, 'minimum'), '0', 'Largest request body; 0 is no limit'),
  nginxConnectTimeout: nginx('connect_timeout', duration(1, HOUR_MS), '2', 'Time an instance has to accept a connection'),
  sendTimeout: nginx('send_timeout', duration(1, DAY_MS), '60', 'Time an instance may take nothing of a request'),
  readTimeout: nginx('read_timeout', duration(1, DAY_MS), '60', 'Time an instance may send nothing of an answer'),
  clientKeepalive: nginx(
    'client_keepalive',
    duration(0, HOUR_MS),
    '75',
    'Time an idle client keeps its connection; with 0 no reload can cut one off',
  ),
  buffering: nginx('buffering', boolean(), 'false', 'Take answers off instances at once, for slow clients; false streams'),
  requestBuffering: nginx(
    'request_buffering',
    boolean(),
    'false',
    'Take a request whole before an instance is asked; needs max_body',
  ),
  requestHeaders: nginx(
    'request_headers',
    headers('request'),
    '',
    'Headers set for the instances; one without a value is taken away',
    { secret: true },
  ),
  responseHeaders: nginx(
    'response_headers',
    headers('response'),
    '',
    'Headers set for the clients; one without a value is taken away',
  ),

  balance: haproxy(
    'balance',
    choice('balance', ['roundrobin', 'leastconn', 'uri', 'source']),
    'roundrobin',
    'How requests, or connections, are spread',
  ),
  sticky: haproxy('sticky', boolean(), 'true', 'Keep a client at one instance: by a cookie, with tcp by its address'),
  checkUrl: haproxy(
    'check_url',
    optional(text('path', parseCheckUrl)),
    '',
    'Path haproxy itself asks the instances for; what does not answer 2xx or 3xx gets no requests',
  ),
  errorLocation: haproxy(
    'errorloc',
    optional(text('http(s) URL or path, CODE for the status', parseErrorLocation)),
    '',
    'Where clients are sent on errors',
  ),
  connectTimeout: haproxy('contimeout', milliseconds(1, HOUR_MS), '5000', 'Time a connection to an instance may take'),
  serverTimeout: haproxy('srvtimeout', milliseconds(1, DAY_MS), '50000', 'Time an instance may be silent'),
  haproxySsl: haproxy('ssl', boolean(), 'false', 'Terminate TLS here'),
  haproxySslCertificate: haproxy('ssl_certificate', optional(anyText()), '', 'Certificate chain, PEM'),
  haproxySslKey: haproxy('ssl_key', optional(anyText()), '', 'Private key, PEM', { secret: true }),

  exclusive: tcp('exclusive', boolean(), 'true', 'One client at a time per instance; the others wait'),
  disposable: tcp('disposable', boolean(), 'false', 'Discard an instance after a session; needs exclusive'),
  disposeMin: tcp('dispose_min', duration(0, DAY_MS), '30', 'A shorter session does not use an instance up'),
  reconnect: tcp('reconnect', duration(0, DAY_MS), '60', 'Time an instance is kept for the client it has served'),
  tcpBalance: tcp('balance', choice('way', ['random', 'leastconn']), 'random', 'How to choose among the instances, by weight'),
  clientSubnets: tcp('client_subnets', list('networks like 10.0.0.0/8', parseSubnet), '', 'Who may connect; unset admits all'),
} as const satisfies Readonly<Record<string, SchemaKey>>;
