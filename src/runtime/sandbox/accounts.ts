/** /etc/passwd and /etc/group of a sandbox: the host's, with its user in them at home in the sandbox. Pure. */
import type { ContainerRequest } from '../runtime.ts';

type User = ContainerRequest['user'];

export function passwdOf(host: string, user: User): string {
  const own = `${user.name}:x:${user.uid}:${user.gid}:${user.name}:${user.home}:/bin/sh`;
  return [own, ...linesWithout(host, user.name, user.uid), ''].join('\n');
}

export function groupOf(host: string, user: User): string {
  const has = host.split('\n').some((line) => line.split(':')[2] === String(user.gid));
  return has ? host : `${user.name}:x:${user.gid}:\n${host}`;
}

function linesWithout(file: string, name: string, id: number): readonly string[] {
  return file.split('\n').filter((line) => {
    const fields = line.split(':');
    return line !== '' && fields[0] !== name && fields[2] !== String(id);
  });
}
