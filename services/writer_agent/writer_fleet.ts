/**
 * Several file writers that share a run's images, driven as if they were one.
 *
 * @module
 */
import {
  REASON_FILE_OPEN,
  REASON_NO_FILE,
  type WriterAnswer,
  type WriterCommand,
} from "../../lib/acquisition/mod.ts";
import type { WriterPort, WriterPortHandlers } from "./ports.ts";

/** Actions that all writers take part in. */
type SharedAction = Exclude<WriterCommand["action"], "record_image">;

/** An action under way, and who has answered. */
interface Round {
  readonly action: SharedAction;
  /** By writer; undefined: no answer yet. */
  readonly answers: (WriterAnswer | undefined)[];
  /** Writers that were asked. */
  readonly asked: readonly number[];
  /** Takes the answers of those that were asked, in their order. */
  readonly complete: (answers: readonly WriterAnswer[]) => void;
}

/**
 * Image i of a run goes to writer i mod N. Creating, confirming and closing goes to all and is answered
 * when all have answered; it fails when one of them fails. Files that some writers created in vain,
 * because another one could not, are removed.
 *
 * An image that its writer has no credit for waits in that writer's `CreditWindow`, and only images of the
 * same writer wait behind it.
 */
export class WriterFleet implements WriterPort {
  readonly #writers: readonly WriterPort[];
  #handlers: WriterPortHandlers | undefined;
  #nextWriter = 0;
  /** Images of each writer's files that readers see. */
  #visible: number[] = [];
  #round: Round | undefined;
  /** Writers that are at what may take minutes. */
  readonly #working = new Set<number>();

  /** @param writers In the order of their numbers. */
  constructor(writers: readonly WriterPort[]) {
    this.#writers = writers;
  }

  listen(handlers: WriterPortHandlers): void {
    this.#handlers = handlers;
    this.#writers.forEach((writer, number) => {
      writer.listen({
        onAnswer: (answer) => this.#onAnswer(number, answer),
        onWorking: (working) => {
          if (working) this.#working.add(number);
          else this.#working.delete(number);
          handlers.onWorking(this.#working.size > 0);
        },
        onFailure: (reason) => handlers.onFailure(`writer ${number}: ${reason}`),
      });
    });
  }

  send(command: WriterCommand): void {
    if (command.action === "record_image") {
      this.#writers[this.#nextWriter]!.send(command);
      this.#nextWriter = (this.#nextWriter + 1) % this.#writers.length;
      return;
    }
    const everyone = [...this.#writers.keys()];
    if (command.action === "create_file") {
      this.#nextWriter = 0;
      this.#visible = [];
      this.#ask(command, everyone, (answers) => this.#onCreated(answers));
    } else {
      this.#ask(command, everyone, (answers) => this.#answer(this.#all(command.action, answers)));
    }
  }

  dropUnsent(): void {
    this.#round = undefined;
    for (const writer of this.#writers) writer.dropUnsent();
  }

  async drained(): Promise<void> {
    await Promise.all(this.#writers.map((writer) => writer.drained()));
  }

  #ask(
    command: WriterCommand & { action: SharedAction },
    asked: readonly number[],
    complete: Round["complete"],
  ): void {
    this.#round = { action: command.action, answers: [], asked, complete };
    for (const number of asked) this.#writers[number]!.send(command);
  }

  #onAnswer(number: number, answer: WriterAnswer): void {
    if (answer.action === "record_image") return this.#answer(this.#withAll(number, answer));
    const round = this.#round;
    if (round === undefined && answer.action === "confirm_last_image" && !answer.ok) {
      return this.#answer(named(number, answer)); // unasked: it matters to the run
    }
    // Answers to what is not waited for any more say nothing: the next round asks again.
    if (round === undefined || !round.asked.includes(number)) return;
    if (round.answers[number] !== undefined) return;
    if (answer.action !== undefined && answer.action !== round.action) return;
    round.answers[number] = named(number, answer);
    const answers = round.asked.flatMap((asked) => round.answers[asked] ?? []);
    if (answers.length < round.asked.length) return;
    this.#round = undefined;
    round.complete(answers);
  }

  /** One writer's answer to an image, with what all of them say is visible. */
  #withAll(number: number, answer: WriterAnswer): WriterAnswer {
    if (answer.nVisible === undefined) return named(number, answer);
    return { ...named(number, answer), nVisible: this.#sawVisible(number, answer.nVisible) };
  }

  /** All writers' answers, in their order, as one. */
  #all(action: SharedAction, answers: readonly WriterAnswer[]): WriterAnswer {
    const answer = combined(action, answers);
    if (answer.nVisible === undefined) return answer;
    const visible = answers.map(({ nVisible = 0 }, number) => this.#sawVisible(number, nVisible));
    return { ...answer, nVisible: visible.at(-1) ?? 0 };
  }

  /** Takes what a writer says is visible, which a restart does not undo; returns the sum of all writers'. */
  #sawVisible(number: number, visible: number): number {
    this.#visible[number] = Math.max(this.#visible[number] ?? 0, visible);
    return this.#visible.reduce((sum, each) => sum + each, 0);
  }

  #onCreated(answers: readonly WriterAnswer[]): void {
    const outcome = combined("create_file", answers);
    const inVain = [...answers.keys()].filter((number) => !outcome.ok && answers[number]!.ok);
    if (inVain.length === 0) return this.#answer(outcome);
    this.#ask({ action: "close_file", discardEmpty: true }, inVain, () => this.#answer(outcome));
  }

  #answer(answer: WriterAnswer): void {
    this.#handlers?.onAnswer(answer);
  }
}

