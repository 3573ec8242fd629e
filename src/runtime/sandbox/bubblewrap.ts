/** The arguments that make a bubblewrap sandbox (bwrap(1)). Pure. */
import type { ContainerRequest, InsideLayout } from '../runtime.ts';
import { type HostView, nodeInside } from './host-view.ts';
import { netInside, netNodeInside } from './proxy.ts';

/** Where the directory with the execs' pipes is inside. Read-only: pipes can be opened there but not replaced. */
export const runInside = '/coppice/run';

const systemPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export function bubblewrapLayout(userName: string): InsideLayout {
  return {
    tree: '/workspace',
    git: '/coppice/git',
    base: '/coppice/base',
    home: `/home/${userName}`,
    mountsGitFile: true,
  };
}

export function insidePath(view: HostView): string {
  return view.node === undefined ? systemPath : `${systemPath}:${nodeInside}/bin`;
}

/** Files and directories of the host that belong to one sandbox. */
export interface Belongings {
  /** /tmp and /var/tmp, which survive a stop. */
  readonly tmp: string;
  readonly varTmp: string;
  readonly run: string;
  /** /etc/passwd and /etc/group in which the user has this sandbox's home. */
  readonly passwd: string;
  readonly group: string;
  /** What leads to the proxy: only with an allowlist. */
  readonly net?: { readonly directory: string; readonly node: string };
}

export interface HostUser {
  readonly uid: number;
  readonly gid: number;
}

/** What every sandbox has; enough to try whether bubblewrap works here. */
export function commonArguments(view: HostView, host: HostUser, user: HostUser): readonly string[] {
  return [
    // No new user namespaces inside: most holes of the kernel that lead out of a sandbox need one.
    ...['--unshare-user', '--unshare-all', '--disable-userns', '--new-session'],
    // As real root a sandbox with capabilities could mount the host read-write again.
    ...['--cap-drop', 'ALL'],
    ...(user.uid === host.uid ? [] : ['--uid', String(user.uid)]),
    ...(user.gid === host.gid ? [] : ['--gid', String(user.gid)]),
    ...view.directories.flatMap((path) => ['--ro-bind', path, path]),
    ...view.links.flatMap(({ path, target }) => ['--symlink', target, path]),
    ...['--proc', '/proc', '--dev', '/dev'],
    ...['--tmpfs', '/run', '--dir', '/var', '--symlink', '/run', '/var/run'],
    ...view.coveredFiles.flatMap((path) => ['--ro-bind', '/dev/null', path]),
    ...view.coveredDirectories.flatMap((path) => ['--tmpfs', path, '--remount-ro', path]),
    ...(view.node === undefined ? [] : ['--ro-bind', view.node, nodeInside]),
    '--clearenv',
    ...['--setenv', 'PATH', insidePath(view)],
  ];
}

export function sandboxArguments(
  request: ContainerRequest,
  own: Belongings,
  view: HostView,
  host: HostUser,
): readonly string[] {
  // A mount over a file of another mount comes after it.
  const mounts = request.mounts.toSorted((one, other) => one.target.length - other.target.length);
  return [
    ...commonArguments(view, host, request.user),
    ...(request.network === 'open' ? ['--share-net'] : []),
    ...(request.network === 'open' && view.resolver !== undefined ? ['--ro-bind', view.resolver, view.resolver] : []),
    ...['--hostname', request.hostname],
    ...['--bind', own.tmp, '/tmp', '--bind', own.varTmp, '/var/tmp'],
    ...['--ro-bind', own.passwd, '/etc/passwd', '--ro-bind', own.group, '/etc/group'],
    ...['--ro-bind', own.run, runInside],
    ...(own.net === undefined
      ? []
      : ['--ro-bind', own.net.directory, netInside, '--ro-bind', own.net.node, netNodeInside]),
    ...mounts.flatMap(({ source, target, readOnly }) => [readOnly ? '--ro-bind' : '--bind', source, target]),
    ...['--chdir', '/'],
  ];
}
