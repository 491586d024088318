/** A bench that is interrupted: makes what one leaves, says its name, removes it all, looks whether it is gone. */
import { benchFolder, benchName, removeAll } from "../_names.ts";
import { print } from "../_print.ts";

const ring = `/dev/shm/${benchName("ring")}`;
const folder = await benchFolder();

/** Which of the two are there. */
function present(): string {
  const script = `ls -d ${ring} ${folder} 2>/dev/null`;
  const { stdout } = new Deno.Command("sh", { args: ["-c", script] }).outputSync();
  return new TextDecoder().decode(stdout);
}

new Deno.Command("touch", { args: [ring, `${folder}/file`] }).outputSync();
const before = present();
removeAll();
print(JSON.stringify({ before: before.trim().split("\n").length, after: present() }));
