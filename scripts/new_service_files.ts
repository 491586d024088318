/** What a new service consists of, by kind. */

/** How a service gets its work. */
export const KINDS = ["primary", "postprocessing", "background"] as const;

/** One of {@link KINDS}. */
export type ServiceKind = typeof KINDS[number];

/** What the texts are filled with. */
interface Service {
  name: string;
  kind: ServiceKind;
  summary: string;
}

/** The files of a new service, by name. */
export function filesFor(service: Service): Record<string, string> {
  return {
    "main.ts": MAIN[service.kind](service),
    "main_test.ts": TEST[service.kind](service),
    "README.md": readme(service),
  };
}

const MAIN: Record<ServiceKind, (service: Service) => string> = {
  primary: ({ name, summary }) =>
    `/** ${name}: see README.md. */
import { z } from "zod";
import { defaultServiceSetup, servePrimary } from "../../lib/service/mod.ts";

const service = await defaultServiceSetup({
  name: "${name}",
${summaryMember(summary)}
  kind: "primary",
  config: z.object({ greeting: z.string().default("hello") }),
});

await servePrimary(service, {
  schema: z.looseObject({ text: z.string() }),
  onRequest(_requestId, { text }, { signal, progress }): unknown {
    progress("half way"); // told to all who listen
    signal.throwIfAborted(); // when the request was killed
    return { answer: \`\${service.config.greeting}, \${text}\` };
  },
});
`,
  postprocessing: ({ name, summary }) =>
    `/** ${name}: see README.md. */
import { z } from "zod";
import { defaultServiceSetup, servePostprocessing } from "../../lib/service/mod.ts";

const service = await defaultServiceSetup({
  name: "${name}",
${summaryMember(summary)}
  kind: "postprocessing",
  config: z.object({ greeting: z.string().default("seen") }),
});

await servePostprocessing(service, {
  schema: z.looseObject({}),
  onRequest(_requestId, _request, { result, signal }): unknown {
    signal.throwIfAborted(); // when the request was killed
    return { [service.config.greeting]: result };
  },
});
`,
  background: ({ name, summary }) =>
    `/** ${name}: see README.md. */
import { z } from "zod";
import { defaultServiceSetup } from "../../lib/service/mod.ts";

const service = await defaultServiceSetup({
  name: "${name}",
${summaryMember(summary)}
  config: z.object({ period_s: z.number().positive().default(1) }),
});

await service.run(async () => {
  let rounds = 0;
  const timer = setInterval(() => rounds++, 1000 * service.config.period_s);
  service.onStop(() => clearInterval(timer), "timer");
  service.onStats(() => ({ rounds })); // in the log, and in Redis if there is one
  service.ready();
  await service.stopped;
});
`,
};

const TEST: Record<ServiceKind, (service: Service) => string> = {
  primary: ({ name }) =>
    `import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { BrokerClient, resolveBroker } from "../../lib/broker/mod.ts";
import { RabbitMq, startService } from "../../tests/harness/mod.ts";

Deno.test("${name} answers a request, says what is wrong with another, and stops", async () => {
  await using rabbit = await RabbitMq.start();
  const env = { BROKER_URL: rabbit.url };
  await using service = await startService("${name}", { env });
  await using client = await BrokerClient.connect({ broker: resolveBroker({ url: rabbit.url }) });
  const good = await client.request("any.tag", { text: "world" }, { timeoutMs: 60_000 });
  deepStrictEqual(good.services["${name}"]?.at(-1), {
    action: "request_success",
    message: { answer: "hello, world" },
  });
  const bad = await client.request("any.tag", { text: 1 }, { timeoutMs: 60_000 });
  strictEqual(bad.status, "request_fail");
  strictEqual((await service.stop()).code, 0);
});
`,
  postprocessing: ({ name }) =>
    `import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { z } from "zod";
import { BrokerClient, PrimaryService, resolveBroker } from "../../lib/broker/mod.ts";
import { RabbitMq, startService } from "../../tests/harness/mod.ts";

Deno.test("${name} goes on where its primary service has succeeded, and stops", async () => {
  await using rabbit = await RabbitMq.start();
  const broker = resolveBroker({ url: rabbit.url });
  await using _primary = await PrimaryService.start({
    broker,
    serviceName: "primary",
    schema: z.looseObject({}),
    handler: { onRequest: () => ({ file: "/run.h5" }) },
  });
  const options = { args: ["--primary", "primary"], env: { BROKER_URL: rabbit.url } };
  await using service = await startService("${name}", options);
  await using client = await BrokerClient.connect({ broker });
  const expected = { timeoutMs: 60_000, services: ["primary", "${name}"] };
  const outcome = await client.request("any.tag", {}, expected);
  deepStrictEqual(outcome.services["${name}"]?.at(-1), {
    action: "request_success",
    message: { seen: { file: "/run.h5" } },
  });
  strictEqual((await service.stop()).code, 0);
});
`,
  background: ({ name }) =>
    `import { strictEqual } from "node:assert/strict";
import { startService } from "../../tests/harness/mod.ts";

Deno.test("${name} runs until it is stopped, and says what it did", async () => {
  await using service = await startService("${name}");
  const { code } = await service.stop();
  strictEqual(code, 0, service.tail());
  const stats = service.log.find(({ message }) => message === "stats");
  strictEqual(typeof stats?.properties.rounds, "number");
});
`,
};

