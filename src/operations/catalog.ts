/**
 * Every operation, in the order of the README, each loaded only when it is used: `coppice list` shall not pay for what
 * `coppice create` needs.
 */
export const catalog = {
  create: async () => (await import('./create.ts')).create,
  list: async () => (await import('./list.ts')).list,
  show: async () => (await import('./show.ts')).show,
  status: async () => (await import('./status.ts')).status,
  log: async () => (await import('./log.ts')).log,
  diff: async () => (await import('./diff.ts')).diff,
  blame: async () => (await import('./blame.ts')).blame,
  exec: async () => (await import('./exec.ts')).exec,
  shell: async () => (await import('./shell.ts')).shell,
  checkpoint: async () => (await import('./checkpoint.ts')).checkpoint,
  rewind: async () => (await import('./rewind.ts')).rewind,
  commit: async () => (await import('./commit.ts')).commit,
  merge: async () => (await import('./merge.ts')).merge,
  land: async () => (await import('./land.ts')).land,
  apply: async () => (await import('./apply.ts')).apply,
  conflicts: async () => (await import('./conflicts.ts')).conflicts,
  sync: async () => (await import('./sync.ts')).sync,
  resolve: async () => (await import('./resolve.ts')).resolve,
  start: async () => (await import('./start.ts')).start,
  approve: async () => (await import('./approve.ts')).approve,
  stop: async () => (await import('./stop.ts')).stop,
  remove: async () => (await import('./remove.ts')).remove,
  restore: async () => (await import('./restore.ts')).restore,
  prune: async () => (await import('./prune.ts')).prune,
  mcp: async () => (await import('./mcp.ts')).mcp,
  watch: async () => (await import('./watch.ts')).watch,
  daemon: async () => (await import('./daemon.ts')).daemon,
  doctor: async () => (await import('./doctor.ts')).doctor,
  demo: async () => (await import('./demo.ts')).demo,
} as const;

export type OperationName = keyof typeof catalog;

export const operationNames = Object.keys(catalog) as readonly OperationName[];

export function isOperationName(text: string): text is OperationName {
  return Object.hasOwn(catalog, text);
}
