/**
 * Checks of what files are made with.
 *
 * @module
 */

/** @throws {RangeError} If HDF5 cannot have a group of that name. */
export function checkGroupName(name: string): void {
  if (name === "" || name === "." || /[/\0]/.test(name) || name.length > 255) {
    throw new RangeError(
      `${JSON.stringify(name)} cannot name a group: 1 to 255 characters, no "/".`,
    );
  }
}

/**
 * Path of the group with the datasets.
 *
 * @throws {RangeError} If it is not absolute or does not end with the group's name.
 */
export function groupPath(
  { detector, group = `/${detector}` }: { detector: string; group?: string | undefined },
): string {
  if (!group.startsWith("/") || !group.endsWith(`/${detector}`)) {
    throw new RangeError(
      `${
        JSON.stringify(group)
      } cannot be the group of ${detector}: give an absolute path that ends ` +
        "with the detector's name.",
    );
  }
  return group;
}

/** @throws {RangeError} If the value is not a whole number within the limits. */
export function checkWhole(name: string, value: number, least: number, most: number): void {
  if (!Number.isInteger(value) || value < least || value > most) {
    throw new RangeError(`${name} is ${value}: a whole number from ${least} to ${most} is needed.`);
  }
}

/** @throws {RangeError} If a name is used twice. */
export function checkCounterNames(names: readonly string[]): void {
  const repeated = names.find((name, i, all) => all.indexOf(name) !== i);
  if (repeated !== undefined) {
    throw new RangeError(`Counter ${JSON.stringify(repeated)} is used twice: name it once.`);
  }
}
