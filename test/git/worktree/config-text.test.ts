import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { configText, withoutCredentials } from '../../../src/git/worktree/config-text.ts';
import { hermeticEnvironment, temporaryDirectory } from '../../support/repository.ts';

describe('configuration text', () => {
  it('is read by git as it was meant, whatever is in it', () => {
    const settings = [
      ['user.name', 'a "b" \\ c ; d # e\n[core]\n\tfsmonitor = evil\ttab '],
      ['remote.we"ird.na\\me.url', ' leading; and trailing '],
      ['core.bare', 'false'],
    ] as const;
    const directory = temporaryDirectory();
    const file = join(directory, 'config');
    writeFileSync(file, configText(settings));
    const listed = execFileSync('git', ['config', '--file', file, '--list', '--null'], {
      env: hermeticEnvironment(directory),
    });
    expect(listed.toString()).toBe(settings.map(([key, value]) => `${key}\n${value}\0`).join(''));
  });
});

describe('URLs of remotes', () => {
  it.each([
    ['https://user:pass@host/p.git', 'https://host/p.git'],
    ['https://ghp_token@host/p.git', 'https://host/p.git'],
    ['https://user:p@ss@host/p.git', 'https://host/p.git'],
    ['ssh://git:secret@host:22/p', 'ssh://git@host:22/p'],
    ['git+ssh://git@host/p', 'git+ssh://git@host/p'],
    ['git@host:team/p.git', 'git@host:team/p.git'],
    ['https://host/a@b', 'https://host/a@b'],
    ['/srv/git/p.git', '/srv/git/p.git'],
    ['gcrypt::https://user:pass@host/p', 'gcrypt::https://host/p'],
  ])('%s', (url, expected) => {
    expect(withoutCredentials(url)).toBe(expected);
  });
});
