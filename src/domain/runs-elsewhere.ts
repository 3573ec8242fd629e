/**
 * Which changes run on somebody's machine, or in CI, once they are merged: a reviewer shall not overlook them among the
 * others. What is listed here is what the tools themselves document as run or obeyed without a further question. Pure.
 */
import { type BytePath, textOf } from './byte-path.ts';
import type { FileMode } from './change.ts';

export interface Side {
  readonly mode: FileMode;
  /** Only for the paths `needsContent` names; undefined where it could not be read. */
  readonly content?: string | undefined;
}

export interface FileChange {
  readonly path: BytePath;
  readonly before: Side | undefined;
  readonly after: Side | undefined;
}

export interface RunsElsewhere {
  readonly path: BytePath;
  /** What runs or obeys it: `GitHub Actions`. */
  readonly by: string;
  /** `in CI`, `when dependencies are installed`. */
  readonly when: string;
}

interface Rule {
  readonly by: string;
  readonly when: string;
  /** Directories at the top: all below them. A link in the place of one, or of a directory above it, counts. */
  readonly directories?: readonly string[];
  /** Names at any depth. */
  readonly names?: RegExp;
  /** From the top. */
  readonly paths?: RegExp;
}

const inCi = 'in CI';

const rules: readonly Rule[] = [
  { by: 'GitHub Actions', when: inCi, directories: ['.github/workflows', '.github/actions'], names: /^action\.ya?ml$/ },
  { by: 'GitLab CI', when: inCi, directories: ['.gitlab/ci'], names: /(^|\.)gitlab-ci\.ya?ml$/ },
  { by: 'Forgejo or Gitea Actions', when: inCi, directories: ['.forgejo/workflows', '.gitea/workflows'] },
  { by: 'Jenkins', when: inCi, names: /^jenkinsfile(\.|$)/ },
  { by: 'CircleCI', when: inCi, directories: ['.circleci'] },
  { by: 'Azure Pipelines', when: inCi, directories: ['.azure-pipelines'], names: /^azure-pipelines.*\.ya?ml$/ },
  { by: 'Buildkite', when: inCi, directories: ['.buildkite'] },
  { by: 'Woodpecker', when: inCi, directories: ['.woodpecker'], paths: /^\.woodpecker\.ya?ml$/ },
  { by: 'Drone', when: inCi, paths: /^\.drone\.(ya?ml|star|jsonnet)$/ },
  {
    by: 'the CI service',
    when: inCi,
    directories: ['.ci', '.semaphore', '.teamcity', '.tekton', '.builds'],
    paths: /^(\.travis|\.?appveyor|bitbucket-pipelines|cloudbuild|buildspec|\.build|\.cirrus|wercker)\.ya?ml$/,
  },
  {
    by: 'git hooks',
    when: 'when git commits, merges or pushes',
    directories: ['.husky', '.githooks', '.git-hooks', 'githooks', '.lefthook'],
    names: /^(\.?lefthook(-local)?\.(ya?ml|toml|json)|\.pre-commit-(config|hooks)\.yaml|\.overcommit\.yml)$/,
  },
  {
    by: 'Dev Containers',
    when: 'when the project is opened in one',
    directories: ['.devcontainer'],
    paths: /^\.devcontainer\.json$/,
  },
  { by: 'coppice', when: 'when an environment is created', directories: ['.coppice'] },
  {
    by: 'coding agents',
    when: 'when one is started here',
    directories: ['.claude', '.cursor', '.gemini', '.codex', '.continue', '.opencode', '.roo', '.windsurf', '.agents'],
    names:
      /^(agents|claude|gemini)(\.local|\.override)?\.md$|^\.(cursorrules|windsurfrules|clinerules|mcp\.json|aider\.conf\.yml)$|^copilot-instructions\.md$/,
  },
  {
    by: 'the editor',
    when: 'when the project is opened',
    directories: ['.vscode', '.idea', '.zed', '.fleet'],
    names: /\.code-workspace$|^\.(exrc|nvimrc|nvim\.lua|vimrc|dir-locals\.el)$/,
  },
  {
    by: 'the package manager',
    when: 'when dependencies are installed',
    directories: ['.yarn/plugins', '.yarn/releases', '.pnpm'],
    names:
      /^(\.npmrc|\.yarnrc(\.yml)?|\.?pnpmfile\.c?js|bunfig\.toml|binding\.gyp|package-lock\.json|npm-shrinkwrap\.json|yarn\.lock|pnpm-lock\.yaml|bun\.lockb?|deno\.lock|cargo\.lock|poetry\.lock|uv\.lock|pdm\.lock|pipfile(\.lock)?|requirements.*\.(txt|in)|gemfile(\.lock)?|.*\.gemspec|composer\.lock|go\.sum|gradle\.lockfile|packages\.lock\.json|mix\.lock|pubspec\.lock|podfile(\.lock)?|flake\.lock|nuget\.config|pip\.conf)$/,
  },
  {
    by: 'the build',
    when: 'when the project is built or tested',
    directories: ['.cargo', '.mvn', 'gradle/wrapper'],
    names:
      /^((gnu)?makefile(\..*)?|.*\.mk|\.?justfile|taskfile\.ya?ml|rakefile|cmakelists\.txt|configure(\.ac)?|meson\.build|build\.(rs|zig|xml|sbt)|(build|settings|init)\.gradle(\.kts)?|gradlew(\.bat)?|mvnw(\.cmd)?|pom\.xml|workspace(\.bazel)?|module\.bazel|\.bazelrc|setup\.(py|cfg)|conftest\.py|tox\.ini|noxfile\.py|mix\.exs|package\.swift|.*\.(csproj|fsproj|vbproj|targets|props)|(flake|shell|default)\.nix)$/,
  },
  {
    by: 'the tool it configures',
    when: 'when that tool runs',
    names: /^([\w.-]+\.config\.[cm]?[jt]s|\.[\w-]+rc\.[cm]?js|gulpfile\.[cm]?[jt]s|gruntfile\.[cm]?js)$/,
  },
  {
    by: 'the container engine',
    when: 'when an image is built or services are started',
    names:
      /^((docker|container)file(\..*)?|.*\.dockerfile|(docker-)?compose(\..*)?\.ya?ml|docker-bake\.(hcl|json)|vagrantfile)$/,
  },
  {
    by: 'direnv or mise',
    when: 'when a shell enters the directory',
    names: /^(\.envrc|\.?mise(\..*)?\.toml|\.autoenv|\.in)$/,
  },
  { by: 'git', when: 'when git works in the checkout', names: /^(\.gitmodules|\.gitconfig|\.lfsconfig)$/ },
];

