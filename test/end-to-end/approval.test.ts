/** What a repository's own file, or somebody else's record, asks for of this machine is given after an approval of just that. */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { CoppiceError } from '../../src/domain/error.ts';
import { type Coppice, openCoppice } from '../../src/index.ts';
import { coppiceIn } from '../support/coppice.ts';
import { type FileContent, makeRepository, type TestRepository } from '../support/repository.ts';

const specOf = (spec: unknown) => ({ '.coppice/environment.json': JSON.stringify(spec) });
const runtime = 'sandbox';

/** In process: what is asked is the same, and there is a lot to ask. Environments are removed after the test. */
function sceneWith(files?: Readonly<Record<string, FileContent>>) {
  const repository = makeRepository(files === undefined ? {} : { files });
  return { repository, coppice: openAt(repository) };
}

function openAt(repository: TestRepository): Coppice {
  const { env } = coppiceIn(repository, { env: { DOCKER_HOST: 'unix:///nonexistent' } });
  const coppice = openCoppice({ directory: repository.path, env: { ...env, MY_TOKEN: 'secret-of-the-user' } });
  onTestFinished(async () => {
    for (const { name } of (await coppice.list()).environments) await coppice.remove({ name, force: true });
    await coppice.close();
  });
  return coppice;
}

/** The error of what must not succeed. */
async function refusal(attempt: Promise<unknown>): Promise<CoppiceError> {
  const error = await attempt.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof CoppiceError) return error;
  throw new Error(`It was not refused: ${String(error)}`);
}

const approvalNeeded = { code: 'approval-needed', kind: 'refused' } as const;

/** A directory beside the repository that mounts can be made of. */
function outside({ directory }: TestRepository, name: string): string {
  const path = join(directory, name);
  mkdirSync(path, { recursive: true });
  writeFileSync(join(path, 'which'), name);
  return path;
}

