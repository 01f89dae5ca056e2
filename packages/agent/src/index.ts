export { type Agent, type AgentOptions, startAgent } from './agent.js';
export { type BalancerDriver, combineDrivers } from './balancer-drivers.js';
export { servicesOf } from './services.js';
