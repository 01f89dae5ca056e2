export { type Controller, type ControllerOptions, startController } from './controller.js';
export { createCandidate, type Leadership, LEASE_MS } from './leadership.js';
export { createRound, type RoundOptions, type RoundResult } from './round.js';
