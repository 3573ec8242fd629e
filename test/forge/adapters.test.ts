/** The three forges are asked as they document it and answer alike; anything but a whole answer is an error, and says which. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { describe, expect, it } from 'vitest';
import type { CoppiceError } from '../../src/domain/error.ts';
import { parseOid } from '../../src/domain/oid.ts';
import { createForge } from '../../src/forge/create-forge.ts';
import type { Credential } from '../../src/forge/credential.ts';
import { type Forge, type ForgeKind, forgeKinds } from '../../src/forge/forge.ts';
import type { ApiLimits } from '../../src/forge/http.ts';
import { type FakeForge, type FakePull, fakeForge, json, projects } from './fake-forge.ts';

const oid = (digit: string) => parseOid(digit.repeat(40));
const [first, second, third, elsewhere] = [oid('1'), oid('2'), oid('3'), oid('9')];
const secret = 'tok-2f81c9d0e5';

interface Opened {
  readonly fake: FakeForge;
  readonly forge: Forge;
  find(
    commit?: string,
    branches?: readonly string[],
    owners?: readonly string[],
  ): ReturnType<Forge['findPullRequests']>;
}

async function open(
  kind: ForgeKind,
  pulls: readonly FakePull[] = [],
  options: { credential?: Credential; limits?: Partial<ApiLimits>; signal?: AbortSignal } = {},
): Promise<Opened> {
  const fake = await fakeForge(kind, pulls);
  const api = { github: '/api/v3', gitlab: '/api/v4', gitea: '/api/v1' }[kind];
  const place = { kind, web: fake.url, api: fake.url + api, project: projects[kind] };
  const { credential = { kind: 'token', token: secret }, limits = {}, signal = new AbortController().signal } = options;
  const forge = createForge(place, { credential, agent: 'coppice/test', signal, limits });
  return {
    fake,
    forge,
    find: (commit = elsewhere, branches = ['coppice/work'], owners = []) =>
      forge.findPullRequests({ commit: parseOid(commit), branches, owners }),
  };
}

describe.each(forgeKinds)('%s', (kind) => {
  it('tells open, closed and merged apart, and what was merged', async () => {
    const mergeCommit = oid('a');
    const { find, forge } = await open(kind, [
      { number: 3, state: 'open', commits: [third] },
      { number: 1, state: 'merged', commits: [first, second], mergeCommit },
      { number: 2, state: 'closed', commits: [first] },
      { number: 4, state: 'merged', commits: [elsewhere], branch: 'other', base: 'develop' },
    ]);
    const mark = kind === 'gitlab' ? '!' : '#';
    const found = await find(third);
    expect(found.map(({ reference, state, head, branch, base }) => [reference, state, head, branch, base])).toEqual([
      [`${mark}3`, 'open', third, 'coppice/work', 'main'],
      [`${mark}2`, 'closed', first, 'coppice/work', 'main'],
      [`${mark}1`, 'merged', second, 'coppice/work', 'main'],
    ]);
    expect(found.map((pull) => pull.mergeCommit)).toEqual([undefined, undefined, mergeCommit]);
    expect(found[0]?.url).toMatch(/^https:\/\/forge\.example\/.*3$/);
    expect(await forge.commitsOf(1)).toEqual([first, second]);
  });

  it('reads all pages', async () => {
    const pulls = Array.from({ length: 230 }, (_, index) => ({
      number: index + 1,
      state: 'closed' as const,
      commits: [first],
    }));
    const { find } = await open(kind, pulls);
    const found = await find();
    expect(found.map(({ number }) => number)).toEqual(pulls.map(({ number }) => number).reverse());
  });

  it('finds nothing where there is nothing', async () => {
    const { find } = await open(kind, [{ number: 1, state: 'open', commits: [first], branch: 'other' }]);
    expect(await find()).toEqual([]);
  });

  it('shows the token to the forge on each request, and never in an error', async () => {
    const { find, fake } = await open(kind, [{ number: 1, state: 'merged', commits: [first] }]);
    await find();
    expect(fake.asked.length).toBeGreaterThan(1);
    for (const { authorization } of fake.asked) expect(authorization).toMatch(new RegExp(`^(Bearer|token) ${secret}$`));
    fake.instead = (_, response) => {
      json(response, 401, { message: `Bad credentials: ${secret}` });
      return true;
    };
    const again = await open(kind);
    again.fake.instead = fake.instead;
    const error = await failureOf(again.find());
    expect(error).toMatchObject({ kind: 'refused', code: 'forge-unauthorized' });
    expect(error.message).toContain('It says: Bad credentials: ***');
    expect(everythingOf(error)).not.toContain(secret);
  });

  it('asks without a credential where there is none', async () => {
    const fake = await fakeForge(kind, [{ number: 1, state: 'open', commits: [first] }]);
    const api = fake.url + { github: '/api/v3', gitlab: '/api/v4', gitea: '/api/v1' }[kind];
    const place = { kind, web: fake.url, api, project: projects[kind] };
    const forge = createForge(place, { credential: undefined, agent: 'x', signal: new AbortController().signal });
    await forge.findPullRequests({ branches: ['coppice/work'], owners: [], commit: first });
    expect(new Set(fake.asked.map(({ authorization }) => authorization))).toEqual(new Set([undefined]));
  });

  it('takes an answer that is not as documented for none', async () => {
    for (const body of [{ pulls: [] }, [{ number: 1 }], [null], 'text', [{ number: '1', iid: '1', state: 'odd' }]]) {
      const { find, fake } = await open(kind);
      fake.instead = (_, response) => {
        json(response, 200, body);
        return true;
      };
      expect(await failureOf(find()), JSON.stringify(body)).toMatchObject({
        kind: 'unavailable',
        code: 'forge-answer',
      });
    }
  });
});

it('gives Gitea a login as one, and the others its password as a token', async () => {
  const credential = { kind: 'login', user: 'ada', password: secret } as const;
  const seen: Record<string, string | undefined> = {};
  for (const kind of forgeKinds) {
    const { find, fake } = await open(kind, [], { credential });
    await find();
    seen[kind] = fake.asked[0]?.authorization;
  }
  const basic = `Basic ${Buffer.from(`ada:${secret}`).toString('base64')}`;
  expect(seen).toEqual({ github: `Bearer ${secret}`, gitlab: `Bearer ${secret}`, gitea: basic });
});

it('looks in the forks of the other remotes’ owners on GitHub, and by commit wherever it is', async () => {
  const { find } = await open('github', [
    { number: 1, state: 'merged', commits: [first], fork: 'ada' },
    { number: 2, state: 'merged', commits: [second], fork: 'stranger', branch: 'theirs' },
    { number: 3, state: 'open', commits: [third], fork: 'stranger' },
  ]);
  expect((await find(second, ['coppice/work'], ['ada'])).map(({ number }) => number)).toEqual([2, 1]);
});

it.each(['github', 'gitlab'] as const)('asks %s no more once the commit itself is found to be merged', async (kind) => {
  const { find, fake } = await open(kind, [{ number: 1, state: 'merged', commits: [first] }]);
  await find(first);
  expect(fake.asked).toHaveLength(1);
});

it('takes from Gitea what was merged, not where the branch has gone since', async () => {
  const { find, fake } = await open('gitea', [
    { number: 1, state: 'merged', commits: [first], branchNow: second },
    { number: 2, state: 'open', commits: [third] },
  ]);
  expect((await find()).map(({ head }) => head)).toEqual([third, first]);
  fake.pulls = [];
  const unknown = await open('gitea', [{ number: 1, state: 'merged', commits: [first], branchNow: second }]);
  unknown.fake.instead = (request, response) => {
    if (!request.url?.includes('/git/refs/')) return false;
    json(response, 404, { message: 'not found' });
    return true;
  };
  expect((await unknown.find()).map(({ head }) => head)).toEqual([undefined]);
});

describe('what is no answer', () => {
  type Instead = (request: IncomingMessage, response: ServerResponse) => void;
  const cases: readonly (readonly [string, Instead, object, string])[] = [
    [
      'too many questions, with a time in seconds',
      (_, response) => json(response, 429, { message: 'slow down' }, { 'retry-after': '90' }),
      { kind: 'unavailable', code: 'forge-rate-limited' },
      'takes no more questions until 20',
    ],
    [
      'too many questions, as GitHub says it',
      (_, response) =>
        json(
          response,
          403,
          { message: 'API rate limit exceeded' },
          {
            'x-ratelimit-remaining': '0',
            'x-ratelimit-reset': '1893456000',
          },
        ),
      { kind: 'unavailable', code: 'forge-rate-limited' },
      'until 2030-01-01T00:00:00.000Z',
    ],
    [
      'too many questions, with a date',
      (_, response) => json(response, 429, {}, { 'retry-after': 'Tue, 01 Jan 2030 00:00:00 GMT' }),
      { kind: 'unavailable', code: 'forge-rate-limited' },
      'until 2030-01-01T00:00:00.000Z',
    ],
    [
      'not allowed',
      (_, response) => json(response, 403, { message: 'Resource not accessible' }, { 'x-ratelimit-remaining': '12' }),
      { kind: 'refused', code: 'forge-forbidden' },
      'It says: Resource not accessible',
    ],
    [
      'not there',
      (_, response) => json(response, 404, {}),
      { kind: 'not-found', code: 'forge-not-found' },
      'or not for us to see',
    ],
    ['broken', (_, response) => json(response, 502, {}), { kind: 'unavailable', code: 'forge-failed' }, 'status 502'],
    [
      'a page for people',
      (_, response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<html>Sign in</html>'),
      { kind: 'unavailable', code: 'forge-answer' },
      'answers with text/html instead of JSON',
    ],
    [
      'cut off within JSON',
      (_, response) => response.writeHead(200, { 'content-type': 'application/json' }).end('[{"number": 1, '),
      { kind: 'unavailable', code: 'forge-answer' },
      'not understood',
    ],
    [
      'cut off by the connection',
      (_, response) => {
        response.writeHead(200, { 'content-type': 'application/json', 'content-length': '500' });
        response.write('[', () => response.destroy());
      },
      { kind: 'unavailable', code: 'forge-answer' },
      'broke off',
    ],
    [
      'closed at once',
      (request) => request.socket.destroy(),
      { kind: 'unavailable', code: 'forge-unreachable' },
      'cannot be reached',
    ],
    [
      'endless',
      (_, response) => response.writeHead(200, { 'content-type': 'application/json' }).end(`[${' '.repeat(5000)}]`),
      { kind: 'unavailable', code: 'forge-answer' },
      'more than 4000 bytes',
    ],
    [
      'a next page somewhere else',
      (_, response) => json(response, 200, [], { link: '<http://forge.example/more>; rel="next"' }),
      { kind: 'unavailable', code: 'forge-answer' },
      'not understood',
    ],
    [
      'in a circle',
      (request, response) => response.writeHead(302, { location: request.url }).end(),
      { kind: 'unavailable', code: 'forge-redirect' },
      'leads in a circle',
    ],
  ];

  it.each(cases)('%s', async (_, answer, error, words) => {
    const { find, fake } = await open('github', [{ number: 1, state: 'merged', commits: [first] }], {
      limits: { bytes: 4000 },
    });
    fake.instead = (request, response) => {
      answer(request, response);
      return true;
    };
    const failure = await failureOf(find());
    expect(failure).toMatchObject(error);
    expect(failure.message).toContain(words);
    expect(everythingOf(failure)).not.toContain(secret);
  });

  it('too slow', async () => {
    const { find, fake } = await open('github', [], { limits: { timeout: 50 } });
    fake.instead = (_, response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.write('[');
      return true;
    };
    expect(await failureOf(find())).toMatchObject({ kind: 'unavailable', code: 'forge-timeout' });
  });

  it('nobody is there', async () => {
    const web = 'http://127.0.0.1:1';
    const place = { kind: 'github', web, api: `${web}/api/v3`, project: 'a/b' } as const;
    const forge = createForge(place, { credential: undefined, agent: 'x', signal: new AbortController().signal });
    const error = await failureOf(forge.findPullRequests({ branches: ['b'], owners: [], commit: first }));
    expect(error).toMatchObject({ kind: 'unavailable', code: 'forge-unreachable' });
    expect(error.message).toMatch(/^127\.0\.0\.1:1\/a\/b cannot be reached: .+\.$/);
  });

  it('interrupted', async () => {
    const controller = new AbortController();
    const { find, fake } = await open('github', [], { signal: controller.signal });
    fake.instead = () => {
      controller.abort();
      return true;
    };
    expect(await failureOf(find())).toMatchObject({ kind: 'interrupted' });
  });
});

it('follows a redirect to the same host, and takes the token to no other', async () => {
  const other = await fakeForge('github', [{ number: 1, state: 'open', commits: [first] }]);
  const { find, fake } = await open('github', [{ number: 1, state: 'open', commits: [first] }]);
  fake.instead = (request, response) => {
    if (!request.url?.includes('/repos/team/project/pulls')) return false;
    if (request.url.includes('renamed')) return false;
    response.writeHead(301, { location: `${request.url}&renamed=1` }).end();
    return true;
  };
  expect(await find()).toHaveLength(1);
  fake.instead = (request, response) => {
    response.writeHead(307, { location: `${other.url}${request.url}` }).end();
    return true;
  };
  expect(await failureOf(find())).toMatchObject({
    code: 'forge-redirect',
    message: expect.stringContaining(other.url),
  });
  expect(other.asked).toEqual([]);
});

it('asks in the clear only this machine', () => {
  const options = { credential: undefined, agent: 'x', signal: new AbortController().signal };
  const at = (web: string) => () => createForge({ kind: 'gitlab', web, api: `${web}/api/v4`, project: 'a/b' }, options);
  expect(at('http://git.example.org')).toThrow('git.example.org/a/b is only known by an http address');
  expect(at('http://127.0.0.1.example.org')).toThrow('http address');
  for (const web of ['http://127.0.0.1:3000', 'http://localhost', 'http://[::1]:80', 'https://git.example.org'])
    at(web)();
});

it('refuses a token that no header can hold, without repeating it', () => {
  const place = {
    kind: 'gitlab',
    web: 'https://gitlab.com',
    api: 'https://gitlab.com/api/v4',
    project: 'a/b',
  } as const;
  const credential = { kind: 'token', token: `${secret}\nX: y` } as const;
  const make = () => createForge(place, { credential, agent: 'x', signal: new AbortController().signal });
  expect(make).toThrow('The token for gitlab.com/a/b has characters that no token has.');
});

async function failureOf(done: Promise<unknown>): Promise<CoppiceError> {
  return done.then(
    () => expect.unreachable('It did not fail.'),
    (error: CoppiceError) => error,
  );
}

function everythingOf(error: CoppiceError): string {
  const { cause } = error;
  return [
    error.message,
    error.stack,
    error.hint,
    JSON.stringify(error.data),
    String(cause),
    JSON.stringify(cause),
  ].join('\n');
}
