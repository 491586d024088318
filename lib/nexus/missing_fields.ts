import type { FileTree } from "../hdf5/mod.ts";
import { type GroupRule, NXMX } from "./nxmx_rules.ts";

/** Paths of the fields that NXmx requires and that a tree, not yet written, lacks. */
export function missingFields(tree: FileTree): string[] {
  return groupsOf(tree, "", NXMX).flatMap(([path, entry]) => missingIn(entry, path, NXMX));
}

function missingIn(group: FileTree, path: string, rule: GroupRule): string[] {
  const { fields = {}, links = {} } = group;
  const own = rule.fields
    .filter(({ name, level }) => level === "required" && !(name in fields) && !(name in links))
    .map(({ name }) => `${path}/${name}`);
  const below = (rule.groups ?? []).flatMap((each) =>
    groupsOf(group, path, each).flatMap(([path, found]) => missingIn(found, path, each))
  );
  return [...own, ...below];
}

/** The groups of a class in a group, with their paths. */
function groupsOf(
  { groups = {} }: FileTree,
  path: string,
  { nxClass }: GroupRule,
): [path: string, group: FileTree][] {
  return Object.entries(groups)
    .filter(([, { attributes }]) => attributes?.["NX_class"] === nxClass)
    .map(([name, group]) => [`${path}/${name}`, group]);
}
