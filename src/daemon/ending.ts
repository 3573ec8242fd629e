/** What ends the daemon: a signal, a request, or that there is nothing to do. */
export interface Ending {
  /** Why. */
  readonly promise: Promise<string>;
  end(reason: string): void;
  dispose(): void;
}

export function whenToEnd(signal: AbortSignal | undefined): Ending {
  let end: (reason: string) => void = () => undefined;
  const promise = new Promise<string>((resolve) => {
    end = resolve;
  });
  const onSignal = (name: NodeJS.Signals) => end(name);
  const onAbort = () => end('aborted');
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
  signal?.addEventListener('abort', onAbort);
  if (signal?.aborted) onAbort();
  return {
    promise,
    end,
    dispose: () => {
      process.off('SIGTERM', onSignal);
      process.off('SIGINT', onSignal);
      signal?.removeEventListener('abort', onAbort);
    },
  };
}
