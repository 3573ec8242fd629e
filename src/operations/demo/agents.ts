/** What the demo's scripted agents do: small, honest work on coppice's own repository, at the pace of somebody who types. */

export interface ScriptedAgent {
  readonly name: string;
  readonly title: string;
  /** A POSIX shell script, run in the workspace. */
  readonly script: string;
}

const pause = 'sleep 0.6';

/** Changes the first line of the README, and commits with git as it would anywhere. */
const docs = `set -e
sed -i '1s/.*/# Coppice: an environment for every agent/' README.md
${pause}
printf 'Agents work in environments; people review branches.\\n' > NOTES.md
${pause}
git add README.md NOTES.md
git commit -q -m 'Say in the title what it is for'
git log --oneline -1`;

/** Changes the same line, otherwise, and never runs git at all: that is coppice's business. */
const rival = `set -e
sed -i '1s/.*/# Coppice, where agents grow side by side/' README.md
${pause}
mkdir -p notes && printf 'A second opinion.\\n' > notes/opinion.md
${pause}
printf 'And a third.\\n' >> notes/opinion.md`;

/** Writes a module and its test, sees the test fail, mends the module, commits. */
const tested = `set -e
mkdir -p demo
cat > demo/clamp.mjs <<'END'
export const clamp = (value, low, high) => Math.min(Math.max(value, high), low);
END
cat > demo/clamp.test.mjs <<'END'
import assert from 'node:assert';
import test from 'node:test';
import { clamp } from './clamp.mjs';
test('clamp', () => assert.equal(clamp(12, 0, 10), 10));
END
${pause}
node --test demo/ >/dev/null 2>&1 && exit 1
echo 'the test fails, as it should'
sed -i 's/Math.min(Math.max(value, high), low)/Math.min(Math.max(value, low), high)/' demo/clamp.mjs
${pause}
node --test demo/ >/dev/null
echo 'the test passes'
git add demo && git commit -q -m 'Add clamp, with a test' && git status --short`;

export const agents: readonly ScriptedAgent[] = [
  { name: 'docs', title: 'A clearer title', script: docs },
  { name: 'rival', title: 'Another title', script: rival },
  { name: 'tested', title: 'A tested helper', script: tested },
];

/** How the conflict is resolved, inside, with plain git. */
export const resolution = `set -e
sed -i '/^<<<<<<< /,/^>>>>>>> /c # Coppice: an environment for every agent, side by side' README.md
git add README.md
git commit -q --no-edit
git log --oneline -1`;
