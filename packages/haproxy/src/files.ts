import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import type { MasterPlace } from './process.js';
import type { Rendered } from './render.js';

/**
 * haproxy's directory: the configuration, written aside and renamed, so that no moment shows half of one; and certificates,
 * named by what is in them, so that none is ever changed. All is for root alone: there are private keys in it.
 */
export class Files {
  readonly directory: string;
  readonly place: MasterPlace;

  constructor(directory: string, binary: string) {
    this.directory = directory;
    this.place = {
      binary,
      configFile: `${directory}/haproxy.cfg`,
      pidFile: `${directory}/haproxy.pid`,
      masterSocket: `${directory}/master.sock`,
      accessLog: `${directory}/access.log`,
      errorLog: `${directory}/error.log`,
    };
  }

  get aside(): string {
    return `${this.place.configFile}.new`;
  }

  open(): void {
    mkdirSync(this.directory, { recursive: true, mode: 0o700 });
    mkdirSync(this.#pems, { recursive: true, mode: 0o700 });
  }

  /** What a start would load; null when there is nothing. */
  current(): string | null {
    return existsSync(this.place.configFile) ? readFileSync(this.place.configFile, 'utf8') : null;
  }

  writeAside({ text, pems }: Rendered): void {
    for (const [name, pem] of pems) {
      const file = `${this.#pems}/${name}`;
      if (existsSync(file)) continue;
      writeFileSync(`${file}.new`, pem, { mode: 0o600 });
      renameSync(`${file}.new`, file);
    }
    writeFileSync(this.aside, text, { mode: 0o600 });
  }

  putInPlace(): void {
    renameSync(this.aside, this.place.configFile);
  }

  restore(text: string | null): void {
    if (text === null) {
      rmSync(this.place.configFile, { force: true });
      return;
    }
    writeFileSync(this.aside, text, { mode: 0o600 });
    this.putInPlace();
  }

  dropAside(): void {
    rmSync(this.aside, { force: true });
  }

  /** Certificates that the configuration in place does not name. */
  dropPemsBut(kept: ReadonlyMap<string, string>): void {
    for (const name of readdirSync(this.#pems)) if (!kept.has(name)) rmSync(`${this.#pems}/${name}`, { force: true });
  }

  get #pems(): string {
    return `${this.directory}/pems`;
  }
}
