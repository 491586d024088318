/**
 * XXH3, a fast checksum of 64 bits that is not meant against malice.
 *
 * @module
 */
import { bytesOf, checkRegions, type KernelMemory, type Region } from "./kernel_memory.ts";
import { XXH3_SECRET_BYTES } from "./layout.ts";

// The specification's default secret: https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md
const SECRET = "b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671f" +
  "cb79e64eccc0e578825ad07dccff7221b8084674f743248ee03590e6813a264c" +
  "3c2852bb91c300cb88d0658b1b532ea371644897a20df94e3819ef46a9deacd8" +
  "a8fa763fe39c343ff9dcbbc7c70b4f1d8a51e04bcdb45931c89f7ec9d9787364" +
  "eac5ac8334d3ebc3c581a0fffa1363eb170ddd51b7f0da49d316552629d4689e" +
  "2b16be587d47a1fc8ff8b8d17ad031ce45cb3a8f95160428afd7fbcabb4b407e";

/** The checksum, with its constants in a memory. */
export class Xxh3 {
  readonly #on: KernelMemory;
  readonly #secret: Region;

  /**
   * Puts the constants into the memory.
   *
   * @param at Address of {@link XXH3_SECRET_BYTES} bytes that stay as they are from now on.
   * @throws {RangeError} If they lie outside the memory.
   */
  constructor(on: KernelMemory, at: number) {
    this.#on = on;
    this.#secret = { at, bytes: XXH3_SECRET_BYTES };
    checkRegions(on, {}, { constants: this.#secret });
    bytesOf(on, this.#secret).set(Uint8Array.fromHex(SECRET));
  }

  /**
   * XXH3 of 64 bits, seed 0, of some bytes.
   *
   * @throws {RangeError} If they lie outside the memory.
   */
  hash(input: Region): bigint {
    checkRegions(this.#on, { input }, {});
    return BigInt.asUintN(64, this.#on.kernels.xxh3(input.at, input.bytes, this.#secret.at));
  }
}
