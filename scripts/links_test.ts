import { deepStrictEqual, ok } from "node:assert/strict";
import settings from "../deno.json" with { type: "json" };

const ROOT = new URL("../", import.meta.url).pathname;
const README = await Deno.readTextFile(`${ROOT}README.md`);

/** Every Markdown file that is documentation, relative to the repository. */
function markdownFiles(): string[] {
  const skipped = /^(node_modules|dist|\.git|\.tmp)$/;
  const walk = (folder: string): string[] =>
    [...Deno.readDirSync(ROOT + folder)].flatMap((entry) =>
      entry.isDirectory
        ? skipped.test(entry.name) ? [] : walk(`${folder}${entry.name}/`)
        : entry.name.endsWith(".md")
        ? [folder + entry.name]
        : []
    );
  return walk("").toSorted();
}

/** What the links and images of a Markdown text point to, without the web's addresses. */
function relativeLinks(text: string): string[] {
  const prose = text.replace(/^```[\s\S]*?^```/gm, "").replace(/`[^`\n]*`/g, "");
  return [...prose.matchAll(/\]\(\s*<?([^)\s>]+)>?[^)]*\)/g)].map((found) => found[1]!)
    .filter((target) => !/^[a-z][a-z0-9+.-]*:/.test(target));
}

/** Anchors of a page, as they are made from its headings. */
function anchors(text: string): Set<string> {
  const headings = text.replace(/^```[\s\S]*?^```/gm, "").matchAll(/^#+\s+(.*)$/gm);
  return new Set(
    [...headings].map(([, title]) =>
      title!.toLowerCase().replace(/[^\p{L}\p{N}\s_-]/gu, "").trim().replace(/\s/g, "-")
    ),
  );
}

Deno.test("every relative link in a Markdown file points to something that is there", () => {
  const files = markdownFiles();
  ok(files.includes("README.md") && files.some((file) => file.startsWith("docs/")));
  const broken: string[] = [];
  for (const file of files) {
    for (const link of relativeLinks(Deno.readTextFileSync(ROOT + file))) {
      const { pathname, hash } = new URL(link, `file://${ROOT}${file}`);
      const path = decodeURIComponent(pathname);
      try {
        const isPage = Deno.statSync(path).isFile && path.endsWith(".md");
        const anchor = decodeURIComponent(hash.slice(1));
        if (isPage && anchor !== "" && !anchors(Deno.readTextFileSync(path)).has(anchor)) {
          broken.push(`${file}: ${link} (no such heading)`);
        }
      } catch (error) {
        if (!(error instanceof Deno.errors.NotFound)) throw error;
        broken.push(`${file}: ${link}`);
      }
    }
  }
  deepStrictEqual(broken, []);
});

Deno.test("README.md is under 150 lines", () => {
  const lines = README.trimEnd().split("\n").length;
  ok(lines < 150, `it has ${lines}`);
});

Deno.test("README.md shows the two commands, and the tasks it names exist", () => {
  for (const task of ["demo", "test"]) {
    ok(README.includes(`\n$ npx -y deno@2.9.6 task ${task}\n`), `no command for ${task}`);
  }
  const named = [...README.matchAll(/deno(?:@[\d.]+)? task ([\w:-]+)/g)].map((found) => found[1]!);
  deepStrictEqual(named.filter((name) => !(name in settings.tasks)), []);
});

Deno.test("README.md shows real output, no placeholders", () => {
  deepStrictEqual([...README.matchAll(/^[A-Z]+_OUTPUT$/gm)].map(String), []);
});

Deno.test("every service has a README.md, and every library its mod.ts", () => {
  const folders = (path: string): string[] =>
    [...Deno.readDirSync(ROOT + path)].filter((entry) => entry.isDirectory)
      .map((entry) => `${path}/${entry.name}`);
  const missing = [
    ...folders("services").map((folder) => `${folder}/README.md`),
    ...folders("lib").map((folder) => `${folder}/mod.ts`),
  ].filter((path) => {
    try {
      return !Deno.statSync(ROOT + path).isFile;
    } catch {
      return true; // not there
    }
  });
  deepStrictEqual(missing, []);
});

Deno.test("no page opens a container's port to more than this machine", () => {
  const ports = markdownFiles().flatMap((file) =>
    [
      ...Deno.readTextFileSync(ROOT + file)
        .matchAll(/docker run(?:[^`\n]|\\\n)*?\s(?:-p|--publish)[ =](\S+)/g),
    ]
      .map(([, port = ""]) => ({ file, port }))
  );
  ok(ports.length > 0);
  // A port without an address is one on all interfaces, past the firewall of the host.
  deepStrictEqual(ports.filter(({ port }) => !port.startsWith("127.0.0.1:")), []);
});
