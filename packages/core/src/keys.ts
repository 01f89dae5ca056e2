/** Every key, topic and log of the cluster state, spelled once. Who writes which is the table in the README. */
export const KEYS = {
  endpoints: 'endpoints/',
  endpoint: (name: string) => `endpoints/${name}`,
  names: 'names/',
  name: (name: string) => `names/${name}`,
  managerConfigs: 'managers-config/',
  managerConfig: (manager: string) => `managers-config/${manager}`,
  metadata: 'metadata/',
  metadataOf: (endpoint: string) => `metadata/${endpoint}`,
  /** The cluster's own settings: public URL, auth key hash. */
  settings: 'settings',
  instances: 'instances/',
  instance: (id: string) => `instances/${id}`,
  histories: 'histories/',
  history: (endpoint: string) => `histories/${endpoint}`,
  leader: 'controller/leader',
  epoch: 'controller/epoch',
  losses: 'losses/',
  loss: (host: string) => `losses/${host}`,
  hosts: 'hosts/',
  host: (id: string) => `hosts/${id}`,
  hostConfigs: 'hosts-config/',
  hostConfig: (id: string) => `hosts-config/${id}`,
  wishes: 'wishes/',
  wish: (instance: string) => `wishes/${instance}`,
  reports: 'reports/',
  report: (host: string, instance: string) => `reports/${host}/${instance}`,
  balancers: 'balancers/',
  balancer: (host: string) => `balancers/${host}`,
  notices: 'notices/',
  notice: (id: string) => `notices/${id}`,
  kills: 'kills/',
  killsOf: (host: string) => `kills/${host}/`,
  kill: (host: string, id: string) => `kills/${host}/${id}`,
} as const;

export const TOPICS = {
  traffic: 'traffic/',
  trafficOf: (host: string) => `traffic/${host}`,
  trafficPartOf: (host: string, part: number) => `traffic/${host}/${part}`,
  /** Below `traffic`, so that one read of a round has both; no host is called that. */
  allPosted: 'traffic/-posted/',
  postedOf: (endpoint: string) => `traffic/-posted/${endpoint}/`,
  posted: (endpoint: string, backend: string | null) => `traffic/-posted/${endpoint}/${backend ?? ''}`,
  sessions: 'sessions/',
  sessionsOf: (host: string) => `sessions/${host}`,
  decisions: 'decisions/',
  decision: (endpoint: string) => `decisions/${endpoint}`,
} as const;

export const LOGS = {
  /** Decisions about all endpoints that changed something; an entry's event is the endpoint's name. */
  decisions: 'decisions',
  endpoint: (name: string) => `endpoint/${name}`,
  manager: (name: string) => `manager/${name}`,
} as const;
