import { chokidarWatcher } from '../../src/watch/chokidar.ts';
import { watcherContract } from './contract.ts';

watcherContract('the chokidar watcher', chokidarWatcher);
