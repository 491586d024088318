import assert from "node:assert/strict";
import { brokerHost, describeBroker, resolveBroker } from "./broker_options.ts";

const env = (variables: Record<string, string>) => (name: string): string | undefined =>
  variables[name];

Deno.test("resolveBroker() is guest at this machine when nothing is told, as the original", () => {
  assert.deepEqual(resolveBroker(), {
    hostname: "127.0.0.1",
    port: 5672,
    username: "guest",
    password: "guest",
    vhost: "/",
  });
  for (const [host, hostname] of [["daq-1", "daq-1"], ["::1", "::1"], ["[::1]", "::1"]] as const) {
    assert.equal(resolveBroker({ env: env({ BROKER_HOST: host }) }).hostname, hostname);
  }
});

Deno.test("resolveBroker() takes the URL given before the environment", () => {
  const variables = env({
    BROKER_URL: "amqp://elsewhere",
    BROKER_USER: "me",
    BROKER_PASSWORD: "secret",
  });
  assert.deepEqual(
    resolveBroker({ url: "amqp://a%40b:c%2Fd@[::1]:1234/my%2Fhost", env: variables }),
    {
      hostname: "::1",
      port: 1234,
      username: "a@b",
      password: "c/d",
      vhost: "my/host",
    },
  );
  const { hostname, username, password } = resolveBroker({ env: variables });
  assert.deepEqual([hostname, username, password], ["elsewhere", "me", "secret"]);
});

Deno.test("resolveBroker() reads the files that the environment names", () => {
  const broker = resolveBroker({
    url: "amqps://daq-1",
    env: env({
      BROKER_PASSWORD_FILE: "/run/password",
      BROKER_CA_FILE: "/etc/ca",
      BROKER_CERT_FILE: "/etc/cert",
      BROKER_KEY_FILE: "/etc/key",
    }),
    readFile: (path) => `content of ${path}\n`,
  });
  assert.equal(broker.port, 5671);
  assert.equal(broker.password, "content of /run/password");
  assert.deepEqual(broker.tls, {
    ca: "content of /etc/ca\n",
    cert: "content of /etc/cert\n",
    key: "content of /etc/key\n",
  });
  assert.equal(describeBroker(broker), "amqps://daq-1:5671");
  const missing = { url: "amqps://daq-1", env: env({ BROKER_CA_FILE: "/nowhere/ca" }) };
  assert.throws(
    () => resolveBroker(missing),
    /BROKER_CA_FILE: \/nowhere\/ca cannot be read: .*os error 2.*\. Check that it is there/,
  );
});

Deno.test("resolveBroker() refuses what is no address, without telling the password", () => {
  const odd = ["secret@x", "secret:secret", "secret/secret", "secret\nsecret"];
  const urls = odd.map((password) => `amqp://me:${password}@daq-1:99999`);
  for (const url of ["daq-1", "http://daq-1", "amqp://", "amqp:/me:secret@daq-1:99999", ...urls]) {
    assert.throws(
      () => resolveBroker({ url }),
      (error) =>
        error instanceof Error && /is none; give one such as amqp:/.test(error.message) &&
        !error.message.includes("secret"),
    );
  }
});

Deno.test("a broker's address of IPv6 is named with brackets, in messages and permissions", () => {
  assert.equal(brokerHost("amqp://me:secret@[fd00::5]/vhost"), "[fd00::5]:5672");
  assert.equal(brokerHost("amqps://daq-1"), "daq-1:5671");
  assert.equal(describeBroker(resolveBroker({ url: "amqp://[::1]:7" })), "amqp://[::1]:7");
});

Deno.test("resolveBroker() takes the heartbeat from the URL, as other AMQP clients do", () => {
  assert.equal(resolveBroker({ url: "amqp://daq-1/?heartbeat=3" }).heartbeatS, 3);
  for (const text of ["0", "-1", "x", ""]) {
    assert.throws(
      () => resolveBroker({ url: `amqp://daq-1/?heartbeat=${text}` }),
      /heartbeat=.* is none; expected seconds, 1 or more/,
    );
  }
});

Deno.test("resolveBroker() says how to write a %, without telling the password", () => {
  assert.equal(resolveBroker({ url: "amqp://me:50%25@daq-1" }).password, "50%");
  for (const url of ["amqp://me:50%@daq-1", "amqp://5%0:x@daq-1", "amqp://daq-1/50%"]) {
    assert.throws(
      () => resolveBroker({ url }),
      /^BrokerUsageError: broker address: a % in its (password|user|vhost) stands for itself; write it as %25$/,
    );
  }
});
