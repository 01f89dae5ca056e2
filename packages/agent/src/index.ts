export { type Agent, type AgentOptions, startAgent } from './agent.js';
export { servicesOf } from './services.js';
