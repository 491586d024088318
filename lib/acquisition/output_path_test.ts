import assert from "node:assert/strict";
import { normalize } from "node:path/posix";
import fc from "fast-check";
import { checkOutputPath, OutputPathError, type OutputPathProblem } from "./output_path.ts";

/** A scratch folder with a real tree in it, removed afterwards whatever happens. */
function withTree(body: (root: string) => void): void {
  const root = Deno.realPathSync(Deno.makeTempDirSync({ prefix: `output_path_${Deno.pid}_` }));
  try {
    Deno.mkdirSync(`${root}/runs/deep`, { recursive: true });
    Deno.writeTextFileSync(`${root}/runs/there.h5`, "");
    Deno.symlinkSync("/tmp", `${root}/link`);
    Deno.symlinkSync("/nowhere", `${root}/runs/dangling.h5`);
    body(root);
  } finally {
    Deno.removeSync(root, { recursive: true });
  }
}

function refused(
  path: string,
  roots: readonly string[],
  problem: OutputPathProblem,
  says: RegExp,
): void {
  assert.throws(() => checkOutputPath(path, roots), (error) => {
    assert.ok(error instanceof OutputPathError);
    assert.equal(error.problem, problem, path);
    assert.equal(error.path, path);
    assert.match(error.message, says);
    return true;
  });
}

Deno.test("checkOutputPath() takes a new file in an existing folder below a root", () => {
  withTree((root) => {
    const path = `${root}/runs/deep/new.h5`;
    assert.deepEqual(checkOutputPath(path, ["/elsewhere", root]), {
      path,
      root,
      relative: "runs/deep/new.h5",
    });
    assert.equal(checkOutputPath(`${root}/x.hdf5`, [`${root}/`]).relative, "x.hdf5");
  });
});

Deno.test("checkOutputPath() uses the innermost of nested roots", () => {
  withTree((root) => {
    const place = checkOutputPath(`${root}/runs/x.h5`, [root, `${root}/runs`]);
    assert.equal(place.relative, "x.h5");
  });
});

Deno.test("checkOutputPath() takes a root that is itself a link", () => {
  withTree((root) => {
    const name = `output_path_${Deno.pid}_${crypto.randomUUID()}.h5`;
    assert.equal(checkOutputPath(`${root}/link/${name}`, [`${root}/link`]).relative, name);
  });
});

Deno.test("checkOutputPath() takes a file that is there, and folders that are not, when asked to", () => {
  withTree((root) => {
    const overwrite = { overwrite: true };
    assert.ok(checkOutputPath(`${root}/runs/there.h5`, [root], overwrite));
    const createFolders = { createFolders: true };
    assert.ok(checkOutputPath(`${root}/runs/a/b/x.h5`, [root], createFolders));
    assert.ok(checkOutputPath(`${root}/x.h5`, [root], createFolders));
    const refusals: [string, OutputPathProblem, RegExp][] = [
      [`${root}/runs/dangling.h5`, "symlink", /is a symbolic link/],
      [`${root}/link/a/x.h5`, "symlink", /is a symbolic link/],
      [`${root}/runs/there.h5/a/x.h5`, "no_folder", /is not a folder/],
      [`${root}/runs/folder.h5`, "exists", /is a folder/],
    ];
    Deno.mkdirSync(`${root}/runs/folder.h5`);
    for (const [path, problem, says] of refusals) {
      const both = { ...overwrite, ...createFolders };
      assert.throws(() => checkOutputPath(path, [root], both), (error) => {
        assert.ok(error instanceof OutputPathError);
        assert.equal(error.problem, problem);
        assert.match(error.message, says);
        return true;
      });
    }
    refused(
      `${root}/runs/a/x.h5`,
      [root],
      "no_folder",
      /or ask for it \(create_directories; daq write --mkdir\)/,
    );
    refused(`${root}/runs/there.h5`, [root], "exists", /or ask to overwrite it/);
    const noRoot = `${root}/gone`;
    assert.throws(
      () => checkOutputPath(`${noRoot}/x.h5`, [noRoot], createFolders),
      /gone does not/,
    );
  });
});

