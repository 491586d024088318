/**
 * compose.yaml, carried out with processes: from the start of all services to files of the simulated detector, past a
 * crash of the receiver.
 */
import { deepStrictEqual, equal, match } from "node:assert/strict";
import { parse } from "yaml";

const ROOT = decodeURIComponent(new URL("../", import.meta.url).pathname);
/** Programs that are not the image's: what it would have as /usr/local/bin. */
const PROGRAMS = "/programs";

/** A machine of its own to run `"$@"` on: its own network, and the folders of the image; the rest is this machine's. */
const MACHINE = `
ip link set lo up
mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs "$FOLDER"
for path in /*; do
  case $path in /data | /etc | /proc | /run | /std-daq | /tmp) continue ;; esac
  if [ -L "$path" ]; then cp -P "$path" "$FOLDER$path"
  elif [ -d "$path" ]; then mkdir "$FOLDER$path"; mount --rbind "$path" "$FOLDER$path"; fi
done
cd "$FOLDER"
mkdir -p data deno-dir proc run/std-daq std-daq tmp volumes .${PROGRAMS}
chmod 1777 tmp
chown 1000:1000 data deno-dir
cp -a /etc etc
echo "127.0.0.1 localhost" > etc/hosts
cp "$PROJECT/docs/examples/jungfrau-1m.json" config.json
mount --bind "$PROJECT" std-daq
touch .${PROGRAMS}/deno
mount --bind "$DENO" .${PROGRAMS}/deno
mount -t proc proc proc
exec chroot . sh -ec 'cd /std-daq; exec "$@"' sh "$@"
`;

Deno.test({
  name: "compose.yaml's services start in their order, get healthy, and write files past a crash",
  ignore: Deno.uid() !== 0, // only root can become the user of the image
  async fn(): Promise<void> {
    const folder = await Deno.makeTempDir({ prefix: "std-daq-compose-" });
    try {
      const namespaces = ["--net", "--mount", "--pid", "--fork", "--kill-child"];
      const { code, stdout, stderr } = await new Deno.Command("unshare", {
        args: [
          ...namespaces,
          "sh",
          "-ec",
          MACHINE,
          "sh",
          "deno",
          "run",
          "-A",
          "scripts/_compose_up.ts",
        ],
        env: {
          ...{ FOLDER: folder, PROJECT: ROOT, DENO: Deno.execPath(), NO_COLOR: "1" },
          PATH: `${PROGRAMS}:${Deno.env.get("PATH")}`,
        },
        stdin: "null",
      }).output();
      const out = new TextDecoder().decode(stdout);
      const said = out + new TextDecoder().decode(stderr);
      equal(code, 0, said);
      const { services } = parse(await Deno.readTextFile(`${ROOT}compose.yaml`), { merge: true });
      const names = Object.keys(services).filter((name) => services[name].profiles === undefined);
      for (const name of names) match(out, new RegExp(`^healthy ${name}$`, "m"));
      match(out, /^daq write: 0 \/data\/run_1\.h5: FINISHED 5\/5 images/m, said);
      match(out, /^crashed std_udp_recv\nstarted std_udp_recv\nhealthy std_udp_recv$/m, said);
      match(out, /^daq request: 0 /m, said);
      match(out, /^daq request: 4 .*no service is bound for "another\.writer"/m, said);
      deepStrictEqual(
        [...out.matchAll(/^status\.jungfrau-1m\.(\w+)$/gm)].map(([, name]) => name),
        names.filter((name) => services[name].build !== undefined).sort(),
      );
      for (const name of names) {
        if (services[name].build) match(out, new RegExp(`^${name} ended with 0$`, "m"), said);
      }
      match(out, /^left in shm: \nleft in sockets: $/m);
    } finally {
      await Deno.remove(folder);
    }
  },
});
