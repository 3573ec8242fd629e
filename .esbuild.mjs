// Bundles the command line and the library. One start of node then loads one file instead of hundreds; what is imported
// dynamically is in it too, but only evaluated when it is used. dockerode is large and seldom needed: a file of its own.
import { chmodSync, rmSync } from 'node:fs';
import { build } from 'esbuild';

rmSync('dist', { recursive: true, force: true });

const common = {
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node20.19',
  minifyWhitespace: true,
  minifySyntax: true,
  legalComments: 'none',
  // What CommonJS packages expect to find around them.
  banner: {
    js: [
      "import { createRequire as __bundleRequireFrom } from 'node:module';",
      'const require = __bundleRequireFrom(import.meta.url);',
    ].join('\n'),
  },
  logLevel: 'warning',
};

// dockerode loads these at once, for ssh and for build sessions; coppice uses neither (340 of 450 ms of its start).
const nothing = './src/runtime/docker/left-out.ts';
await build({
  ...common,
  entryPoints: { dockerode: 'dockerode' },
  outdir: 'dist/vendor',
  alias: { ssh2: nothing, '@grpc/grpc-js': nothing, '@grpc/proto-loader': nothing },
});

const entries = [
  { from: 'src/cli/main.ts', to: 'dist/cli/main.js', vendor: '../vendor/' },
  { from: 'src/index.ts', to: 'dist/index.js', vendor: './vendor/' },
];
for (const { from, to, vendor } of entries) {
  const ownFile = {
    name: 'own-file',
    setup: ({ onResolve }) =>
      onResolve({ filter: /^dockerode$/ }, () => ({ path: `${vendor}dockerode.js`, external: true })),
  };
  await build({
    ...common,
    entryPoints: [from],
    outfile: to,
    external: ['isomorphic-git', 'chokidar', '@secretlint/secretlint-rule-preset-recommend', '@modelcontextprotocol/*'],
    plugins: [ownFile],
  });
}
// Runs alone, in containers too: no package beside it. Given to node as an argument there, so it has to stay small.
await build({
  ...common,
  format: 'cjs',
  banner: {},
  entryPoints: ['src/gateway/main.ts'],
  outfile: 'dist/gateway/main.cjs',
});
chmodSync('dist/cli/main.js', 0o755);
