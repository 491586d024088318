/** The project's folder, absolute, without a slash at its end. */
export const PROJECT_ROOT: string = decodeURIComponent(new URL("../..", import.meta.url).pathname)
  .replace(/\/$/, "");

/** The `main.ts` of a service. */
export function serviceMain(name: string): URL {
  return new URL(`../${name}/main.ts`, import.meta.url);
}
