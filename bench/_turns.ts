/**
 * Measurements in short turns: programs that stay alive, and measure for some milliseconds when a line tells
 * them to.
 *
 * A core of a virtual machine may be half a core, whose other half works for somebody else: what it does then
 * changes by up to 1.6, several times a second, and most for code that keeps all of the core's units busy. Of
 * turns that are shorter, neighbours see the same core. README.md has the figures.
 *
 * @module
 */
import { MEASURED_CPU, type Program, readyLine, type Running, SENDER_CPU, start } from "./_run.ts";
import type { Speeds } from "./_two_cores.ts";

/** How often is measured. */
export interface TurnOptions {
  /** How often each program is started anew: where its memory lies, how its code was compiled. */
  starts: number;
  /** Turns of each side per start. */
  turns: number;
  /** Length of a turn, ms; a program may need longer for what it has to do at least. */
  milliseconds: number;
  /** In so many of the starts, each turn alone is followed by one with a copy at work on the other core. */
  twoCoreStarts?: number;
}

/** What a program said: the speeds of all turns, and its last answer. */
export interface Turns extends Speeds {
  said: Readonly<Record<string, number>>;
}

/**
 * Has all sides measure every case, turn by turn.
 *
 * A program prints `ready`, and answers each line `<case> <ms>` with {"gb_per_s"} and what else there is to
 * say; where it cannot measure a case, without it.
 *
 * @returns By case and side; no speeds where the program has none.
 */
export async function takeShortTurns<Side extends string>(
  sides: Readonly<Record<Side, Program>>,
  cases: readonly string[],
  { starts, turns, milliseconds, twoCoreStarts = 0 }: TurnOptions,
): Promise<ReadonlyMap<string, Record<Side, Turns>>> {
  const results = new Map(cases.map((what) => [what, emptyTurns(sides)]));
  for (let i = 0; i < starts; i++) {
    await using measured = await startAll(sides, MEASURED_CPU);
    await using other = i < twoCoreStarts ? await startAll(sides, SENDER_CPU) : undefined;
    for (const [what, result] of results) {
      const line = `${what} ${milliseconds}`;
      for (let turn = 0; turn < turns; turn++) {
        // Each side is first as often as last.
        const order = turn % 2 === 0 ? measured.sides : measured.sides.toReversed();
        for (const side of order) {
          const { gb_per_s, ...said } = await ask(measured.of(side), line);
          if (gb_per_s === undefined) continue;
          result[side].one.push(gb_per_s);
          result[side].said = said;
        }
        if (other === undefined) continue;
        for (const side of order) {
          if (turn === 0) await ask(other.of(side), line); // makes ready what the first turn of a case must
          const both = [ask(other.of(side), line), ask(measured.of(side), line)];
          const [a, b] = (await Promise.all(both)).map(({ gb_per_s }) => gb_per_s);
          if (a !== undefined && b !== undefined) result[side].two.push(a + b);
        }
      }
    }
  }
  return results;
}

function emptyTurns<Side extends string>(
  sides: Readonly<Record<Side, Program>>,
): Record<Side, Turns> {
  const empty = Object.keys(sides).map((side) => [side, { one: [], two: [], said: {} }]);
  return Object.fromEntries(empty) as Record<Side, Turns>;
}

interface Programs<Side extends string> extends AsyncDisposable {
  readonly sides: readonly Side[];
  of(side: Side): Running;
}

async function startAll<Side extends string>(
  programs: Readonly<Record<Side, Program>>,
  cpu: number,
): Promise<Programs<Side>> {
  await using starting = new AsyncDisposableStack();
  const running = new Map<Side, Running>();
  const sides = Object.keys(programs) as Side[];
  for (const side of sides) running.set(side, starting.use(start(programs[side], { cpu })));
  for (const one of running.values()) await readyLine(one);
  const all = starting.move();
  return {
    sides,
    of: (side) => running.get(side)!,
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

async function ask(program: Running, line: string): Promise<Record<string, number>> {
  await program.say(line);
  const answer = await program.line();
  if (answer === undefined) {
    await program.result(); // throws with what it complained about
    throw new Error(`a program ended when it was told "${line}"`);
  }
  return JSON.parse(answer);
}
