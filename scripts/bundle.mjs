#!/usr/bin/env node
/**
 * Makes the executables out of what `tsc -b` has built:
 *
 *     packages/cli/dist/main.js     ->  packages/cli/dist/reactor.mjs     and its chunks
 *     packages/daemon/dist/main.js  ->  packages/daemon/dist/reactord.mjs and its chunks
 *     packages/tcp/dist/main.js     ->  packages/daemon/dist/reactor-tcp.mjs, which reactord starts
 *     packages/web/dist/main.js     ->  packages/daemon/dist/ui, the web pages that reactord serves
 *
 * The first two are split at their dynamic imports, so that `reactor version` reads a few kilobytes and not the whole program.
 * Each chunk's name carries a hash of its content: an update in place never mixes two versions.
 */
import { chmodSync, cpSync, existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const EXECUTABLE = 0o755;

/** Found in node_modules when the daemon runs, for it has a compiled part. */
const COMPILED = ['lmdb'];

/** What dockerode has for Docker over SSH, BuildKit sessions and building images. Reactor does none of it, and it takes 15 MB. */
const UNUSED = ['ssh2', '@grpc/grpc-js', '@grpc/proto-loader', 'protobufjs', 'tar-fs', '@balena/dockerignore'];

/** Of all web pages, compressed: more would keep a person waiting on a poor line. */
const PAGES_LIMIT_BYTES = 100_000;

/** Bundled CommonJS libraries ask for Node's own modules by `require`, which an ES module does not have. */
const REQUIRE =
  "import { createRequire as createRequireOfBundle } from 'node:module'; const require = createRequireOfBundle(import.meta.url);";

// Each main.js begins with `#!/usr/bin/env node`, which esbuild keeps at the head of the entry.
const PROGRAMS = [
  { entry: 'packages/cli/dist/main.js', name: 'reactor', external: [], banner: '', beside: null },
  { entry: 'packages/daemon/dist/main.js', name: 'reactord', external: COMPILED, banner: REQUIRE, beside: 'packages/state/lua' },
  {
    entry: 'packages/tcp/dist/main.js',
    into: 'packages/daemon/dist',
    name: 'reactor-tcp',
    external: [],
    banner: '',
    beside: null,
  },
];

/**
 * Our modules do nothing when they are imported, and neither does the regular expression library. Told so, esbuild drops
 * what a program does not use and gives each chunk only what it needs; else every command would load all of core.
 */
const importsArePure = {
  name: 'imports-are-pure',
  setup(build) {
    build.onResolve({ filter: /^(\.{1,2}\/|@reactor\/|re2js$)/ }, async ({ path, pluginData, ...from }) => {
      if (pluginData === importsArePure || !from.resolveDir.startsWith(join(ROOT, 'packages'))) return null;
      const found = await build.resolve(path, { ...from, pluginData: importsArePure });
      return from.kind === 'entry-point' ? found : { ...found, sideEffects: false };
    });
  },
};

/** They become empty objects: required when dockerode is loaded, touched only when such a call is made. */
const unusedIsEmpty = {
  name: 'unused-is-empty',
  setup(build) {
    build.onResolve({ filter: new RegExp(`^(${UNUSED.join('|')})$`) }, ({ path }) => ({ path, namespace: 'unused' }));
    build.onLoad({ filter: /./, namespace: 'unused' }, () => ({ contents: 'module.exports = {};' }));
  },
};

for (const program of PROGRAMS) {
  if (!existsSync(join(ROOT, program.entry))) {
    console.log(`${program.name}: ${program.entry} is not there, skipped`);
    continue;
  }
  await bundle(program);
}
await bundlePages();

async function bundle({ entry, into = dirname(entry), name, external, banner, beside }) {
  const directory = join(ROOT, into);
  const chunks = `${name}-chunks`;
  rmSync(join(directory, chunks), { recursive: true, force: true });
  await build({
    absWorkingDir: ROOT,
    entryPoints: [{ in: entry, out: name }],
    outdir: directory,
    outExtension: { '.js': '.mjs' },
    chunkNames: `${chunks}/[name]-[hash]`,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    external,
    // Of the two builds of this library Node is given the CommonJS one, which asks for Node's own modules by `require`.
    alias: { yaml: join(ROOT, 'node_modules/yaml/browser/index.js') },
    // Less to read and to parse; names stay, for stacks that can be understood.
    minifyWhitespace: true,
    minifySyntax: true,
    legalComments: 'none',
    logLevel: 'warning',
    banner: { js: banner },
    plugins: [unusedIsEmpty, importsArePure],
  });
  if (beside !== null) cpSync(join(ROOT, beside), join(directory, basename(beside)), { recursive: true });
  const executable = join(directory, `${name}.mjs`);
  chmodSync(executable, EXECUTABLE);
  report(name, executable, join(directory, chunks));
}

/** A page's script, style and icon, each with a hash of its content in its name, so that a browser keeps them for good. */
async function bundlePages() {
  const directory = join(ROOT, 'packages/daemon/dist/ui');
  rmSync(directory, { recursive: true, force: true });
  const { metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: ['packages/web/dist/main.js', 'packages/web/src/style.css', 'packages/web/src/icon.svg'],
    outdir: directory,
    entryNames: '[name]-[hash]',
    loader: { '.svg': 'copy' },
    bundle: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    // Named by parts of core that no page uses, which are dropped.
    external: ['node:*'],
    minify: true,
    legalComments: 'none',
    logLevel: 'warning',
    metafile: true,
    plugins: [importsArePure],
  });
  const names = Object.entries(metafile.outputs).map(([path, { entryPoint }]) => [basename(entryPoint ?? path), basename(path)]);
  const page = readFileSync(join(ROOT, 'packages/web/src/index.html'), 'utf8');
  const made = names.reduce((text, [entry, name]) => text.replaceAll(`{${entry}}`, name), page);
  writeFileSync(join(directory, 'index.html'), made);
  const bytes = readdirSync(directory).reduce(
    (sum, file) => sum + gzipSync(readFileSync(join(directory, file)), { level: 9 }).length,
    0,
  );
  console.log(`ui: ${bytes} bytes in all, compressed as they are sent`);
  if (bytes > PAGES_LIMIT_BYTES) throw new Error(`ui: ${bytes} bytes are more than ${PAGES_LIMIT_BYTES}`);
}

function report(name, executable, chunks) {
  const files = existsSync(chunks) ? readdirSync(chunks).map((file) => join(chunks, file)) : [];
  const size = (path) => statSync(path).size;
  const total = [executable, ...files].reduce((sum, path) => sum + size(path), 0);
  console.log(`${name}: ${size(executable)} bytes, with ${files.length} chunks ${total} bytes`);
}
