/** A container of the test engine for tests of what only this adapter does. */
import { chmodSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { onTestFinished } from 'vitest';
import type { ContainerRequest, ExecEnd, ExecRequest, Runtime } from '../../../src/runtime/runtime.ts';
import { testEngine } from '../../support/engine.ts';
import { temporaryDirectory } from '../../support/repository.ts';

let requests = 0;

export function containerRequest(change: Partial<ContainerRequest> = {}): ContainerRequest {
  requests += 1;
  const home = temporaryDirectory();
  chmodSync(home, 0o777);
  return {
    name: `coppice-test-${process.pid}-${Date.now()}-${requests}`,
    image: testEngine().busybox,
    labels: { 'dev.coppice.test': 'docker' },
    hostname: 'somewhere',
    mounts: [{ source: home, target: '/coppice/home', readOnly: false }],
    workdir: '/tmp',
    user: { uid: 1234, gid: 2345, name: 'ada', home: '/coppice/home' },
    environment: {},
    limits: {},
    network: 'none',
    root: false,
    ...change,
  };
}

/** Removed after the test, whatever happened to `runtime`, by `remover` if given. */
export async function startContainer(
  runtime: Runtime,
  change: Partial<ContainerRequest> = {},
  remover: Runtime = runtime,
): Promise<string> {
  const { id } = await runtime.create(containerRequest(change));
  onTestFinished(() => remover.remove(id));
  await runtime.start(id);
  return id;
}

export type Outcome = ExecEnd & { readonly stdout: string; readonly stderr: string };

export async function finish(runtime: Runtime, id: string, request: ExecRequest): Promise<Outcome> {
  const execution = await runtime.exec(id, request);
  const [stdout, stderr, end] = await Promise.all([text(execution.stdout), text(execution.stderr), execution.end]);
  return { stdout, stderr, ...end };
}
