import type { ConfigText, Deployment, Entry } from "../../lib/store/mod.ts";
import type { ConfigFile } from "./config_file.ts";
import { Deployer, type DeployerOptions } from "./deployer.ts";
import type { Restarted, Restarter } from "./restarter.ts";
import type { Gate } from "./run_gate.ts";

/** A deployer whose surroundings a test looks at. */
export interface TestDeployer {
  readonly deployer: Deployer;
  /** What it told the store, `message: detail`. */
  readonly said: string[];
  /** What the file holds; undefined: there is none. */
  file: unknown;
  /** The fields that services were started again for. */
  readonly restarts: (readonly string[])[];
  /** What happened, in order. */
  readonly order: string[];
}

/** What is around a deployer. */
export interface Surroundings {
  /** The configs that come. */
  configs?: Iterable<ConfigText> | AsyncIterable<ConfigText>;
  /** What was said before. */
  said?: readonly Entry<Deployment>[];
  /** Reading what was said fails with this. */
  failure?: Error;
  /** Waits for the end of the run that is under way; default: there is none. */
  untilIdle?: (signal: AbortSignal) => Promise<void>;
}

/** Makes one, with services that start well unless `restart` says otherwise. */
export function testDeployer(
  file: unknown,
  restart: Restarter["restart"] = () =>
    Promise.resolve({ services: ["std_udp_recv"], awayMs: 250 }),
  { configs = [], said = [], failure, untilIdle = () => Promise.resolve() }: Surroundings = {},
): TestDeployer {
  const reports: Entry<Deployment>[] = [...said];
  const store: DeployerOptions["store"] = {
    async *watchConfig(): AsyncGenerator<ConfigText, void, void> {
      yield* configs;
    },
    deployments: () =>
      failure === undefined ? Promise.resolve(reports.toReversed()) : Promise.reject(failure),
    addDeployment(id, value): Promise<void> {
      reports.push({ id, time: 0, value });
      test.said.push(
        value.detail === undefined ? value.message : `${value.message}: ${value.detail}`,
      );
      return Promise.resolve();
    },
  };
  const configFile: ConfigFile = {
    read: () => test.file,
    write(config): void {
      test.order.push("write");
      test.file = config;
    },
  };
  const gate: Gate = {
    async close(detector, signal): Promise<Disposable> {
      test.order.push(`close ${detector}`);
      await untilIdle(signal);
      return { [Symbol.dispose]: () => void test.order.push(`open ${detector}`) };
    },
  };
  const restarter: Restarter = {
    check(): Promise<void> {
      test.order.push("check");
      return Promise.resolve();
    },
    async restart(fields, signal): Promise<Restarted> {
      test.order.push("restart");
      test.restarts.push(fields);
      return await restart(fields, signal);
    },
  };
  const test: TestDeployer = {
    deployer: new Deployer({
      server: "daq-1",
      store,
      file: configFile,
      gate,
      restarter,
      onNote: () => {},
    }),
    said: [],
    file,
    restarts: [],
    order: [],
  };
  return test;
}
