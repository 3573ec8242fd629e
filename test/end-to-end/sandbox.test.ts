import { type Ground, mainPath } from './main-path.ts';

const bubblewrap: Ground = {
  name: 'the sandbox (bubblewrap)',
  create: ['--runtime', 'sandbox'],
  env: () => ({}),
  isolated: true,
  cleanUp: async () => undefined,
};

mainPath(bubblewrap);
