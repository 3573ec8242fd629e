/** The user's own checkout: the only files that git on the host may read and write. */
import { CoppiceError } from '../../domain/error.ts';

export interface CheckoutPlace {
  readonly gitDirectory: string;
  readonly worktree: string | null;
  readonly inEnvironment: boolean;
}

/** Throws `no-checkout` (kind `usage`), or `inside-environment` (kind `refused`), whose files an agent can write. */
export function ownCheckout(place: CheckoutPlace): string {
  if (place.worktree === null) {
    throw new CoppiceError('usage', 'no-checkout', 'This repository has no checkout here.', {
      hint: 'Run it inside a checkout of the repository.',
    });
  }
  if (place.inEnvironment) {
    throw new CoppiceError('refused', 'inside-environment', `${place.worktree} belongs to an environment.`, {
      hint: 'Run it inside a checkout of your own.',
      data: { worktree: place.worktree },
    });
  }
  return place.worktree;
}