/** The reason says whose it is, behind what a driver looks for in it. */
function named(number: number, answer: WriterAnswer): WriterAnswer {
  if (answer.ok) return answer;
  return { ...answer, reason: `${answer.reason.replace(/[.\s]+$/, "")} (writer ${number})` };
}

/** One answer for all: it fails with the reason that matters most to a driver. */
function combined(action: SharedAction, answers: readonly WriterAnswer[]): WriterAnswer {
  const failed = answers.filter(({ ok }) => !ok).map(({ reason }) => reason);
  const known = [REASON_FILE_OPEN, REASON_NO_FILE];
  const reason = known.flatMap((start) => failed.find((text) => text.startsWith(start)) ?? [])[0] ??
    failed[0] ?? "";
  const closed = answers.find((answer) => answer.closed !== undefined)?.closed;
  return {
    ok: failed.length === 0,
    reason,
    ...sums(answers),
    ...times(answers),
    ...(answers.every((answer) => answer.action !== undefined) && { action }),
    ...(closed && { closed }),
  };
}

const COUNTS = ["nWritten", "nVisible", "nOverwritten", "nIncomplete", "packetsMissing"] as const;

/** The sums of what all of them count. */
function sums(answers: readonly WriterAnswer[]): Pick<WriterAnswer, typeof COUNTS[number]> {
  const told: { [name in typeof COUNTS[number]]?: number } = {};
  for (const name of COUNTS) {
    const counts = answers.flatMap((answer) => answer[name] ?? []);
    if (counts.length < answers.length) continue;
    told[name] = counts.reduce((sum, count) => sum + count, 0);
  }
  return told;
}

/** From the first of all their images to the last one; a writer without images tells nothing. */
function times(
  answers: readonly WriterAnswer[],
): Pick<WriterAnswer, "firstPacketNs" | "lastPacketNs"> {
  const [first] = answers.flatMap(({ firstPacketNs }) => firstPacketNs ?? []).sort(ascending);
  const last = answers.flatMap(({ lastPacketNs }) => lastPacketNs ?? []).sort(ascending).at(-1);
  return {
    ...(first !== undefined && { firstPacketNs: first }),
    ...(last !== undefined && { lastPacketNs: last }),
  };
}

function ascending(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
