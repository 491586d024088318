/**
 * Redis's client, loaded without the environment: a library that it logs with lists all variables when it is
 * loaded, which would need the permission to read every one of them. It finds none; the address comes from
 * `resolveRedis`.
 *
 * @module
 */
import process from "node:process";

/** The client's class. */
export const Redis: typeof import("ioredis").Redis = await load();

async function load(): Promise<typeof import("ioredis").Redis> {
  const environment = process.env;
  process.env = {};
  try {
    return (await import("ioredis")).Redis;
  } finally {
    process.env = environment;
  }
}
