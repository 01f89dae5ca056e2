import {
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { hasCode } from '@reactor/core';
import { type Home, modeOf, type Staged } from './home.js';
import { DEFAULT_CONNECTIONS, type NginxOptions, type OwnMode } from './options.js';
import type { MasterPlace } from './process.js';
import { type Files, isSite, type RenderedFile, renderMain, renderShared, renderSites, type SiteLayout } from './render.js';
import type { VirtualService } from './virtual-service.js';

/**
 * Our own nginx's directory. Every configuration is a whole directory of its own below generations/; `current` is a
 * symbolic link to the one nginx loads, `good` to the last one it is known to run, and putting in place or taking back is
 * one rename: no moment shows half of a configuration, whenever we are killed.
 *
 * File work is synchronous: it is links and small writes, a tenth of what a thread for each would cost.
 */
export class OwnHome implements Home {
  readonly #mode: OwnMode;
  readonly #main: Parameters<typeof renderMain>[0];
  readonly #layout: SiteLayout;
  readonly place: MasterPlace;
  readonly wholeTest = null;
  files: Files = new Map();

  constructor(mode: OwnMode, options: NginxOptions, ipv6: boolean) {
    const { directory } = mode;
    this.#mode = mode;
    const connections = options.connections ?? DEFAULT_CONNECTIONS;
    // Only root may change its workers' account; anybody else would be warned at each test.
    const user = process.getuid?.() === 0 ? mode.user : null;
    this.#main = { directory, user, workers: mode.workers, connections };
    this.#layout = { logPath: `${directory}/logs/access.log`, certificates: 'sites/', ipv6 };
    this.place = {
      binary: options.binary,
      pidFile: `${directory}/nginx.pid`,
      args: ['-p', directory, '-c', `${directory}/current/nginx.conf`],
      logDirectory: `${directory}/logs`,
    };
  }

  get logPath(): string {
    return this.#layout.logPath;
  }

  async open(): Promise<void> {
    const { directory } = this.#mode;
    for (const folder of [directory, `${directory}/logs`, `${directory}/tmp`])
      mkdirSync(folder, { recursive: true, mode: 0o755 });
    mkdirSync(this.#generations, { recursive: true, mode: 0o700 });
    this.files = readGeneration(this.#link('current'));
    if (this.files.has('nginx.conf')) return;
    const staged = this.stage([]);
    this.activate(staged);
    this.confirm();
  }

  /** False after a kill between putting in place and the acknowledgement: what nginx runs is unknown, so it is told again. */
  isConfirmed(): boolean {
    const current = linkedName(this.#link('current'));
    return current !== null && current === linkedName(this.#link('good'));
  }

  render(virtual: readonly VirtualService[]): Files {
    const sites = renderSites(virtual, this.#layout);
    const files = new Map<string, RenderedFile>();
    files.set('nginx.conf', { text: renderMain(this.#main, [...sites.keys()].filter(isSite)), secret: false });
    files.set('shared.conf', { text: renderShared(), secret: false });
    for (const [name, file] of sites) files.set(`sites/${name}`, file);
    return files;
  }

  stage(virtual: readonly VirtualService[]): Staged {
    const files = this.render(virtual);
    const folder = mkdtempSync(`${this.#generations}/g-`);
    try {
      mkdirSync(`${folder}/sites`);
      for (const [name, file] of files) this.#put(folder, name, file);
    } catch (error) {
      rmSync(folder, { recursive: true, force: true });
      throw error;
    }
    const test = ['-p', this.#mode.directory, '-c', `${folder}/nginx.conf`];
    return { files, folder, test, discard: () => rmSync(folder, { recursive: true, force: true }) };
  }

  activate(staged: Staged): void {
    this.#point('current', basename(staged.folder));
    this.files = staged.files;
  }

  confirm(): void {
    const current = linkedName(this.#link('current'))!;
    this.#point('good', current);
    for (const name of readdirSync(this.#generations)) {
      if (name !== current) rmSync(join(this.#generations, name), { recursive: true, force: true });
    }
  }

  restore(): void {
    const good = linkedName(this.#link('good'));
    if (good === null) return;
    this.#point('current', good);
    this.files = readGeneration(this.#link('current'));
  }

  get #generations(): string {
    return `${this.#mode.directory}/generations`;
  }

  #link(name: 'current' | 'good'): string {
    return `${this.#mode.directory}/${name}`;
  }

  #point(name: 'current' | 'good', generation: string): void {
    const path = this.#link(name);
    rmSync(`${path}.new`, { force: true });
    symlinkSync(`generations/${generation}`, `${path}.new`);
    renameSync(`${path}.new`, path);
  }

  /** An unchanged file is linked, so that one change among 1,000 sites writes one file. Files are never written in place. */
  #put(folder: string, name: string, file: RenderedFile): void {
    if (this.files.get(name)?.text === file.text) {
      try {
        linkSync(`${this.#link('current')}/${name}`, `${folder}/${name}`);
        return;
      } catch {
        // The one in place was tampered with; write it.
      }
    }
    writeFileSync(`${folder}/${name}`, file.text, { mode: modeOf(file), flag: 'wx' });
  }
}

function readGeneration(folder: string): Files {
  const files = new Map<string, RenderedFile>();
  for (const name of ['nginx.conf', 'shared.conf', ...namesIn(`${folder}/sites`).map((site) => `sites/${site}`)]) {
    if (existsSync(`${folder}/${name}`)) {
      files.set(name, { text: readFileSync(`${folder}/${name}`, 'utf8'), secret: name.endsWith('.key') });
    }
  }
  return files;
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return [];
    throw error;
  }
}

function linkedName(link: string): string | null {
  try {
    return basename(readlinkSync(link));
  } catch {
    return null;
  }
}
