/**
 * What a call says while it runs: its narration, and the output of a command. It goes out as progress where the client
 * asked for that, else as log messages; at most ten times a second, and of a flood only the end: the answer has more.
 */
import { Writable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import { visible } from '../domain/terminal-text.ts';
import type { ServerContext } from './sdk.ts';

export interface Telling {
  /** All narration so far. */
  readonly narration: readonly string[];
  report(message: string): void;
  /** Somewhere for a command's output to go. */
  output(): Writable;
  /** Sends what is left. */
  end(): Promise<void>;
}

/** Milliseconds between two messages. */
const pace = 100;
/** Characters of one message. */
const longest = 4000;
/** Milliseconds of silence before the client is told that it still runs: it may have a time limit for silence. */
const heartbeat = 15_000;

export function tellingOf({ mcpReq }: Pick<ServerContext, 'mcpReq'>): Telling {
  const narration: string[] = [];
  const token = mcpReq._meta?.progressToken;
  let waiting = '';
  let characters = 0;
  let timer: NodeJS.Timeout | undefined;
  let sent: Promise<void> = Promise.resolve();

  const send = (text: string) => {
    // Progress has to grow with each message.
    characters += Math.max(1, text.length);
    const message = visible(text);
    const params = { progressToken: token, progress: characters, ...(text === '' ? {} : { message }) };
    const going =
      token === undefined
        ? mcpReq.log('info', message, 'coppice')
        : mcpReq.notify({ method: 'notifications/progress', params });
    // A client that went away hears nothing more; the call's own signal ends the call.
    sent = Promise.all([sent, going.catch(() => undefined)]).then(() => undefined);
  };
  const flush = () => {
    clearTimeout(timer);
    timer = undefined;
    if (waiting === '') return;
    send(waiting);
    waiting = '';
  };
  const tell = (text: string) => {
    waiting = (waiting + text).slice(-longest);
    timer ??= setTimeout(flush, pace);
  };
  const beat = setInterval(() => token !== undefined && send(''), heartbeat);
  beat.unref();
  return {
    narration,
    report(message) {
      narration.push(message);
      tell(`${message}\n`);
    },
    output() {
      const decoder = new StringDecoder('utf8');
      return new Writable({
        write(chunk: Buffer, _encoding, done) {
          tell(decoder.write(chunk));
          done();
        },
      });
    },
    async end() {
      clearInterval(beat);
      flush();
      await sent;
    },
  };
}
