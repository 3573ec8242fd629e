/** A process of its own that changes files and checkpoints them, over and over; the concurrency test bundles and starts it. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openCheckpointer } from '../../../src/git/checkpoint/open-checkpointer.ts';
import type { CheckpointerRequest } from '../../../src/git/checkpointer.ts';
import { hostGit } from '../../../src/git/host-git.ts';
import { surroundingsOf } from '../../../src/platform/surroundings.ts';

interface Task {
  readonly request: CheckpointerRequest;
  readonly commonDirectory: string;
  readonly label: string;
  readonly rounds: number;
}

const task: Task = JSON.parse(process.argv[2] ?? '');
const git = hostGit(task.commonDirectory, surroundingsOf(task.request.tree, process.env));
const checkpointer = await openCheckpointer(task.request, { git, objectFormat: 'sha1' });
for (let round = 0; round < task.rounds; round++) {
  for (const name of [`${task.label}-${round % 5}`, 'shared', `dir/${task.label}`]) {
    writeFileSync(join(task.request.tree, name), `${task.label} ${round}\n`.repeat(1 + (round % 3)));
  }
  const { checkpoint } = await checkpointer.checkpoint({ cause: 'edit' });
  if (checkpoint !== undefined) process.stdout.write(`${checkpoint}\n`);
}
await checkpointer.close();
