/** The configuration of the walk-through; a test holds it valid. */
export const EXAMPLE_CONFIG: readonly string[] = [
  'Example, in docker.conf:',
  '',
  '  [endpoint]',
  '  url = http://',
  '  cloud = docker',
  '  loadbalancer = nginx',
  '  port = 5000',
  '',
  '  [scaling]',
  '  min_instances = 1',
  '  max_instances = 5',
  '  rules = 0.3 < rate < 1',
  '',
  '  [cloud:docker]',
  '  image = pyex',
  '  command = /usr/local/bin/runapp',
];
