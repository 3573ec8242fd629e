/** Stands in the bundle for packages that dockerode loads for what coppice does not use of it: see .esbuild.mjs. */
export const leftOut = true;
