import { sandbox } from './running-reactor.js';

/**
 * The text of an endpoint that runs the example image behind nginx, with windows and time-outs short enough for a test.
 * `changes` overrides keys by section; null leaves one out.
 */
export function exampleEndpoint(
  changes: Readonly<Record<string, Readonly<Record<string, string | number | null>>>> = {},
): string {
  const defaults: Readonly<Record<string, Readonly<Record<string, string | number>>>> = {
    endpoint: {
      url: 'http://',
      cloud: 'docker',
      loadbalancer: 'nginx',
      port: 5000,
      decommissioned_timeout: 2,
      unregistered_timeout: 10,
      stop_timeout: 2,
    },
    scaling: { min_instances: 1, max_instances: 5, window: 3, scale_down_delay: 2 },
    'cloud:docker': { image: sandbox().image, command: '/usr/local/bin/runapp' },
  };
  const sections = [...new Set([...Object.keys(defaults), ...Object.keys(changes)])];
  return sections
    .map((section) => {
      const keys = Object.entries({ ...defaults[section], ...changes[section] }).filter(([, value]) => value !== null);
      return `[${section}]\n${keys.map(([key, value]) => `${key}=${value}\n`).join('')}`;
    })
    .join('');
}
