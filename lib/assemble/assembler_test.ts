import assert from "node:assert/strict";
import fc from "fast-check";
import { afterTakeover, indexAtEveryStore } from "../ring/_test_ring.ts";
import { PACKETS, Rig, SlowConverters, valueOf } from "./_testing.ts";
import { readImageCounts } from "./counters.ts";

/** A rig whose converters work when told. */
function slowRig(modules: number): { rig: Rig; converters: SlowConverters } {
  let converters: SlowConverters | undefined;
  const rig = new Rig({
    modules,
    converters: (_, hands) => converters = new SlowConverters(hands(), modules),
  });
  return { rig, converters: converters! };
}

Deno.test("pump() puts the frames of all modules into their image and publishes it", () => {
  using rig = new Rig({ modules: 3 });
  for (const id of [5, 6, 7]) rig.publishAll(id);
  rig.pump();
  assert.deepEqual(rig.images.map((i) => i.imageId), [5, 6, 7]);
  for (const image of rig.images) {
    assert.deepEqual(image.values, [0, 1, 2].map((m) => valueOf(m, image.imageId)));
    assert.equal(image.mask, 0b111n);
    assert.equal(image.status, 1);
    assert.equal(image.messageModule, 0);
  }
  assert.equal(rig.counts.images_good, 3n);
});

Deno.test("an image is counted with its publication, whenever the assembler is killed", () => {
  using rig = new Rig({ modules: 2 });
  rig.publishAll(5);
  rig.publishAll(8, { missing: 1 });
  rig.publishAll(2, { epoch: 2 });
  const counted = indexAtEveryStore(rig.imageName, () => rig.pump()).map((index) =>
    afterTakeover(rig.ring.spec, index, (writer) => {
      const counts = readImageCounts(writer.index);
      return [
        writer.head,
        counts.images_good,
        counts.images_incomplete,
        counts.missing_packets,
        counts.images_skipped,
        counts.restarts,
      ].join();
    })
  );
  assert.deepEqual(
    [...new Set(counted)],
    ["0,0,0,0,0,0", "1,1,0,0,0,0", "2,1,1,2,2,0", "3,2,1,2,2,1"],
  );
});

Deno.test("a module that does not come is blank, and named by the mask", () => {
  using rig = new Rig({ modules: 3, imageSlots: 8 });
  rig.publishAll(1);
  rig.receivers[0]!.publish(9); // the slot of image 1, whose pixels are still there
  rig.receivers[2]!.publish(9, { missing: 3 });
  rig.finish();
  const image = rig.images[1]!;
  assert.deepEqual(image.values, [valueOf(0, 9), 0, valueOf(2, 9)]);
  assert.equal(image.mask, 0b101n);
  assert.equal(image.status, 2);
  assert.equal(image.missing, PACKETS + 3);
  assert.equal(rig.counts.images_incomplete, 1n);
  assert.equal(rig.counts.missing_packets, BigInt(PACKETS + 3));
  assert.equal(rig.counts.images_skipped, 7n); // 2 to 8: not even seen
});

Deno.test("modules that disagree about an image's id make an image each, both incomplete", () => {
  using rig = new Rig({ modules: 2 });
  rig.receivers[0]!.publish(10, { frameIndex: 3 });
  rig.receivers[1]!.publish(11, { frameIndex: 3 });
  rig.finish();
  assert.deepEqual(
    rig.images.map(({ imageId, mask, status, values }) => ({ imageId, mask, status, values })),
    [
      { imageId: 10, mask: 0b01n, status: 2, values: [valueOf(0, 10), 0] },
      { imageId: 11, mask: 0b10n, status: 2, values: [0, valueOf(1, 11)] },
    ],
  );
});

Deno.test("the frame struct of an image is that of its first module that came", () => {
  using rig = new Rig({ modules: 3 });
  for (const m of [2, 1]) rig.receivers[m]!.publish(4);
  rig.finish();
  assert.equal(rig.images[0]?.messageModule, 1);
});

Deno.test("a frame that is overwritten while it is copied is blanked, not delivered", () => {
  const { rig, converters } = slowRig(2);
  using _ = rig;
  rig.publishAll(3, { missing: 1 });
  rig.pump();
  rig.receivers[1]!.spoil(3 + 64); // the same slot of the frame ring
  while (converters.work());
  rig.finish();
  assert.deepEqual(rig.images[0]?.values, [valueOf(0, 3), 0]);
  assert.equal(rig.images[0]?.mask, 0b01n);
  assert.equal(rig.images[0]?.missing, 1 + PACKETS);
  assert.equal(rig.counts.frames_overrun, 1n);
  assert.equal(rig.counts.dropped_packets, BigInt(PACKETS - 1));
});

Deno.test("frames that were overwritten unread are counted with their packets", () => {
  using rig = new Rig({ modules: 1, frameSlots: 16 });
  for (let id = 0; id < 40; id++) rig.receivers[0]!.publish(id);
  rig.finish();
  const { frames_overrun, dropped_packets, images_good } = rig.counts;
  assert.ok(frames_overrun >= 24n);
  assert.equal(frames_overrun + images_good, 40n);
  assert.equal(dropped_packets, frames_overrun * BigInt(PACKETS));
});

