/** A data worker for the tests; `init.act` tells what it does. */
import { runDataWorker } from "../run_data_worker.ts";

runDataWorker<{ act: string }>(({ act }, control) => {
  if (act === "die") {
    throw Object.assign(new Error("cannot bind"), { name: "OsError", code: "EIO" });
  }
  if (act === "break") throw new TypeError("a defect");
  if (act === "return") return;
  control.log("info", "started with {braces}", { act });
  control.ready({ act, port: 7 });
  while (act === "deaf" || !control.stopping) {
    control.counters[1]! += 2n;
    control.pause(1);
    if (act === "deaf" && control.counters[1]! > 1_000_000_000n) return;
  }
});
