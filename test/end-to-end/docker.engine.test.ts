import { inject } from 'vitest';
import { type Ground, mainPath } from './main-path.ts';

const docker: Ground = {
  name: 'the Docker engine',
  create: ['--runtime', 'docker', '--image', inject('engine').base],
  env: () => ({ DOCKER_HOST: inject('engine').address }),
  isolated: true,
  cleanUp: async () => undefined,
};

mainPath(docker);