/** Files of which only a part runs: what is compared of them, and whose it is. */
interface Part {
  readonly by: string;
  readonly when: string;
  readonly name: RegExp;
  /** Equal before and after: nothing of what runs has changed. */
  readonly part: (content: string) => string;
}

const parts: readonly Part[] = [
  {
    by: 'npm scripts',
    when: 'when dependencies are installed or a script is run',
    name: /^package\.json$/,
    part: jsonKeys([
      'scripts',
      'bin',
      'gypfile',
      'husky',
      'lint-staged',
      'simple-git-hooks',
      'pre-commit',
      'pnpm',
      'overrides',
      'packageManager',
    ]),
  },
  {
    by: 'Composer scripts',
    when: 'when dependencies are installed',
    name: /^composer\.json$/,
    part: jsonKeys(['scripts', 'bin', 'config']),
  },
  { by: 'deno tasks', when: 'when a task is run', name: /^deno\.json$/, part: jsonKeys(['tasks']) },
  {
    by: 'the Python build',
    when: 'when the project is installed or built',
    name: /^pyproject\.toml$/,
    part: tables(
      /^(build-system|project\.(scripts|gui-scripts|entry-points.*)|tool\.(poetry\.(scripts|build.*)|hatch.*|setuptools.*|pdm.*|poe.*|taskipy.*))$/,
    ),
  },
  {
    by: 'cargo',
    when: 'when the project is built',
    name: /^cargo\.toml$/,
    part: lines(/^\s*(build|links|proc-macro)\s*=/),
  },
  {
    by: 'git',
    when: 'when files are checked out or compared',
    name: /^\.gitattributes$/,
    part: lines(/\b(filter|diff|merge)=/),
  },
];

