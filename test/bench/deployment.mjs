import { WEB_IMAGE } from './web-image.mjs';

/** How long what ran on a lost host is not replaced, in what is deployed here. */
export const UNKNOWN_MS = 5_000;

/** Has the cluster run `count` instances of a web server behind a port. */
export async function deploy(cluster, name, { port, count }) {
  const text = `[endpoint]
url=http://:${port}
cloud=docker
loadbalancer=nginx
port=5000
decommissioned_timeout=2
unknown_timeout=${UNKNOWN_MS / 1000}
[scaling]
min_instances=${count}
max_instances=${count}
[cloud:docker]
image=${WEB_IMAGE}
`;
  const [host] = cluster.hosts;
  const send = async (method, path, type, body) => {
    const response = await host.request(path, { method, headers: { 'content-type': type }, body });
    if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}: ${await response.text()}`);
  };
  await send('PUT', `/v1.1/endpoints/${name}`, 'application/x-ini', text);
  await send('POST', `/v1.1/endpoints/${name}/state`, 'application/json', JSON.stringify({ action: 'start' }));
}
