// deno-lint-ignore-file no-console -- a script talks to whoever runs it
/**
 * Makes a new service: a folder with main.ts, a test and a README, a task and a permission set of its own.
 *
 *   deno task new-service <name> --kind primary|postprocessing|background [--summary "What it does."]
 *
 * What it writes runs and passes the gate as it is; docs/tutorials/write-a-service.md goes on from there.
 */
import { parseArgs } from "node:util";
import { filesFor, KINDS, type ServiceKind } from "./new_service_files.ts";

/** What a new service may do: read its config, be told by the environment, talk to servers of this machine. */
const PERMISSIONS = {
  read: [".", "/etc/std-daq"],
  env: ["BROKER_*", "REDIS_*", "SERVICE_NAME"],
  net: ["127.0.0.1"],
  sys: ["hostname"], // for its status in Redis
};

const MOST_SUMMARY = 80;

/** Folders of these names are no services to those that look for services, or for their tests. */
const RESERVED: readonly string[] = ["node_modules", "testdata"];

/** A wrong command line, in words. */
export class NewServiceError extends Error {
  /** The class's name. */
  override readonly name = "NewServiceError";
}

/** What to make. */
export interface NewService {
  /** Its name: that of its folder, task and permission set. */
  name: string;
  /** How it gets its work. */
  kind: ServiceKind;
  /** One sentence on what it does. */
  summary: string;
}

/**
 * Writes a new service into a project.
 *
 * @param root The project's folder, absolute.
 * @returns The files that were written or changed, relative to it.
 * @throws {NewServiceError} If there is such a service or task, or the name or the summary is none. Then nothing
 * has changed.
 */
export async function newService(root: string, service: NewService): Promise<string[]> {
  const { name } = service;
  const summary = service.summary.trim();
  if (!/^[a-z][a-z0-9_]{0,29}$/.test(name)) {
    throw new NewServiceError(
      `${
        JSON.stringify(name)
      } is no name: use up to 30 small letters, digits and _, e.g. mean_image`,
    );
  }
  if (RESERVED.includes(name) || name in Object.prototype) {
    throw new NewServiceError(
      `${name} already means something in every project or object: choose another name`,
    );
  }
  if (summary === "" || summary.length > MOST_SUMMARY || /[\p{Cc}\p{Zl}\p{Zp}]/u.test(summary)) {
    throw new NewServiceError(
      `--summary ${JSON.stringify(summary)}: expected a sentence of up to ${MOST_SUMMARY} ` +
        "characters on one line",
    );
  }
  const settings = await Deno.readTextFile(`${root}/deno.json`);
  const { tasks, permissions } = JSON.parse(settings);
  if (name in tasks || name in permissions || await isThere(`${root}/services/${name}`)) {
    throw new NewServiceError(`There is a service or task ${name} already: choose another name`);
  }
  const files = filesFor({ ...service, summary });
  const changed = withService(settings, name);
  await Deno.mkdir(`${root}/services/${name}`);
  for (const [file, text] of Object.entries(files)) {
    await Deno.writeTextFile(`${root}/services/${name}/${file}`, text, { createNew: true });
  }
  await Deno.writeTextFile(`${root}/deno.json`, changed);
  return [...Object.keys(files).map((file) => `services/${name}/${file}`), "deno.json"];
}

/** The settings with a task and a permission set more; all else stays as it was written. */
function withService(settings: string, name: string): string {
  const task = {
    command: `deno run --no-prompt -P=${name} services/${name}/main.ts`,
    dependencies: ["build"],
  };
  return withMember(withMember(settings, "permissions", name, PERMISSIONS), "tasks", name, task);
}

/** Adds a member at the beginning of one of the top-level objects. */
function withMember(settings: string, object: string, name: string, value: unknown): string {
  const head = `\n  "${object}": {\n`;
  const at = settings.indexOf(head);
  if (at < 0) {
    throw new NewServiceError(`deno.json has no line "${object}": { to add ${name} after`);
  }
  const member = JSON.stringify({ [name]: value }, null, 2).split("\n").slice(1, -1)
    .map((line) => `  ${line}`).join("\n");
  const end = at + head.length;
  return `${settings.slice(0, end)}${member},\n${settings.slice(end)}`;
}

async function isThere(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/**
 * Reads the command line of the task.
 *
 * @throws {NewServiceError | TypeError} If it is wrong.
 */
export function parseCommandLine(args: string[]): NewService {
  const { values, positionals } = parseArgs({
    args,
    options: { kind: { type: "string" }, summary: { type: "string" } },
    allowPositionals: true,
  });
  const [name, ...more] = positionals;
  const kind = KINDS.find((known) => known === values.kind);
  if (name === undefined || more.length > 0 || kind === undefined) {
    throw new NewServiceError(
      `usage: deno task new-service <name> --kind ${KINDS.join("|")} [--summary "What it does."]`,
    );
  }
  return { name, kind, summary: values.summary ?? `Does what ${name} is for.` };
}

if (import.meta.main) {
  const root = decodeURIComponent(new URL("..", import.meta.url).pathname).replace(/\/$/, "");
  try {
    const service = parseCommandLine([...Deno.args]);
    const files = await newService(root, service);
    console.log(`${files.join("\n")}\n`);
    console.log(`deno task test services/${service.name}    its test`);
    console.log(`deno task ${service.name} --help    the service`);
  } catch (error) {
    const isUsage = error instanceof NewServiceError || error instanceof TypeError;
    if (!isUsage) throw error;
    console.error(error.message);
    Deno.exit(2);
  }
}
