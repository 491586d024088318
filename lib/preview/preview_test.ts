import assert from "node:assert/strict";
import { crc32, inflateSync } from "node:zlib";
import { TestFolder, writeTestFile } from "../hdf5/_testing.ts";
import { ImageFile, type ImageFileOptions, type PixelArray } from "../hdf5/mod.ts";
import { addressOf, File } from "../os/mod.ts";
import {
  drawnPixel,
  encodeGif,
  encodePng,
  HOT_PALETTE,
  ImageRenderer,
  type IndexedImage,
  NO_VALUE,
  NoImagesError,
  previewFile,
} from "./mod.ts";

/** Images of a GIF, decoded by the book: codes as strings of a table. */
function decodeGif(gif: Uint8Array): IndexedImage[] {
  const u16 = (at: number): number => gif[at]! + 256 * gif[at + 1]!;
  assert.equal(new TextDecoder().decode(gif.subarray(0, 6)), "GIF89a");
  const [width, height] = [u16(6), u16(8)];
  const images: IndexedImage[] = [];
  let at = 13 + 3 * 256;
  const data = (): number[] => {
    const bytes: number[] = [];
    for (let length = gif[at++]!; length > 0; length = gif[at++]!) {
      bytes.push(...gif.subarray(at, at + length));
      at += length;
    }
    return bytes;
  };
  for (;;) {
    const kind = gif[at++];
    if (kind === 0x3b) return images;
    if (kind === 0x21) {
      at++;
      data();
      continue;
    }
    assert.equal(kind, 0x2c);
    at += 9;
    assert.equal(gif[at++], 8);
    images.push({ width, height, pixels: Uint8Array.from(decodeLzw(data())) });
  }
}

function decodeLzw(bytes: number[]): number[] {
  let table: number[][] = [], codeBits = 9, bit = 0;
  const out: number[] = [];
  let before: number[] | undefined;
  for (;;) {
    let code = 0;
    for (let i = 0; i < codeBits; i++, bit++) {
      code |= (bytes[bit >> 3]! >> (bit & 7) & 1) << i;
    }
    if (code === 257) return out;
    if (code === 256) {
      table = Array.from({ length: 258 }, (_, i) => [i]);
      codeBits = 9;
      before = undefined;
      continue;
    }
    const string: number[] = table[code] ?? [...before!, before![0]!];
    if (before !== undefined && table.length < 4096) table.push([...before, string[0]!]);
    if (table.length === 2 ** codeBits && codeBits < 12) codeBits++;
    out.push(...string);
    before = string;
  }
}

/** The image of a PNG, its chunks checked. */
function decodePng(png: Uint8Array): IndexedImage {
  const view = new DataView(png.buffer, png.byteOffset, png.byteLength);
  const chunks = new Map<string, Uint8Array>();
  for (let at = 8; at < png.length;) {
    const length = view.getUint32(at);
    const type = new TextDecoder().decode(png.subarray(at + 4, at + 8));
    chunks.set(type, png.subarray(at + 8, at + 8 + length));
    assert.equal(view.getUint32(at + 8 + length), crc32(png.subarray(at + 4, at + 8 + length)));
    at += 12 + length;
  }
  assert.deepEqual([...chunks.keys()], ["IHDR", "PLTE", "IDAT", "IEND"]);
  const header = chunks.get("IHDR")!;
  const [width, height] = [0, 4].map((at) =>
    new DataView(header.buffer, header.byteOffset).getUint32(at)
  );
  const rows = inflateSync(chunks.get("IDAT")!);
  const pixels = new Uint8Array(width! * height!);
  for (let row = 0; row < height!; row++) {
    assert.equal(rows[row * (width! + 1)], 0);
    pixels.set(rows.subarray(row * (width! + 1) + 1, (row + 1) * (width! + 1)), row * width!);
  }
  return { width: width!, height: height!, pixels };
}

Deno.test("encodeGif() and encodePng() keep every pixel, of noise and of plains", () => {
  let state = 1;
  const noise = (): number => (state = state * 48271 % 2147483647) & 0xff;
  const images = [noise, () => 0, (i: number) => i % 256, (i: number) => Math.floor(i / 7) % 3]
    .map((value) => ({
      ...{ width: 301, height: 97 },
      pixels: Uint8Array.from({ length: 301 * 97 }, (_, i) => value(i)),
    }));
  assert.deepEqual(decodeGif(encodeGif(images, HOT_PALETTE, 500)), images);
  for (const image of images) assert.deepEqual(decodePng(encodePng(image, HOT_PALETTE)), image);
});

