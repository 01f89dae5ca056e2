import type { MasterPlace } from './process.js';
import type { Files, RenderedFile } from './render.js';
import type { VirtualService } from './virtual-service.js';

/**
 * Where our configuration lives and how it gets there: in an nginx of our own (own-home.ts) or in the system's
 * (system-home.ts). It is written aside first, tested there, put in place, and confirmed once nginx runs it; until then
 * `restore` brings the confirmed one back.
 */
export interface Home {
  readonly place: MasterPlace;
  readonly logPath: string;
  /** What is in place. */
  readonly files: Files;
  /** Creates what is missing and reads what is in place. */
  open(): Promise<void>;
  /** Whether nginx is known to have taken up what is in place. */
  isConfirmed(): boolean;
  render(virtual: readonly VirtualService[]): Files;
  stage(virtual: readonly VirtualService[]): Staged;
  activate(staged: Staged): void;
  /** Arguments of a test of everything in place, ours and foreign; null when the staged test said it all. */
  readonly wholeTest: readonly string[] | null;
  confirm(): void;
  restore(): void;
}

export interface Staged {
  readonly files: Files;
  readonly folder: string;
  /** Arguments that make `nginx -t` test it where it is. */
  readonly test: readonly string[];
  discard(): void;
}

/** Private keys are for their owner alone. */
export const modeOf = (file: RenderedFile): number => (file.secret ? 0o600 : 0o644);

export function sameFiles(a: Files, b: Files): boolean {
  return a.size === b.size && [...a].every(([name, { text }]) => b.get(name)?.text === text);
}
