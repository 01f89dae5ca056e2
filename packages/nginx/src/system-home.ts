import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { type Home, modeOf, type Staged, sameFiles } from './home.js';
import type { NginxOptions, SystemMode } from './options.js';
import type { MasterPlace } from './process.js';
import { type Files, isSite, type RenderedFile, renderShared, renderSites } from './render.js';
import type { VirtualService } from './virtual-service.js';

/**
 * Our files in the system's nginx: reactor.conf and certificates in its configuration directory, one
 * reactor.<12 hex digits>.conf per host and port among its sites. Only files of exactly these names are ever replaced or
 * deleted. What we wrote is tested alone first, so that our mistakes are told from foreign ones; then it is put in place
 * and the whole is tested, which needs the files in place and is why a failure puts the former ones back.
 */
const OUR_SITE = /^reactor\.[0-9a-f]{12}\.conf$/;
const OUR_CERTIFICATE = /^reactor\.[0-9a-f]{12}\.(?:pem|key)$/;

export class SystemHome implements Home {
  readonly #mode: SystemMode;
  readonly #ipv6: boolean;
  readonly #private: string;
  readonly place: MasterPlace;
  files: Files = new Map();
  #good: Files = new Map();

  constructor(mode: SystemMode, options: NginxOptions, ipv6: boolean) {
    this.#mode = mode;
    this.#ipv6 = ipv6;
    this.#private = options.certificates;
    const args = mode.mainFile === null ? [] : ['-c', mode.mainFile];
    this.place = { binary: options.binary, pidFile: mode.pidFile, args, logDirectory: dirname(mode.logPath) };
  }

  get logPath(): string {
    return this.#mode.logPath;
  }

  get wholeTest(): readonly string[] {
    return this.place.args;
  }

  async open(): Promise<void> {
    const { configPath, sitePath } = this.#mode;
    this.#dropStaged();
    const files = new Map<string, RenderedFile>();
    const take = (path: string) => files.set(path, { text: readFileSync(path, 'utf8'), secret: path.endsWith('.key') });
    if (existsSync(this.#shared)) take(this.#shared);
    for (const name of readdirSync(configPath).filter((found) => OUR_CERTIFICATE.test(found))) take(`${configPath}/${name}`);
    for (const name of readdirSync(sitePath).filter((found) => OUR_SITE.test(found))) take(`${sitePath}/${name}`);
    this.files = files;
    this.#good = files;
  }

  /** The mark holds the digest of what nginx took up last; nginx does not read it, its name does not end in .conf. */
  isConfirmed(): boolean {
    return existsSync(this.#mark) && readFileSync(this.#mark, 'utf8') === digest(this.files);
  }

  render(virtual: readonly VirtualService[]): Files {
    const { configPath, sitePath, logPath } = this.#mode;
    const files = new Map<string, RenderedFile>([[this.#shared, { text: renderShared(), secret: false }]]);
    const sites = renderSites(virtual, { logPath, certificates: `${configPath}/`, ipv6: this.#ipv6 });
    for (const [name, file] of sites) files.set(`${isSite(name) ? sitePath : configPath}/${name}`, file);
    return files;
  }

  stage(virtual: readonly VirtualService[]): Staged {
    // Keys are in it: not where others may so much as see its name.
    mkdirSync(this.#private, { recursive: true, mode: 0o700 });
    const folder = mkdtempSync(`${this.#private}/test-`);
    const discard = () => rmSync(folder, { recursive: true, force: true });
    try {
      const sites = renderSites(virtual, { logPath: this.#mode.logPath, certificates: `${folder}/`, ipv6: this.#ipv6 });
      writeFileSync(`${folder}/shared.conf`, renderShared());
      for (const [name, file] of sites) writeFileSync(`${folder}/${name}`, file.text, { mode: modeOf(file) });
      const names = ['shared.conf', ...[...sites.keys()].filter(isSite)];
      const includes = names.map((name) => `    include ${name};\n`).join('');
      writeFileSync(`${folder}/nginx.conf`, `pid ${folder}/pid;\nerror_log stderr;\nevents {}\nhttp {\n${includes}}\n`);
    } catch (error) {
      discard();
      throw error;
    }
    return { files: this.render(virtual), folder, test: ['-p', folder, '-c', `${folder}/nginx.conf`], discard };
  }

  activate(staged: Staged): void {
    this.#replace(staged.files);
    staged.discard();
  }

  confirm(): void {
    this.#good = this.files;
    writeAside(this.#mark, { text: digest(this.files), secret: false });
  }

  restore(): void {
    this.#replace(this.#good);
  }

  /** What a kill in the middle of a test has left, with keys in it. */
  #dropStaged(): void {
    if (!existsSync(this.#private)) return;
    for (const name of readdirSync(this.#private).filter((found) => found.startsWith('test-'))) {
      rmSync(`${this.#private}/${name}`, { recursive: true, force: true });
    }
  }

  get #shared(): string {
    return `${this.#mode.configPath}/reactor.conf`;
  }

  get #mark(): string {
    return `${this.#mode.configPath}/reactor.loaded`;
  }

  #replace(files: Files): void {
    if (sameFiles(files, this.files)) return;
    for (const [path, file] of files) if (this.files.get(path)?.text !== file.text) writeAside(path, file);
    for (const path of this.files.keys()) if (!files.has(path)) rmSync(path, { force: true });
    this.files = files;
  }
}

/** A name with a leading dot: `include sites-enabled/*` does not match it. */
function writeAside(path: string, file: RenderedFile): void {
  mkdirSync(dirname(path), { recursive: true });
  const aside = `${dirname(path)}/.${basename(path)}.new`;
  rmSync(aside, { force: true });
  writeFileSync(aside, file.text, { mode: modeOf(file), flag: 'wx' });
  renameSync(aside, path);
}

function digest(files: Files): string {
  const hash = createHash('sha256');
  for (const path of [...files.keys()].sort()) hash.update(JSON.stringify([path, files.get(path)!.text]));
  return hash.digest('hex');
}