Deno.test("an image's range are its percentiles, and what has no value has a colour of its own", () => {
  const shape = { width: 100, height: 100 };
  const cases: [PixelArray, none: number][] = [
    [Uint16Array.from({ length: 10_000 }, (_, i) => i === 77 ? 65_535 : i % 100), 0],
    [Float32Array.from({ length: 10_000 }, (_, i) => i === 77 ? NaN : i % 100), 1],
    [Int16Array.from({ length: 10_000 }, (_, i) => i === 77 ? -32_768 : i % 100), 1],
  ];
  for (const [pixels, none] of cases) {
    const type = pixels.constructor.name.replace("Array", "").toLowerCase();
    const renderer = new ImageRenderer({ ...shape, pixel: drawnPixel(type) }, 100);
    const range = renderer.range(pixels)!;
    assert.ok(range.low <= 2 && range.high >= 95 && range.high <= 100, JSON.stringify(range));
    const { pixels: drawn } = renderer.draw(pixels, range);
    assert.equal(drawn.filter((colour) => colour === NO_VALUE).length, none, type);
    assert.equal(drawn[0], 1);
    assert.equal(Math.max(...drawn), 255);
  }
  const nothing = new Float32Array(10_000).fill(NaN);
  const renderer = new ImageRenderer({ ...shape, pixel: "float32" }, 100);
  assert.equal(renderer.range(nothing), undefined);
});

Deno.test("images are binned until they are small enough, but not those of one row", () => {
  const render = (width: number, height: number): [number, number] => {
    const renderer = new ImageRenderer({ width, height, pixel: "uint16" }, 64);
    const drawn = renderer.draw(new Uint16Array(width * height), { low: 0, high: 1 });
    return [drawn.width, drawn.height];
  };
  assert.deepEqual(render(64, 64), [64, 64]);
  assert.deepEqual(render(300, 200), [37, 25]);
  assert.deepEqual(render(1280, 1), [1280, 1]);
});

const OPTIONS: ImageFileOptions = {
  ...{ detector: "DET", height: 40, width: 50, pixelType: "uint16" },
  ...{ expectedImages: 0, attributes: {} },
};

Deno.test("previewFile() shows images from the first to the last, those without a row left out", async () => {
  using folder = new TestFolder();
  {
    using file = File.open(folder.file(), { write: true, create: "exclusive" });
    const images = ImageFile.create(file, OPTIONS);
    for (let row = 0; row < 21; row++) {
      const record = { imageId: BigInt(row), status: row % 10 === 0 ? 0 : 1 };
      if (record.status === 0) {
        images.skipImage(record);
        continue;
      }
      const pixels = new Uint16Array(2000).fill(100 * row);
      images.appendImage({ ...record, address: addressOf(pixels), bytes: pixels.byteLength });
    }
    images.close();
  }
  const gif = await previewFile(folder.file(), { format: "gif" });
  assert.deepEqual(gif.rows, [1, 5, 11, 15, 19]);
  assert.deepEqual(gif.range, { low: 100, high: 1900 });
  const drawn = decodeGif(gif.bytes);
  assert.deepEqual(drawn.map(({ width, height }) => [width, height]), Array(5).fill([50, 40]));
  assert.deepEqual(drawn.map(({ pixels }) => pixels[0]), [1, 57, 142, 199, 255]);
  const png = decodePng((await previewFile(folder.file(), { format: "png", images: 3 })).bytes);
  assert.deepEqual([png.width, png.height], [3 * 50 + 2 * 4, 40]);
  assert.deepEqual([png.pixels[0], png.pixels[50], png.pixels.at(-1)], [1, NO_VALUE, 255]);
});

Deno.test("previewFile() says so when there is nothing to see, and ends when it is told to", async () => {
  using folder = new TestFolder();
  writeTestFile(folder.file(), OPTIONS, 0);
  await assert.rejects(previewFile(folder.file(), { format: "gif" }), NoImagesError);
  writeTestFile(folder.file("two.h5"), OPTIONS, 2);
  const signal = AbortSignal.abort(new Error("enough"));
  await assert.rejects(previewFile(folder.file("two.h5"), { format: "gif", signal }), /enough/);
});
