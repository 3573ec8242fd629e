/**
 * Names for an archive of files: each directory above them is in it too, before what is in it. Those left out get
 * whatever mode the engine thinks of, under a rootless Docker 20.10 one that lets nobody but root in.
 */
export function withDirectories(names: readonly string[]): readonly string[] {
  const all = new Set<string>();
  for (const name of names) {
    for (let end = name.indexOf('/'); end > 0; end = name.indexOf('/', end + 1)) all.add(name.slice(0, end));
    all.add(name);
  }
  return [...all];
}
