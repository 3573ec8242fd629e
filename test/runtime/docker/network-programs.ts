/** Programs for the containers of the network tests: what is out there, and who tries to get there. Run with `node -e`. */

/** HTTP, TLS without certificates (PSK), UDP and DNS; says on its output what reaches it, by the token of who asks. */
export const outside = `
const { createServer } = require('node:http');
const tls = require('node:tls');
const { createSocket } = require('node:dgram');
const say = (what) => process.stdout.write(what + '\\n');
const http = (port) => createServer((request, response) => {
  say('http ' + request.url + ' ' + request.headers.host);
  let body = '';
  request.on('data', (chunk) => { body += chunk; });
  request.on('end', () => response.end('outside ' + request.method + ' ' + port + body + '\\n'));
}).listen(port, '0.0.0.0');
http(80); http(8080);
tls.createServer({
  ciphers: 'PSK', minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2',
  pskCallback: () => Buffer.from('secret'),
}, (socket) => {
  socket.on('error', () => undefined);
  socket.end('outside for ' + socket.servername);
}).listen(443, '0.0.0.0');
const udp = (port) => {
  const socket = createSocket('udp4');
  socket.on('message', (message, from) => {
    say('udp ' + port + ' ' + message.toString('latin1').replace(/[^ -~]/g, '.'));
    socket.send('outside', from.port, from.address);
  });
  socket.bind(port);
};
udp(53); udp(9999);
say('ready');
`;

/**
 * Takes \`[[name, kind, ...arguments], …]\` and the seconds an attempt may take, tries all at once, and prints what came of
 * each: the answer, or why there was none.
 */
export const attempts = `
const [list, seconds] = [JSON.parse(process.argv[1]), Number(process.argv[2])];
const net = require('node:net'), tls = require('node:tls'), dns = require('node:dns'), http = require('node:http');
const { createSocket } = require('node:dgram');
const kinds = {
  tcp: (host, port, line) => new Promise((done, fail) => {
    const socket = net.connect(port, host, () => socket.write(line));
    let said = '';
    socket.on('error', fail).on('data', (chunk) => { said += chunk; }).on('end', () => done(said));
  }),
  udp: (host, port, text) => new Promise((done, fail) => {
    const socket = createSocket('udp4');
    socket.on('error', fail).on('message', (message) => { socket.close(); done(String(message)); });
    socket.connect(port, host, (error) => (error ? fail(error) : socket.send(text, (late) => late && fail(late))));
  }),
  shout: (host, port, text) => new Promise((done, fail) => {
    const socket = createSocket('udp4');
    socket.on('error', fail).bind(() => {
      socket.setBroadcast(true);
      socket.setMulticastInterface('0.0.0.0');
      socket.send(text, port, host, (error) => { socket.close(); error ? fail(error) : done('sent'); });
    });
  }),
  sni: (name, port, host) => new Promise((done, fail) => {
    const socket = tls.connect({
      host: host ?? name, port, servername: name, ciphers: 'PSK', minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2',
      pskCallback: () => ({ psk: Buffer.from('secret'), identity: 'x' }), checkServerIdentity: () => undefined,
    });
    let said = '';
    socket.on('error', fail).on('data', (chunk) => { said += chunk; }).on('end', () => done(said));
  }),
  lookup: async (name, family) => JSON.stringify(await dns.promises.lookup(name, { all: true, family })),
  txt: async (name) => JSON.stringify(await dns.promises.resolveTxt(name)),
  ask: async (server, name) => {
    const resolver = new dns.promises.Resolver({ timeout: seconds * 300, tries: 1 });
    resolver.setServers([server]);
    return JSON.stringify(await resolver.resolve4(name));
  },
  get: (url) => new Promise((done, fail) => {
    http.get(url, { agent: false }, (answer) => {
      let said = '';
      answer.on('data', (chunk) => { said += chunk; }).on('end', () => done(answer.statusCode + ' ' + said));
    }).on('error', fail);
  }),
};
const limited = (attempt) => Promise.race([
  attempt,
  new Promise((_, fail) => setTimeout(() => fail(Object.assign(new Error(), { code: 'no answer' })), seconds * 1000)),
]);
Promise.all(list.map(async ([name, kind, ...given]) => {
  try { return [name, await limited(kinds[kind](...given))]; }
  catch (error) { return [name, 'failed: ' + (error.code ?? error.message)]; }
})).then((all) => { console.log(JSON.stringify(Object.fromEntries(all))); process.exit(); });
`;