/** What the services of a kind take and give. */
const INPUT: Record<ServiceKind, string> = {
  primary: "Takes requests `{ text }` through RabbitMQ and answers `{ answer }`.",
  postprocessing: "Takes the result of each success of the service named by `--primary`.",
  background: "Takes nothing; counts its rounds.",
};

const CONFIG: Record<ServiceKind, string> = {
  primary: "`greeting`, a text (default `hello`)",
  postprocessing: "`greeting`, the name that the result gets (default `seen`)",
  background: "`period_s`, time from round to round, s (default 1)",
};

/** What is to be said of a kind's arguments, besides where those that all have are described. */
const ARGUMENTS: Record<ServiceKind, string> = {
  primary: "",
  postprocessing:
    "`--primary` is the name of the service to follow as RabbitMQ knows it, its `SERVICE_NAME`: the " +
    "agent of `daq run JF.json --broker …` is `<detector_name>.writer_agent`, one that is started " +
    "without a name is `writer_agent`.",
  background: "",
};

type Row = readonly [string, string];

const FAILURES: Record<ServiceKind, readonly Row[]> = {
  primary: [
    ["a request is not as it must be", "`request_fail` with what is wrong"],
    ["a request is killed", '`request_fail` "Interrupted."'],
    ["RabbitMQ goes away", "it comes back by itself; what was told meanwhile is told then"],
  ],
  postprocessing: [
    ["the primary service fails", "`request_fail`, too, with its reason"],
    ["a request is killed", '`request_fail` "Interrupted."'],
    ["RabbitMQ goes away", "it comes back by itself; what was told meanwhile is told then"],
  ],
  background: [],
};

function readme({ name, kind, summary }: Service): string {
  const broker = kind === "background" ? "" : " --broker amqp://127.0.0.1";
  const primary = kind === "postprocessing" ? " --primary JF.writer_agent" : "";
  const servers = kind === "background" ? "Redis" : "RabbitMQ and Redis";
  return `# ${name}

${wrapped(plain(summary))}

\`\`\`sh
deno task ${name}${broker}${primary}
\`\`\`

## Inputs and outputs

${wrapped(`${INPUT[kind]} Its status is in Redis, where one is named.`)}

Config: ${CONFIG[kind]}.

## Arguments

${
    wrapped(
      `Those that all services have: [lib/service](../../lib/service/README.md). ${
        ARGUMENTS[kind]
      }`,
    )
  }

## Permissions

${
    wrapped(
      `\`read\` of its config, \`net\` of this machine, for ${servers}, the variables that say where ` +
        "these are, and this machine's name, for its status.",
    )
  }

## How it fails

${
    table([
      ["what happens", "what it does"],
      ...FAILURES[kind],
      ["its config is wrong", "status 3, with every wrong field"],
    ])
  }
`;
}

const LINE = 100;

/** The summary as a member of an object, as `deno fmt` writes it. */
function summaryMember(summary: string): string {
  const text = quoted(summary);
  const line = `  summary: ${text},`;
  return line.length <= LINE ? line : `  summary:\n    ${text},`;
}

/** A text as a string of TypeScript, in the quotes that `deno fmt` prefers. */
function quoted(text: string): string {
  const double = JSON.stringify(text);
  const count = (quote: string): number => text.split(quote).length - 1;
  if (count('"') <= count("'")) return double;
  return `'${double.slice(1, -1).replaceAll('\\"', '"').replaceAll("'", "\\'")}'`;
}

/** What Markdown would take for markup: some characters, and words that begin a list, a title or a rule. */
const MARKUP =
  /[\\`*<>[~]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|&(?=#?\w+;)|(?<=^|\s)[-+=#](?=[-+=#]*(?:\s|$))|(?<=(?:^|\s)\d+)[.)](?=\s|$)/g;

/** A text as Markdown that shows it as it is, but for code in backticks, which it may have. */
function plain(text: string): string {
  const parts = text.includes("\\") ? [text] : text.split(/(`[^`\s](?:[^`]*[^`\s])?`)/);
  return parts.map((part, i) => i % 2 === 1 ? part : part.replace(MARKUP, "\\$&")).join("");
}

/** A paragraph in lines as \`deno fmt\` makes them. */
function wrapped(text: string): string {
  const lines: string[] = [];
  // Code stays on one line; a backtick behind a backslash is none of its ends.
  for (const word of text.match(/(?:\\.|`[^`]*`|[^\s`])+/g) ?? []) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= LINE) {
      lines[lines.length - 1] = `${last} ${word}`;
    } else lines.push(word);
  }
  return lines.join("\n");
}

/** A table, its first row the heads, aligned. */
function table(rows: readonly Row[]): string {
  const widths = [0, 1].map((column) => Math.max(...rows.map((row) => row[column]!.length)));
  const line = (cells: readonly string[], fill: string): string =>
    `| ${cells.map((cell, i) => cell.padEnd(widths[i]!, fill)).join(" | ")} |`;
  const [head, ...rest] = rows.map((row) => line(row, " "));
  return [head, line(["", ""], "-"), ...rest].join("\n");
}
