/** The protocol's own library, loaded when a client is served: no other command shall pay for it. */

export type * from '@modelcontextprotocol/server';

type Server = typeof import('@modelcontextprotocol/server');
type Stdio = typeof import('@modelcontextprotocol/server/stdio');

export type Sdk = Pick<
  Server,
  | 'McpServer'
  | 'ResourceTemplate'
  | 'ResourceNotFoundError'
  | 'ProtocolError'
  | 'ProtocolErrorCode'
  | 'inputRequired'
  | 'createRequestStateCodec'
> &
  Pick<Stdio, 'StdioServerTransport' | 'serveStdio'>;

export async function loadSdk(): Promise<Sdk> {
  const [server, stdio] = await Promise.all([
    import('@modelcontextprotocol/server'),
    import('@modelcontextprotocol/server/stdio'),
  ]);
  return { ...server, ...stdio };
}
