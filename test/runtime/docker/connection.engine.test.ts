import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { createConnection, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { surroundingsOf } from '../../../src/platform/surroundings.ts';
import { dockerRuntime } from '../../../src/runtime/docker/docker-runtime.ts';
import { engineSurroundings, testEngine } from '../../support/engine.ts';
import { hermeticEnvironment, temporaryDirectory } from '../../support/repository.ts';
import { finish, startContainer } from './place.ts';

const engineSocket = () => testEngine().address.replace('unix://', '');

/** A socket that leads to the engine until it is cut. */
async function cuttableSocket(): Promise<{ readonly address: string; cut(): void }> {
  const path = join(temporaryDirectory(), 'socket');
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const engine = createConnection(engineSocket());
    for (const socket of [client, engine]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
    }
    client.pipe(engine).pipe(client);
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  const cut = () => {
    server.close();
    for (const socket of sockets) socket.destroy();
  };
  onTestFinished(cut);
  return { address: `unix://${path}`, cut };
}

function runtimeAt(address: string, env: Record<string, string> = {}) {
  const home = temporaryDirectory();
  const made = dockerRuntime(surroundingsOf(home, { ...hermeticEnvironment(home), DOCKER_HOST: address, ...env }));
  onTestFinished(() => made.close());
  return made;
}

function direct() {
  const made = dockerRuntime(engineSurroundings());
  onTestFinished(() => made.close());
  return made;
}

describe('when the engine goes away', () => {
  test('a running exec ends its outputs and rejects, instead of waiting for ever', async () => {
    const { address, cut } = await cuttableSocket();
    const docker = runtimeAt(address);
    const id = await startContainer(docker, {}, direct());
    const execution = await docker.exec(id, { command: ['sh', '-c', 'echo up; sleep 1000'] });
    const seen: string[] = [];
    for await (const chunk of execution.stdout) {
      seen.push(String(chunk));
      cut();
    }
    expect(seen).toEqual(['up\n']);
    await expect(execution.end).rejects.toMatchObject({ code: 'engine-unreachable', kind: 'unavailable' });
    await expect(docker.list({})).rejects.toMatchObject({ code: 'engine-unreachable' });
    await expect(docker.start(id)).rejects.toMatchObject({ code: 'engine-unreachable' });
  });
});

describe('through ssh', () => {
  /** In place of ssh: notes what it was asked, and is the far end's `docker system dial-stdio`. */
  function fakeSsh(script: string): Record<string, string> {
    const bin = join(temporaryDirectory(), 'bin');
    mkdirSync(bin);
    writeFileSync(join(bin, 'ssh'), `#!${process.execPath}\n${script}`);
    chmodSync(join(bin, 'ssh'), 0o755);
    return { PATH: `${bin}:${process.env.PATH}`, ENGINE_SOCKET: engineSocket(), ARGS: join(bin, 'args') };
  }
  const dial = `
    require('fs').appendFileSync(process.env.ARGS, JSON.stringify(process.argv.slice(2)) + '\\n');
    const socket = require('net').createConnection(process.env.ENGINE_SOCKET);
    process.stdin.pipe(socket).pipe(process.stdout);`;

  test('containers and execs work as they do at home', async () => {
    const docker = runtimeAt('ssh://ada@build.example:2222', fakeSsh(dial));
    expect((await docker.probe()).description).toMatch(/ at ssh:\/\/ada@build\.example:2222$/);
    const id = await startContainer(docker, {}, direct());
    const execution = await docker.exec(id, { command: ['cat'], stdin: true });
    execution.stdin?.end('there and back\n');
    let back = '';
    for await (const chunk of execution.stdout) back += String(chunk);
    expect(back).toBe('there and back\n');
    expect((await execution.end).status).toBe(0);
    expect(await finish(docker, id, { command: ['sh', '-c', 'exit 3'] })).toMatchObject({ status: 3 });
  });

  test('what ssh says is the reason', async () => {
    const docker = runtimeAt(
      'ssh://ada@build.example',
      fakeSsh(`process.stderr.write('Host key verification failed.\\n', () => process.exit(255));`),
    );
    await expect(docker.probe()).rejects.toMatchObject({
      code: 'engine-unreachable',
      message: expect.stringContaining('Host key verification failed.'),
    });
  });
});
