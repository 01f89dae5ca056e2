export { LogLines } from './log-line.js';
export { createNginx } from './nginx.js';
export { DEFAULT_CONNECTIONS, type NginxOptions, type OwnMode, type SystemMode } from './options.js';
export { renderMain, renderShared, renderSites, type SiteLayout } from './render.js';
export { selfSigned } from './self-signed.js';
export { Traffic } from './traffic.js';
export { groupServices } from './virtual-service.js';
