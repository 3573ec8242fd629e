/**
 * Asks a forge's API over HTTP, and believes nothing that is not a whole answer in JSON. The credential goes to the API's own
 * origin, over https (over http to this machine only); a redirect is followed there and nowhere else. Every failure is an
 * error that says who did not answer and why; none of them holds the credential.
 */
import { CoppiceError, type ErrorKind } from '../domain/error.ts';
import { visible } from '../domain/terminal-text.ts';

export interface ApiOptions {
  /** Without a slash at the end. */
  readonly url: string;
  /** For people. */
  readonly name: string;
  readonly headers: Readonly<Record<string, string>>;
  /** What shall not be repeated, whatever the forge says: the credential in every form it is sent. */
  readonly secrets: readonly string[];
  /** Said where the forge does not let us in. */
  readonly howToGetIn: string;
  readonly signal: AbortSignal;
  readonly limits?: Partial<ApiLimits>;
}

export interface ApiLimits {
  /** Milliseconds for one request, its answer included. */
  readonly timeout: number;
  /** Bytes of one answer. */
  readonly bytes: number;
  /** Pages of one list. */
  readonly pages: number;
}

const defaultLimits: ApiLimits = { timeout: 20_000, bytes: 32 * 2 ** 20, pages: 20 };

export type Query = Readonly<Record<string, string | number>>;

export interface Api {
  /** A list with its pages (`Link`, RFC 8288), the first twenty at most; empty where the status is one of `absent`. */
  list(path: string, query?: Query, absent?: readonly number[]): Promise<readonly unknown[]>;
  /** The error for an answer in JSON that is not what is documented. */
  odd(path: string, cause?: unknown): CoppiceError;
}

/** Throws `forge-insecure` where the credential, or what is asked, would be sent in the clear. */
export function openApi(options: ApiOptions): Api {
  refuseInsecure(options);
  const limits = { ...defaultLimits, ...options.limits };
  const ask = (url: URL, absent: readonly number[]) => request(options, limits, url, absent);
  return {
    async list(path, query = {}, absent = []) {
      const items: unknown[] = [];
      let next: URL | undefined = urlOf(options, path, query);
      for (let page = 0; next !== undefined && page < limits.pages; page += 1) {
        const answer = await ask(next, page === 0 ? absent : []);
        if (answer === undefined) break;
        if (!Array.isArray(answer.body)) throw oddAnswer(options, next.pathname);
        items.push(...answer.body);
        next = nextPage(options, next, answer.headers);
      }
      return items;
    },
    odd: (path, cause) => oddAnswer(options, path, cause),
  };
}

function refuseInsecure({ url, name }: ApiOptions): void {
  const { protocol, hostname } = new URL(url);
  if (protocol === 'https:' || /^(localhost|127(\.\d+){3}|\[::1\])$/.test(hostname)) return;
  throw new CoppiceError('refused', 'forge-insecure', `${name} is only known by an http address, which is not asked.`, {
    hint: 'Say where it has https: `git config coppice.forgeUrl https://…`.',
  });
}

function urlOf({ url }: ApiOptions, path: string, query: Query): URL {
  const made = new URL(url + path);
  for (const [key, value] of Object.entries(query)) made.searchParams.set(key, String(value));
  return made;
}

interface Answer {
  readonly body: unknown;
  readonly headers: Headers;
}

const redirects = new Set([301, 302, 303, 307, 308]);
const mostRedirects = 3;

async function request(
  options: ApiOptions,
  limits: ApiLimits,
  start: URL,
  absent: readonly number[],
): Promise<Answer | undefined> {
  const deadline = AbortSignal.timeout(limits.timeout);
  const signal = AbortSignal.any([options.signal, deadline]);
  let url = start;
  try {
    for (let hops = 0; ; hops += 1) {
      const response = await fetch(url, { headers: headersOf(options), redirect: 'manual', signal });
      if (redirects.has(response.status)) {
        await response.body?.cancel();
        url = redirected(options, url, response, hops);
        continue;
      }
      const text = await readText(options, limits, response);
      if (absent.includes(response.status)) return undefined;
      if (!response.ok) throw failed(options, url, response, text);
      return { body: parse(options, url, response, text), headers: response.headers };
    }
  } catch (error) {
    throw translated(options, limits, error, deadline);
  }
}

function headersOf({ headers }: ApiOptions): Record<string, string> {
  return { accept: 'application/json', ...headers };
}

function redirected(options: ApiOptions, from: URL, response: Response, hops: number): URL {
  const location = response.headers.get('location') ?? '';
  const to = URL.canParse(location, from.href) ? new URL(location, from) : undefined;
  if (to?.origin === from.origin && hops < mostRedirects) return to;
  const where = to === undefined ? 'nowhere' : to.origin === from.origin ? 'in a circle' : `to ${to.origin}`;
  throw new CoppiceError('unavailable', 'forge-redirect', `${options.name} leads ${where}, which is not followed.`, {
    hint: 'If it has moved, change the URL of the remote, or `git config coppice.forgeUrl`.',
  });
}

