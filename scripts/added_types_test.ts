/**
 * The type check of what is added to the project by `new-service` and by the pages that show how to extend it: once
 * for all, because every check looks at the whole project anew.
 */
import { blocksOf, newServicesOf, ProjectCopy, ROOT } from "./_project_copy.ts";
import { KINDS } from "./new_service_files.ts";

Deno.test("the types of new services and of all that the pages add are right", async () => {
  await using copy = await ProjectCopy.make();
  const tutorial = await copy.read("docs/tutorials/write-a-service.md");
  const howTo = await copy.read("docs/how-to/add-a-detector.md");
  const commands = [
    ...KINDS.map((kind) => [`my_${kind}`, "--kind", kind]),
    ...newServicesOf(tutorial),
  ];
  for (const args of commands) await copy.newService(...args);
  const blocks = [...blocksOf(tutorial), ...blocksOf(howTo)];
  for (const block of blocks) copy.apply(block);
  const added = blocks.map(({ file }) => file).filter((file) => file.endsWith(".ts"));
  const services = commands.map(([name]) => `services/${name}`);
  await copy.deno("check", ...services, ...added, ...readersOfSettings());
});

/** Modules whose types follow from deno.json, of what `deno task check` looks at. */
function readersOfSettings(): string[] {
  const { stdout } = new Deno.Command("grep", {
    args: ["-rl", "--include=*.ts", 'from ".*/deno.json"', "lib", "services", "scripts", "tests"],
    cwd: ROOT,
  }).outputSync();
  return new TextDecoder().decode(stdout).trim().split("\n");
}
