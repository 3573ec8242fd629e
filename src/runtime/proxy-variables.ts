/** Tells programs about the proxy, in the ways they listen to. Pure. */
import { proxyPort } from '../gateway/configuration.ts';

export function proxyVariables(host: string): Readonly<Record<string, string>> {
  const proxy = `http://${host}:${proxyPort}`;
  const local = 'localhost,127.0.0.1,::1';
  return {
    ...{ HTTP_PROXY: proxy, HTTPS_PROXY: proxy, http_proxy: proxy, https_proxy: proxy },
    ...{ NO_PROXY: local, no_proxy: local },
    // Node from 24 on does as the others only when told to.
    NODE_USE_ENV_PROXY: '1',
  };
}
