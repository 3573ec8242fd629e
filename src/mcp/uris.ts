/** The addresses of what can be read and subscribed to. Pure. */

export const environmentsUri = 'coppice://environments';
export const conflictsUri = 'coppice://conflicts';
export const environmentTemplate = 'coppice://environments/{name}';
export const environmentConflictsTemplate = 'coppice://environments/{name}/conflicts';

export function environmentUri(name: string): string {
  return `${environmentsUri}/${name}`;
}

export function environmentConflictsUri(name: string): string {
  return `${environmentsUri}/${name}/conflicts`;
}
