import { describe, expect, it } from 'vitest';
import { bytePathFromText } from '../../src/domain/byte-path.ts';
import type { FileMode } from '../../src/domain/change.ts';
import { type FileChange, needsContent, runsElsewhere } from '../../src/domain/runs-elsewhere.ts';

const side = (content?: string, mode: FileMode = '100644') => ({ mode, content });
const change = (path: string, after: FileChange['after'] = side(), before?: FileChange['before']): FileChange => ({
  path: bytePathFromText(path),
  before,
  after,
});
const marked = (...changes: readonly FileChange[]) => runsElsewhere(changes).map(({ by, when }) => `${by}: ${when}`);

describe('what runs after a merge', () => {
  it.each([
    ['.github/workflows/ci.yml', 'GitHub Actions: in CI'],
    ['.gitlab-ci.yml', 'GitLab CI: in CI'],
    ['deploy/Jenkinsfile', 'Jenkins: in CI'],
    ['.husky/pre-commit', 'git hooks: when git commits, merges or pushes'],
    ['.devcontainer/devcontainer.json', 'Dev Containers: when the project is opened in one'],
    ['.coppice/environment.json', 'coppice: when an environment is created'],
    ['sub/CLAUDE.md', 'coding agents: when one is started here'],
    ['.mcp.json', 'coding agents: when one is started here'],
    ['.vscode/tasks.json', 'the editor: when the project is opened'],
    ['Makefile', 'the build: when the project is built or tested'],
    ['crates/x/build.rs', 'the build: when the project is built or tested'],
    ['package-lock.json', 'the package manager: when dependencies are installed'],
    ['requirements-dev.txt', 'the package manager: when dependencies are installed'],
    ['web/vite.config.ts', 'the tool it configures: when that tool runs'],
    ['docker/Dockerfile.prod', 'the container engine: when an image is built or services are started'],
    ['.envrc', 'direnv or mise: when a shell enters the directory'],
    ['.gitmodules', 'git: when git works in the checkout'],
    ['.GitHub/Workflows/CI.YML', 'GitHub Actions: in CI'],
  ])('%s', (path, expected) => {
    expect(marked(change(path))).toEqual([expected]);
    // A removal changes what runs as well.
    expect(marked({ ...change(path), before: side(), after: undefined })).toEqual([expected]);
  });

  it.each([
    'src/index.ts',
    'README.md',
    'docs/workflows/ci.md',
    'github/workflows/x.yml',
    'src/hooks/use-x.ts',
    'config.ts',
  ])('not %s', (path) => {
    expect(marked(change(path))).toEqual([]);
    expect(needsContent(bytePathFromText(path))).toBe(false);
  });

  it('of package.json only what is run', () => {
    const before = side('{"version":"1","scripts":{"test":"x"}}');
    expect(marked(change('package.json', side('{"version":"2","scripts":{"test":"x"}}'), before))).toEqual([]);
    const scripts = ['npm scripts: when dependencies are installed or a script is run'];
    expect(marked(change('package.json', side('{"version":"1","scripts":{"test":"y"}}'), before))).toEqual(scripts);
    expect(marked(change('package.json', side('{"scripts":{"postinstall":"y"}}'), before))).toEqual(scripts);
    // What cannot be read is not taken for harmless.
    expect(marked(change('package.json', side('{broken'), before))).toEqual(scripts);
    expect(marked(change('package.json', side('elsewhere.json', '120000'), before))).toEqual(scripts);
    expect(marked(change('package.json', side(undefined), before))).toEqual(scripts);
  });

  it('of pyproject.toml and .gitattributes only what is run', () => {
    const before = side('[project]\nname = "x"\n[build-system]\nrequires = ["a"]\n');
    const name = side('[project]\nname = "y"\n[build-system]\nrequires = ["a"]\n');
    const backend = side('[project]\nname = "x"\n[build-system]\nrequires = ["a"]\nbackend-path = ["."]\n');
    expect(marked(change('pyproject.toml', name, before))).toEqual([]);
    expect(marked(change('pyproject.toml', backend, before))).toHaveLength(1);
    expect(marked(change('.gitattributes', side('* text=auto\n')))).toEqual([]);
    expect(marked(change('.gitattributes', side('* text=auto\n*.x filter=evil\n')))).toHaveLength(1);
  });

  it('a link in the place of a directory that is run from, or above it', () => {
    expect(marked(change('.github', side('elsewhere', '120000')))).toEqual(['GitHub Actions: in CI']);
    expect(marked(change('.github/workflows', side('../ci', '120000')))).toEqual(['GitHub Actions: in CI']);
    expect(marked(change('.github', side()))).toEqual([]);
  });

  it('a file that becomes executable, but not one that was or is new', () => {
    const executable = side(undefined, '100755');
    expect(marked(change('run.sh', executable, side()))).toEqual(['whoever calls it: it has become executable']);
    expect(marked(change('run.sh', executable, executable))).toEqual([]);
    expect(marked(change('run.sh', executable))).toEqual([]);
  });

  it('a bare repository among the files', () => {
    expect(marked(change('docs/x/HEAD'), change('docs/x/config'))).toEqual([
      'git: when git is run in docs/x: it is a repository of its own',
    ]);
    expect(marked(change('docs/x/config'))).toEqual([]);
  });
});
