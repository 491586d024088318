import { unlink } from "../../lib/os/mod.ts";
import { removeRings } from "../../lib/ring/mod.ts";

const FOLDERS = ["/dev/shm", "/tmp"];

/** Rings and sockets of a detector that are there now, as paths. */
export function leftovers(detector: string): string[] {
  return FOLDERS.flatMap((folder) =>
    [...Deno.readDirSync(folder)]
      .filter(({ name }) => name.startsWith(`${detector}-`))
      .map(({ name }) => `${folder}/${name}`)
  ).sort();
}

/** Removes what killed services of a detector left; throws if anything withstands. */
export function removeLeftovers(detector: string): void {
  const rings = leftovers(detector).flatMap((path) =>
    path.startsWith("/dev/shm/") && path.endsWith(".index")
      ? path.slice("/dev/shm/".length, -".index".length)
      : []
  );
  removeRings(rings);
  for (const path of leftovers(detector)) unlink(path);
}
