export { type Founding, type FoundingContext, foundEndpoints, isNewCluster } from './founding.js';
export { type LastView, rememberViews } from './last-view.js';
export { PATHS } from './route-table.js';
export { type Api, type ApiOptions, createApi, type Timeouts } from './server.js';
export { hasAuth, setAuthKey } from './settings.js';
export { createMeter, type Telemetry } from './telemetry.js';
