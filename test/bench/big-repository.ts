/** Repositories of a given size, made in a second by fast-import. */
import { execFileSync } from 'node:child_process';
import { makeRepository, type TestRepository } from '../support/repository.ts';

/** About nine files a directory, four kilobytes each, one commit. */
export function bigRepository(files: number): TestRepository {
  const repository = makeRepository({ unborn: true });
  const parts: string[] = ['commit refs/heads/main\ncommitter B <b@example.org> 1700000000 +0000\ndata 3\nbig\n'];
  for (let index = 0; index < files; index += 1) {
    const content = `file ${index}\n${`line of file ${index}\n`.repeat(200)}`;
    parts.push(
      `M 100644 inline d${index % 37}/e${Math.floor(index / 333)}/f${index}.txt\ndata ${content.length}\n${content}`,
    );
  }
  execFileSync('git', ['fast-import', '--quiet'], { cwd: repository.path, env: repository.env, input: parts.join('') });
  repository.git('reset', '-q', '--hard', 'main');
  return repository;
}
