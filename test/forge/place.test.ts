/** Where a forge is follows from the remote's URL in every form git takes, and from nothing the host itself says. */
import { describe, expect, it } from 'vitest';
import { howToGetIn, tokenFrom } from '../../src/forge/credential.ts';
import { findPlace, type PlaceSettings, parseRemote, webAddressOf } from '../../src/forge/place.ts';

function placeOf(url: string, settings: PlaceSettings = {}) {
  const address = parseRemote(url);
  if (address === undefined) return undefined;
  const found = findPlace(address, settings);
  return 'none' in found ? found.none : `${found.place.kind} ${found.place.api} ${found.place.project}`;
}

describe('the URL of a remote', () => {
  it.each([
    ['https://github.com/team/project.git', 'github https://api.github.com team/project'],
    ['https://github.com/team/project', 'github https://api.github.com team/project'],
    ['https://someone:secret@github.com/team/project.git/', 'github https://api.github.com team/project'],
    ['http://github.com/team/project.git', 'github https://api.github.com team/project'],
    ['git@github.com:team/project.git', 'github https://api.github.com team/project'],
    ['github.com:/team/project.git', 'github https://api.github.com team/project'],
    ['ssh://git@github.com/team/project.git', 'github https://api.github.com team/project'],
    ['ssh://git@ssh.github.com:443/team/project.git', 'github https://api.github.com team/project'],
    ['git://github.com/team/my.project.git', 'github https://api.github.com team/my.project'],
    ['https://corp.ghe.com/team/project', 'github https://api.corp.ghe.com team/project'],
    ['https://gitlab.com/a/b/c/d.git', 'gitlab https://gitlab.com/api/v4 a/b/c/d'],
    ['git@gitlab.com:a/b.git', 'gitlab https://gitlab.com/api/v4 a/b'],
    ['ssh://git@altssh.gitlab.com:443/a/b/c.git', 'gitlab https://gitlab.com/api/v4 a/b/c'],
    ['https://codeberg.org/me/thing.git', 'gitea https://codeberg.org/api/v1 me/thing'],
  ])('%s', (url, place) => {
    expect(placeOf(url)).toBe(place);
  });

  it.each(['/srv/git/project.git', '../project', './a:b', 'file:///srv/git/project.git', 'C:\\git\\project'])(
    '%s is no forge’s',
    (url) => {
      expect(placeOf(url)).toBeUndefined();
    },
  );

  it.each([
    [
      'https://git.example.org/team/project.git',
      'github',
      undefined,
      'github https://git.example.org/api/v3 team/project',
    ],
    [
      'ssh://git@git.example.org:2222/team/project.git',
      'gitlab',
      undefined,
      'gitlab https://git.example.org/api/v4 team/project',
    ],
    ['https://git.example.org:8443/a/b/c.git', 'gitlab', undefined, 'gitlab https://git.example.org:8443/api/v4 a/b/c'],
    ['https://example.org/git/me/thing.git', 'forgejo', undefined, 'gitea https://example.org/git/api/v1 me/thing'],
    [
      'https://example.org/code/a/b.git',
      'gitlab',
      'https://example.org/code/',
      'gitlab https://example.org/code/api/v4 a/b',
    ],
    [
      'git@example.org:a/b.git',
      'gitlab',
      'https://example.org:444/code',
      'gitlab https://example.org:444/code/api/v4 a/b',
    ],
    ['git@github-work:team/project.git', 'github', 'https://github.com', 'github https://api.github.com team/project'],
    ['https://github.com/team/project.git', 'none', undefined, null],
  ])('%s as %s at %s', (url, forge, forgeUrl, place) => {
    expect(placeOf(url, { forge, forgeUrl })).toBe(place);
  });

  it('tells how to say what an unknown host is, and does not guess', () => {
    expect(placeOf('git@gitlab.example.org:a/b.git')).toContain(
      'git config --global coppice.https://gitlab.example.org.forge',
    );
    expect(placeOf('https://github.com/project.git')).toBe("the remote's URL names no project on github.com");
  });

  it('is asked for in git’s configuration without names and ports of ssh', () => {
    const address = parseRemote('ssh://me@git.example.org:2222/a/b.git');
    expect(address && webAddressOf(address)).toBe('https://git.example.org/a/b');
  });

  it('refuses settings that mean nothing', () => {
    const url = 'https://git.example.org/a/b.git';
    expect(() => placeOf(url, { forge: 'bitkeeper' })).toThrow('coppice.forge is "bitkeeper".');
    for (const forgeUrl of ['git.example.org', 'ssh://git.example.org', 'https://me:pw@git.example.org']) {
      expect(() => placeOf(url, { forge: 'gitlab', forgeUrl })).toThrow(
        'coppice.forgeUrl is not the address of a web site.',
      );
    }
  });
});

describe('a token in the environment', () => {
  const all = {
    GITHUB_TOKEN: 'hub',
    GH_ENTERPRISE_TOKEN: 'enterprise',
    GITLAB_TOKEN: 'lab',
    GITEA_TOKEN: 'tea',
  };

  it.each([
    ['github', 'https://github.com', {}, 'hub'],
    ['github', 'https://corp.ghe.com', {}, 'hub'],
    ['github', 'https://github.com', { GH_TOKEN: 'first' }, 'first'],
    ['github', 'https://git.example.org', {}, undefined],
    ['github', 'https://git.example.org', { GH_HOST: 'git.example.org' }, 'enterprise'],
    ['github', 'https://github.com.example.org', {}, undefined],
    ['github', 'https://git.example.org', { GITHUB_SERVER_URL: 'https://git.example.org' }, 'hub'],
    ['github', 'https://github.com', { GITHUB_SERVER_URL: 'https://git.example.org' }, undefined],
    ['gitlab', 'https://gitlab.com', {}, 'lab'],
    ['gitlab', 'https://git.example.org', {}, undefined],
    ['gitlab', 'https://git.example.org', { GITLAB_HOST: 'https://git.example.org' }, 'lab'],
    ['gitlab', 'https://gitlab.com', { GITLAB_HOST: 'git.example.org' }, undefined],
    ['gitea', 'https://gitea.com', {}, 'tea'],
    ['gitea', 'https://git.example.org', {}, undefined],
    ['gitea', 'https://git.example.org:3000', { GITEA_SERVER_URL: 'https://git.example.org' }, undefined],
    ['gitea', 'https://git.example.org/git', { GITEA_SERVER_URL: 'https://git.example.org/git' }, 'tea'],
  ] as const)('%s at %s with %o', (kind, web, more, token) => {
    expect(tokenFrom({ ...all, ...more }, { kind, web })).toBe(token);
  });

  it('is named where one is missing', () => {
    expect(howToGetIn({ kind: 'gitlab', web: 'https://git.example.org' })).toBe(
      'Set GITLAB_HOST=git.example.org and GITLAB_TOKEN, or let a git credential helper know https://git.example.org.',
    );
  });
});
