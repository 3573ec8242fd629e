/** The network of an environment as its user meets it: options, settings, what was denied, and changing one's mind. */
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type CliOptions, coppiceIn } from '../support/coppice.ts';
import { type FileContent, makeRepository } from '../support/repository.ts';

function scene(files: Readonly<Record<string, FileContent>> = { a: 'a\n' }, options: CliOptions = {}) {
  const repository = makeRepository({ files });
  const cli = coppiceIn(repository, options);
  onTestFinished(async () => {
    const { environments } = await cli.json<{ environments: { name: string }[] }>(['list']);
    for (const { name } of environments) await cli.run(['remove', '--force', name]);
  });
  const create = (...args: readonly string[]) => cli.run(['create', 'one', '--runtime', 'sandbox', ...args]);
  const shell = (script: string) => cli.run(['exec', 'one', '--', 'sh', '-c', `unset no_proxy NO_PROXY; ${script}`]);
  return { repository, cli, create, shell };
}

async function hostService(): Promise<string> {
  const server = createServer((_, response) => response.end('host\n')).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe('the network', () => {
  it('is what the options say; what is denied shows with the command that allows it, and that command works', async () => {
    const service = await hostService();
    const { cli, create, shell, repository } = scene();
    const made = await create('--allow-host', 'example.org', '--allow-host', '*.example.org:443');
    expect(made.stdout).toContain('network   allowlist: example.org, *.example.org:443');
    const denied = await shell(`curl -s http://${service}/ http://${service}/ >/dev/null`);
    expect(denied.stderr).toBe(
      `Denied by the allowlist: ${service} (2 times). To allow: coppice start one --allow-host ${service}\n`,
    );
    const { stdout: status } = await cli.run(['status', 'one']);
    expect(status).toContain('network allowlist: example.org, *.example.org:443');
    expect(status).toMatch(
      new RegExp(`denied ${service}  2 times, last .* ago  coppice start one --allow-host ${service}\n`),
    );
    const command = /coppice (start one --allow-host \S+)/.exec(status)?.[1] ?? '';
    const started = await cli.run(command.split(' '));
    expect(started.stdout).toBe(`one is running, network allowlist: example.org, *.example.org:443, ${service}\n`);
    expect(await shell(`curl -sS http://${service}/`)).toEqual({ status: 0, stdout: 'host\n', stderr: '' });
    const { denied: none, network } = await cli.json<{ denied: unknown; network: unknown }>(['status', 'one']);
    expect(none).toEqual({ total: 0, recent: [] });
    expect(network).toEqual({ mode: 'allowlist', allow: ['example.org', '*.example.org:443', service] });
    expect(JSON.parse(repository.git('show', 'refs/coppice/one/record:environment.json')).spec.network).toEqual(
      network,
    );
    await cli.run(['start', 'one', '--deny-host', service]);
    expect((await shell(`curl -s http://${service}/`)).stdout).toContain('is not on the allowlist');
  });

  it('takes another mode with a new container, files and home staying', async () => {
    const service = await hostService();
    const { cli, create, shell } = scene();
    await create();
    await shell('echo kept > kept; echo kept > ~/kept');
    const narrowed = await cli.run(['start', 'one', '--network', 'allowlist', '--allow-host', service]);
    expect(narrowed.stdout).toBe(`one is running, network allowlist: ${service}\n`);
    const seen = await shell(`cat kept ~/kept; curl -s http://${service}/; tail -n +2 /proc/net/route`);
    expect(seen.stdout).toBe('kept\nkept\nhost\n');
    expect((await cli.run(['start', 'one', '--network', 'none'])).stdout).toBe('one is running, network none\n');
    expect((await shell(`curl -sS http://${service}/`)).stderr).toContain('connect');
    expect((await cli.run(['show', 'one'])).stdout).toMatch(/network +none/);
  });

  it('says nothing to the terminal that an agent has made up, and offers no command with it', async () => {
    const { cli, create, shell } = scene();
    await create('--network', 'allowlist');
    const hostile = [
      'CONNECT $(reboot);&:443',
      'CONNECT *:443',
      'CONNECT \\x1b]0;owned\\x07:443',
      "GET http://'!reboot'/",
    ];
    const send = hostile
      .map((each) => `say(\`${each.replace('$', '\\$')} HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n\`)`)
      .join(';');
    const program = `const say = (text) => require('net').connect(3128, '127.0.0.1').on('error', () => 0).on('data', () => 0).end(text); ${send}`;
    const ran = await cli.run(['exec', 'one', '--', 'node', '-e', program]);
    const { stdout: status } = await cli.run(['status', 'one']);
    for (const text of [ran.stderr, status]) {
      expect(text).toContain('$(reboot);&:443');
      expect(text.replaceAll('\n', '')).not.toMatch(/[\x00-\x1f\x7f-\x9f\u202e]/);
      expect(text).not.toContain('--allow-host');
    }
    expect((await shell('true')).stderr).toBe('');
  });

  it('is what the repository’s file says, but never more than the user’s settings give', async () => {
    const file = JSON.stringify({ network: { allow: ['example.org', 'api.example.net', 'sub.example.com'] } });
    const asked = scene({ '.coppice/environment.json': file });
    expect((await asked.create()).stdout).toContain('allowlist: example.org, api.example.net, sub.example.com');
    const settings = { network: { allow: ['example.org', '*.example.com'] } };
    const narrowed = scene({ '.coppice/environment.json': file }, { settings });
    const made = await narrowed.create();
    expect(made.stdout).toContain('allowlist: example.org, *.example.com\n');
    expect(made.stderr).toContain(
      '.coppice/environment.json asks for hosts that your settings do not allow: api.example.net. --allow-host api.example.net allows them.',
    );
  });

  it('is no wider for a record that came with a fetch than the user’s settings give', async () => {
    const { repository, create } = scene();
    await create('--allow-host', 'example.org', '--allow-host', 'example.net');
    const other = join(repository.directory, 'other');
    repository.gitIn(repository.directory, 'clone', '-q', repository.path, other);
    const refs = ['refs/coppice/*:refs/coppice/*', 'refs/heads/coppice/*:refs/heads/coppice/*'];
    repository.gitIn(other, 'fetch', '-q', 'origin', ...refs);
    const home = join(repository.directory, 'colleague');
    const env = { HOME: home, XDG_CONFIG_HOME: join(home, '.config'), XDG_DATA_HOME: join(home, '.local/share') };
    const settings = { network: { allow: ['example.org'] } };
    const theirs = coppiceIn({ ...repository, path: other, home }, { env, settings });
    onTestFinished(async () => void (await theirs.run(['remove', '--force', 'one'])));
    const started = await theirs.run(['start', 'one']);
    expect(started).toMatchObject({ status: 0, stdout: expect.stringContaining('network allowlist: example.org\n') });
    expect(started.stderr).toContain('asks for more of the network than your settings give: example.net.');
  });

  it('is no more after a restore than the settings give by then', async () => {
    const { repository, cli, create } = scene();
    await create('--allow-host', 'example.org', '--allow-host', 'example.net');
    await cli.json(['remove', '--force', 'one']);
    const settings = (network: unknown) => {
      const file = join(repository.home, '.config/coppice/config.json');
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, 'utf8')), network }));
    };
    settings({ allow: ['*.example.com', 'example.org'] });
    const restored = await cli.run(['restore', 'one']);
    expect(restored).toMatchObject({ status: 0, stderr: expect.stringContaining('settings give now: example.net.') });
    const { network } = await cli.json<{ network: unknown }>(['status', 'one']);
    expect(network).toEqual({ mode: 'allowlist', allow: ['example.org'] });
    await cli.json(['remove', '--force', 'one']);
    settings('none');
    await cli.json(['restore', 'one']);
    expect(await cli.json(['status', 'one'])).toMatchObject({ network: { mode: 'none' } });
  });

  it('refuses what makes no sense, and says what would', async () => {
    const { cli, create } = scene();
    const refused = [
      await create('--allow-host', 'https://example.org/x'),
      await create('--network', 'open', '--allow-host', 'example.org'),
      await create('--network', 'some'),
    ];
    for (const { status } of refused) expect(status).toBe(2);
    expect(refused.map(({ stderr }) => stderr).join('')).toMatchInlineSnapshot(`
      "error: "https://example.org/x" is no host that could be allowed: give the name alone, without https:// and path.
      hint: Write example.org, *.example.org, example.org:22, example.org:* or an address such as 10.1.2.3:5432 or 10.0.0.0/8.
      error: --allow-host and --network open contradict each other.
      hint: Leave --network out: hosts to allow mean an allowlist.
      error: option '--network <MODE>' argument 'some' is invalid. Allowed choices are open, allowlist, none.
      "
    `);
    await create();
    const open = await cli.run(['start', 'one', '--allow-host', 'example.org']);
    expect(open).toMatchObject({ status: 2 });
    expect(open.stderr).toContain('`coppice start one --network allowlist --allow-host example.org`');
    await cli.run(['start', 'one', '--network', 'allowlist', '--allow-host', 'example.org']);
    const unknown = await cli.run(['start', 'one', '--deny-host', 'example.com']);
    expect(unknown).toMatchObject({ status: 3, stderr: expect.stringContaining('On it: example.org.') });
    const bad = scene({ '.coppice/environment.json': '{"network": {"allow": ["exa mple"], "mode": "x"}}' });
    const wrong = await bad.create();
    expect(wrong).toMatchObject({ status: 2, stderr: expect.stringContaining('.coppice/environment.json: network.') });
  });
});