Deno.test("checkOutputPath() refuses malformed paths", () => {
  const cases: [string, RegExp][] = [
    ["x.h5", /not an absolute path/],
    ["", /not an absolute path/],
    ["/data/../etc/x.h5", /contains \.\./],
    ["/data/./x.h5", /starts with a dot/],
    ["/data/.hidden/x.h5", /starts with a dot/],
    ["/data/.h5", /starts with a dot/],
    ["/data//x.h5", /empty component/],
    ["/data/x.h5/", /empty component|\.h5 or/],
    ["/data/x.h5\0.txt.h5", /control characters/],
    ["/data/x\n.h5", /control characters/],
    ["/data/\ud800.h5", /Unicode/],
    ["/data/x.txt", /\.h5 or \.hdf5/],
    ["/data/x.h5.sh", /\.h5 or \.hdf5/],
    [`/data/${"x".repeat(253)}.h5`, /more than 255 bytes/],
    [`/data/${"xxx/".repeat(1100)}x.h5`, /longer than 4095 bytes/],
  ];
  for (const [path, says] of cases) refused(path, ["/data"], "malformed", says);
});

Deno.test("checkOutputPath() refuses what is outside the roots and names them", () => {
  refused("/etc/x.h5", ["/data", "/scratch"], "outside_roots", /\/data, \/scratch.*--data-root/);
  refused("/database/x.h5", ["/data"], "outside_roots", /outside/);
  refused("/data/x.h5", [], "outside_roots", /none/);
});

Deno.test("checkOutputPath() refuses links below the root, dangling ones too", () => {
  withTree((root) => {
    refused(`${root}/link/x.h5`, [root], "symlink", /link is a symbolic link/);
    refused(`${root}/runs/dangling.h5`, [root], "symlink", /dangling\.h5 is a symbolic link/);
  });
});

Deno.test("checkOutputPath() refuses missing folders and files in the place of folders", () => {
  withTree((root) => {
    refused(`${root}/no/x.h5`, [root], "no_folder", /\/no does not exist.*Create the folder/);
    refused(`${root}/runs/there.h5/x.h5`, [root], "no_folder", /is not a folder/);
    refused(`${root}/gone/x.h5`, [`${root}/gone`], "no_folder", /does not exist/);
  });
});

Deno.test("checkOutputPath() refuses a file that exists", () => {
  withTree((root) => refused(`${root}/runs/there.h5`, [root], "exists", /ask to overwrite it/));
});

Deno.test("checkOutputPath() explains a folder it cannot look at", () => {
  assert.throws(
    () =>
      checkOutputPath("/data/x.h5", ["/data"], {}, () => {
        throw new Deno.errors.PermissionDenied("no");
      }),
    (error) => error instanceof OutputPathError && /cannot look at \/data: no/.test(error.message),
  );
});

Deno.test("checkOutputPath() accepts only plain paths below a root, whatever it is given", () => {
  const part = fc.oneof(
    fc.constantFrom("..", ".", "", "a", "x.h5", "data", "\0", "a b", "é.h5"),
    fc.string({ maxLength: 6 }),
  );
  fc.assert(
    fc.property(fc.array(part, { maxLength: 6 }), (parts) => {
      const path = `/data/${parts.join("/")}`;
      const folders = new Set<string>();
      try {
        const place = checkOutputPath(
          path,
          ["/data"],
          {},
          (file) => {
            folders.add(file);
            return file === path ? undefined : { isDirectory: true, isSymlink: false };
          },
        );
        assert.equal(normalize(path), path);
        assert.equal(`${place.root}/${place.relative}`, path);
        assert.ok([...folders].every((folder) => folder.startsWith("/data")));
      } catch (error) {
        assert.ok(error instanceof OutputPathError, String(error));
      }
    }),
  );
});
