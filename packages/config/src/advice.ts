import type { EndpointConfig } from '@reactor/core';
import { ENDPOINT_KEYS as KEY } from './endpoint-schema.js';
import { quote } from './mistake.js';
import type { Values } from './values.js';

/** What the keys of an endpoint mean together that its operator should know. */

/** Warns of what is no mistake and yet hardly meant; what rules mean is for lint.ts, which asks more. */
export function adviseTogether(values: Values, config: EndpointConfig): void {
  const { url, loadBalancer, drainTimeoutMs, decommissionedTimeoutMs } = config;
  if (url !== null && loadBalancer === null) values.warn(KEY.loadBalancer, 'unset: nothing will serve the url', KEY.url);
  if (url === null && loadBalancer !== null)
    values.warn(KEY.url, `unset: ${loadBalancer} has nothing to serve`, KEY.loadBalancer);
  if (loadBalancer === 'nginx' && config.nginx.ssl && config.nginx.sslCertificate === null) {
    values.warn(KEY.sslCertificate, 'unset: every host makes one itself, which clients trust only when told to', KEY.url);
  }
  if (loadBalancer === 'haproxy' && config.haproxy.ssl && config.haproxy.sslCertificate === null) {
    const unset = 'unset: haproxy will not serve the url before ssl_certificate and ssl_key are set';
    values.warn(KEY.haproxySslCertificate, unset, KEY.url);
  }
  if (config.nginx.stickyBy === 'address' && !config.nginx.stickySessions) {
    values.warn(KEY.stickyBy, 'has no effect without sticky_sessions = true');
  }
  if (drainTimeoutMs < decommissionedTimeoutMs) {
    const message = `shorter than decommissioned_timeout: the decommission period ends after ${drainTimeoutMs / 1000} s`;
    values.warn(KEY.drainTimeout, message, KEY.decommissionedTimeout);
  }
  if (config.key?.algo === 'sha1' || config.key?.algo === 'md5') {
    values.warn(
      KEY.authHash,
      `${config.key.algo} is quickly guessed; set the key anew with reactor passwd --endpoint`,
      KEY.authAlgo,
    );
  }
  if (config.instancesSource !== null && config.cloud !== null) {
    const message = `its own instances get no requests while there is an endpoint ${quote(config.instancesSource)}`;
    values.warn(KEY.instancesSource, message, KEY.cloud);
  }
  if (config.placement.rebalance === 'gradual' && config.placement.strategy === 'binpack') {
    values.warn(KEY.rebalance, 'has no effect with strategy = binpack, which fills hosts on purpose', KEY.strategy);
  }
}
