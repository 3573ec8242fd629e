/** Gives the user a line in /etc/passwd and /etc/group, without which whoami, ssh and git's identity do not work. */
import { buffer } from 'node:stream/consumers';
import type Docker from 'dockerode';
import type { ContainerRequest } from '../runtime.ts';
import type { Engine } from './engine.ts';
import { statusOf } from './engine-error.ts';
import type { Settings } from './inside.ts';
import { readFirstFile, writeFiles } from './tar-entry.ts';

/** Before the start: then the files are the image's, and nobody reads them yet. */
export async function addAccount(
  engine: Engine,
  id: string,
  { uid, gid }: Settings,
  user: ContainerRequest['user'],
): Promise<void> {
  const doing = { failed: 'The user could not be made known in the container' };
  await engine.call(doing, 60, async (docker, abortSignal) => {
    const container = docker.getContainer(id);
    const [passwd, group] = await Promise.all(
      ['/etc/passwd', '/etc/group'].map((path) => readText(container, path, abortSignal)),
    );
    const name = accountName(user.name);
    const changed = {
      ...withLine(passwd, 'etc/passwd', 2, uid, name, (free) => `${free}:x:${uid}:${gid}::${user.home}:/bin/sh`),
      ...withLine(group, 'etc/group', 2, gid, name, (free) => `${free}:x:${gid}:`),
    };
    if (Object.keys(changed).length > 0) await container.putArchive(writeFiles(changed), { path: '/', abortSignal });
  });
}

/** `''` when there is none; undefined when it is something else than a file, which is then left alone. */
async function readText(
  container: Docker.Container,
  path: string,
  abortSignal: AbortSignal | undefined,
): Promise<string | undefined> {
  try {
    return readFirstFile(await buffer(await container.getArchive({ path, abortSignal })));
  } catch (error) {
    if (statusOf(error) === 404) return '';
    throw error;
  }
}

/** The file with a line for `number`, or nothing when it has one. `column` is where numbers are. */
function withLine(
  content: string | undefined,
  path: string,
  column: number,
  number: number,
  name: string,
  line: (name: string) => string,
): Record<string, string> {
  if (content === undefined) return {};
  const rows = content.split('\n').map((each) => each.split(':'));
  if (rows.some((row) => row[column] === String(number))) return {};
  const free = rows.some((row) => row[0] === name) ? `${name}-${number}` : name;
  const start = content === '' || content.endsWith('\n') ? content : `${content}\n`;
  return { [path]: `${start}${line(free)}\n` };
}

/** A name as useradd(8) allows it; host names of users may have a domain in them. */
function accountName(name: string): string {
  const plain = name
    .toLowerCase()
    .replace(/[^a-z0-9_-]/g, '-')
    .slice(0, 31);
  return /^[a-z_]/.test(plain) ? plain : 'coppice';
}
