/** The labels by which a container says whose it is. Names and environment never count: anybody can copy those. */
export const LABELS = {
  cluster: 'reactor.cluster',
  endpoint: 'reactor.endpoint',
  instance: 'reactor.instance',
  slots: 'reactor.slots',
  hash: 'reactor.hash',
  /** `host:port`, only with network=host, where Docker itself knows of no port. */
  address: 'reactor.address',
} as const;
