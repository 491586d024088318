/**
 * Which files an acquisition may write.
 *
 * @module
 */

const MAX_PATH_BYTES = 4095;
const MAX_NAME_BYTES = 255;
const SUFFIXES = [".h5", ".hdf5"];

/** Why a path was refused. */
export type OutputPathProblem =
  | "malformed"
  | "outside_roots"
  | "symlink"
  | "no_folder"
  | "exists";

/** A path that is refused; the message names it, what is allowed and what to do. */
export class OutputPathError extends Error {
  /** The class's name. */
  override readonly name = "OutputPathError";
  /** Which rule it breaks. */
  readonly problem: OutputPathProblem;
  /** The refused path. */
  readonly path: string;

  /** Carries the path and the rule it breaks. */
  constructor(problem: OutputPathProblem, path: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.problem = problem;
    this.path = path;
  }
}

/** What is allowed besides. */
export interface OutputPathOptions {
  /** A file may be there, and is replaced. */
  readonly overwrite?: boolean;
  /** Folders may be missing, and are made. */
  readonly createFolders?: boolean;
}

/** What the check needs to know of a file. */
export interface FileKind {
  /** Whether it is a folder. */
  readonly isDirectory: boolean;
  /** Whether it is a symbolic link. */
  readonly isSymlink: boolean;
}

/** A path that passed. */
export interface OutputPath {
  /** The path, absolute. */
  readonly path: string;
  /** The allowed folder it is in, as given. */
  readonly root: string;
  /** The path from the root on, for opening beneath it. */
  readonly relative: string;
}

/** Looks at a path without following a link; undefined when nothing is there. */
export type Look = (path: string) => FileKind | undefined;

/**
 * Checks where a user wants a file: absolute and in plain form, below one of the allowed folders,
 * through no symbolic link below it, in a folder that exists, not there yet, named `.h5` or `.hdf5`.
 *
 * Between this check and the opening of the file anything may change: the writer opens it beneath
 * the root with the kernel's own protection. This check exists to refuse early and to explain.
 *
 * @param roots Allowed folders, absolute; trusted, may be or contain links themselves.
 * @param options What is allowed besides.
 * @param look Reads a file's kind; {@linkcode lookAtFile} outside tests.
 * @throws {OutputPathError} If the path is refused.
 */
export function checkOutputPath(
  path: string,
  roots: readonly string[],
  options: OutputPathOptions = {},
  look: Look = lookAtFile,
): OutputPath {
  checkForm(path);
  const place = findRoot(path, roots);
  const explainingLook: Look = (file) => lookOrExplain(file, path, look);
  checkFolders(place, explainingLook, options.createFolders ?? false);
  const there = explainingLook(path);
  if (there?.isDirectory || (there !== undefined && !options.overwrite)) {
    throw new OutputPathError(
      "exists",
      path,
      there.isDirectory
        ? `Output file ${path} is a folder: choose another name.`
        : `Output file ${path} exists already: choose another name, or ask to overwrite it ` +
          "(overwrite; daq write --overwrite).",
    );
  }
  return place;
}

/** The kind of a file, links not followed; undefined when nothing is there. */
export function lookAtFile(path: string): FileKind | undefined {
  try {
    return Deno.lstatSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) {
      return undefined;
    }
    throw error;
  }
}

function lookOrExplain(file: string, path: string, look: Look): FileKind | undefined {
  try {
    return look(file);
  } catch (error) {
    throw new OutputPathError(
      "no_folder",
      path,
      `Output file ${path}: cannot look at ${file}: ` +
        `${error instanceof Error ? error.message : String(error)}. Give the agent access to it.`,
      { cause: error },
    );
  }
}

function checkForm(path: string): void {
  const fail = (what: string): never => {
    throw new OutputPathError(
      "malformed",
      path,
      `Output file ${JSON.stringify(path)} ${what}. Give an absolute path such as ` +
        "/data/run_1.h5, without . or .. or doubled slashes.",
    );
  };
  if (!path.startsWith("/")) fail("is not an absolute path");
  // deno-lint-ignore no-control-regex -- control characters are what is looked for
  if (/[\x00-\x1f\x7f]/.test(path)) fail("contains control characters");
  if (!path.isWellFormed()) fail("is not valid Unicode");
  if (bytes(path) > MAX_PATH_BYTES) fail(`is longer than ${MAX_PATH_BYTES} bytes`);
  for (const name of path.slice(1).split("/")) {
    if (name === "") fail("has an empty component or ends with a slash");
    if (name === "..") fail("contains ..");
    if (name.startsWith(".")) fail(`has a component that starts with a dot, ${name}`);
    if (bytes(name) > MAX_NAME_BYTES) fail(`has a component of more than ${MAX_NAME_BYTES} bytes`);
  }
  if (!SUFFIXES.some((suffix) => path.endsWith(suffix))) fail(`does not end with .h5 or .hdf5`);
}

/**
 * The allowed folder that a path is in, the innermost of several: it leaves the fewest components to be
 * distrusted; undefined when it is in none.
 */
export function placeInRoots(path: string, roots: readonly string[]): OutputPath | undefined {
  const fitting = roots
    .map((root) => ({ root, prefix: root.endsWith("/") ? root : `${root}/` }))
    .filter(({ prefix }) => path.startsWith(prefix))
    .sort((a, b) => b.prefix.length - a.prefix.length)[0];
  return fitting && { path, root: fitting.root, relative: path.slice(fitting.prefix.length) };
}

function findRoot(path: string, roots: readonly string[]): OutputPath {
  const place = placeInRoots(path, roots);
  if (place === undefined) {
    throw new OutputPathError(
      "outside_roots",
      path,
      `Output file ${path} is outside the allowed folders: ${roots.join(", ") || "none"}. ` +
        "Write there, or start the agent with --data-root for the folder you need.",
    );
  }
  return place;
}

function checkFolders(place: OutputPath, look: Look, mayBeMissing: boolean): void {
  const { path, root, relative } = place;
  const top = root.endsWith("/") ? root.slice(0, -1) : root;
  let folder = top;
  const missing = (what: string): OutputPathError =>
    new OutputPathError(
      "no_folder",
      path,
      `Output file ${path}: ${what}. Create the folder first, or ask for it ` +
        "(create_directories; daq write --mkdir).",
    );
  for (const name of relative.split("/")) {
    const kind = folder === "" ? { isDirectory: true, isSymlink: false } : look(folder);
    // Below the root there is nothing then, that could be a link.
    if (kind === undefined && mayBeMissing && folder !== top) return;
    if (kind === undefined) throw missing(`folder ${folder} does not exist`);
    if (kind.isSymlink && folder !== top) throw linkError(path, folder, root);
    if (!kind.isDirectory && !kind.isSymlink) throw missing(`${folder} is not a folder`);
    folder = `${folder}/${name}`;
  }
  if (look(path)?.isSymlink) throw linkError(path, path, root);
}

function linkError(path: string, link: string, root: string): OutputPathError {
  return new OutputPathError(
    "symlink",
    path,
    `Output file ${path}: ${link} is a symbolic link, and links below the allowed folder ${root} ` +
      "are refused. Name the real folder, or allow it with --data-root.",
  );
}

function bytes(text: string): number {
  return new TextEncoder().encode(text).length;
}
