/**
 * How long and how much: every wait and every size of this package, in one table. The first ones can be set per engine
 * (tests do); the sizes are fixed.
 */
export interface Limits {
  /** One listing, inspect, version or image lookup. An engine under load has been seen to need 2-3 s. */
  readonly readMs: number;
  /** One inspect within a listing: a single stuck container must not hold up the facts about all others. */
  readonly inspectMs: number;
  /** `/info` once it is known: its last answer does as well. */
  readonly infoMs: number;
  /** Creating prepares the file system layers: seconds on a slow disk. */
  readonly createMs: number;
  /** Starting waits for the runtime, the network and volume plug-ins. */
  readonly startMs: number;
  /** Added to the grace of a stop: the engine itself waits 10 s for the exit event after SIGKILL, and says so. */
  readonly stopMarginMs: number;
  /** Removing deletes the layers and the anonymous volumes. */
  readonly removeMs: number;
  /** A pull that reports nothing for so long is stuck: a registry that does not answer costs the engine 15-30 s. */
  readonly pullSilenceMs: number;
  /** A whole pull: 10 GB at 6 MB/s. */
  readonly pullMs: number;
  /** How long calls are refused at once after the engine stopped answering. */
  readonly breakerOpenMs: number;
  /** Least time between two lines about a pull. */
  readonly progressMs: number;
}

export const DEFAULT_LIMITS: Limits = {
  readMs: 10_000,
  inspectMs: 5_000,
  infoMs: 2_000,
  createMs: 30_000,
  startMs: 60_000,
  stopMarginMs: 20_000,
  removeMs: 60_000,
  pullSilenceMs: 60_000,
  pullMs: 30 * 60_000,
  breakerOpenMs: 5_000,
  progressMs: 2_000,
};

/** 1,000 containers with 3 kB of labels each are listed in 4 MB; more than this is no answer of a sane engine. */
export const MAX_BODY_BYTES = 16 * 1024 * 1024;

/** One JSON line of an event or a pull; the longest seen are 2 kB. */
export const MAX_LINE_BYTES = 1024 * 1024;

/** A line of a container's output; Docker cuts at 16 KiB, so this is four of its pieces. */
export const MAX_OUTPUT_LINE_BYTES = 64 * 1024;

/** Docker's own words in a message, longer ones are cut. */
export const MAX_WORDS = 300;
