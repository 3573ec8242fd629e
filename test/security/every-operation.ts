/**
 * Every operation of coppice as a user runs it on an environment: an operation that is missing here does not compile, so
 * that none is left out of the attack tests.
 */
import type { OperationName } from '../../src/operations/catalog.ts';

type Command = readonly string[];

/** In the order of the catalog; `attackOrder` says in which order they are run. */
export const everyOperation: Readonly<Record<OperationName, (name: string) => readonly Command[]>> = {
  create: (name) => [['create', `${name}-next`, '--runtime', 'sandbox', '--from', `coppice/${name}`]],
  list: () => [['list']],
  show: (name) => [['show', name]],
  status: (name) => [['status', name]],
  log: (name) => [['log', name, '-p', '--checkpoints']],
  diff: (name) => [
    ['diff', name, '--stat'],
    ['diff', name],
  ],
  conflicts: () => [['conflicts']],
  approve: () => [['approve', '--list']],
  blame: (name) => [['blame', name, 'work.txt']],
  exec: (name) => [['exec', name, '--', 'true']],
  shell: (name) => [['shell', name]],
  checkpoint: (name) => [['checkpoint', name]],
  rewind: (name) => [['rewind', name, 'tip~1']],
  commit: (name) => [['commit', name, '-m', 'All of it', '--no-verify']],
  merge: (name) => [['merge', name]],
  land: (name) => [['land', name]],
  apply: (name) => [['apply', name]],
  sync: (name) => [['sync', name]],
  resolve: (name) => [['resolve', name]],
  prune: () => [['prune', '--dry-run'], ['prune']],
  start: (name) => [['start', name]],
  stop: (name) => [['stop', name]],
  remove: (name) => [['remove', '-f', name]],
  restore: (name) => [['restore', name]],
  // Ends with its input, which is empty.
  mcp: () => [['mcp']],
  // Ended with the daemon that it listens to.
  watch: () => [['watch']],
  daemon: () => [['daemon', 'status']],
  doctor: () => [['doctor', '--fix']],
  // Works on a repository of its own, in which no agent was.
  demo: () => [],
};

/** Reading first, then what changes the environment, then what ends it. */
export const attackOrder: readonly OperationName[] = [
  ...(['list', 'show', 'status', 'log', 'diff', 'blame', 'conflicts', 'approve', 'daemon', 'mcp'] as const),
  ...([
    'exec',
    'shell',
    'checkpoint',
    'rewind',
    'create',
    'commit',
    'apply',
    'sync',
    'resolve',
    'land',
    'merge',
  ] as const),
  ...(['stop', 'doctor', 'start', 'remove', 'restore', 'prune'] as const),
];