/** Whether `runsElsewhere` wants to see what is in it. */
export function needsContent(path: BytePath): boolean {
  return partOf(path) !== undefined;
}

/** In the order of `changes`. A removal counts: what ran there does not any more. */
export function runsElsewhere(changes: readonly FileChange[]): readonly RunsElsewhere[] {
  const bare = bareRepositories(changes);
  return changes.flatMap((change) => {
    const found = byRule(change) ?? byPart(change) ?? bare(change) ?? byMode(change);
    return found === undefined ? [] : [{ path: change.path, by: found.by, when: found.when }];
  });
}

type Found = Pick<RunsElsewhere, 'by' | 'when'>;

function byRule({ path, before, after }: FileChange): Found | undefined {
  const text = textOf(path).toLowerCase();
  const name = nameOf(text);
  const isLink = before?.mode === '120000' || after?.mode === '120000';
  return rules.find(({ directories = [], names, paths }) => {
    const inDirectory = directories.some(
      (each) => text === each || text.startsWith(`${each}/`) || (isLink && each.startsWith(`${text}/`)),
    );
    return inDirectory || names?.test(name) === true || paths?.test(text) === true;
  });
}

function byPart({ path, before, after }: FileChange): Found | undefined {
  const found = partOf(path);
  if (found === undefined) return undefined;
  const [old, now] = [before, after].map((side) => (side === undefined ? '' : content(side, found)));
  return old === undefined || now === undefined || old !== now ? found : undefined;
}

/** Undefined when nobody can tell: a link, something unreadable. */
function content({ mode, content: text }: Side, { part }: Part): string | undefined {
  if (text === undefined || mode === '120000' || mode === '160000') return undefined;
  try {
    return part(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** A bare repository among the files: whoever runs git below it obeys its configuration. */
function bareRepositories(changes: readonly FileChange[]): (change: FileChange) => Found | undefined {
  const added = new Set(changes.filter(({ after }) => after !== undefined).map(({ path }) => path as string));
  return ({ path, after }) => {
    const directory = /^(?:(.*)\/)?config$/s.exec(path)?.[1];
    if (after === undefined || directory === undefined || !added.has(`${directory}/HEAD`)) return undefined;
    return { by: 'git', when: `when git is run in ${textOf(directory as BytePath)}: it is a repository of its own` };
  };
}

/** New executables are seen as new files; one that has become executable shows in no line of a patch. */
function byMode({ before, after }: FileChange): Found | undefined {
  if (after?.mode !== '100755' || before === undefined || before.mode === '100755') return undefined;
  return { by: 'whoever calls it', when: 'it has become executable' };
}

function partOf(path: BytePath): Part | undefined {
  const name = nameOf(textOf(path).toLowerCase());
  return parts.find((each) => each.name.test(name));
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

function jsonKeys(keys: readonly string[]): Part['part'] {
  return (text) => {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null) return '';
    return JSON.stringify(keys.map((key) => (value as Record<string, unknown>)[key]));
  };
}

function lines(wanted: RegExp): Part['part'] {
  return (text) =>
    text
      .split('\n')
      .filter((line) => wanted.test(line))
      .join('\n');
}

/** Whole tables of TOML, by their headers: more than is needed rather than less. */
function tables(wanted: RegExp): Part['part'] {
  return (text) => {
    let inside = false;
    return text
      .split('\n')
      .filter((line) => {
        const header = /^\s*\[\[?\s*([^\]]+?)\s*\]/.exec(line)?.[1]?.replace(/["'\s]/g, '');
        if (header !== undefined) inside = wanted.test(header);
        return inside || /^\s*(build-system|project\.scripts|tool\.)/.test(line);
      })
      .join('\n');
  };
}
