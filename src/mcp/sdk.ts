/** The protocol's own library, loaded when a client is served: no other command shall pay for it. */

export type * from '@modelcontextprotocol/server';

export type Sdk = Awaited<ReturnType<typeof loadSdk>>;

export async function loadSdk() {
  const [server, stdio] = await Promise.all([
    import('@modelcontextprotocol/server'),
    import('@modelcontextprotocol/server/stdio'),
  ]);
  const {
    McpServer,
    ResourceTemplate,
    ResourceNotFoundError,
    ProtocolError,
    ProtocolErrorCode,
    inputRequired,
    createRequestStateCodec,
  } = server;
  const { StdioServerTransport, serveStdio } = stdio;
  return {
    McpServer,
    ResourceTemplate,
    ResourceNotFoundError,
    ProtocolError,
    ProtocolErrorCode,
    inputRequired,
    createRequestStateCodec,
    StdioServerTransport,
    serveStdio,
  };
}
