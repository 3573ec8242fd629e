import { dockerRuntime } from '../../../src/runtime/docker/docker-runtime.ts';
import { engineSurroundings, testEngine } from '../../support/engine.ts';
import { runtimeContract } from '../contract.ts';

const claims = {
  isolated: true,
  images: true,
  memoryLimit: true,
  pidsLimit: true,
  root: true,
  terminal: true,
  endsDetached: true,
  keepsFiles: true,
};

runtimeContract('docker', claims, async () => ({
  runtime: dockerRuntime(engineSurroundings()),
  image: testEngine().base,
  uid: 1234,
  gid: 1234,
}));
