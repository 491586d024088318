import { deepStrictEqual, match, strictEqual, throws } from "node:assert/strict";
import { architecture, LIBC_PATHS, UnsupportedPlatformError } from "./platform.ts";

Deno.test("architecture() names the two supported machines", () => {
  strictEqual(architecture({ os: "linux", arch: "x86_64" }), "x86_64");
  strictEqual(architecture({ os: "linux", arch: "aarch64" }), "aarch64");
});

Deno.test("architecture() refuses other operating systems and machines by name", () => {
  const refusal = (build: { os: string; arch: string }): string => {
    let message = "";
    throws(() => architecture(build), (error: unknown) => {
      if (!(error instanceof UnsupportedPlatformError)) return false;
      message = error.message;
      return true;
    });
    return message;
  };
  match(refusal({ os: "darwin", arch: "aarch64" }), /not supported on darwin.*Linux/);
  match(refusal({ os: "windows", arch: "x86_64" }), /not supported on windows/);
  match(refusal({ os: "linux", arch: "riscv64" }), /not supported on riscv64.*x86_64 and aarch64/);
});

Deno.test("LIBC_PATHS are absolute, as a scoped FFI permission needs them", () => {
  const paths = Object.values(LIBC_PATHS).flat();
  deepStrictEqual(paths.filter((path) => !path.startsWith("/")), []);
});
