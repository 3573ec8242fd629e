// Bundles the command line and the library: one start of node loads a few files instead of hundreds.
import { chmodSync, rmSync } from 'node:fs';
import { build } from 'esbuild';

rmSync('dist', { recursive: true, force: true });
const nothing = './src/runtime/docker/left-out.ts';
await build({
  entryPoints: ['src/cli/main.ts', 'src/index.ts'],
  outdir: 'dist',
  bundle: true,
  splitting: true,
  platform: 'node',
  format: 'esm',
  target: 'node20.19',
  external: ['isomorphic-git', 'chokidar'],
  // dockerode loads these at once, for ssh and for build sessions; coppice uses neither (340 of 450 ms of its start).
  alias: { ssh2: nothing, '@grpc/grpc-js': nothing, '@grpc/proto-loader': nothing },
  // What CommonJS packages expect to find around them.
  banner: {
    js: [
      "import { createRequire as __bundleRequireFrom } from 'node:module';",
      "import { dirname as __bundleDirectoryOf } from 'node:path';",
      "import { fileURLToPath as __bundlePathOf } from 'node:url';",
      'const require = __bundleRequireFrom(import.meta.url);',
      'const __filename = __bundlePathOf(import.meta.url);',
      'const __dirname = __bundleDirectoryOf(__filename);',
    ].join('\n'),
  },
  logLevel: 'warning',
});
chmodSync('dist/cli/main.js', 0o755);