async function readText({ name }: ApiOptions, { bytes }: ApiLimits, response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const chunk of response.body ?? []) {
      chunks.push(chunk);
      size += chunk.length;
      if (size > bytes) throw unavailable('forge-answer', `${name} answers with more than ${bytes} bytes.`);
    }
  } catch (error) {
    // Anything else is the end of our patience, or a bug.
    if (!(error instanceof TypeError)) throw error;
    throw unavailable('forge-answer', `${name} broke off its answer.`, { cause: error });
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parse(options: ApiOptions, url: URL, response: Response, text: string): unknown {
  const type = response.headers.get('content-type')?.split(';')[0]?.trim() ?? 'nothing that says what it is';
  if (!/^application\/(.+\+)?json$/i.test(type)) {
    throw unavailable('forge-answer', `${options.name} answers with ${visible(type)} instead of JSON.`, {
      hint: `Is ${url.origin}${url.pathname} part of the API of that forge? \`git config coppice.forgeUrl\` says where it is.`,
    });
  }
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw oddAnswer(options, url.pathname, error);
  }
}

function nextPage(options: ApiOptions, from: URL, headers: Headers): URL | undefined {
  const links = (headers.get('link') ?? '').split(/,(?=\s*<)/);
  const next = links.find((link) => /;\s*rel="?([^"]*\s)?next(\s[^"]*)?"?(\s*;|\s*$)/i.test(link));
  const target = /<([^>]*)>/.exec(next ?? '')?.[1];
  if (target === undefined) return undefined;
  const url = URL.canParse(target, from.href) ? new URL(target, from) : undefined;
  if (url?.origin !== from.origin) throw oddAnswer(options, from.pathname);
  return url;
}

const unavailable = (code: string, message: string, details: ConstructorParameters<typeof CoppiceError>[3] = {}) =>
  new CoppiceError('unavailable', code, message, details);

function oddAnswer({ name }: ApiOptions, path: string, cause?: unknown): CoppiceError {
  return unavailable('forge-answer', `${name} answers in a way that is not understood.`, {
    hint: `It was asked for ${path}. Nothing is decided from it.`,
    cause,
  });
}

/** What an answer that is no success means. 404 is said of what one may not see, too: forges do not tell. */
function failed(options: ApiOptions, url: URL, { status, headers }: Response, text: string): CoppiceError {
  const { name, howToGetIn } = options;
  const said = saidIn(options, text);
  const error = (kind: ErrorKind, code: string, message: string, hint?: string) =>
    new CoppiceError(kind, code, message + said, {
      ...(hint === undefined ? {} : { hint }),
      data: { status, path: url.pathname },
    });
  const wait = waitOf(headers);
  if (status === 429 || (status === 403 && wait !== undefined)) {
    const until = wait === undefined ? 'for a while' : `until ${wait.toISOString()}`;
    return error(
      'unavailable',
      'forge-rate-limited',
      `${name} takes no more questions ${until}.`,
      `${howToGetIn} Who is known may ask more.`,
    );
  }
  if (status === 401) return error('refused', 'forge-unauthorized', `${name} does not accept who we are.`, howToGetIn);
  if (status === 403)
    return error('refused', 'forge-forbidden', `${name} does not let us read its pull requests.`, howToGetIn);
  if (status === 404) {
    return error('not-found', 'forge-not-found', `${name} is not there, or not for us to see.`, howToGetIn);
  }
  return error('unavailable', 'forge-failed', `${name} answers with status ${status}.`);
}

/** Undefined where nothing says that we have asked too much. */
function waitOf(headers: Headers): Date | undefined {
  const after = headers.get('retry-after');
  if (after !== null) {
    const until = /^\d+$/.test(after) ? new Date(Date.now() + Number(after) * 1000) : new Date(after);
    return Number.isNaN(until.getTime()) ? undefined : until;
  }
  const left = headers.get('x-ratelimit-remaining') ?? headers.get('ratelimit-remaining');
  const reset = Number(headers.get('x-ratelimit-reset') ?? headers.get('ratelimit-reset') ?? Number.NaN);
  return left === '0' && Number.isFinite(reset) ? new Date(reset * 1000) : undefined;
}

/** The forge's own words, where they are few. */
function saidIn({ secrets }: ApiOptions, text: string): string {
  try {
    const { message, error } = JSON.parse(text) as { readonly message?: unknown; readonly error?: unknown };
    const words = typeof message === 'string' ? message : typeof error === 'string' ? error : '';
    const masked = secrets.reduce((all, secret) => all.replaceAll(secret, '***'), words);
    return masked === '' ? '' : ` It says: ${visible(masked.slice(0, 200))}`;
  } catch (cause) {
    if (cause instanceof SyntaxError || cause instanceof TypeError) return '';
    throw cause;
  }
}

/** `fetch` says little itself; what it failed of is its cause. */
function translated(
  { name, signal }: ApiOptions,
  { timeout }: ApiLimits,
  error: unknown,
  deadline: AbortSignal,
): unknown {
  if (error instanceof CoppiceError) return error;
  if (signal.aborted) return new CoppiceError('interrupted', 'interrupted', `Asking ${name} was interrupted.`);
  if (deadline.aborted) return unavailable('forge-timeout', `${name} did not answer within ${timeout / 1000} s.`);
  if (!(error instanceof TypeError)) return error;
  const cause = error.cause instanceof Error ? error.cause : error;
  const why = 'code' in cause && typeof cause.code === 'string' ? cause.code : cause.message;
  return unavailable('forge-unreachable', `${name} cannot be reached: ${why}.`, { cause: error });
}