Deno.test("a late frame is counted and changes nothing", () => {
  using rig = new Rig({ modules: 2 });
  rig.receivers[0]!.publish(1);
  rig.finish();
  rig.receivers[1]!.publish(1, { missing: 2 });
  rig.finish();
  assert.equal(rig.images.length, 1);
  assert.equal(rig.counts.frames_late, 1n);
  assert.equal(rig.counts.dropped_packets, BigInt(PACKETS - 2));
});

Deno.test("images that share a slot leave one after the other: ids in steps of the slots", () => {
  const { rig, converters } = slowRig(2);
  using _ = rig;
  for (const id of [16, 32, 48]) rig.publishAll(id);
  rig.finish();
  while (converters.work());
  rig.finish();
  assert.deepEqual(rig.images.map((i) => i.imageId), [16, 32, 48]);
  for (const image of rig.images) {
    assert.deepEqual(image.values, [0, 1].map((m) => valueOf(m, image.imageId)));
  }
});

Deno.test("an image whose slot a later one has taken is dropped, the later one is not harmed", () => {
  using rig = new Rig({ modules: 2 });
  rig.receivers[0]!.publish(32);
  rig.pump();
  rig.receivers[1]!.publish(16); // begins before, in the same slot
  rig.receivers[1]!.publish(32);
  rig.finish();
  assert.deepEqual(rig.images.map((i) => [i.imageId, i.mask]), [[32, 0b11n]]);
  assert.equal(rig.counts.frames_late, 1n);
  for (const id of [33, 34]) rig.publishAll(id);
  rig.finish();
  assert.equal(rig.images.length, 3);
});

Deno.test("after a restart to the same slots all images come out, in the order of the runs", () => {
  const { rig, converters } = slowRig(2);
  using _ = rig;
  for (const id of [33, 34]) rig.publishAll(id);
  for (const id of [17, 18]) rig.publishAll(id, { epoch: 2 });
  rig.finish();
  while (converters.work());
  rig.finish();
  assert.deepEqual(rig.images.map((i) => [i.epoch, i.imageId]), [[0, 33], [0, 34], [1, 17], [
    1,
    18,
  ]]);
  assert.equal(rig.counts.restarts, 1n);
  assert.equal(rig.counts.images_skipped, 0n);
  assert.equal(rig.counts.images_good, 4n);
});

Deno.test("pump() comes back under endless load, and goes on where it was", () => {
  using rig = new Rig({ modules: 1, frameSlots: 1024 });
  for (let id = 0; id < 600; id++) rig.receivers[0]!.publish(id);
  assert.ok(rig.pump());
  const first = rig.images.length;
  assert.ok(first > 0 && first < 600, `${first} images at once`);
  rig.finish();
  assert.equal(rig.images.length, 600);
});

Deno.test("the restart of one receiver costs no later image", () => {
  using rig = new Rig({ modules: 2 });
  for (const id of [1, 2]) rig.publishAll(id);
  rig.pump();
  rig.receivers[1]![Symbol.dispose]();
  rig.receivers[0]!.publish(3);
  rig.finish();
  using again = rig.restartReceiver(1);
  rig.now += 100_000_000n; // past the distance of attempts to attach
  rig.receivers[0]!.publish(4);
  again.publish(4);
  rig.receivers[0]!.publish(5);
  again.publish(5);
  rig.finish();
  assert.deepEqual(
    rig.images.map((i) => [i.epoch, i.imageId, i.mask]),
    [[0, 1, 3n], [0, 2, 3n], [0, 3, 1n], [0, 4, 3n], [0, 5, 3n]],
  );
  assert.deepEqual(rig.images[4]?.values, [valueOf(0, 5), valueOf(1, 5)]);
});

Deno.test("images come in order and sums match, whatever is lost and however slow converters are", () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.record({
          step: fc.integer({ min: 1, max: 3 }),
          missing: fc.array(fc.constantFrom(0, 0, 0, 1, PACKETS), { minLength: 3, maxLength: 3 }),
          work: fc.nat(8),
        }),
        { minLength: 1, maxLength: 40 },
      ),
      fc.infiniteStream(fc.nat(2)),
      (images, picks) => {
        const { rig, converters } = slowRig(3);
        using _ = rig;
        converters.pick = () => picks.next().value!;
        let id = 0;
        let accepted = 0;
        for (const { step, missing, work } of images) {
          id += step;
          for (const [m, lost] of missing.entries()) {
            if (lost === PACKETS) continue; // nothing of the frame came
            rig.receivers[m]!.publish(id, { missing: lost });
            accepted += PACKETS - lost;
          }
          rig.pump();
          for (let i = 0; i < work; i++) converters.work();
        }
        rig.finish();
        while (converters.work());
        rig.finish();
        const { images_good, images_incomplete, missing_packets, dropped_packets } = rig.counts;
        assert.equal(images_good + images_incomplete, BigInt(rig.images.length));
        const inImages = BigInt(rig.images.length * 3 * PACKETS) - missing_packets;
        assert.equal(inImages + dropped_packets, BigInt(accepted));
        for (const [i, image] of rig.images.entries()) {
          assert.ok(i === 0 || image.imageId > rig.images[i - 1]!.imageId);
          image.values.forEach((value, m) =>
            assert.equal(value, (image.mask >> BigInt(m)) & 1n ? valueOf(m, image.imageId) : 0)
          );
        }
      },
    ),
    { numRuns: 60 },
  );
});
