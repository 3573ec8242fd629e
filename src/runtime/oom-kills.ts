/** What the kernel counts of processes it killed for want of memory (cgroups(7)); both versions write the same line. */
export function oomKillsIn(text: string): number {
  return Number(/^oom_kill (\d+)$/m.exec(text)?.[1] ?? 0);
}
