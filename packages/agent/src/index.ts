export { type Agent, type AgentOptions, startAgent } from './agent.js';
export { type BalancerDriver, combineDrivers } from './balancer-drivers.js';
export { kernelConnections } from './kernel-connections.js';
export { whyUnavailable } from './listen-ports.js';
export { servicesOf } from './services.js';
