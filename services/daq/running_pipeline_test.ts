import { deepStrictEqual } from "node:assert/strict";
import { jungfrauModule } from "../../lib/config/_test_configs.ts";
import { parseConfig } from "../../lib/config/mod.ts";
import { type ServiceCommand, type ServiceUpdate, Supervisor } from "../../lib/service/mod.ts";
import { pipelineCommands } from "./pipeline.ts";
import { RunningPipeline } from "./running_pipeline.ts";

/** Remembers what was to start again, and does nothing. */
class IdleSupervisor extends Supervisor {
  changed: string[] = [];

  override update(
    _commands: readonly ServiceCommand[],
    changed: ReadonlySet<string>,
    onStopped: () => void = () => {},
  ): Promise<ServiceUpdate> {
    this.changed = [...changed];
    onStopped();
    return Promise.resolve({ started: [], awayMs: 0 });
  }
}

Deno.test("RunningPipeline.apply() starts receivers again for frame slots, not for a larger image ring", async () => {
  const fit = { frameSlots: 16, imageSlots: 64, bytes: 2 ** 30 };
  const supervisor = new IdleSupervisor();
  const { config } = parseConfig(jungfrauModule());
  const pipeline = new RunningPipeline(config, {
    supervisor,
    plan: (config) => ({
      config,
      fit,
      commands: pipelineCommands(config, {
        ...fit,
        configPath: "/etc/JF.json",
        apiPort: 5000,
        dataRoots: ["/data"],
        ringBytes: fit.bytes,
      }),
    }),
    ipcFolder: "/none",
    removeRings: () => {},
    removeSocket: () => {},
  });
  Object.assign(fit, { imageSlots: 128, bytes: 2 ** 31 });
  await pipeline.apply(config);
  deepStrictEqual(supervisor.changed, ["std_assembler", "std_h5_writer", "writer_agent"]);
  Object.assign(fit, { frameSlots: 32 });
  await pipeline.apply(config);
  deepStrictEqual(supervisor.changed, ["std_udp_recv", "std_assembler", "writer_agent"]);
});
