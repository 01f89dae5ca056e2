/**
 * What of a service is left out, and why. A key that stands neither here nor among those that are read is told as unknown.
 */

const REPLACED = 'Reactor itself replaces what ends, ever more slowly when it ends again and again';
const CAGED = 'containers always run without new privileges, with a short list of capabilities and the default seccomp profile';
const NETWORKS = 'containers reach each other through the load balancer of their host; see links';
const ROLLING = 'changed containers are replaced one by one, each when its successor serves';
const IN_IMAGE = 'not supported; say it in the image or in the command';
const BY_HOST = 'not supported; say it to the Docker engine of each host';
const MADE_ELSEWHERE = 'not supported; mount a file of the host with volumes, or put it into the environment';

export const DROPPED: Readonly<Record<string, string>> = {
  annotations: BY_HOST,
  attach: 'read the output with: reactor logs ENDPOINT -f',
  blkio_config: BY_HOST,
  build: 'nothing is built; build the image, push it, and name it with image',
  cap_add: CAGED,
  cap_drop: CAGED,
  cgroup: BY_HOST,
  cgroup_parent: BY_HOST,
  configs: MADE_ELSEWHERE,
  container_name: 'containers are named after the endpoint and the instance, as there may be several',
  cpu_count: 'use cpus',
  cpu_percent: 'use cpus',
  cpu_period: 'use cpus',
  cpu_quota: 'use cpus',
  cpu_rt_period: BY_HOST,
  cpu_rt_runtime: BY_HOST,
  cpu_shares: 'use cpus',
  cpuset: BY_HOST,
  credential_spec: BY_HOST,
  develop: 'not supported',
  device_cgroup_rules: CAGED,
  devices: CAGED,
  dns_opt: IN_IMAGE,
  dns_search: IN_IMAGE,
  domainname: IN_IMAGE,
  external_links: NETWORKS,
  extra_hosts: 'not supported; link an endpoint with static_instances, or use DNS',
  gpus: BY_HOST,
  group_add: IN_IMAGE,
  init: IN_IMAGE,
  ipc: CAGED,
  isolation: BY_HOST,
  label_file: 'containers carry the labels of Reactor alone',
  labels: 'containers carry the labels of Reactor alone',
  logging: 'at most 30 MB of output are kept per container; read it with: reactor logs ENDPOINT',
  mac_address: NETWORKS,
  mem_swappiness: BY_HOST,
  memswap_limit: BY_HOST,
  models: 'not supported',
  oom_kill_disable: BY_HOST,
  oom_score_adj: BY_HOST,
  pid: CAGED,
  platform: 'place it with x-reactor: constraints: architecture==...',
  post_start: IN_IMAGE,
  pre_stop: IN_IMAGE,
  privileged: CAGED,
  provider: 'not supported',
  pull_policy: 'an image that a host has is used, another one is pulled',
  read_only: IN_IMAGE,
  restart: REPLACED,
  runtime: CAGED,
  secrets: MADE_ELSEWHERE,
  security_opt: CAGED,
  shm_size: BY_HOST,
  stdin_open: 'nobody is at the terminal of a service',
  stop_signal: 'SIGTERM is sent, unless the image says otherwise',
  storage_opt: BY_HOST,
  sysctls: CAGED,
  tmpfs: 'not supported; mount a volume or a directory of the host',
  tty: 'nobody is at the terminal of a service',
  ulimits: BY_HOST,
  use_api_socket: CAGED,
  userns_mode: CAGED,
  uts: CAGED,
  volumes_from: 'mount the same volume in both services',
  working_dir: IN_IMAGE,
};

/** Of `deploy`. */
export const DROPPED_OF_DEPLOY: Readonly<Record<string, string>> = {
  endpoint_mode: NETWORKS,
  labels: 'containers carry the labels of Reactor alone',
  restart_policy: REPLACED,
  rollback_config: ROLLING,
  update_config: ROLLING,
};

/** Of the file. */
export const DROPPED_OF_FILE: Readonly<Record<string, string>> = {
  configs: MADE_ELSEWHERE,
  models: 'not supported',
  networks: NETWORKS,
  secrets: MADE_ELSEWHERE,
};
