export { parseApiAddress } from './api-address.js';
export { type Guard, OWN_ENDPOINT } from './call.js';
export { type Client, type ClientOptions, type Configuration, createClient } from './client.js';
export type { FollowOptions } from './follow.js';
export type * from './live-wire.js';
export type {
  Action,
  ClusterInfo,
  DecisionRange,
  EndpointRow,
  EndpointStatus,
  HistoryAnswer,
  HoldWritten,
  HostAction,
  HostChange,
  HostRow,
  InstanceLists,
  InstanceRow,
  InstanceWished,
  Json,
  LogRange,
  LogRow,
  ManagerInfo,
  NamesWritten,
  OutputRange,
  OutputRow,
  PlacementAnswer,
  Readiness,
  SessionRow,
  VersionInfo,
  Written,
} from './wire.js';
