/** The labels by which a container says whose it is. Names and environment never count: anybody can copy those. */
export const LABELS = {
  cluster: 'reactor.cluster',
  endpoint: 'reactor.endpoint',
  instance: 'reactor.instance',
  slots: 'reactor.slots',
  hash: 'reactor.hash',
  /** A hash: whoever may list containers must not be able to act in their name. */
  token: 'reactor.token',
  /** `host:port`, only with network=host, where Docker itself knows of no port. */
  address: 'reactor.address',
} as const;
