/**
 * The shell script that runs one exec. It opens the exec's pipes, tells why a command cannot be started before trying
 * (a shell's 126 and 127 cannot be told from the command's own), runs it, and reports the status. Pure.
 */
import type { ExecRequest } from '../runtime.ts';
import { inTerminal, quote } from './terminal.ts';

/** Names of an exec's pipes in its directory. */
export const pipeNames = { stdin: 'in', stdout: 'out', stderr: 'err', status: 'status' } as const;

export interface ScriptRequest {
  /** The exec's directory, as the script sees it. */
  readonly directory: string;
  readonly command: readonly string[];
  readonly workdir: string;
  /** All of it; nothing is inherited. */
  readonly environment: Readonly<Record<string, string>>;
  readonly stdin: boolean;
  readonly terminal: ExecRequest['terminal'];
}

/** What the status pipe says, a line each: `started`, then `failed <why>` or `exit <status>`. */
export function execScript(request: ScriptRequest): string {
  const { directory, command, environment } = request;
  const pipe = (name: string) => quote(`${directory}/${name}`);
  const program = request.terminal === undefined ? command : inTerminal(command, request.terminal, environment.SHELL);
  const variables = Object.entries(environment).map(([name, value]) => quote(`${name}=${value}`));
  return [
    `exec 3>${pipe(pipeNames.status)} 4>${pipe(pipeNames.stdout)} 5>${pipe(pipeNames.stderr)}`,
    `exec 6<${request.stdin ? pipe(pipeNames.stdin) : '/dev/null'}`,
    'echo started >&3',
    'fail() { echo "failed $1" >&3; exit; }',
    `cd -- ${quote(request.workdir)} 2>/dev/null || fail bad-workdir`,
    findProgram(command[0] ?? '', environment.PATH ?? ''),
    // A session of its own: `kill 0` in the command must not reach this script, which has yet to report.
    `setsid env -i ${[...variables, ...program.map(quote)].join(' ')} <&6 >&4 2>&5 3>&- 4>&- 5>&- 6<&-`,
    'echo "exit $?" >&3',
    '',
  ].join('\n');
}

function findProgram(program: string, path: string): string {
  const name = quote(program);
  if (program.includes('/')) {
    return `[ -e ${name} ] || fail not-found\n[ -f ${name} ] && [ -x ${name} ] || fail not-executable`;
  }
  return [
    'why=not-found',
    `for directory in ${path
      .split(':')
      .map((each) => quote(each === '' ? '.' : each))
      .join(' ')}; do`,
    `  file=$directory/${name}`,
    '  [ -f "$file" ] || continue',
    '  if [ -x "$file" ]; then why=; break; fi',
    '  why=not-executable',
    'done',
    '[ -z "$why" ] || fail "$why"',
  ].join('\n');
}