describe('approval', () => {
  it('is needed for what a file in the repository asks for, is for exactly that, and can be withdrawn', async () => {
    const { repository, coppice } = sceneWith(
      specOf({
        mounts: [{ source: '../data', target: '/data' }],
        secrets: { TOKEN: 'env:MY_TOKEN', CMD: 'command:touch "\u001b[31mran"; echo from-a-command' },
        root: true,
      }),
    );
    const data = outside(repository, 'data');
    const refused = await refusal(coppice.create({ name: 'one', runtime }));
    expect(refused).toMatchObject(approvalNeeded);
    expect(refused.data.asks).toEqual([
      `mount    "${data}" at "/data" inside, read-only`,
      String.raw`secret   CMD, from a command run ON THIS MACHINE as you: "touch \"\u001b[31mran\"; echo from-a-command"`,
      'secret   TOKEN, from your environment variable MY_TOKEN',
      'root     commands as root inside, for whoever runs `coppice exec --root`',
    ]);
    expect(refused.message).not.toContain('\x1b');
    expect(repository.git('for-each-ref', 'refs/coppice')).toBe('');
    expect(readdirSync(repository.home).filter((name) => name.includes('ran'))).toEqual([]);

    await refusal(coppice.approve({ exactly: '0000000000000000' }));
    expect(await coppice.approve({})).toMatchObject({ approved: false, digest: refused.data.digest });
    await refusal(coppice.create({ name: 'one', runtime }));
    expect(await coppice.approve({ exactly: String(refused.data.digest) })).toMatchObject({ approved: true });
    await coppice.create({ name: 'one', runtime });
    const script = 'cat /data/which; echo; echo "$TOKEN"; echo x > /data/which';
    const had = await coppice.exec({ name: 'one', command: ['sh', '-c', script] });
    expect(had).toMatchObject({ stdout: 'data\n***\n', stderr: expect.stringContaining('Read-only file system') });
    const kept = join(repository.home, '.local/state/coppice/approvals');
    expect(
      [kept, ...readdirSync(kept).map((name) => join(kept, name))].map((each) => statSync(each).mode & 0o777),
    ).toEqual([0o700, 0o600]);

    // Something else in the file: asked again, and told what is new.
    repository.commit(
      'more',
      specOf({ mounts: [{ source: '../data', target: '/data', readOnly: false }], root: true }),
    );
    const changed = await refusal(coppice.create({ name: 'two', runtime }));
    expect(changed.message).toMatch(/^ {2}\+ mount .*WRITABLE$/m);
    expect(changed.message).toMatch(/^ {2}- mount .*read-only$/m);
    expect(changed.message).toMatch(/^ {2}- secret {3}TOKEN/m);
    // What exists is as it was approved.
    await coppice.exec({ name: 'one', command: ['true'] });

    await coppice.approve({ revoke: true });
    const withdrawn = await refusal(coppice.exec({ name: 'one', command: ['true'] }));
    expect(withdrawn).toMatchObject({
      ...approvalNeeded,
      hint: expect.stringContaining('coppice approve one --exactly'),
    });
    expect(await coppice.status({ name: 'one' })).toMatchObject({ access: { approved: false } });
    await coppice.approve({ name: 'one', yes: true });
    await coppice.exec({ name: 'one', command: ['true'] });
  });

  it('is not needed for what the user asks for; a link that leads elsewhere is something else', async () => {
    const { repository, coppice } = sceneWith();
    const [first, second] = [outside(repository, 'first'), outside(repository, 'second')];
    const link = join(repository.directory, 'link');
    symlinkSync(first, link);
    await coppice.create({ name: 'one', runtime, mount: ['../link:/data:rw'] });
    const command = ['sh', '-c', 'cat /data/which; echo changed > /data/new'];
    expect(await coppice.exec({ name: 'one', command })).toMatchObject({ exit: 0, stdout: 'first' });
    expect(readFileSync(join(first, 'new'), 'utf8')).toBe('changed\n');
    await coppice.stop({ name: 'one' });
    rmSync(link);
    symlinkSync(second, link);
    const elsewhere = await refusal(coppice.start({ name: 'one' }));
    expect(elsewhere).toMatchObject({ ...approvalNeeded, message: expect.stringContaining(second) });
    expect(existsSync(join(second, 'new'))).toBe(false);
  });

  it('never lets an agent write what the host runs or believes, and says what else is dangerous', async () => {
    const { repository, coppice } = sceneWith();
    const attempt = (mount: string) => refusal(coppice.create({ name: 'one', runtime, mount: [mount] }));
    for (const source of ['.', '..', '.git', '~', '~/.local/share/coppice', '~/.config', '~/.local/state']) {
      expect(await attempt(`${source}:/data:rw`)).toMatchObject({ code: 'mount-refused', kind: 'refused' });
    }
    for (const target of ['/workspace/x', '/coppice/git', '/', '/data/../proc', 'data']) {
      expect(await attempt(`.:${target}`)).toMatchObject({ code: 'bad-mount', kind: 'usage' });
    }
    expect(await attempt('..:/home')).toMatchObject({ code: 'mount-refused', kind: 'refused' });
    expect(repository.git('for-each-ref', 'refs/coppice')).toBe('');
    const mounts = [
      { source: '/nonexistent/docker.sock', target: '/s' },
      { source: '~', target: '/h' },
    ];
    repository.commit('asks', specOf({ mounts }));
    const { risks } = await coppice.approve({});
    expect(risks).toEqual([
      expect.stringContaining('GIVES AWAY THE CONTAINER ENGINE'),
      expect.stringContaining('is your home directory or holds it'),
    ]);
  });

  it('is needed for a record that came from somebody else, whatever stands in it', async () => {
    const { repository, coppice } = sceneWith();
    await coppice.create({ name: 'one', runtime, secret: ['TOKEN=env:MY_TOKEN'] });
    const other = join(repository.directory, 'other');
    repository.git('clone', '-q', '.', other);
    const refs = ['refs/coppice/one/*:refs/coppice/one/*', 'refs/heads/coppice/one:refs/heads/coppice/one'];
    repository.git('push', '-q', other, ...refs);
    const theirs = openAt({ ...repository, path: other });
    const refused = await refusal(theirs.start({ name: 'one' }));
    expect(refused).toMatchObject(approvalNeeded);
    await theirs.approve({ name: 'one', exactly: String(refused.data.digest) });
    await theirs.start({ name: 'one' });
    const had = await theirs.exec({ name: 'one', command: ['sh', '-c', 'printf %s "$TOKEN" | wc -c'] });
    expect(had.stdout).toBe('18\n');
  });
});
